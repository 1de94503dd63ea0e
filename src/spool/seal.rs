//! The sealing thread: makes a written segment a batch. It appends the seal, syncs file and folder, and only then lets the
//! batch be taken. Everything slow about the disk happens here, beside the writer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Shared;
use super::batch::Entry;
use super::disk::DiskFile;
use super::segment::{SEAL_BYTES, Seal};
use super::writer::OpenSegment;

/// How long to wait before a segment that could not be sealed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the writer hands over.
pub(super) enum Job {
    Seal(OpenSegment),
    /// Everything handed over before is sealed when this is reached.
    Flushed(Vec<oneshot::Sender<()>>),
}

/// The thread's life: it ends when the writer has ended and everything it handed over is sealed. Returns how many
/// segments had to be left for the next start to seal.
pub(super) fn run(shared: Arc<Shared>, jobs: Receiver<Job>) -> u32 {
    let mut left = 0;
    for job in jobs {
        match job {
            Job::Seal(open) => left += u32::from(!seal_until_done(&shared, &open)),
            Job::Flushed(waiting) => {
                for done in waiting {
                    // Who stopped waiting does not mind.
                    let _ = done.send(());
                }
            }
        }
    }
    left
}

fn seal_until_done(shared: &Shared, open: &OpenSegment) -> bool {
    loop {
        match seal(shared, open) {
            Ok(()) => return true,
            Err(error) => {
                tracing::error!(%error, batch_id = open.batch_id, rows = open.rows, "a batch cannot be sealed yet");
            }
        }
        // At the end of the process nobody can wait: the records are written, and the next start seals them.
        if shared.stopping.wait(RETRY) {
            return false;
        }
    }
}

fn seal(shared: &Shared, open: &OpenSegment) -> io::Result<()> {
    if open.rows == 0 {
        shared.folder.remove(open.batch_id)?;
        shared.tally.disk_bytes.fetch_sub(open.len, Relaxed);
        return Ok(());
    }
    let seal = Seal { rows: open.rows, data_len: open.len, chain: open.chain, batch_id: open.batch_id };
    let bytes = write_seal(&*open.file, &seal, open.seed)?;
    shared.folder.sync()?;
    shared.tally.disk_bytes.fetch_add(SEAL_BYTES as u64, Relaxed);
    let Seal { rows, batch_id, .. } = seal;
    shared.queue.push(Entry {
        batch_id,
        partition: open.partition,
        rows,
        bytes,
        in_doubt: false,
        born_ms: open.born_ms,
    });
    Ok(())
}

/// Ends a segment with its seal, durably; returns the file's length. The folder is still to be synced.
pub(super) fn write_seal(file: &dyn DiskFile, seal: &Seal, seed: u32) -> io::Result<u64> {
    file.write_all_at(&seal.encode(seed), seal.data_len)?;
    let len = seal.data_len + SEAL_BYTES as u64;
    file.set_len(len)?;
    file.sync()?;
    Ok(len)
}
