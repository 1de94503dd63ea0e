//! The parts of `run` beside this file that need the program's own code. Each prints one line of JSON.
//!
//! * `fill SPOOL EVENTS` makes a spool as a gateway leaves it: visits of many visitors, captured, encoded and sealed.
//! * `feed SPOOL DATABASE` gives the spool's batches to the engine directly: the library in this process, one connection, the
//!   very blocks the shipper would send. Only the inserts count: reading and encoding stand beside them.
//! * `stages SPOOL DATA_DIR` does what the shipper does with each batch over the socket of a running engine, one step after
//!   the other, and says what each step takes.

#[path = "parts/feed.rs"]
mod feed;
#[path = "parts/fill.rs"]
mod fill;
#[path = "parts/stages.rs"]
mod stages;

use std::path::{Path, PathBuf};
use std::time::Duration;

use consentry::capture::event::COLUMNS;
use consentry::spool::record::Column;
use consentry::spool::{Durability, Spool, SpoolOptions};
use consentry::store::native;
use rustix::time::{ClockId, clock_gettime};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let line = match arguments[..] {
        ["fill", spool, events] => fill::fill(&open(Path::new(spool)), events.parse().expect("a number")),
        ["feed", spool, database] => feed::feed(&open(Path::new(spool)), Path::new(database)),
        ["stages", spool, data_dir] => stages::stages(&open(Path::new(spool)), Path::new(data_dir)),
        _ => panic!("fill SPOOL EVENTS | feed SPOOL DATABASE | stages SPOOL DATA_DIR"),
    };
    println!("{line}");
    // Threads of the engine's library may be left, under which its destructors fault.
    consentry::engine::serve::leave(0);
}

/// A spool with the defaults of a gateway, and room for any backlog.
fn open(dir: &Path) -> Spool {
    let columns = COLUMNS.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect();
    let (dir, batch_age) = (PathBuf::from(dir), Duration::from_secs(1));
    let options = SpoolOptions {
        dir,
        columns,
        max_bytes: 64 << 30,
        max_age: Duration::from_secs(86_400),
        batch_rows: 10_000,
        batch_age,
        durability: Durability::Write,
    };
    Spool::open(options).expect("no other process has it open").0
}

/// What one batch is inserted with; the columns are those of every batch here.
fn insert_statement(table: &str) -> String {
    let names: Vec<&str> =
        COLUMNS.iter().map(|(name, _)| *name).filter(|name| !name.starts_with('_')).chain([native::BATCH_ID]).collect();
    format!("insert into {table} ({})", names.join(", "))
}

/// Processor time of all threads of this process, in seconds.
fn processor_seconds() -> f64 {
    seconds_of(ClockId::ProcessCPUTime)
}

/// Processor time of this thread, in seconds.
fn thread_seconds() -> f64 {
    seconds_of(ClockId::ThreadCPUTime)
}

fn seconds_of(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
