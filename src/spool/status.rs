//! How the spool is doing: what is counted while it works, and what is told of it. Asking waits for nothing, least of all for the
//! disk.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use super::Spool;

/// After how long a disk hangs that does not answer: longer than one takes that is busy, and well before who waits for a beacon
/// gives up.
pub(super) const HANGS: Duration = Duration::from_secs(3);

/// How the spool is doing; for metrics and readiness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolStatus {
    /// Records that are not in the table yet.
    pub waiting_rows: u64,
    /// Sealed batches that are not in the table yet.
    pub waiting_batches: u64,
    /// Batches that came into the table since the start.
    pub shipped_batches: u64,
    /// Bytes on disk of what waits, quarantine included.
    pub disk_bytes: u64,
    /// How many it may have.
    pub max_bytes: u64,
    /// Records refused since the start.
    pub refused: u64,
    /// Records that were taken and then could not be written.
    pub lost: u64,
    /// Records found damaged, at the start or since.
    pub damaged: u64,
    /// Batches in quarantine.
    pub quarantined_batches: u64,
    /// Batches among those rejected since the start of which the table held another number of rows: an alarm.
    pub miscounted_batches: u64,
    /// Whether the disk refused the last write.
    pub disk_failing: bool,
    /// Whether something about the disk, anything, has waited for its answer for more than 3 s.
    pub disk_hanging: bool,
    /// Whether the writer has: then who wants to wait for a record to be written is refused.
    pub writer_hanging: bool,
    /// How long the oldest batch has waited.
    pub oldest: Duration,
    /// Whether that is longer than it may.
    pub overdue: bool,
    /// Records that were not shipped because their own period was over, since the start.
    pub outlived: u64,
    /// Records that were not shipped because their visitor withdrew while they waited, since the start.
    pub forgotten: u64,
}

/// What is counted and noted while the spool works, as [`SpoolStatus`] tells it.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) disk_bytes: AtomicU64,
    pub(super) waiting_rows: AtomicU64,
    pub(super) shipped: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) damaged: AtomicU64,
    pub(super) quarantined: AtomicU64,
    pub(super) miscounted: AtomicU64,
    pub(super) disk_failing: AtomicBool,
    pub(super) oldest_ms: AtomicU64,
    pub(super) overdue: AtomicBool,
    pub(super) outlived: AtomicU64,
    pub(super) forgotten: AtomicU64,
}

/// Takes so much off a counter, and never more than it has.
pub(super) fn take_off(counter: &AtomicU64, much: u64) {
    let _ = counter.fetch_update(Relaxed, Relaxed, |now| Some(now.saturating_sub(much)));
}

impl Spool {
    /// How it is doing.
    pub fn status(&self) -> SpoolStatus {
        let shared = &self.0.shared;
        let tally = &shared.tally;
        SpoolStatus {
            waiting_rows: tally.waiting_rows.load(Relaxed),
            waiting_batches: shared.queue.unsettled() as u64,
            shipped_batches: tally.shipped.load(Relaxed),
            disk_bytes: tally.disk_bytes.load(Relaxed),
            max_bytes: shared.options.max_bytes,
            refused: tally.refused.load(Relaxed),
            lost: tally.lost.load(Relaxed),
            damaged: tally.damaged.load(Relaxed),
            quarantined_batches: tally.quarantined.load(Relaxed),
            miscounted_batches: tally.miscounted.load(Relaxed),
            disk_failing: tally.disk_failing.load(Relaxed),
            disk_hanging: shared.operations.longest() > HANGS,
            writer_hanging: shared.turns.longest() > HANGS,
            oldest: Duration::from_millis(tally.oldest_ms.load(Relaxed)),
            overdue: tally.overdue.load(Relaxed),
            outlived: tally.outlived.load(Relaxed),
            forgotten: tally.forgotten.load(Relaxed),
        }
    }
}
