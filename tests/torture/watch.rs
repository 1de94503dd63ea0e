//! What trouble must not change: how fast pages are answered, and how much memory the gateway takes. Bounds are generous,
//! since the tests share a machine; the figures are printed.

use std::fmt;
use std::time::{Duration, Instant};

use super::client::{Client, Outcome};
use super::load::Book;
use crate::support::gateway::Gateway;

/// How long pages took.
#[derive(Clone, Copy)]
pub struct Latency {
    p50: Duration,
    p99: Duration,
}

impl Latency {
    /// Of so many pages, one after the other.
    pub fn of(client: &mut Client, pages: usize) -> Latency {
        client.reconnects();
        let mut took: Vec<Duration> = (0..pages)
            .map(|_| {
                let began = Instant::now();
                let outcome = client.page("/speed");
                assert!(matches!(outcome, Outcome::Answered(200, _)), "{outcome:?}");
                began.elapsed()
            })
            .collect();
        took.sort();
        Latency { p50: took[took.len() / 2], p99: took[took.len() * 99 / 100] }
    }

    /// Fails where pages are slower than they were `before` by more than other tests can explain.
    pub fn is_as(self, before: Latency) {
        let within = |now: Duration, then: Duration| now <= then * 10 + Duration::from_millis(150);
        assert!(within(self.p50, before.p50) && within(self.p99, before.p99), "pages: before {before}, now {self}");
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {:.2} ms, p99 {:.2} ms", self.p50.as_secs_f64() * 1e3, self.p99.as_secs_f64() * 1e3)
    }
}

/// Resident memory of a process, in MiB.
pub fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("the process runs") / 1024
}

/// Pages and memory while all is well, to be compared with later.
pub struct Watch {
    client: Client,
    latency: Latency,
    resident: u64,
    what: &'static str,
}

/// By so much may the gateway grow: two buffers of the spool of 8 MiB, a batch of 16 MiB that is shipped, and what the
/// allocator keeps.
const GROWTH_MIB: u64 = 64;
const PAGES: usize = 300;

impl Watch {
    pub fn begin(what: &'static str, gateway: &Gateway, mut client: Client) -> Watch {
        Latency::of(&mut client, PAGES);
        let latency = Latency::of(&mut client, PAGES);
        Watch { client, latency, resident: resident_mib(gateway.process.id()), what }
    }

    /// As [`compare`](Watch::compare), with another client.
    pub fn of(&mut self, gateway: &Gateway, client: Client) {
        self.client = client;
        self.compare(gateway);
    }

    /// To be asked while the trouble lasts.
    pub fn compare(&mut self, gateway: &Gateway) {
        self.compare_within(gateway, GROWTH_MIB);
    }

    /// As [`compare`](Watch::compare), with more room for what the gateway does meanwhile, in MiB.
    pub fn compare_within(&mut self, gateway: &Gateway, growth: u64) {
        let now = Latency::of(&mut self.client, PAGES);
        let resident = resident_mib(gateway.process.id());
        let (what, before, then) = (self.what, self.latency, self.resident);
        println!(
            "{what}: pages {before} before, {now} in trouble; memory {then} MiB before, {resident} MiB in trouble"
        );
        now.is_as(before);
        assert!(resident <= then + growth, "memory: {then} MiB before, {resident} MiB now");
    }
}

/// The last lines of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// Waits until every id that was taken is in the table, then fails unless the table is as the book says.
pub fn settle(book: &Book, log: impl Fn() -> String, ask: impl Fn() -> std::collections::HashMap<String, u64>) {
    let deadline = Instant::now() + super::short_or_long(super::SETTLED, super::SETTLED * 10);
    loop {
        let began = Instant::now();
        let rows = ask();
        let all = book.taken.iter().all(|id| rows.contains_key(id));
        if all || Instant::now() > deadline {
            return book.compare(&rows).unwrap_or_else(|wrong| panic!("{wrong}\n{}", tail(&log())));
        }
        // A table of a million rows is not asked all the time.
        std::thread::sleep(Duration::from_millis(200) + began.elapsed() * 3);
    }
}
