//! The crash-safe queue on disk between capture and ClickHouse. Capture appends encoded events; the shipper in `store`
//! takes sealed batches. It never sees a raw identifier, looks into a record only for what must not be stored any more
//! ([`sift`]) and for what came already ([`recent`]), and knows nothing of ClickHouse but the names of column types. This text
//! is its design paper.
//!
//! # What it promises
//! - An append never waits for the disk. Records in memory are bounded: 8 MiB that fill, and 8 MiB that are being written.
//! - An [acknowledged](Spool::append_acknowledged) record has been given to the kernel by `write(2)`: it survives the death
//!   of the process. With [`Durability::Power`] it has been synced besides, and survives the loss of power. A
//!   [plain](Spool::append) record is at most one turn from the kernel (4 ms; 20 ms and a sync with `Durability::Power`); a
//!   killed process loses those.
//! - A sealed batch is synced, file and folder, before it can be sent, and survives the loss of power. What is neither
//!   sealed (at most `batch_age` old, longer while the database is away) nor acknowledged under `Power` may not.
//! - A record is in exactly one batch, and a batch has one id for ever.
//! - What waits is bounded by `max_bytes` on disk, quarantine included, and by `max_age`: beyond either, appends are refused, and
//!   what waits is kept. Beside it lie `recent/` (16 MiB at most) and, for a moment, a group that was admitted and the new file
//!   of a segment that is written again. What is refused or lost is counted, never silent.
//! - What waits is not stored once its own period is over, or its visitor has [withdrawn](Spool::forget).
//! - It starts, whatever it finds in its folder.
//!
//! # What is on disk
//! ```text
//! spool/lock                        held by the one process that has the spool open
//! spool/instance                    instance id and the batch numbers that may be in use
//! spool/5f3a9c10000000a7.segment    one segment = one batch; the name is the batch id
//! spool/ID.segment.new              what is to replace a segment or the instance id, until it is whole; a start removes it
//! spool/quarantine/ID.segment       what the database will never take, with ID.reason beside it
//! spool/quarantine/ID.retry         the same, to be tried again: within a second it is back in the queue, in doubt
//! spool/recent/ID.shipped           what came into the table in the last ten minutes, at most 16 MiB; in no queue
//! spool/forget                      whose records are left out of what waits; gone when nothing does
//! ```
//! A segment is a header (format version, batch id, partition, columns), record frames and, at last, a seal; [`segment`]
//! has the bytes. Its records are of one partition of the table (month and retention class), because only an insert of one
//! block into one partition is atomic (with several, a kill left parts of them). The columns stand in the header, so that
//! a spool that waited through an upgrade is still understood.
//!
//! # From record to batch
//! ```text
//! append ─▶ group (memory) ─▶ writer thread: write(2) ─▶ open segment ─▶ sealing thread: seal, fsync ─▶ queue ─▶ shipper
//! ```
//! The sealing thread never answers anybody, and the writer syncs only with `Durability::Power`, so that else no
//! acknowledgement waits for a sync. With it, the writer syncs once a turn each segment that somebody waits for, and a new
//! one's folder once; a turn then lasts 20 ms or 256 acknowledgements, so that one sync does for many. A
//! segment is sealed when it has `batch_rows` rows, 8 MiB, or is `batch_age` old; the age is doubled for each batch that
//! waits behind the two in flight, so that an outage leaves few large batches rather than one each second. Those who wait for
//! a turn are woken [together](turn).
//!
//! # Why no crash ships a record twice or under two ids
//! A segment has its batch id from birth; there is no moment at which records have none. Ids come from a number range that
//! was reserved durably before, at the start and long before it is used up, so that no record waits for that either. The steps, and what a crash after each of them leaves:
//! 1. *file made, header written*: no record; the next start removes it.
//! 2. *records written*: not sealed, hence never sent. The next start cuts the torn tail and seals it under its id.
//! 3. *seal written, not synced*: never sent either, since a batch is taken only after the sync. As 2, or sealed; a
//!    sealed one that a start finds is synced when it is first read, before it can be sent.
//! 4. *synced and queued*: whole, with a fixed number of rows. It may have been sent, so whatever a start finds is
//!    [in doubt](SealedBatch::in_doubt), and the shipper asks the table for the id before it sends.
//! 5. *stored, acknowledged, segment moved away*: should that be undone by a power loss, it is 4 again, and the table has the
//!    id. The folder is synced after it to keep that rare.
//! 6. *refused, halved*: two segments, which count only once the whole is gone, durably ([`split`]). Nothing of it was stored.
//!
//! So the state of a batch is in its one file and needs no second one (a ledger, an acknowledgement log) that could disagree
//! with it: a seal at its end says that it may have been sent, its absence from the folder that it is stored.
//!
//! # A disk that fails
//! - *A write fails* (no space, say): what was written of it is cut off, the turn's records for that segment are counted as
//!   lost, who waits for them is told so, and appends are refused for a second. Where it cannot even be cut off, the segment
//!   ends, so that nothing shorter is written over the remains.
//! - *A sync fails*: Linux then takes the pages it was about for written, and the next sync succeeds without them. So no
//!   later sync of that file is believed. The segment ends, is read back, checked, and written into a new file, which is
//!   synced and renamed over the old one under the same id; what the kernel did not keep is counted as damaged. Under
//!   `Power`, the records of the turn whose sync failed are cut off before, as after a failed write.
//! - *It does not answer*: each operation is noted while it is under way ([`disk`]), and one that takes more than 3 s is told of
//!   in [`SpoolStatus`] by who asks for that, who waits for no disk. Where it is the writer that waits, who would wait for a
//!   record is refused; other records are kept in memory as far as there is room.
//! - *A segment cannot be sealed*: it is tried again each second, and those behind it are sealed meanwhile, until eight cannot be.
//! - *A start meets it*: what cannot be sealed is left to the sealing thread, which tries each second; what cannot be read
//!   goes to quarantine; what cannot be moved either is met again at the next start.
//!
//! # Damage
//! Frames are checksummed from the header's checksum on. A frame that does not check is skipped by its own length or else
//! by search; what is whole behind it is kept. A seal counts its rows, so what is missing is known. A header that does
//! not check makes the segment unreadable: it goes to quarantine as it is.
//!
//! # Limits
//! A copied folder is told from its original by its number and its device's, and draws an instance id of its own; a device
//! that is copied bit by bit, of which both copies run, gives the same ids twice: remove `instance` from a copy. A process that dies between a failed sync and the new file leaves a segment whose pages the kernel has
//! and the disk may not have; the next process cannot know, and a power loss before they are written anew may take them.
//! Eight segments that cannot be sealed hold up those behind them; fewer hold up nobody. The new file of a failed sync takes its space (8 MiB at
//! most) beside the old one for a moment. Under `Power` the group fills while the writer syncs, so a disk that takes long
//! over it refuses events sooner.

