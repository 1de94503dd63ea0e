//! The reading side: the queue of sealed batches, a batch that was taken from it, and its records.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::record::Column;
use super::segment::{self, Header};
use super::sift::{self, LeftOut};
use super::{Partition, Shared, SpoolError, take_off};

/// What the queue knows of a sealed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) batch_id: u64,
    pub(super) partition: Partition,
    pub(super) rows: u32,
    pub(super) bytes: u64,
    /// It may have been sent before.
    pub(super) in_doubt: bool,
    /// This process knows that its bytes are durable.
    pub(super) synced: bool,
    /// What of it is damaged stands in the tally.
    pub(super) damage_counted: bool,
    /// What was left out of it stands in the tally so far.
    pub(super) left_out: LeftOut,
    /// When its first record came, in milliseconds since 1970; for one that was found at the start, when its last did.
    pub(super) born_ms: i64,
}

/// Sealed batches in the order they are to be shipped.
#[derive(Default)]
pub(super) struct Queue {
    batches: Mutex<Batches>,
    arrived: Notify,
}

#[derive(Default)]
struct Batches {
    waiting: VecDeque<Entry>,
    taken: HashMap<u64, Entry>,
}

impl Queue {
    pub(super) fn push(&self, entry: Entry) {
        self.lock().waiting.push_back(entry);
        self.arrived.notify_one();
    }

    pub(super) fn take(&self) -> Option<Entry> {
        let mut batches = self.lock();
        let entry = batches.waiting.pop_front()?;
        batches.taken.insert(entry.batch_id, entry);
        Some(entry)
    }

    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Puts batches before all others, in their order.
    pub(super) fn push_front(&self, entries: impl DoubleEndedIterator<Item = Entry>) {
        let mut batches = self.lock();
        entries.rev().for_each(|entry| batches.waiting.push_front(entry));
        drop(batches);
        // One for each shipper that may be waiting.
        self.arrived.notify_one();
        self.arrived.notify_one();
    }

    /// A batch in hand.
    pub(super) fn in_hand(&self, batch_id: u64) -> Option<Entry> {
        self.lock().taken.get(&batch_id).copied()
    }

    /// What of a batch in hand is left out now; gives what of that is not counted yet. A batch that is not in hand has none.
    pub(super) fn leave_out(&self, batch_id: u64, now: LeftOut) -> LeftOut {
        let mut batches = self.lock();
        batches.taken.get_mut(&batch_id).map(|entry| entry.left_out.grow(now)).unwrap_or_default()
    }

    /// All that are not settled, the oldest first.
    pub(super) fn waiting_ids(&self) -> Vec<u64> {
        let batches = self.lock();
        let mut ids: Vec<u64> = batches.waiting.iter().chain(batches.taken.values()).map(|e| e.batch_id).collect();
        ids.sort_unstable();
        ids
    }

    /// Since when the oldest has waited, in milliseconds since 1970.
    pub(super) fn oldest_ms(&self) -> Option<i64> {
        let batches = self.lock();
        batches.waiting.iter().chain(batches.taken.values()).map(|entry| entry.born_ms).min()
    }

    /// Batches that are not settled yet.
    pub(super) fn unsettled(&self) -> usize {
        let batches = self.lock();
        batches.waiting.len() + batches.taken.len()
    }

    /// Ends a batch's time in the queue; nothing where it was not taken from it or is settled already.
    pub(super) fn settle(&self, batch_id: u64) -> Option<Entry> {
        self.lock().taken.remove(&batch_id)
    }

    fn give_back(&self, entry: Entry) {
        let mut batches = self.lock();
        if let Some(Entry { left_out, .. }) = batches.taken.remove(&entry.batch_id) {
            batches.waiting.push_front(Entry { left_out, ..entry });
            drop(batches);
            self.arrived.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

/// The records of one batch and the columns they are made of.
pub struct Records {
    header: Header,
    bytes: Vec<u8>,
    payloads: Vec<Range<usize>>,
}

impl Records {
    /// Records that never were on disk, for tests and benchmarks.
    pub fn in_memory<'a>(
        batch_id: u64,
        partition: Partition,
        columns: Vec<Column>,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Records {
        let mut bytes = Vec::new();
        let mut ranges = Vec::new();
        for payload in payloads {
            ranges.push(bytes.len()..bytes.len() + payload.len());
            bytes.extend_from_slice(payload);
        }
        Records { header: Header { batch_id, partition, columns, half_of: None }, bytes, payloads: ranges }
    }

    pub(super) fn parse(bytes: Vec<u8>) -> Result<Records, segment::HeaderFault> {
        let read = Header::decode(&bytes)?;
        let payloads = segment::scan(&bytes, &read).records;
        Ok(Records { header: read.header, bytes, payloads })
    }

    /// The batch they belong to.
    pub fn batch_id(&self) -> u64 {
        self.header.batch_id
    }

    /// The one partition of them.
    pub(super) fn partition(&self) -> Partition {
        self.header.partition
    }

    /// What each record's values are, in order.
    pub fn columns(&self) -> &[Column] {
        &self.header.columns
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// The bytes of all of them together, framing included: a bound for what they become.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each record's values, in the order of the columns.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter().map(|range| self.bytes.get(range.clone()).unwrap_or_default())
    }
}

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
    pub(super) fn leave_out(&self, batch_id: u64, now: LeftOut) {
        let more = self.queue.leave_out(batch_id, now);
        self.tally.outlived.fetch_add(more.outlived, Relaxed);
        self.tally.forgotten.fetch_add(more.forgotten, Relaxed);
    }

    /// The batch's rows are in the table: its segment leaves the queue, durably.
    pub(super) fn acknowledge(&self, batch_id: u64) -> Result<(), SpoolError> {
        self.settle(batch_id, "remove a shipped batch", |entry| {
            self.tally.shipped.fetch_add(1, Relaxed);
            self.recent.put(&self.folder, entry)?;
            take_off(&self.tally.disk_bytes, entry.bytes);
            self.folder.sync()
        })
    }

    /// The batch's rows cannot be in the table: its segment is kept aside, with the reason.
    pub(super) fn reject(&self, batch_id: u64, rejection: &Rejection) -> Result<(), SpoolError> {
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
