//! Whether a body moves fast enough. A deadline for a pause alone is met by one byte now and then, for ever; a least rate is
//! not. What counts is the time the visitor was waited for, and only beyond a grace: who has moved much has time in hand.
//!
//! There is no timer: it is looked at when something moves, and where nothing does the deadline for a pause ends it.

use std::time::Duration;

use tokio::time::Instant;

/// How slowly a body may move at a visitor's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeastRate {
    /// Bytes for each second that the visitor was waited for beyond the grace; 0 for any rate.
    pub bytes_per_second: u32,
    /// How long a visitor is waited for, all in all, before that counts.
    pub grace: Duration,
}

impl LeastRate {
    /// As slowly as anybody likes.
    pub const ANY: LeastRate = LeastRate { bytes_per_second: 0, grace: Duration::ZERO };
}

/// What is measured of one body, or of one direction of a connection.
pub struct Meter {
    rate: LeastRate,
    bytes: u64,
    /// For how long the visitor was waited for, all in all.
    waited: Duration,
    /// Since when the visitor is waited for, where that is so.
    since: Option<Instant>,
}

impl Meter {
    /// Nothing has moved yet.
    pub fn new(rate: LeastRate) -> Meter {
        Meter { rate, bytes: 0, waited: Duration::ZERO, since: None }
    }

    /// From now on anything is fast enough.
    pub fn stop(&mut self) {
        self.rate = LeastRate::ANY;
    }

    /// The visitor is waited for.
    pub fn waits(&mut self) {
        if self.since.is_none() && self.rate.bytes_per_second > 0 {
            self.waits_since(Instant::now());
        }
    }

    fn waits_since(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// So many bytes have moved; says whether that was fast enough so far. Asks for the time only after a wait.
    #[must_use]
    pub fn moves(&mut self, bytes: usize) -> bool {
        self.moves_at(bytes, Instant::now)
    }

    fn moves_at(&mut self, bytes: usize, now: impl FnOnce() -> Instant) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let Some(since) = self.since.take() else { return true };
        self.waited = self.waited.saturating_add(now().saturating_duration_since(since));
        let beyond = self.waited.saturating_sub(self.rate.grace).as_millis();
        u128::from(self.bytes) * 1000 >= u128::from(self.rate.bytes_per_second) * beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: LeastRate = LeastRate { bytes_per_second: 100, grace: Duration::from_secs(10) };

    /// Waits so many seconds for so many bytes, again and again; after how many steps that was too slow.
    fn run(steps: &[(u64, usize)], rate: LeastRate) -> Option<usize> {
        let (mut meter, mut now) = (Meter::new(rate), Instant::now());
        steps.iter().position(|(seconds, bytes)| {
            meter.waits_since(now);
            now += Duration::from_secs(*seconds);
            // Being asked again is no new wait.
            meter.waits_since(now);
            !meter.moves_at(*bytes, || now)
        })
    }

    #[test]
    fn a_trickle_ends_once_the_grace_is_over_and_an_honest_pause_does_not() {
        assert_eq!(run(&[(3, 1); 20], RATE), Some(3), "12 s for 4 bytes");
        assert_eq!(run(&[(1, 100); 1000], RATE), None);
        assert_eq!(run(&[(60, 10_000)], RATE), None, "what comes late comes in full");
        assert_eq!(run(&[(59, 1)], RATE), Some(0));
        // Credit is used up.
        assert_eq!(run(&[(1, 5000), (30, 1), (30, 1)], RATE), Some(2));
        assert_eq!(run(&[(3600, 1); 5], LeastRate::ANY), None);
    }

    #[test]
    fn only_the_time_the_visitor_is_waited_for_counts() {
        let (mut meter, now) = (Meter::new(RATE), Instant::now());
        for _ in 0..100 {
            assert!(meter.moves_at(1, || panic!("nobody waited, so nobody looks at a clock")));
        }
        meter.waits_since(now);
        assert!(!meter.moves_at(0, || now + Duration::from_secs(12)));
        meter.stop();
        meter.waits();
        assert!(meter.moves(0), "nobody asks any more");
    }
}
