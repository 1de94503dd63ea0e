//! How long to wait before ClickHouse is asked again. Called by the shipper and by the life of the process.

use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pauses that double up to 30 s, each cut by up to a half at random, so that gateways do not come back all at once.
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Backoff(FIRST_PAUSE)
    }
}

impl Backoff {
    /// How long to wait this time.
    pub fn pause(&mut self) -> Duration {
        let whole = self.0;
        self.0 = (whole * 2).min(LONGEST_PAUSE);
        let share = random() as u8;
        whole / 2 + whole * u32::from(share) / 512
    }
}

/// Random bits; where the system has none to give, the time's.
pub fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let mut backoff = Backoff::default();
        let pauses: Vec<Duration> = (0..20).map(|_| backoff.pause()).collect();
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] >= FIRST_PAUSE / 2);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(pauses[19] >= LONGEST_PAUSE / 2);
    }
}
