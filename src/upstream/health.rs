//! Whether a server may be asked: what exchanges have shown, and what it says when it is asked by a probe.
//!
//! Shared by all workers, in atomics: a worker that finds a server dead spares the others the same. A server that failed a
//! few times in a row is left alone for a while, a longer one each time; where all are out, all are asked, for a site that
//! answers sometimes is better than one that never does.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::request_id::draw;
use super::settings::Ejection;

/// No server is left alone for longer without being tried.
pub const MAX_EJECTION: Duration = Duration::from_secs(300);

/// After so much time without another failure the first period is a short one again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(300);

/// What is known of one server.
#[derive(Default)]
pub(super) struct Health {
    /// Failures since the last success.
    failures: AtomicU32,
    /// Until when it is left alone, in milliseconds of [`clock`]; 0 where it never was.
    out_until: AtomicU64,
    /// How often it was put out without having been forgiven.
    rounds: AtomicU32,
    /// How often it was put out since the start.
    ejections: AtomicU64,
    /// What its probes say.
    ill: AtomicBool,
}

/// Milliseconds since the first call.
pub(super) fn clock() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    // 1 is the least, since 0 stands for never.
    BEGAN.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

impl Health {
    /// Whether it may be asked.
    pub(super) fn is_up(&self, now: u64) -> bool {
        self.out_until.load(Relaxed) <= now && !self.ill.load(Relaxed)
    }

    /// An exchange went well: what was counted against it is forgotten.
    pub(super) fn succeeded(&self) {
        // Loads alone where all is well: no cache line is fought over.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.out_until.store(0, Relaxed);
        }
    }

    /// An exchange failed at the server's hands; says for how long the server is left alone now, if this was one too many.
    pub(super) fn failed(&self, now: u64, ejection: Ejection) -> Option<Duration> {
        let failures = self.failures.fetch_add(1, Relaxed).saturating_add(1);
        let until = self.out_until.load(Relaxed);
        if failures < ejection.failures || until > now {
            return None;
        }
        let forgiven = until != 0 && now - until > FORGIVEN_AFTER.as_millis() as u64;
        let rounds = if forgiven { 0 } else { self.rounds.load(Relaxed) };
        let period = period(ejection.period, rounds, draw());
        // Workers that notice at the same time put it out once.
        self.out_until.compare_exchange(until, now + period.as_millis() as u64, Relaxed, Relaxed).ok()?;
        self.rounds.store(rounds.saturating_add(1), Relaxed);
        self.ejections.fetch_add(1, Relaxed);
        // Once it is back, the first failure puts it out again.
        self.failures.store(ejection.failures.saturating_sub(1).max(1), Relaxed);
        Some(period)
    }

    /// What its probes say from now on; whether that is news.
    pub(super) fn probed(&self, well: bool) -> bool {
        let news = self.ill.swap(!well, Relaxed) == well;
        if well && news {
            self.failures.store(0, Relaxed);
            self.out_until.store(0, Relaxed);
        }
        news
    }

    /// It has no probes any more, so nothing is known of what they would say.
    pub(super) fn is_not_probed(&self) {
        self.ill.store(false, Relaxed);
    }

    /// How often it was put out since the start.
    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }
}

/// Up to a tenth more than `period`.
pub(super) fn jitter(period: Duration) -> Duration {
    period + Duration::from_millis(draw() % (period.as_millis() as u64 / 10).max(1))
}

/// Twice as long each round, and up to a tenth more, so that servers that fell together are not asked again together.
fn period(first: Duration, rounds: u32, random: u64) -> Duration {
    let period = first.saturating_mul(1 << rounds.min(16)).min(MAX_EJECTION);
    let tenth = (period.as_millis() as u64 / 10).max(1);
    period + Duration::from_millis(random % tenth)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EJECTION: Ejection = Ejection { failures: 3, period: Duration::from_secs(5) };

    #[test]
    fn failures_in_a_row_put_a_server_out_and_a_success_between_them_does_not() {
        let health = Health::default();
        for _ in 0..2 {
            assert!(health.failed(1, EJECTION).is_none());
            assert!(health.failed(1, EJECTION).is_none());
            health.succeeded();
        }
        assert!(health.failed(1, EJECTION).is_none());
        assert!(health.failed(1, EJECTION).is_none() && health.is_up(1));
        assert!(health.failed(1, EJECTION).is_some() && !health.is_up(1));
        assert!(health.failed(1, EJECTION).is_none(), "it is out already");
        assert_eq!(health.ejections(), 1);
    }

    #[test]
    fn each_period_is_longer_up_to_a_bound_and_one_failure_is_enough_for_the_next() {
        let (health, mut now) = (Health::default(), 1);
        health.failed(now, EJECTION);
        health.failed(now, EJECTION);
        let mut last = Duration::ZERO;
        for round in 0..12 {
            let period = health.failed(now, EJECTION).unwrap_or_else(|| panic!("round {round}"));
            assert!(period >= last.min(MAX_EJECTION), "{period:?} after {last:?}");
            assert!(period <= MAX_EJECTION + MAX_EJECTION / 10);
            assert!(!health.is_up(now + period.as_millis() as u64 - 1));
            now += period.as_millis() as u64;
            assert!(health.is_up(now), "it is tried again when its time is over");
            last = period;
        }
        assert!(last >= MAX_EJECTION);
        now += FORGIVEN_AFTER.as_millis() as u64 + 1;
        assert!(health.failed(now, EJECTION).unwrap() < Duration::from_secs(6), "long ago is forgiven");
    }

    #[test]
    fn what_a_probe_says_counts_beside_what_exchanges_show() {
        let health = Health::default();
        assert!(!health.probed(true), "nothing new");
        assert!(health.probed(false) && !health.is_up(1));
        health.succeeded();
        assert!(!health.is_up(1));
        assert!(health.probed(true) && health.is_up(1));
    }
}
