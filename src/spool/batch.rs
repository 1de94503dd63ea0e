//! The reading side: a sealed batch that was taken from the [queue], its [records], and how it [ends](settle).

mod queue;
mod records;
mod settle;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

pub(super) use queue::{Entry, Queue};
pub use records::Records;
pub use settle::Rejection;

use super::{Partition, Shared, SpoolError, sift};

/// A sealed batch in the hands of the shipper: one partition, one block, one id. Dropped before it is acknowledged or
/// rejected, it goes back to the head of the queue, in doubt.
pub struct SealedBatch {
    shared: Arc<Shared>,
    entry: Entry,
    /// What the first reading adds to what is known of it.
    synced: AtomicBool,
    damage_counted: AtomicBool,
}

impl SealedBatch {
    pub(super) fn new(shared: Arc<Shared>, entry: Entry) -> Self {
        let (synced, damage_counted) = (AtomicBool::new(entry.synced), AtomicBool::new(entry.damage_counted));
        SealedBatch { shared, entry, synced, damage_counted }
    }

    /// The id that stands in each of its rows.
    pub fn batch_id(&self) -> u64 {
        self.entry.batch_id
    }

    /// The one partition of its rows.
    pub fn partition(&self) -> Partition {
        self.entry.partition
    }

    /// How many rows were sealed.
    pub fn rows(&self) -> u32 {
        self.entry.rows
    }

    /// Whether an earlier attempt may have stored it: it was there when the spool was opened, or was taken before and
    /// given back. Ask the table before sending.
    pub fn in_doubt(&self) -> bool {
        self.entry.in_doubt
    }

    /// Reads its records from disk. Blocks; call it where that is allowed. Damaged records are left out and counted, and so are
    /// those that may not be stored any more ([`sift`]); there may be none left.
    pub fn read(&self) -> Result<Records, SpoolError> {
        let folder = &self.shared.folder;
        let failed = |source| SpoolError::io("read a batch", &folder.path(self.entry.batch_id), source);
        let bytes = folder.read_segment(self.entry.batch_id).map_err(failed)?;
        self.make_durable(&bytes).map_err(failed)?;
        let mut records = Records::parse(bytes)
            .map_err(|fault| SpoolError::Unreadable { batch_id: self.entry.batch_id, fault: fault.to_string() })?;
        let missing = u64::from(self.entry.rows).saturating_sub(records.len() as u64);
        if missing > 0 && !self.damage_counted.swap(true, Relaxed) {
            self.shared.tally.damaged.fetch_add(missing, Relaxed);
        }
        if records.is_empty() {
            let fault = "none of its records is whole".to_owned();
            return Err(SpoolError::Unreadable { batch_id: self.entry.batch_id, fault });
        }
        let now_ms = sift::now_ms();
        let outlived = self.entry.partition.may_be_outlived(now_ms);
        let (columns, bytes, payloads) = (&records.header.columns, &records.bytes, &mut records.payloads);
        let left_out = sift::sift(columns, &self.shared.forgotten, (now_ms, outlived), |keep| {
            payloads.retain(|range| keep(bytes.get(range.clone()).unwrap_or_default()));
        });
        self.shared.leave_out(self.entry.batch_id, left_out);
        Ok(records)
    }

    /// An earlier process may have sealed it and not come to sync it. It must not be sent before it is: a power loss would
    /// leave another batch under the same id.
    fn make_durable(&self, bytes: &[u8]) -> io::Result<()> {
        if self.synced.load(Relaxed) {
            return Ok(());
        }
        let (folder, batch_id) = (&self.shared.folder, self.entry.batch_id);
        let name = || if self.shared.found_names_synced { Ok(()) } else { folder.sync() };
        let synced = folder.open_segment(batch_id).and_then(|file| file.sync()).and_then(|()| name());
        if let Err(error) = synced {
            // Only a new file is believed from then on; see `seal::rewrite`.
            tracing::error!(%error, batch_id, "a sync failed; the batch is written again");
            folder.replace_segment(batch_id, bytes)?;
        }
        self.synced.store(true, Relaxed);
        Ok(())
    }
}

impl Drop for SealedBatch {
    fn drop(&mut self) {
        let (synced, damage_counted) = (self.synced.load(Relaxed), self.damage_counted.load(Relaxed));
        self.shared.queue.give_back(Entry { in_doubt: true, synced, damage_counted, ..self.entry });
    }
}
