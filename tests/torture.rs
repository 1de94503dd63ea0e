//! Nothing acknowledged is lost and nothing is counted twice, whoever dies and whatever fails: the gateway, the engine, the
//! database's server, the way there, the disk, the clock.
//!
//! Each event has an id of its own in its properties, and what counts is which ids are in the table and how often, not how
//! many. The short form runs with all tests; `make torture` is the long one (`TORTURE=long`), with figures. What chance
//! decides comes of a seed that a failure names (`TORTURE_SEED`); `TORTURE_ROUNDS` is another number of kills.

mod client;
mod day;
mod disk_and_clock;
mod fleet;
mod hanging;
mod kills;
mod load;
mod renames;
mod trouble;
mod watch;
mod writes;

use std::time::Duration;

/// How long the last row may take to be in the table: the shipper asks again after 30 s at most, and one batch at a time.
const SETTLED: Duration = Duration::from_secs(120);

/// So much in the short form, or so much in the long one.
fn short_or_long<T>(short: T, long: T) -> T {
    match std::env::var("TORTURE").as_deref() {
        Ok("long") => long,
        _ => short,
    }
}

/// A number of the environment.
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Numbers as if by chance, the same for the same seed (SplitMix64).
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let seed = number("TORTURE_SEED");
        Chance(seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_nanos() as u64)))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
