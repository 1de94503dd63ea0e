//! The writer: one thread that takes the group, puts each record into the open segment of its partition with one `write`
//! per segment and turn, answers who waits, and hands segments that are due to the sealing thread. It never syncs, so a
//! slow disk delays sealing and not the acknowledgements.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::disk::DiskFile;
use super::group::{Pause, Stop, Taken};
use super::seal::Job;
use super::segment::{self, Header};
use super::{Partition, Shared, SpoolError, sift};

/// Bytes after which a batch is sealed, whatever its rows: what the encoder and one insert hold in memory.
const BATCH_BYTES: u64 = 8 << 20;
/// Segments open at a time; one more seals the oldest. Live traffic needs one or two for each retention class.
const OPEN_SEGMENTS: usize = 64;
/// Turns without a record before the writer sleeps until it is woken. At more than 50 records a second nobody wakes it.
const QUIET_TURNS: u32 = 5;
/// How long appends are refused after the disk refused a write.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// An age is doubled for each batch that waits, up to this many times: while the database is away a quiet site's spool
/// must not become a folder of a hundred thousand files.
const AGE_DOUBLINGS: usize = 6;

/// A segment that records are still written to, or that waits to be sealed.
pub(super) struct OpenSegment {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) batch_id: u64,
    pub(super) partition: Partition,
    pub(super) seed: u32,
    /// Written bytes, rows and chain.
    pub(super) len: u64,
    pub(super) rows: u32,
    pub(super) chain: u32,
    born: Instant,
    pub(super) born_ms: i64,
    /// Records of this turn, framed, not written yet.
    pending: Vec<u8>,
    pending_rows: u32,
    pending_chain: u32,
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    sealing: SyncSender<Job>,
    open: Vec<OpenSegment>,
    /// Partitions whose records of this turn could not be written, and why.
    failed: Vec<(Partition, io::ErrorKind)>,
    failed_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, sealing: SyncSender<Job>) -> Writer {
        Writer { shared, sealing, open: Vec::new(), failed: Vec::new(), failed_at: None }
    }

    /// The thread's life.
    pub(super) fn run(mut self) {
        let mut taken = Taken::default();
        let mut quiet_turns = QUIET_TURNS;
        loop {
            let pause = if quiet_turns < QUIET_TURNS { Pause::Turn } else { Pause::Until(self.next_due()) };
            self.shared.group.take(&mut taken, pause);
            quiet_turns = if taken.is_empty() { quiet_turns.saturating_add(1) } else { 0 };
            self.write(&taken);
            for (partition, waiter) in taken.waiters.drain(..) {
                let failure = self.failed.iter().find(|(failed, _)| *failed == partition);
                // Who stopped waiting does not mind.
                let _ = waiter.send(failure.map_or(Ok(()), |(_, kind)| Err(SpoolError::NotWritten(*kind))));
            }
            self.failed.clear();
            let everything = !taken.flushes.is_empty() || taken.stop == Some(Stop::Close);
            self.seal_due(everything);
            if !taken.flushes.is_empty() {
                self.hand_over(Job::Flushed(std::mem::take(&mut taken.flushes)));
            }
            if taken.stop.is_some() {
                return;
            }
        }
    }

    fn write(&mut self, taken: &Taken) {
        for (partition, payload) in taken.records() {
            if self.failed.iter().any(|(failed, _)| *failed == partition) {
                self.lost(1);
                continue;
            }
            match self.segment(partition) {
                Ok(at) => self.put(at, payload),
                Err(error) => self.failure(partition, 1, &error),
            }
        }
        for at in 0..self.open.len() {
            self.write_pending(at);
        }
    }

    /// Adds a record to the open segment at `at`, and hands the segment over when that fills it.
    fn put(&mut self, at: usize, payload: &[u8]) {
        let Some(open) = self.open.get_mut(at) else { return };
        open.pending_chain = segment::write_record(&mut open.pending, open.seed, open.pending_chain, payload);
        open.pending_rows += 1;
        let rows = open.rows + open.pending_rows;
        if rows >= self.shared.options.batch_rows || open.len + open.pending.len() as u64 >= BATCH_BYTES {
            self.write_pending(at);
            self.seal(at);
        }
    }

    /// Where the partition's open segment stands in `open`; makes one where there is none.
    fn segment(&mut self, partition: Partition) -> io::Result<usize> {
        if let Some(at) = self.open.iter().position(|open| open.partition == partition) {
            return Ok(at);
        }
        if self.open.len() >= OPEN_SEGMENTS {
            self.write_pending(0);
            self.seal(0);
        }
        let shared = &self.shared;
        let batch_id = shared.next_id()?;
        let columns = shared.options.columns.clone();
        let (header, seed) = Header { batch_id, partition, columns, half_of: None }.encode();
        let file = shared.folder.create_segment(batch_id, &header)?;
        let len = header.len() as u64;
        shared.tally.disk_bytes.fetch_add(len, Relaxed);
        self.open.push(OpenSegment {
            file,
            batch_id,
            partition,
            seed,
            len,
            rows: 0,
            chain: seed,
            born: Instant::now(),
            born_ms: sift::now_ms(),
            pending: Vec::new(),
            pending_rows: 0,
            pending_chain: seed,
        });
        Ok(self.open.len() - 1)
    }

    /// Writes what is pending for the open segment at `at`. A failed write leaves the segment as it was.
    fn write_pending(&mut self, at: usize) {
        let Some(open) = self.open.get_mut(at) else { return };
        if open.pending.is_empty() {
            return;
        }
        let rows = std::mem::take(&mut open.pending_rows);
        let written = open.file.write_all_at(&open.pending, open.len);
        let failure = match written {
            Ok(()) => {
                let bytes = open.pending.len() as u64;
                open.len += bytes;
                open.rows += rows;
                open.chain = open.pending_chain;
                self.shared.tally.disk_bytes.fetch_add(bytes, Relaxed);
                None
            }
            Err(error) => {
                open.pending_chain = open.chain;
                // What was written of it must not come back as records that were reported lost. Where even this fails,
                // the next write or the seal overwrites it.
                let _ = open.file.set_len(open.len);
                Some((open.partition, error))
            }
        };
        open.pending.clear();
        if let Some((partition, error)) = failure {
            self.failure(partition, rows, &error);
        }
    }

    /// Counts records that the disk did not take, and lets appends be refused for a while.
    fn failure(&mut self, partition: Partition, rows: u32, error: &io::Error) {
        self.failed.push((partition, error.kind()));
        self.failed_at = Some(Instant::now());
        self.lost(rows);
        self.shared.tally.disk_failing.store(true, Relaxed);
        tracing::error!(%error, rows, "the spool cannot be written; new events are refused and tried again in a second");
    }

    fn lost(&self, rows: u32) {
        self.shared.tally.lost.fetch_add(u64::from(rows), Relaxed);
        self.shared.tally.waiting_rows.fetch_sub(u64::from(rows), Relaxed);
    }

    /// When something is due without a record coming.
    fn next_due(&self) -> Option<Instant> {
        let oldest = self.open.iter().map(|open| open.born).min();
        let sealing = oldest.map(|born| born + self.age());
        let probing = self.failed_at.map(|at| at + DISK_PAUSE);
        sealing.into_iter().chain(probing).min()
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
        self.hand_over(Job::Seal(open));
    }

    /// Blocks where sealing is far behind: then the group fills and appends are refused, instead of files piling up open.
    fn hand_over(&self, job: Job) {
        if self.sealing.send(job).is_err() {
            tracing::error!("the spool's sealing thread is gone; what is written is sealed at the next start");
        }
    }
}
