//! The one thread that appends. It takes all that waits, makes rows of it, and writes and syncs them together, so that many
//! visitors share one sync.

use std::sync::Arc;
use std::sync::PoisonError;

use tokio::sync::{mpsc, oneshot};

use super::entry::Entry;
use super::error::LedgerError;
use super::month::Month;
use super::note::{self, Head, LastRow};
use super::row::{Link, Row};
use super::segment::{Segment, write_and_sync};
use super::sign::{PublicKeys, Signer};
use super::{Appended, Shared};
use crate::keys::KeyRing;

/// The most rows in one group.
const GROUP: usize = 256;

/// Who waits for a row.
pub(super) type Waiter = oneshot::Sender<Result<Appended, LedgerError>>;

/// What the thread is asked to do.
pub(super) enum Job {
    Append { entry: Box<Entry>, waiter: Waiter },
    Close,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    ring: Arc<KeyRing>,
    site_id: u32,
    link: Link,
    segment: Option<Segment>,
    /// How often a segment was opened.
    openings: u64,
    head: Head,
}

/// Rows of one month on their way to the disk.
struct Group {
    month: Month,
    link: Link,
    bytes: Vec<u8>,
    waiting: Vec<(Waiter, Appended)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, ring: Arc<KeyRing>, site_id: u32, link: Link) -> Writer {
        let head = Head::open(&shared.folder);
        Writer { shared, ring, site_id, link, segment: None, openings: 0, head }
    }

    /// At the start: where the last row that was found is not the one that is noted, it is noted anew, and that is said. A
    /// loss of power can be why, since the note is not synced.
    pub(super) fn note_last(&mut self, last: LastRow) {
        let folder = &self.shared.folder;
        if note::read_head(folder.path(), &PublicKeys::of(&self.ring)) != Some(last) {
            tracing::warn!(seq = last.seq, "the ledger's last row was not the one noted beside it; it is noted anew");
            self.head.note(folder, last, &Signer::current(&self.ring));
        }
    }

    /// Until it is told to close, or nobody can append any more.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut entries = Vec::new();
            let mut next = Some(first);
            let mut closing = false;
            while let Some(job) = next {
                match job {
                    Job::Append { entry, waiter } => entries.push((entry, waiter)),
                    Job::Close => closing = true,
                }
                next = if closing || entries.len() >= GROUP { None } else { jobs.try_recv().ok() };
            }
            self.append(entries);
            if closing {
                return;
            }
        }
    }

    fn append(&mut self, entries: Vec<(Box<Entry>, Waiter)>) {
        if entries.is_empty() {
            return;
        }
        // Anew for each group: a key that was rotated or destroyed signs nothing more.
        let signer = Signer::current(&self.ring);
        let mut group: Option<Group> = None;
        for (entry, waiter) in entries {
            let month = Month::of(entry.at_ms.max(group.as_ref().map_or(self.link, |group| group.link).at_ms));
            if let Some(full) = group.take_if(|group| group.month != month) {
                self.commit(full, &signer);
            }
            let group =
                group.get_or_insert_with(|| Group { month, link: self.link, bytes: Vec::new(), waiting: Vec::new() });
            let row = Row::behind(&group.link, self.site_id, *entry, &signer);
            group.link = Link { chain: row.chain, seq: row.seq, hash: row.hash, at_ms: row.entry.at_ms };
            group.bytes.extend_from_slice(row.line().as_bytes());
            group.bytes.push(b'\n');
            group.waiting.push((waiter, Appended { seq: row.seq, hash: row.hash, at_ms: row.entry.at_ms }));
        }
        if let Some(group) = group {
            self.commit(group, &signer);
        }
    }

    /// Brings a group to the disk and answers who waits for it. Only then does the chain go on behind it.
    fn commit(&mut self, group: Group, signer: &Signer) {
        let written = self.write(&group);
        if let Err(error) = &written {
            tracing::error!(%error, rows = group.waiting.len(), "choices could not be written to the ledger and do not count");
        } else {
            self.link = group.link;
            self.head.note(&self.shared.folder, group.link.last_row(), signer);
            self.shared.head.send_replace(group.link.seq);
        }
        for (waiter, appended) in group.waiting {
            let answer = written.as_ref().map(|()| appended).map_err(|error| LedgerError::NotWritten(error.kind()));
            // Who does not wait any more does not hear it.
            let _ = waiter.send(answer);
        }
    }

    fn write(&mut self, group: &Group) -> std::io::Result<()> {
        if let Some(before) = &mut self.segment
            && (before.month != group.month || before.is_displaced())
        {
            before.leave()?;
            self.segment = None;
        }
        let segment = match &mut self.segment {
            Some(segment) => segment,
            none => {
                self.openings += 1;
                none.insert(self.shared.folder.open_segment(group.month)?)
            }
        };
        #[cfg(test)]
        let faults = &self.shared.faults;
        segment.append(&self.shared.folder, &group.bytes, |file, bytes, at| {
            #[cfg(test)]
            faults.strike(file, bytes, at)?;
            write_and_sync(file, bytes, at)?;
            #[cfg(test)]
            faults.strike_behind();
            Ok(())
        })?;
        *self.shared.tail.lock().unwrap_or_else(PoisonError::into_inner) =
            super::read::Tail { month: segment.month, len: segment.len, opening: self.openings };
        Ok(())
    }
}

/// Failures of the disk, for tests.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Faults {
    ends_after: std::sync::Mutex<Option<usize>>,
    behind: std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

#[cfg(test)]
impl Faults {
    /// Lets the next write end with an error, after so many bytes of it were written.
    pub(super) fn next_write_ends_after(&self, bytes: usize) {
        *self.ends_after.lock().unwrap() = Some(bytes);
    }

    /// Lets something happen right behind the next sync.
    pub(super) fn next_sync_is_followed_by(&self, what: impl FnOnce() + Send + 'static) {
        *self.behind.lock().unwrap() = Some(Box::new(what));
    }

    fn strike(&self, file: &std::fs::File, bytes: &[u8], at: u64) -> std::io::Result<()> {
        use std::os::unix::fs::FileExt as _;
        let Some(len) = self.ends_after.lock().unwrap().take() else { return Ok(()) };
        file.write_all_at(&bytes[..len.min(bytes.len())], at)?;
        Err(std::io::ErrorKind::StorageFull.into())
    }

    fn strike_behind(&self) {
        let what = self.behind.lock().unwrap().take();
        what.into_iter().for_each(|what| what());
    }
}
