//! The sealing thread: makes a written segment a batch. It appends the seal, syncs file and folder, and only then lets the
//! batch be taken. Everything slow about the disk happens here, beside the writer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::Entry;
use super::disk::DiskFile;
use super::segment::{self, Header, SEAL_BYTES, Seal};
use super::sift::LeftOut;
use super::{Partition, Shared, take_off};

/// How long to wait before segments that could not be sealed are tried again.
const RETRY: Duration = Duration::from_secs(1);
/// So many of them are the disk's fault and not their own: nothing more is sealed until there are fewer, so that the writer
/// waits and new records are refused at last.
const STUCK: usize = 8;

/// A segment that is written and waits for its seal.
pub(super) struct Unsealed {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) batch_id: u64,
    pub(super) partition: Partition,
    /// The header's bytes, and the seed of the frames' checksums.
    pub(super) header: Vec<u8>,
    pub(super) seed: u32,
    /// Bytes, header included; whatever the file has behind them is cut off.
    pub(super) len: u64,
    pub(super) rows: u32,
    pub(super) chain: u32,
    /// It may have been sent, so its number of rows stays whatever happens.
    pub(super) in_doubt: bool,
    /// A sync of it failed, so that no later one of this file is believed.
    pub(super) distrusted: bool,
    /// When its first record came, in milliseconds since 1970.
    pub(super) born_ms: i64,
}

/// What the writer hands over.
pub(super) enum Job {
    Seal(Unsealed),
    /// Everything handed over before is sealed when this is reached.
    Flushed(Vec<oneshot::Sender<()>>),
}

