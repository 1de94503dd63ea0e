//! The queue: sealed batches in the order they are to be shipped, and those that the shipper has in hand.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::spool::Partition;
use crate::spool::sift::LeftOut;

/// What the queue knows of a sealed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::spool) struct Entry {
    pub(in crate::spool) batch_id: u64,
    pub(in crate::spool) partition: Partition,
    pub(in crate::spool) rows: u32,
    pub(in crate::spool) bytes: u64,
    /// It may have been sent before.
    pub(in crate::spool) in_doubt: bool,
    /// This process knows that its bytes are durable.
    pub(in crate::spool) synced: bool,
    /// What of it is damaged stands in the tally.
    pub(in crate::spool) damage_counted: bool,
    /// What was left out of it stands in the tally so far.
    pub(in crate::spool) left_out: LeftOut,
    /// When its first record came, in milliseconds since 1970; for one that was found at the start, when its last did.
    pub(in crate::spool) born_ms: i64,
}

/// Sealed batches in the order they are to be shipped.
#[derive(Default)]
pub(in crate::spool) struct Queue {
    batches: Mutex<Batches>,
    arrived: Notify,
}

#[derive(Default)]
struct Batches {
    waiting: VecDeque<Entry>,
    taken: HashMap<u64, Entry>,
}

impl Queue {
    pub(in crate::spool) fn push(&self, entry: Entry) {
        self.lock().waiting.push_back(entry);
        self.arrived.notify_one();
    }

    pub(in crate::spool) fn take(&self) -> Option<Entry> {
        let mut batches = self.lock();
        let entry = batches.waiting.pop_front()?;
        batches.taken.insert(entry.batch_id, entry);
        Some(entry)
    }

    pub(in crate::spool) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Puts batches before all others, in their order.
    pub(in crate::spool) fn push_front(&self, entries: impl DoubleEndedIterator<Item = Entry>) {
        let mut batches = self.lock();
        entries.rev().for_each(|entry| batches.waiting.push_front(entry));
        drop(batches);
        // One for each shipper that may be waiting.
        self.arrived.notify_one();
        self.arrived.notify_one();
    }

    /// A batch in hand.
    pub(in crate::spool) fn in_hand(&self, batch_id: u64) -> Option<Entry> {
        self.lock().taken.get(&batch_id).copied()
    }

    /// What of a batch in hand is left out now; gives what of that is not counted yet. A batch that is not in hand has none.
    pub(in crate::spool) fn leave_out(&self, batch_id: u64, now: LeftOut) -> LeftOut {
        let mut batches = self.lock();
        batches.taken.get_mut(&batch_id).map(|entry| entry.left_out.grow(now)).unwrap_or_default()
    }

    /// All that are not settled, the oldest first.
    pub(in crate::spool) fn waiting_ids(&self) -> Vec<u64> {
        let batches = self.lock();
        let mut ids: Vec<u64> = batches.waiting.iter().chain(batches.taken.values()).map(|e| e.batch_id).collect();
        ids.sort_unstable();
        ids
    }

    /// Since when the oldest has waited, in milliseconds since 1970.
    pub(in crate::spool) fn oldest_ms(&self) -> Option<i64> {
        let batches = self.lock();
        batches.waiting.iter().chain(batches.taken.values()).map(|entry| entry.born_ms).min()
    }

    /// Batches that are not settled yet.
    pub(in crate::spool) fn unsettled(&self) -> usize {
        let batches = self.lock();
        batches.waiting.len() + batches.taken.len()
    }

    /// Ends a batch's time in the queue; nothing where it was not taken from it or is settled already.
    pub(in crate::spool) fn settle(&self, batch_id: u64) -> Option<Entry> {
        self.lock().taken.remove(&batch_id)
    }

    pub(super) fn give_back(&self, entry: Entry) {
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
