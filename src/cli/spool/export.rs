//! `consentry spool export`: records to standard output. What it prints is personal data, if pseudonymised, and it says so.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use super::super::settings::Spool;
use super::shown::{count, file};
use crate::spool::look::text::{self, Value};
use crate::spool::look::{self, Listed, Place, Segment, Sift, Unread, What};
use crate::spool::record::Column;
use crate::store::native::{self, BATCH_ID};

/// How records are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// ClickHouse's JSONEachRow: an object on each line
    Jsonl,
    /// For spreadsheets
    Csv,
    /// ClickHouse's Native: the very blocks that the gateway sends
    Native,
}

/// What is asked for.
pub(super) struct Asked<'a> {
    /// The batches, where they are named.
    pub batches: &'a [u64],
    /// What is in quarantine, rather than what waits.
    pub quarantine: bool,
    /// How it is printed.
    pub format: Format,
}

/// What came of it.
#[derive(Default)]
struct Tally {
    rows: u64,
    batches: u64,
    /// Rows that nobody is shown.
    left_out: u64,
    /// Whether something that is there could not be printed.
    is_short: bool,
}

/// Does it.
pub(super) fn run(place: &Spool, asked: &Asked<'_>, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    if asked.format == Format::Native && io::stdout().is_terminal() {
        eprintln!("consentry: native is not for a terminal; send it to a file or a program, as in `> events.native`");
        return Ok(ExitCode::from(2));
    }
    let listed = match asked.batches {
        [] => {
            let wanted = |listed: &Listed| match asked.quarantine {
                true => listed.place.is_aside(),
                false => listed.place == Place::Queue,
            };
            look::list(&place.dir)?.into_iter().filter(wanted).collect::<Vec<_>>()
        }
        batches => super::of_batches(place, batches)?,
    };
    let sift = Sift::of(&place.dir)?;
    let named: BTreeSet<u64> = listed.iter().filter_map(|listed| listed.named).collect();
    eprintln!("consentry: what follows is personal data, if pseudonymised: keep it as you keep the database");
    // A spreadsheet has one head, whatever batches of before an upgrade have.
    let head = match asked.format {
        Format::Csv => csv_head(&listed, out)?,
        _ => Vec::new(),
    };
    let mut tally = Tally::default();
    for listed in &listed {
        match look::read(listed) {
            // A half beside its whole counts for nothing.
            Ok(segment) if segment.about().half_of.is_some_and(|whole| named.contains(&whole)) => {}
            Ok(segment) => export((listed, segment, &sift), asked.format, &head, &mut tally, out)?,
            Err(Unread::Gone) if asked.batches.is_empty() => {}
            Err(Unread::Empty) if listed.place == Place::Queue => {}
            Err(why) => {
                tally.is_short = true;
                eprintln!("consentry: {} is left out: {why}", file(listed));
            }
        }
    }
    out.flush()?;
    if tally.left_out > 0 {
        let rows = count(tally.left_out, "row is", "rows are");
        eprintln!("consentry: {rows} left out: the visitor has withdrawn, or the period is over");
    }
    eprintln!("consentry: {} of {}", count(tally.rows, "row", "rows"), count(tally.batches, "batch", "batches"));
    Ok(ExitCode::from(u8::from(tally.is_short)))
}

fn export(
    (listed, mut segment, sift): (&Listed, Segment, &Sift),
    format: Format,
    head: &[String],
    tally: &mut Tally,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    // The end of an open segment is a write that goes on, or one that was never acknowledged.
    let mut lost: Vec<_> = segment.faults().iter().filter(|fault| fault.what != What::TornTail).cloned().collect();
    lost.extend(segment.misfits());
    for fault in lost {
        tally.is_short = true;
        eprintln!("consentry: {}, byte {}: {}", file(listed), fault.offset, fault.what);
    }
    tally.left_out += segment.leave_out(sift);
    let (columns, batch_id) = (&segment.about().columns, segment.about().batch_id);
    tally.batches += 1;
    if format == Format::Native {
        let records = segment.records(|payload| text::values(columns, payload).is_ok());
        tally.rows += records.len() as u64;
        if !records.is_empty() {
            out.write_all(&native::encode(&records)?)?;
        }
        return Ok(());
    }
    let mut line = Vec::new();
    let sources = sources(head, columns);
    for values in segment.payloads().filter_map(|payload| text::values(columns, payload).ok()) {
        line.clear();
        match format {
            Format::Csv => csv_line(&mut line, &sources, &values, batch_id),
            _ => text::write_json(&mut line, columns, &values, batch_id),
        }
        out.write_all(&line)?;
        tally.rows += 1;
    }
    Ok(())
}

/// Prints the names of all columns that any of the segments has.
fn csv_head(listed: &[Listed], out: &mut dyn Write) -> anyhow::Result<Vec<String>> {
    let mut head: Vec<String> = Vec::new();
    let mut last = Vec::new();
    for found in listed.iter().filter_map(|listed| look::summary(listed).ok()) {
        if found.about.columns != last {
            last = found.about.columns;
            for column in last.iter().filter(|column| column.name != BATCH_ID && !column.stays_here()) {
                if !head.contains(&column.name) {
                    head.push(column.name.clone());
                }
            }
        }
    }
    let names = head.iter().map(|name| text::csv_text(name) + ",").collect::<String>();
    write!(out, "{names}{BATCH_ID}\r\n")?;
    Ok(head)
}

/// For each column of the head, which of a record's values it is.
fn sources(head: &[String], columns: &[Column]) -> Vec<Option<usize>> {
    head.iter().map(|name| columns.iter().position(|column| column.name == *name)).collect()
}

fn csv_line(line: &mut Vec<u8>, sources: &[Option<usize>], values: &[Value<'_>], batch_id: u64) {
    for source in sources {
        if let Some(value) = source.and_then(|at| values.get(at)) {
            line.extend_from_slice(text::csv_field(value).as_bytes());
        }
        line.push(b',');
    }
    line.extend_from_slice(format!("{batch_id}\r\n").as_bytes());
}
