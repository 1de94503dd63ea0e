//! Segments whose rows are in the table, kept for ten minutes more and at most 16 MiB together: from them, and from what still
//! waits, a start learns which events came already, so that a beacon that is sent again because the process died before it was
//! answered is not counted twice. They are in no queue and are never sent.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Entry, Records};
use super::folder::Folder;
use super::pick::{Picker, number};
use super::record::ColumnKind;
use super::{Spool, sift};

/// How long they are kept.
const KEPT: Duration = Duration::from_secs(600);
/// How many bytes of them.
const MAX_BYTES: u64 = 16 << 20;
/// How many records a start looks at.
const MAX_RECORDS: usize = 100_000;

/// The segments in the folder `recent`, the oldest first.
#[derive(Default)]
pub(super) struct Recent(Mutex<VecDeque<Shelved>>);

struct Shelved {
    batch_id: u64,
    bytes: u64,
    since: Instant,
}

impl Recent {
    /// As the folder has them.
    pub(super) fn open(folder: &Folder) -> Recent {
        let now_ms = sift::now_ms();
        let found = folder.recent().unwrap_or_default().into_iter().map(|listed| {
            let age = Duration::from_millis(now_ms.saturating_sub(listed.modified_ms).max(0).unsigned_abs());
            let since = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
            Shelved { batch_id: listed.batch_id, bytes: listed.bytes, since }
        });
        let recent = Recent(Mutex::new(found.collect()));
        recent.sweep(folder);
        recent
    }

    /// Moves a segment here, whose rows are in the table.
    pub(super) fn put(&self, folder: &Folder, entry: Entry) -> io::Result<()> {
        let Entry { batch_id, bytes, .. } = entry;
        if bytes > MAX_BYTES {
            return folder.remove(batch_id);
        }
        if let Err(error) = folder.shelve(batch_id) {
            // It must leave the queue, whatever else.
            tracing::debug!(%error, batch_id, "a shipped segment cannot be kept aside; it is removed");
            return folder.remove(batch_id);
        }
        self.lock().push_back(Shelved { batch_id, bytes, since: Instant::now() });
        self.sweep(folder);
        Ok(())
    }

    /// Removes what was kept long enough, or is too much.
    pub(super) fn sweep(&self, folder: &Folder) {
        let mut shelved = self.lock();
        let mut bytes: u64 = shelved.iter().map(|shelved| shelved.bytes).sum();
        while let Some(oldest) = shelved.front()
            && (bytes > MAX_BYTES || oldest.since.elapsed() > KEPT)
        {
            // One that cannot be removed now is found by the next start.
            if let Err(error) = folder.remove_shelved(oldest.batch_id) {
                tracing::warn!(%error, batch_id = oldest.batch_id, "a shipped segment cannot be removed");
            }
            bytes = bytes.saturating_sub(oldest.bytes);
            shelved.pop_front();
        }
    }

    fn ids(&self) -> Vec<u64> {
        self.lock().iter().map(|shelved| shelved.batch_id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Shelved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spool {
    /// The events of earlier processes that have an id (`_event`) and are known still, each with its visitor, the newest batches
    /// first: a hundred thousand records at least, as far as there are so many. Blocks while it reads them.
    pub fn known_events(&self, mut known: impl FnMut(u128, u64)) {
        let shared = &self.0.shared;
        let waiting = shared.queue.waiting_ids();
        let shelved = shared.recent.ids();
        let mut looked_at = 0;
        let mut look = |bytes: io::Result<Vec<u8>>| {
            // What cannot be read is met again by who has to.
            let Some(records) = bytes.ok().and_then(|bytes| Records::parse(bytes).ok()) else { return true };
            let wanted = [("visitor_id", ColumnKind::UInt128), ("_event", ColumnKind::UInt64)];
            let picker = Picker::new(records.columns(), wanted);
            for record in records.iter() {
                if let Some([Some(visitor), Some(event)]) = picker.pick(record)
                    && number(event) != 0
                {
                    known(number(visitor), number(event) as u64);
                }
            }
            looked_at += records.len();
            looked_at < MAX_RECORDS
        };
        let _ = waiting.into_iter().rev().all(|batch_id| look(shared.folder.read_segment(batch_id)))
            && shelved.into_iter().rev().all(|batch_id| look(shared.folder.read_shelved(batch_id)));
    }
}
