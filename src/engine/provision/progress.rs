//! How far a fetch is, on standard error: one line that is drawn over on a terminal, elsewhere a line now and then.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// The bar's cells.
const CELLS: u64 = 30;
/// Off a terminal: a line at each tenth, and at least so often.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    title: &'static str,
    total: u64,
    terminal: bool,
    begun: Instant,
    shown: Instant,
    shown_tenth: u64,
}

impl Progress {
    /// npm writes the packed bytes and then, or meanwhile, the unpacked ones: together they are the whole way.
    pub(super) fn new(title: &'static str, packed: u64, unpacked: u64) -> Progress {
        let now = Instant::now();
        let progress = Progress {
            title,
            total: (packed + unpacked).max(1),
            terminal: io::stderr().is_terminal(),
            begun: now,
            shown: now,
            shown_tenth: 0,
        };
        let megabytes = packed.div_ceil(1_000_000);
        progress.write(&format!("fetching {title}: {megabytes} MB, once, then kept in the cache\n"));
        progress
    }

    pub(super) fn at(&mut self, bytes: u64) {
        let percent = (bytes.saturating_mul(100) / self.total).min(99);
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let of = format!("{} of {} MB on disk", megabytes(bytes.min(self.total)), megabytes(self.total));
        if self.terminal {
            let full = percent * CELLS / 100;
            let bar: String = (0..CELLS).map(|cell| if cell < full { '#' } else { '.' }).collect();
            self.write(&format!("\r  [{bar}] {percent:>2} %  {of} "));
        } else if percent / 10 > self.shown_tenth || self.shown.elapsed() >= LINE_EVERY {
            self.shown_tenth = percent / 10;
            self.shown = Instant::now();
            self.write(&format!("  {percent} %, {of}\n"));
        }
    }

    pub(super) fn done(&self) {
        let seconds = self.begun.elapsed().as_secs_f32();
        let over = if self.terminal { "\r\x1b[K" } else { "" };
        self.write(&format!("{over}  fetched {} in {seconds:.0} s\n", self.title));
    }

    pub(super) fn failed(&self) {
        if self.terminal {
            self.write("\r\x1b[K");
        }
    }

    /// A closed standard error is no reason to stop.
    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        let _closed = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