mod batch;
mod batch_ids;
pub mod disk;
mod durability;
mod error;
mod folder;
mod group;
pub mod look;
mod open;
mod options;
mod partition;
mod pick;
mod recent;
pub mod record;
mod recover;
mod seal;
pub mod segment;
mod sift;
mod split;
mod status;
mod threads;
mod turn;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

pub use batch::{Records, Rejection, SealedBatch};
pub use durability::Durability;
pub use error::{Refused, SpoolError};
pub use options::SpoolOptions;
pub use partition::Partition;
pub use recover::Recovery;
pub use sift::Whose;
pub use status::SpoolStatus;
pub use turn::Acknowledgement;

use batch::Queue;
use batch_ids::BatchIds;
use disk::UnderWay;
use folder::Folder;
use group::{Group, Stop};
use recent::Recent;
use sift::Forgotten;
use status::{Tally, take_off};
use threads::{Stopping, Threads};

/// The spool. Clones are handles to the same one; when the last is dropped without [`close`](Spool::close), what is
/// buffered is still written (which that drop waits for), and the next start seals it.
#[derive(Clone)]
pub struct Spool(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    threads: Mutex<Option<Threads>>,
}

/// What the threads, the batches in hand and the handles share.
struct Shared {
    options: SpoolOptions,
    folder: Folder,
    group: Group,
    queue: Queue,
    tally: Tally,
    /// Operations of the disk, whoever waits for them.
    operations: Arc<UnderWay>,
    /// The writer's turn, if it is not waiting for one.
    turns: UnderWay,
    stopping: Stopping,
    /// Whether the names of the segments that the start found are durable.
    found_names_synced: bool,
    ids: Mutex<BatchIds>,
    /// Held while the list of whom to forget is changed, in memory and on disk.
    note: Mutex<()>,
    recent: Recent,
    forgotten: Forgotten,
}

impl Shared {
    /// An id that no batch has or had.
    fn next_id(&self) -> std::io::Result<u64> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).next(&self.folder)
    }
}

impl Spool {
    /// Takes a record for the partition without waiting for anything; `encode` appends its values to what it is given.
    pub fn append(&self, partition: Partition, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        self.put(partition, encode, false).map(drop)
    }

