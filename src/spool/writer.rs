//! The writer: one thread that takes the group, puts each record into the open segment of its partition with one `write`
//! per segment and turn, answers who waits, and hands segments that are due to the sealing thread. It syncs only where an
//! acknowledgement is to survive the loss of power; else a slow disk delays sealing and not the acknowledgements.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::folder::Folder;
use super::group::{Pause, Stop, Taken};
use super::seal::{Job, Unsealed};
use super::segment::{self, Header};
use super::turn::Failed;
use super::{Durability, Partition, Shared, sift, take_off};

/// Bytes after which a batch is sealed, whatever its rows: what the encoder and one insert hold in memory.
const BATCH_BYTES: u64 = 8 << 20;
/// Segments open at a time; one more seals the oldest. Live traffic needs one or two for each retention class.
const OPEN_SEGMENTS: usize = 64;
/// Turns without a record before the writer sleeps until it is woken. At more than 50 records a second nobody wakes it.
const QUIET_TURNS: u32 = 5;
/// How long appends are refused after the disk refused a write.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// An age is doubled for each batch that waits behind the two in flight, up to this many times: while the database is away a quiet site's spool
/// must not become a folder of a hundred thousand files.
const AGE_DOUBLINGS: usize = 6;

/// A segment that records are still written to.
struct OpenSegment {
    written: Unsealed,
    born: Instant,
    /// Records of this turn, framed, not written yet.
    pending: Vec<u8>,
    pending_rows: u32,
    pending_chain: u32,
    /// The number of the first of them.
    pending_from: u32,
    /// Somebody waits for one of them.
    pending_is_awaited: bool,
    /// Its name is durable.
    name_synced: bool,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    sealing: SyncSender<Job>,
    open: Vec<OpenSegment>,
    failed: Vec<Failed>,
    failed_at: Option<Instant>,
    quiet_turns: u32,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sealing: SyncSender<Job>) -> Writer {
        let (open, failed) = (Vec::new(), Vec::new());
        Writer { shared, sealing, open, failed, failed_at: None, quiet_turns: QUIET_TURNS }
    }

    /// The thread's life.
    pub(super) fn run(mut self) {
        let mut taken = Taken::default();
        loop {
            let pause = if self.quiet_turns < QUIET_TURNS { Pause::Turn } else { Pause::Until(self.next_due()) };
            self.shared.group.take(&mut taken, pause);
            let shared = Arc::clone(&self.shared);
            if !shared.turns.during(|| self.turn(&mut taken)) {
                return;
            }
        }
    }

    /// What is done with what was taken; `false` after the last turn.
    pub(super) fn turn(&mut self, taken: &mut Taken) -> bool {
        self.quiet_turns = if taken.is_empty() { self.quiet_turns.saturating_add(1) } else { 0 };
        self.write(taken);
        let failed = std::mem::take(&mut self.failed);
        if let Some(promise) = taken.promise.take() {
            promise.keep(failed);
        }
        let everything = !taken.flushes.is_empty() || taken.stop == Some(Stop::Close);
        self.seal_due(everything);
        if !taken.flushes.is_empty() {
            self.hand_over(Job::Flushed(std::mem::take(&mut taken.flushes)));
        }
        taken.stop.is_none()
    }

    fn write(&mut self, taken: &Taken) {
        let mut awaited = taken.awaited.iter().copied().peekable();
        for (record, partition, payload) in taken.records() {
            let is_awaited = awaited.next_if_eq(&record).is_some();
            if self.failed.iter().any(|failed| failed.partition == partition) {
                self.lost(1);
                continue;
            }
            match self.segment(partition) {
                Ok(at) => self.put(at, record, payload, is_awaited),
                Err(error) => self.failure(Failed { partition, from: record, kind: error.kind() }, 1, &error),
            }
        }
        // From behind, since a segment that fails is taken out.
        for at in (0..self.open.len()).rev() {
            self.write_pending(at);
        }
    }

    /// Adds a record to the open segment at `at`, and hands the segment over when that fills it.
    fn put(&mut self, at: usize, record: u32, payload: &[u8], is_awaited: bool) {
        let Some(open) = self.open.get_mut(at) else { return };
        if open.pending_rows == 0 {
            open.pending_from = record;
        }
        open.pending_chain = segment::write_record(&mut open.pending, open.written.seed, open.pending_chain, payload);
        open.pending_rows += 1;
        open.pending_is_awaited |= is_awaited;
        let rows = open.written.rows + open.pending_rows;
        let bytes = open.written.len + open.pending.len() as u64;
        if (rows >= self.shared.options.batch_rows || bytes >= BATCH_BYTES) && self.write_pending(at) {
            self.seal(at);
        }
    }

    /// Where the partition's open segment stands in `open`; makes one where there is none.
    fn segment(&mut self, partition: Partition) -> io::Result<usize> {
        if let Some(at) = self.open.iter().position(|open| open.written.partition == partition) {
            return Ok(at);
        }
        if self.open.len() >= OPEN_SEGMENTS && self.write_pending(0) {
            self.seal(0);
        }
        let shared = &self.shared;
        let batch_id = shared.next_id()?;
        let columns = shared.options.columns.clone();
        let (header, seed) = Header { batch_id, partition, columns, half_of: None }.encode();
        let file = shared.folder.create_segment(batch_id)?;
        let (len, rows, chain, in_doubt, distrusted) = (header.len() as u64, 0, seed, false, false);
        let born_ms = sift::now_ms();
        let mut written =
            Unsealed { file, batch_id, partition, header, seed, len, rows, chain, in_doubt, distrusted, born_ms };
        if let Err(error) = written.file.write_all_at(&written.header, 0) {
            // It has no row, so sealing removes it.
            written.len = 0;
            self.hand_over(Job::Seal(written));
            return Err(error);
        }
        shared.tally.disk_bytes.fetch_add(len, Relaxed);
        self.open.push(OpenSegment {
            written,
            born: Instant::now(),
            pending: Vec::new(),
            pending_rows: 0,
            pending_chain: seed,
            pending_from: 0,
            pending_is_awaited: false,
            name_synced: false,
        });
        Ok(self.open.len() - 1)
    }

    /// Writes what is pending for the open segment at `at`, and syncs it where somebody waits for that. A failed write
    /// leaves the segment as it was, or else, where not even that can be had of the disk, ends it; so does a failed sync,
    /// after which only a new file is believed. Says whether the segment is still open.
    fn write_pending(&mut self, at: usize) -> bool {
        let Some(open) = self.open.get_mut(at) else { return false };
        if open.pending.is_empty() {
            return true;
        }
        let rows = std::mem::take(&mut open.pending_rows);
        let sync = std::mem::take(&mut open.pending_is_awaited) && self.shared.options.durability == Durability::Power;
        let bytes = open.pending.len() as u64;
        let written = open.written.file.write_all_at(&open.pending, open.written.len);
        open.pending.clear();
        let done = written.and_then(|()| if sync { open.sync(&self.shared.folder) } else { Ok(()) });
        let written = &mut open.written;
        let Err(error) = done else {
            written.len += bytes;
            written.rows += rows;
            written.chain = open.pending_chain;
            self.shared.tally.disk_bytes.fetch_add(bytes, Relaxed);
            return true;
        };
        open.pending_chain = written.chain;
        // What was written of it must not come back as records that were reported lost. Where it cannot be cut off, no
        // shorter record may follow it, and the seal will cut it off.
        let is_cut = written.file.set_len(written.len).is_ok();
        let stays_open = is_cut && !written.distrusted;
        let failed = Failed { partition: written.partition, from: open.pending_from, kind: error.kind() };
        self.failure(failed, rows, &error);
        if !stays_open {
            self.seal(at);
        }
        stays_open
    }

    /// Counts records that the disk did not take, and lets appends be refused for a while.
    fn failure(&mut self, failed: Failed, rows: u32, error: &io::Error) {
        self.failed.push(failed);
        self.failed_at = Some(Instant::now());
        self.shared.tally.disk_failing.store(true, Relaxed);
        self.lost(rows);
        tracing::error!(%error, rows, "the spool cannot be written; new events are refused and tried again in a second");
    }

    fn lost(&self, rows: u32) {
        self.shared.tally.lost.fetch_add(u64::from(rows), Relaxed);
        take_off(&self.shared.tally.waiting_rows, u64::from(rows));
    }

    /// When something is due without a record coming.
    fn next_due(&self) -> Option<Instant> {
        let oldest = self.open.iter().map(|open| open.born).min();
        let sealing = oldest.map(|born| born + self.age());
        let probing = self.failed_at.map(|at| at + DISK_PAUSE);
        sealing.into_iter().chain(probing).min()
    }

    /// Takes the disk for well again at once.
    #[cfg(test)]
    pub(super) fn end_pause(&mut self) {
        self.failed_at = None;
        self.shared.tally.disk_failing.store(false, Relaxed);
    }

    fn age(&self) -> Duration {
        let behind = self.shared.queue.unsettled().saturating_sub(2).min(AGE_DOUBLINGS);
        self.shared.options.batch_age * (1 << behind)
    }

    fn seal_due(&mut self, everything: bool) {
        let now = Instant::now();
        if self.failed_at.is_some_and(|at| now >= at + DISK_PAUSE) {
            self.failed_at = None;
            self.shared.tally.disk_failing.store(false, Relaxed);
        }
        if self.open.is_empty() {
            return;
        }
        let age = self.age();
        while let Some(at) = self.open.iter().position(|open| everything || now >= open.born + age) {
            self.seal(at);
        }
    }

    fn seal(&mut self, at: usize) {
        // The order of the others stays: the first is the oldest.
        let open = self.open.remove(at);
        self.hand_over(Job::Seal(open.written));
    }

    /// Blocks where sealing is far behind: then the group fills and appends are refused, instead of files piling up open.
    fn hand_over(&self, job: Job) {
        if self.sealing.send(job).is_err() {
            tracing::error!("the spool's sealing thread is gone; what is written is sealed at the next start");
        }
    }
}

impl OpenSegment {
    /// Makes what was written durable: the bytes, and the first time the name too.
    fn sync(&mut self, folder: &Folder) -> io::Result<()> {
        let bytes = self.written.file.sync_data();
        let synced = if self.name_synced { bytes } else { bytes.and_then(|()| folder.sync()) };
        self.name_synced |= synced.is_ok();
        self.written.distrusted |= synced.is_err();
        synced
    }
}
