//! How long requests take, as histograms by route and phase. Each worker has cells of its own, which nobody else writes to:
//! counting is a load and a store, without a lock, an allocation or a word to another core. Whoever asks adds them up.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A page a visitor navigates to.
    Page,
    /// HTML that becomes part of a page.
    Part,
    /// Anything else the site serves.
    Other,
    /// A connection that became another protocol's.
    Tunnel,
    /// What the collector sends.
    Beacon,
    /// The visitors' own pages and files.
    Privacy,
    /// Refused before anybody was asked.
    Refused,
}

/// The routes with their names.
const ROUTES: [(Route, &str); 7] = [
    (Route::Page, "page"),
    (Route::Part, "part"),
    (Route::Other, "other"),
    (Route::Tunnel, "tunnel"),
    (Route::Beacon, "beacon"),
    (Route::Privacy, "privacy"),
    (Route::Refused, "refused"),
];

impl Route {
    /// Its name.
    pub fn word(self) -> &'static str {
        ROUTES[self as usize].1
    }

    /// Whether the site is asked.
    fn is_the_sites(self) -> bool {
        matches!(self, Route::Page | Route::Part | Route::Other | Route::Tunnel)
    }
}

/// A part of the time a request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The gateway's own work until the answer's head.
    Head,
    /// From asking the site until its answer begins.
    Upstream,
    /// From the answer's head to its end.
    Body,
}

const PHASES: [(Phase, &str); 3] = [(Phase::Head, "head"), (Phase::Upstream, "upstream"), (Phase::Body, "body")];

/// Upper bounds of the buckets, in microseconds, and as they are written, in seconds.
const BUCKETS: [(u64, &str); 16] = [
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (60_000_000, "60"),
];

/// A cell that one thread alone writes to.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    fn add(&self, more: u64) {
        // No other thread writes, so nothing is lost between the two.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Histogram {
    /// How many fell into each bucket, and beyond the last.
    counts: [Cell; BUCKETS.len() + 1],
    sum_us: Cell,
}

/// One worker's cells.
#[derive(Debug, Default)]
pub struct Latencies {
    histograms: [[Histogram; PHASES.len()]; ROUTES.len()],
    begun: Cell,
    ended: Cell,
}

impl Latencies {
    /// A request has come.
    pub fn begin(&self) {
        self.begun.add(1);
    }

    /// Its answer has ended.
    pub fn end(&self) {
        self.ended.add(1);
    }

    /// Counts how long a phase took.
    pub fn observe(&self, route: Route, phase: Phase, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let histogram = &self.histograms[route as usize][phase as usize];
        let bucket = BUCKETS.iter().position(|(most, _)| us <= *most).unwrap_or(BUCKETS.len());
        histogram.counts[bucket].add(1);
        histogram.sum_us.add(us);
    }
}

/// What is counted of all workers, in Prometheus' text format.
pub fn prometheus(workers: &[std::sync::Arc<Latencies>], out: &mut String) {
    let name = "consentry_request_seconds";
    let help = "How long requests took: the gateway's own work until the answer's head, the site until its answer began, the answer's body.";
    let mut put = |line: std::fmt::Arguments<'_>| out.write_fmt(line).expect("a string takes every line");
    put(format_args!("# HELP {name} {help}\n# TYPE {name} histogram\n"));
    for (route, route_word) in ROUTES {
        for (phase, phase_word) in PHASES {
            if phase == Phase::Upstream && !route.is_the_sites() {
                continue;
            }
            let all = || workers.iter().map(|worker| &worker.histograms[route as usize][phase as usize]);
            let labels = format!("route=\"{route_word}\",phase=\"{phase_word}\"");
            let mut so_far = 0;
            let bounds = BUCKETS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
            for (bucket, bound) in bounds.enumerate() {
                so_far += all().map(|histogram| histogram.counts[bucket].get()).sum::<u64>();
                put(format_args!("{name}_bucket{{{labels},le=\"{bound}\"}} {so_far}\n"));
            }
            let sum: u64 = all().map(|histogram| histogram.sum_us.get()).sum();
            put(format_args!("{name}_sum{{{labels}}} {}.{:06}\n", sum / 1_000_000, sum % 1_000_000));
            put(format_args!("{name}_count{{{labels}}} {so_far}\n"));
        }
    }
    let name = "consentry_requests_in_flight";
    let begun: u64 = workers.iter().map(|worker| worker.begun.get()).sum();
    let ended: u64 = workers.iter().map(|worker| worker.ended.get()).sum();
    let in_flight = begun.saturating_sub(ended);
    put(format_args!(
        "# HELP {name} Requests whose answers have not ended.\n# TYPE {name} gauge\n{name} {in_flight}\n"
    ));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn buckets_hold_what_took_no_longer_than_their_bound_and_workers_are_added_up() {
        let workers = [Arc::new(Latencies::default()), Arc::new(Latencies::default())];
        let observe = |worker: usize, us| workers[worker].observe(Route::Page, Phase::Head, Duration::from_micros(us));
        observe(0, 0);
        observe(0, 100);
        observe(1, 101);
        observe(1, 61_000_000);
        workers[0].begin();
        workers[1].begin();
        workers[1].end();
        let mut text = String::new();
        prometheus(&workers, &mut text);
        for line in [
            "consentry_request_seconds_bucket{route=\"page\",phase=\"head\",le=\"0.0001\"} 2",
            "consentry_request_seconds_bucket{route=\"page\",phase=\"head\",le=\"0.00025\"} 3",
            "consentry_request_seconds_bucket{route=\"page\",phase=\"head\",le=\"60\"} 3",
            "consentry_request_seconds_bucket{route=\"page\",phase=\"head\",le=\"+Inf\"} 4",
            "consentry_request_seconds_sum{route=\"page\",phase=\"head\"} 61.000201",
            "consentry_request_seconds_count{route=\"page\",phase=\"head\"} 4",
            "consentry_request_seconds_count{route=\"page\",phase=\"body\"} 0",
            "consentry_requests_in_flight 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("route=\"refused\",phase=\"upstream\""));
    }

    #[test]
    fn names_stand_at_their_places() {
        for (index, (route, word)) in ROUTES.iter().enumerate() {
            assert_eq!((*route as usize, route.word()), (index, *word));
        }
        assert!(PHASES.iter().enumerate().all(|(index, (phase, _))| *phase as usize == index));
        assert!(BUCKETS.is_sorted_by_key(|(bound, _)| *bound));
        for (us, written) in BUCKETS {
            assert_eq!((written.parse::<f64>().unwrap() * 1e6).round() as u64, us);
        }
    }
}
