//! The group: records that wait, in memory, for the writer's next turn. This is the proxy's side of the spool, so its rules
//! are the proxy's: a short lock, no disk, no allocation for a record once the buffer has grown, and a wake-up (a system
//! call) only for the first record after a pause, never for each.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::segment::{MAX_RECORD_BYTES, Reader};
use super::turn::{Acknowledgement, Promise};
use super::{Durability, Partition, Refused};

/// The most bytes that may wait for the writer; at 250 bytes a record about 30 000 records.
const GROUP_BYTES: usize = 8 << 20;
/// From here on the writer is woken before its turn.
const HURRY_BYTES: usize = GROUP_BYTES / 4;
/// How long the writer lets a group collect while records keep coming: the most that a killed process loses of the page
/// views, and what an acknowledgement waits for.
const TURN: Duration = Duration::from_millis(4);
/// The same where an acknowledgement waits for a sync, and how many may wait before the writer is woken for them: one sync
/// should do for many, and nobody should wait long for the others.
const POWER_TURN: Duration = Duration::from_millis(20);
const POWER_WAITERS: usize = 256;
/// So few are worth no turn of their own before it is time.
const FEW_WAITERS: usize = 16;
/// Length, month, retention days: what stands before each payload in the group.
const HEAD_BYTES: usize = 10;

/// How the writer's thread is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Write, seal and sync everything.
    Close,
    /// Write what is buffered and leave; the next start seals it.
    Leave,
}

/// What a turn took out of the group. Kept between turns for its buffers.
#[derive(Default)]
pub(super) struct Taken {
    bytes: Vec<u8>,
    /// Which of the turn's records somebody waits for, in their order.
    pub(super) awaited: Vec<u32>,
    /// What those who wait were promised.
    pub(super) promise: Option<Promise>,
    /// Who waits for everything so far to be sealed.
    pub(super) flushes: Vec<oneshot::Sender<()>>,
    pub(super) stop: Option<Stop>,
}