/// The thread's life: it ends when the writer has ended and everything it handed over is sealed. It begins with what the
/// start could not seal. Returns how many segments had to be left for the next start to seal.
pub(super) fn run(shared: Arc<Shared>, found: Vec<Unsealed>, jobs: Receiver<Job>) -> u32 {
    let mut sealing = Sealing::new(shared);
    found.into_iter().for_each(|segment| sealing.leave(segment));
    let mut again_at = Instant::now();
    loop {
        if !sealing.stuck.is_empty() && Instant::now() >= again_at {
            sealing.try_again();
            again_at = Instant::now() + RETRY;
        }
        let job = match sealing.stuck.len() {
            0 => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            // At the end of the process nobody can wait: the records are written, and the next start seals them.
            STUCK.. if !sealing.shared.stopping.wait(again_at.saturating_duration_since(Instant::now())) => continue,
            _ => jobs.recv_timeout(again_at.saturating_duration_since(Instant::now())),
        };
        match job {
            Ok(job) => sealing.take(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return sealing.left(),
        }
    }
}

/// What there is to seal. A segment that cannot be sealed holds up nobody behind it.
pub(super) struct Sealing {
    shared: Arc<Shared>,
    /// What could not be sealed so far, the oldest first, each with its place among everything that was handed over.
    stuck: Vec<(u64, Unsealed)>,
    /// Who waits for everything that was handed over before this place.
    flushes: Vec<(u64, Vec<oneshot::Sender<()>>)>,
    /// How much was handed over.
    place: u64,
}

impl Sealing {
    pub(super) fn new(shared: Arc<Shared>) -> Sealing {
        Sealing { shared, stuck: Vec::new(), flushes: Vec::new(), place: 0 }
    }

    /// Does what was handed over, as far as it can be done.
    pub(super) fn take(&mut self, job: Job) {
        self.place += 1;
        match job {
            Job::Seal(segment) => self.stuck.extend(self.tried(segment).map(|segment| (self.place, segment))),
            Job::Flushed(waiting) => {
                self.flushes.push((self.place, waiting));
                self.tell_who_waits();
            }
        }
    }

    /// Takes a segment that is to be tried with those that could not be sealed.
    pub(super) fn leave(&mut self, segment: Unsealed) {
        self.place += 1;
        self.stuck.push((self.place, segment));
    }

    /// Tries once more what could not be sealed.
    pub(super) fn try_again(&mut self) {
        for (place, segment) in std::mem::take(&mut self.stuck) {
            self.stuck.extend(self.tried(segment).map(|segment| (place, segment)));
        }
        self.tell_who_waits();
    }

    /// How many segments cannot be sealed yet.
    pub(super) fn left(&self) -> u32 {
        self.stuck.len() as u32
    }

    /// The segment again, where it cannot be sealed yet.
    fn tried(&self, mut segment: Unsealed) -> Option<Unsealed> {
        let error = seal(&self.shared, &mut segment).err()?;
        tracing::error!(%error, batch_id = segment.batch_id, rows = segment.rows, "a batch cannot be sealed yet");
        Some(segment)
    }

    /// Everything before their place is sealed. Who waits for what never is learns it by the sender's end.
    fn tell_who_waits(&mut self) {
        let sealed = self.stuck.first().map_or(u64::MAX, |(place, _)| *place);
        for (_, waiting) in self.flushes.extract_if(.., |(place, _)| *place < sealed) {
            // Who stopped waiting does not mind.
            waiting.into_iter().for_each(|done| _ = done.send(()));
        }
    }
}

/// Seals a segment durably and puts it into the queue; one without rows is removed.
pub(super) fn seal(shared: &Shared, segment: &mut Unsealed) -> io::Result<()> {
    if segment.rows > 0 && !segment.distrusted {
        let seal = segment.seal();
        segment.file.write_all_at(&seal.encode(segment.seed), segment.len)?;
        segment.file.set_len(segment.len + SEAL_BYTES as u64)?;
        match segment.file.sync().and_then(|()| shared.folder.sync()) {
            Ok(()) => {
                shared.tally.disk_bytes.fetch_add(SEAL_BYTES as u64, Relaxed);
                queue(shared, segment);
                return Ok(());
            }
            Err(error) => {
                tracing::error!(%error, batch_id = segment.batch_id, "a sync failed; the segment is written again");
                segment.distrusted = true;
            }
        }
    }
    if segment.rows > 0 {
        return rewrite(shared, segment);
    }
    shared.folder.remove(segment.batch_id)?;
    take_off(&shared.tally.disk_bytes, segment.len);
    Ok(())
}

/// Writes a segment that a sync failed for into a new file under the same name. Linux takes the pages of a failed sync for
/// written, so that a second sync of the same file succeeds without them; a new file has no such past. What the kernel did
/// not keep of the old one is found by the checksums and counted as damaged.
fn rewrite(shared: &Shared, segment: &mut Unsealed) -> io::Result<()> {
    let mut bytes = segment.file.read_some_at(0, segment.len)?;
    bytes.resize(bytes.len().max(segment.header.len()), 0);
    bytes[..segment.header.len()].copy_from_slice(&segment.header);
    if !segment.in_doubt {
        let header = Header::decode(&bytes).map_err(io::Error::other)?;
        let found = segment::scan(&bytes, &header);
        let whole = u32::try_from(found.records.len()).unwrap_or(u32::MAX);
        let missing = u64::from(segment.rows.saturating_sub(whole));
        shared.tally.damaged.fetch_add(missing, Relaxed);
        take_off(&shared.tally.waiting_rows, missing);
        take_off(&shared.tally.disk_bytes, segment.len - found.end as u64);
        (segment.rows, segment.chain, segment.len) = (whole, found.chain, found.end as u64);
        if segment.rows == 0 {
            return seal(shared, segment);
        }
    }
    bytes.resize(usize::try_from(segment.len).map_err(io::Error::other)?, 0);
    bytes.extend_from_slice(&segment.seal().encode(segment.seed));
    shared.folder.replace_segment(segment.batch_id, &bytes)?;
    shared.tally.disk_bytes.fetch_add(SEAL_BYTES as u64, Relaxed);
    queue(shared, segment);
    Ok(())
}

fn queue(shared: &Shared, segment: &Unsealed) {
    let &Unsealed { batch_id, partition, rows, len, in_doubt, born_ms, .. } = segment;
    shared.queue.push(Entry {
        batch_id,
        partition,
        rows,
        bytes: len + SEAL_BYTES as u64,
        in_doubt,
        synced: true,
        damage_counted: false,
        left_out: LeftOut::default(),
        born_ms,
    });
}

impl Unsealed {
    fn seal(&self) -> Seal {
        Seal { rows: self.rows, data_len: self.len, chain: self.chain, batch_id: self.batch_id }
    }
}
