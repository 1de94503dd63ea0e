//! `consentry spool verify`: reads every byte of every segment and names each damaged place.

use std::io::Write;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::settings::Spool;
use super::shown::{count, fault, file, hex, size};
use crate::spool::look::{self, Fault, Holder, Listed, Place, Unread, What};

/// What was read so far.
#[derive(Default)]
struct Report {
    segments: u64,
    rows: u64,
    bytes: u64,
    quarantined: u64,
    /// Bytes at the ends of open segments while a gateway writes.
    torn_bytes: u64,
    damaged: Vec<(Listed, Result<Vec<Fault>, Unread>)>,
}

/// Does it.
pub(super) fn run(place: &Spool, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    for listed in look::list(&place.dir)? {
        // Asked for each, since a gateway may start or end meanwhile.
        let is_written = listed.place == Place::Queue && look::holder(&place.dir) != Holder::Nobody;
        report.read(listed, is_written);
    }
    match as_json {
        true => writeln!(out, "{:#}", report.json(place))?,
        false => report.print(place, out)?,
    }
    Ok(ExitCode::from(u8::from(!report.damaged.is_empty())))
}

impl Report {
    fn read(&mut self, listed: Listed, is_written: bool) {
        let segment = match look::read(&listed) {
            Ok(segment) => segment,
            Err(Unread::Gone) => return,
            // A gateway that runs is about to write it, and the next start removes it.
            Err(Unread::Empty) if listed.place == Place::Queue => return,
            Err(why) => {
                self.segments += 1;
                return self.damaged.push((listed, Err(why)));
            }
        };
        self.segments += 1;
        self.quarantined += u64::from(listed.place.is_aside());
        self.rows += segment.rows() as u64;
        self.bytes += segment.len() as u64;
        let mut faults = segment.faults().to_vec();
        if is_written {
            faults.retain(|fault| {
                let is_normal = fault.what == What::TornTail;
                self.torn_bytes += if is_normal { fault.bytes } else { 0 };
                !is_normal
            });
        }
        faults.extend(segment.misfits());
        if !faults.is_empty() {
            faults.sort_by_key(|fault| fault.offset);
            self.damaged.push((listed, Ok(faults)));
        }
    }

    fn json(&self, place: &Spool) -> Value {
        let damaged: Vec<Value> = self
            .damaged
            .iter()
            .map(|(listed, found)| {
                let (unreadable, faults) = match found {
                    Ok(faults) => (None, faults.iter().map(fault).collect::<Vec<_>>()),
                    Err(why) => (Some(why.to_string()), Vec::new()),
                };
                json!({
                    "batch_id": listed.named.map(hex),
                    "file": listed.path,
                    "place": listed.place.word(),
                    "unreadable": unreadable,
                    "faults": faults,
                })
            })
            .collect();
        json!({
            "folder": place.dir,
            "whole": self.damaged.is_empty(),
            "segments": self.segments,
            "quarantined": self.quarantined,
            "rows": self.rows,
            "bytes": self.bytes,
            "torn_bytes": self.torn_bytes,
            "damaged": damaged,
        })
    }

    fn print(&self, place: &Spool, out: &mut dyn Write) -> std::io::Result<()> {
        for (listed, found) in &self.damaged {
            match found {
                Ok(faults) => {
                    for fault in faults {
                        writeln!(
                            out,
                            "{}: byte {}, {} bytes: {}",
                            file(listed),
                            fault.offset,
                            fault.bytes,
                            fault.what
                        )?;
                    }
                }
                Err(why) => writeln!(out, "{}: {why}", file(listed))?,
            }
        }
        let segments = count(self.segments, "segment", "segments");
        let rows = count(self.rows, "whole row", "whole rows");
        let verdict = match self.damaged.len() as u64 {
            0 => "whole".to_owned(),
            damaged => count(damaged, "is damaged", "are damaged"),
        };
        let dir = place.dir.display();
        writeln!(
            out,
            "{dir}: {segments} ({} in quarantine), {rows}, {}: {verdict}",
            self.quarantined,
            size(self.bytes)
        )?;
        if self.torn_bytes > 0 {
            writeln!(out, "  {} of a write that is going on", size(self.torn_bytes))?;
        }
        Ok(())
    }
}
