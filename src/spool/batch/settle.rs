//! How a batch ends that was in hand: in the table, or in quarantine. Its segment leaves the queue either way.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::Entry;
use crate::spool::sift::LeftOut;
use crate::spool::{Shared, SpoolError, take_off};

/// Why a batch goes to quarantine instead of the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The database will not take these rows, now or later.
    #[error("the database refused its rows: {0}")]
    Data(String),
    /// It cannot be read or encoded.
    #[error("it cannot be encoded: {0}")]
    Unreadable(String),
    /// The table holds another number of its rows than were sent, which one block in one partition cannot lead to.
    #[error("the table holds {found} of its {sent} rows; both are kept, so compare them by batch_id")]
    Miscounted {
        /// Rows in the batch.
        sent: u32,
        /// Rows in the table.
        found: u64,
    },
}

impl Shared {
    /// What is left out of a batch in hand is counted, each record once, however often it is read, given back or halved.
    pub(in crate::spool) fn leave_out(&self, batch_id: u64, now: LeftOut) {
        let more = self.queue.leave_out(batch_id, now);
        self.tally.outlived.fetch_add(more.outlived, Relaxed);
        self.tally.forgotten.fetch_add(more.forgotten, Relaxed);
    }

    /// The batch's rows are in the table: its segment leaves the queue, durably.
    pub(in crate::spool) fn acknowledge(&self, batch_id: u64) -> Result<(), SpoolError> {
        self.settle(batch_id, "remove a shipped batch", |entry| {
            self.tally.shipped.fetch_add(1, Relaxed);
            self.recent.put(&self.folder, entry)?;
            take_off(&self.tally.disk_bytes, entry.bytes);
            self.folder.sync()
        })
    }

    /// The batch's rows cannot be in the table: its segment is kept aside, with the reason.
    pub(in crate::spool) fn reject(&self, batch_id: u64, rejection: &Rejection) -> Result<(), SpoolError> {
        self.settle(batch_id, "move a batch to quarantine", |_| {
            if matches!(rejection, Rejection::Miscounted { .. }) {
                self.tally.miscounted.fetch_add(1, Relaxed);
            }
            self.folder.quarantine(batch_id, &rejection.to_string())?;
            self.tally.quarantined.fetch_add(1, Relaxed);
            self.folder.sync_quarantine()
        })
    }

    /// Settles a batch whatever becomes of its file: where that cannot be moved, this process must not send it again, and
    /// the next start, which has it in doubt, asks the table.
    fn settle(
        &self,
        batch_id: u64,
        doing: &'static str,
        files: impl FnOnce(Entry) -> io::Result<()>,
    ) -> Result<(), SpoolError> {
        let entry = self.queue.settle(batch_id).ok_or(SpoolError::NotTaken { batch_id })?;
        let done = files(entry);
        take_off(&self.tally.waiting_rows, u64::from(entry.rows));
        // Fewer batches wait, so an open segment may be due sooner.
        self.group.nudge();
        done.map_err(|source| SpoolError::io(doing, &self.folder.path(batch_id), source))
    }
}