impl Taken {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.flushes.is_empty() && self.promise.is_none()
    }

    /// The records in the order they came, each with its number.
    pub(super) fn records(&self) -> impl Iterator<Item = (u32, Partition, &[u8])> {
        let mut rest = Reader(&self.bytes);
        (0..).map_while(move |record| {
            let len = rest.u32()?;
            let partition = Partition { month: rest.u32()?, retention_days: rest.u16()? };
            Some((record, partition, rest.take(len as usize)?))
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.awaited.clear();
        self.promise = None;
        self.flushes.clear();
        self.stop = None;
    }
}

/// How long the writer waits for its next turn.
#[derive(Clone, Copy)]
pub(super) enum Pause {
    /// Records keep coming: one turn, whatever arrives.
    Turn,
    /// Nothing comes: until a record does, or something else is due.
    Until(Option<Instant>),
}

pub(super) struct Group {
    filling: Mutex<Filling>,
    wake: Condvar,
    turn: Duration,
    /// From here on the writer is woken before its turn, however many there were in the last one.
    many_waiters: usize,
}

#[derive(Default)]
struct Filling {
    taken: Taken,
    /// Where the last whole record ends; an encoder that panicked leaves bytes behind it.
    whole: usize,
    /// How many records there are.
    records: u32,
    /// How many records somebody waited for in the last turn: when as many wait again, hardly anybody else is to come.
    awaited_last: usize,
    writer_sleeps: bool,
    hurried: bool,
    closed: bool,
}

impl Group {
    pub(super) fn new(durability: Durability) -> Group {
        let (turn, many_waiters) = match durability {
            Durability::Write => (TURN, usize::MAX),
            Durability::Power => (POWER_TURN, POWER_WAITERS),
        };
        Group { filling: Mutex::default(), wake: Condvar::new(), turn, many_waiters }
    }

    /// Appends a record, and gives what is waited for by, where it is. `encode` must only append to what it is given.
    pub(super) fn append(
        &self,
        partition: Partition,
        room: u64,
        encode: impl FnOnce(&mut Vec<u8>),
        is_awaited: bool,
    ) -> Result<Option<Acknowledgement>, Refused> {
        let mut filling = self.lock();
        if filling.closed {
            return Err(Refused::Closed);
        }
        let start = filling.whole;
        if start >= GROUP_BYTES || start as u64 >= room {
            return Err(Refused::Full);
        }
        let bytes = &mut filling.taken.bytes;
        bytes.truncate(start);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&partition.month.to_le_bytes());
        bytes.extend_from_slice(&partition.retention_days.to_le_bytes());
        encode(bytes);
        let len = bytes.len().saturating_sub(start + HEAD_BYTES);
        if len == 0 || len > MAX_RECORD_BYTES {
            bytes.truncate(start);
            return Err(Refused::Size);
        }
        if let Some(head) = bytes.get_mut(start..start + 4) {
            head.copy_from_slice(&(len as u32).to_le_bytes());
        }
        filling.whole = bytes.len();
        let record = filling.records;
        filling.records += 1;
        let acknowledgement = is_awaited.then(|| {
            filling.taken.awaited.push(record);
            filling.promise().acknowledgement(Some((partition, record)))
        });
        let awaited = filling.taken.awaited.len();
        let all_again = is_awaited && awaited >= filling.awaited_last.max(FEW_WAITERS);
        let much = filling.whole >= HURRY_BYTES || awaited >= self.many_waiters || all_again && self.turn == TURN;
        let hurry = much && !std::mem::replace(&mut filling.hurried, true);
        let wake = std::mem::take(&mut filling.writer_sleeps) || hurry;
        drop(filling);
        if wake {
            self.wake.notify_one();
        }
        Ok(acknowledgement)
    }

    /// Resolves when everything that was appended so far is as durable as it is to be; nothing where the writer is gone.
    pub(super) fn written(&self) -> Option<Acknowledgement> {
        let mut filling = self.lock();
        if filling.closed {
            return None;
        }
        let acknowledgement = filling.promise().acknowledgement(None);
        self.wake_writer(filling);
        Some(acknowledgement)
    }

    /// Asks for everything so far to be sealed; `false` where the writer is gone.
    pub(super) fn flush(&self, done: oneshot::Sender<()>) -> bool {
        let mut filling = self.lock();
        if filling.closed {
            return false;
        }
        filling.taken.flushes.push(done);
        self.wake_writer(filling);
        true
    }

    /// Refuses records from now on and ends the writer.
    pub(super) fn stop(&self, how: Stop) {
        let mut filling = self.lock();
        if !std::mem::replace(&mut filling.closed, true) {
            filling.taken.stop = Some(how);
        }
        self.wake_writer(filling);
    }

    /// The writer is gone, however it ended: refuses records from now on and lets go of who waits.
    pub(super) fn abandon(&self) {
        let mut filling = self.lock();
        filling.closed = true;
        filling.taken.clear();
    }

    /// Lets the writer look again at what is due.
    pub(super) fn nudge(&self) {
        let mut filling = self.lock();
        // Should the writer be about to sleep until something that is now due sooner, this keeps it awake.
        filling.hurried = true;
        self.wake_writer(filling);
    }

    /// Waits for the writer's turn and takes what there is. `into` gives its buffers in exchange.
    pub(super) fn take(&self, into: &mut Taken, pause: Pause) {
        into.clear();
        let mut filling = self.lock();
        match pause {
            Pause::Turn => {
                let waited = self.wake.wait_timeout_while(filling, self.turn, |filling| !filling.is_urgent());
                filling = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Pause::Until(due) if filling.whole == 0 && filling.taken.promise.is_none() && !filling.is_urgent() => {
                filling.writer_sleeps = true;
                filling = match due {
                    Some(due) => {
                        let left = due.saturating_duration_since(Instant::now());
                        let waited = self.wake.wait_timeout_while(filling, left, |filling| filling.writer_sleeps);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => {
                        let waited = self.wake.wait_while(filling, |filling| filling.writer_sleeps);
                        waited.unwrap_or_else(PoisonError::into_inner)
                    }
                };
            }
            Pause::Until(_) => {}
        }
        filling.writer_sleeps = false;
        filling.hurried = false;
        filling.records = 0;
        filling.awaited_last = filling.taken.awaited.len();
        let whole = std::mem::take(&mut filling.whole);
        filling.taken.bytes.truncate(whole);
        std::mem::swap(&mut filling.taken, into);
    }

    fn wake_writer(&self, mut filling: MutexGuard<'_, Filling>) {
        filling.writer_sleeps = false;
        drop(filling);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Filling> {
        // A panic under the lock can only be an encoder's; `whole` says what is good.
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Filling {
    fn promise(&mut self) -> &Promise {
        self.taken.promise.get_or_insert_with(Promise::new)
    }

    fn is_urgent(&self) -> bool {
        self.hurried || self.taken.stop.is_some() || !self.taken.flushes.is_empty()
    }
}
