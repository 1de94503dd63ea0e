//! What is looked after each second: batches that are to be tried again, segments kept long enough, and how long the oldest has
//! waited.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};

use super::batch::Entry;
use super::recover::{self, Left};
use super::seal;
use super::sift::{self, Whose};
use super::{Shared, Spool, SpoolError, off_the_runtime, take_off};

impl Spool {
    /// Looks after all that; to be called every second or so.
    pub async fn watch(&self) {
        let shared = Arc::clone(&self.0.shared);
        let watched = off_the_runtime(move || {
            shared.judge_age(sift::now_ms());
            shared.recent.sweep(&shared.folder);
            shared.take_back_all();
            shared.reserve_ids();
            Ok(())
        });
        if watched.await.is_err() {
            tracing::error!("the spool could not be looked after; it is tried again");
        }
    }

    /// Leaves out of everything that waits what is theirs, up to a time in milliseconds since 1970; durable when this returns.
    /// What is being sent at the moment is not reached; what is tried again later is. Costs nothing where nothing waits.
    pub async fn forget(&self, whose: &[Whose], until_ms: i64) -> Result<(), SpoolError> {
        let (shared, whose) = (Arc::clone(&self.0.shared), whose.to_vec());
        if whose.is_empty() || !shared.anything_waits() {
            return Ok(());
        }
        off_the_runtime(move || {
            let _alone = shared.note.lock().unwrap_or_else(PoisonError::into_inner);
            let note = shared.forgotten.add(&whose, until_ms);
            let path = shared.options.dir.join(sift::NOTE);
            let written = shared.folder.write_note(sift::NOTE, &note);
            written.map_err(|source| SpoolError::io("note whom to forget", &path, source))
        })
        .await
    }
}

impl Shared {
    /// Whether the oldest has waited longer than it may: then nothing more is taken. Ends the list of whom to forget, where
    /// nothing waits.
    pub(super) fn judge_age(&self, now_ms: i64) {
        let oldest = self.queue.oldest_ms();
        let age = oldest.map_or(0, |oldest| now_ms.saturating_sub(oldest).max(0).unsigned_abs());
        self.tally.oldest_ms.store(age, Relaxed);
        let max = u64::try_from(self.options.max_age.as_millis()).unwrap_or(u64::MAX);
        let overdue = age > max;
        if overdue != self.tally.overdue.swap(overdue, Relaxed) {
            match overdue {
                true => tracing::error!(age_s = age / 1000, "events wait longer than they may; new ones are refused"),
                false => tracing::info!("events wait no longer than they may; new ones are taken again"),
            }
        }
        let _alone = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.anything_waits() && self.forgotten.clear() {
            // The file says of whom nothing waits any more; the next that is added replaces it, and a start reads it in vain.
            let _ = self.folder.remove_note(sift::NOTE);
        }
    }

    /// Reserves batch ids before the writer runs out of them, which would wait for the disk.
    fn reserve_ids(&self) {
        let _alone = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !now.wants_more() {
            return;
        }
        let mut more = now;
        match more.reserve(&self.folder) {
            Ok(()) => self.ids.lock().unwrap_or_else(PoisonError::into_inner).adopt(&more),
            Err(error) => tracing::warn!(%error, "batch ids cannot be reserved yet"),
        }
    }

    /// What is in quarantine may be tried again.
    fn anything_waits(&self) -> bool {
        self.tally.waiting_rows.load(Relaxed) > 0 || self.tally.quarantined.load(Relaxed) > 0
    }

    /// Takes batches back from quarantine that somebody wants to be tried again.
    pub(super) fn take_back_all(&self) {
        let Ok(found) = self.folder.to_be_retried() else { return };
        for listed in found {
            let taken = self.folder.take_back(listed.batch_id).and_then(|()| self.folder.sync()).and_then(|()| {
                let listed = self.folder.segments()?.into_iter().find(|segment| segment.batch_id == listed.batch_id);
                let listed = listed.ok_or(io::ErrorKind::NotFound)?;
                recover::take_up_again(&self.folder, &listed)
            });
            match taken {
                Ok(Some(left)) => self.queue_again(left),
                Ok(None) => {
                    let reason = "it is no segment that this program can read";
                    if let Err(error) = self.folder.quarantine(listed.batch_id, reason) {
                        tracing::error!(%error, batch_id = listed.batch_id, "a segment cannot go back to quarantine");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, batch_id = listed.batch_id, "a batch in quarantine cannot be tried again");
                }
            }
        }
    }

    fn queue_again(&self, left: Left) {
        let (batch_id, rows) = (left.batch_id(), left.rows());
        tracing::info!(batch_id, rows, "a batch of the quarantine is tried again");
        take_off(&self.tally.quarantined, 1);
        self.tally.waiting_rows.fetch_add(u64::from(rows), Relaxed);
        match left {
            Left::Sealed(entry) => self.queue.push(Entry { born_ms: sift::now_ms(), ..entry }),
            Left::Unsealed(mut segment) => {
                segment.born_ms = sift::now_ms();
                if let Err(error) = seal::seal(self, &mut segment) {
                    tracing::error!(%error, batch_id, "it cannot be sealed; the next start tries again");
                }
            }
        }
    }
}