    /// Takes a record, and says when it will survive what [`durability`](SpoolOptions::durability) asks for: after the
    /// group's `write(2)`, a few milliseconds later, or after the sync that follows it.
    pub fn append_acknowledged(
        &self,
        partition: Partition,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Acknowledgement, Refused> {
        Ok(self.put(partition, encode, true)?.expect("what is awaited has an acknowledgement"))
    }

    /// Resolves when everything that was appended so far is as durable as it is to be, also what others appended: for who is
    /// told that something is kept that somebody else is just keeping. Fails where anything was lost meanwhile.
    pub async fn written(&self) -> Result<(), SpoolError> {
        let tally = &self.0.shared.tally;
        let lost = tally.lost.load(Relaxed);
        self.0.shared.group.written().ok_or(SpoolError::Closed)?.await?;
        // A disk that fails has perhaps lost it just before; within the second in which it is given rest the other one knows.
        match tally.lost.load(Relaxed) == lost && !tally.disk_failing.load(Relaxed) {
            true => Ok(()),
            false => Err(SpoolError::NotWritten(std::io::ErrorKind::Other)),
        }
    }

    fn put(
        &self,
        partition: Partition,
        encode: impl FnOnce(&mut Vec<u8>),
        is_awaited: bool,
    ) -> Result<Option<Acknowledgement>, Refused> {
        let shared = &self.0.shared;
        // Whoever waits would wait in vain. What nobody waits for is kept until the disk answers, as far as there is room.
        let hangs = is_awaited && shared.turns.longest() > status::HANGS;
        let failing = shared.tally.disk_failing.load(Relaxed) || shared.tally.overdue.load(Relaxed) || hangs;
        let room = shared.options.max_bytes.saturating_sub(shared.tally.disk_bytes.load(Relaxed));
        let room = if failing { 0 } else { room };
        // Counted before it can be written, shipped and counted off again.
        shared.tally.waiting_rows.fetch_add(1, Relaxed);
        let taken = shared.group.append(partition, room, encode, is_awaited);
        if taken.is_err() {
            take_off(&shared.tally.waiting_rows, 1);
            shared.tally.refused.fetch_add(1, Relaxed);
        }
        taken
    }

    /// Seals everything that was appended so far, and resolves when that is durable and can be taken.
    pub async fn flush(&self) -> Result<(), SpoolError> {
        let (done, flushed) = oneshot::channel();
        if !self.0.shared.group.flush(done) {
            return Err(SpoolError::Closed);
        }
        flushed.await.map_err(|_| SpoolError::Closed)
    }

    /// The oldest sealed batch that nobody has in hand; waits for one where there is none.
    pub async fn next_batch(&self) -> SealedBatch {
        loop {
            if let Some(batch) = self.try_next_batch() {
                return batch;
            }
            self.0.shared.queue.arrived().await;
        }
    }

    /// The oldest sealed batch that nobody has in hand, where there is one.
    pub fn try_next_batch(&self) -> Option<SealedBatch> {
        let shared = &self.0.shared;
        shared.queue.take().map(|entry| SealedBatch::new(Arc::clone(shared), entry))
    }

    /// The batch's rows are in the table; it is removed. It must be in hand.
    pub async fn acknowledge(&self, batch_id: u64) -> Result<(), SpoolError> {
        let shared = Arc::clone(&self.0.shared);
        off_the_runtime(move || shared.acknowledge(batch_id)).await
    }

    /// The batch's rows cannot go into the table; it is moved to `quarantine/`. It must be in hand.
    pub async fn reject(&self, batch_id: u64, rejection: Rejection) -> Result<(), SpoolError> {
        let shared = Arc::clone(&self.0.shared);
        off_the_runtime(move || shared.reject(batch_id, &rejection)).await
    }

    /// Refuses records from now on, writes, seals and syncs everything, and ends the threads. Blocks for the time of some
    /// syncs. Sealed batches can still be taken and settled afterwards.
    pub fn close(&self) -> Result<(), SpoolError> {
        match self.0.stop(Stop::Close) {
            0 => Ok(()),
            left => Err(SpoolError::NotSealed { left }),
        }
    }
}

async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<T, SpoolError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(SpoolError::Closed))
}

impl Handle {
    /// Ends the threads; returns how many segments could not be sealed.
    fn stop(&self, how: Stop) -> u32 {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(threads) = threads else { return 0 };
        self.shared.group.stop(how);
        self.shared.stopping.begin();
        threads.join()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop(Stop::Leave);
    }
}
