//! `consentry spool status`: what waits, since when, how full the spool is, and what is in quarantine. Looks at both ends of
//! sealed segments and reads only open ones, so that it is quick with any backlog.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::settings::Spool;
use super::shown::{age, count, hex, partition, size, span};
use crate::spool::Partition;
use crate::spool::look::{self, Holder, Listed, Place, Reason, Summary, Unread, What};

/// Batches that are counted together.
#[derive(Default)]
struct Sum {
    sealed: u64,
    open: u64,
    rows: u64,
    bytes: u64,
    oldest: Option<Duration>,
}

impl Sum {
    fn add(&mut self, found: &Summary, age: Option<Duration>) {
        match found.sealed {
            Some(_) => self.sealed += 1,
            None => self.open += 1,
        }
        self.rows += found.rows;
        self.bytes += found.bytes;
        self.oldest = self.oldest.max(age);
    }

    fn batches(&self) -> u64 {
        self.sealed + self.open
    }

    fn oldest(&self) -> String {
        self.oldest.map_or(String::new(), |age| format!(", the oldest {} old", span(age)))
    }

    fn json(&self) -> Value {
        json!({
            "batches": self.batches(),
            "sealed": self.sealed,
            "open": self.open,
            "rows": self.rows,
            "bytes": self.bytes,
            "oldest_age_s": self.oldest.map(|age| age.as_secs()),
        })
    }
}

/// A batch in quarantine.
struct Refused {
    listed: Listed,
    rows: Option<u64>,
    reason: Option<Reason>,
}

struct Status {
    holder: Holder,
    waiting: Sum,
    partitions: BTreeMap<Partition, Sum>,
    quarantine: Vec<Refused>,
    quarantine_bytes: u64,
    /// Of all files, whatever they are.
    disk_bytes: u64,
    damaged_places: u64,
    torn_bytes: u64,
    /// Segments that could not be read, and why.
    unreadable: Vec<(Listed, Unread)>,
}

/// Does it.
pub(super) fn run(place: &Spool, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let status = look_at(place)?;
    match as_json {
        true => writeln!(out, "{:#}", status.json(place))?,
        false => status.print(place, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn look_at(place: &Spool) -> anyhow::Result<Status> {
    let mut status = Status {
        holder: look::holder(&place.dir),
        waiting: Sum::default(),
        partitions: BTreeMap::new(),
        quarantine: Vec::new(),
        quarantine_bytes: 0,
        disk_bytes: 0,
        damaged_places: 0,
        torn_bytes: 0,
        unreadable: Vec::new(),
    };
    let now = SystemTime::now();
    for listed in look::list(&place.dir)? {
        let found = look::summary(&listed);
        if matches!(found, Err(Unread::Gone)) {
            continue;
        }
        let bytes = found.as_ref().map_or(listed.bytes, |found| found.bytes);
        status.disk_bytes += bytes;
        if listed.place != Place::Queue {
            status.quarantine_bytes += bytes;
            let rows = found.as_ref().ok().map(|found| found.rows);
            status.quarantine.push(Refused { reason: listed.reason(), rows, listed });
            continue;
        }
        match found {
            Ok(found) => {
                let age = age(listed.since, now);
                status.waiting.add(&found, age);
                status.partitions.entry(found.about.partition).or_default().add(&found, age);
                for fault in &found.faults {
                    match fault.what {
                        What::TornTail => status.torn_bytes += fault.bytes,
                        _ => status.damaged_places += 1,
                    }
                }
            }
            // A gateway that runs is about to write it, and the next start removes it.
            Err(Unread::Empty) => {}
            Err(why) => status.unreadable.push((listed, why)),
        }
    }
    Ok(status)
}

impl Status {
    fn retrying(&self) -> usize {
        self.quarantine.iter().filter(|batch| batch.listed.place == Place::Retry).count()
    }

    fn json(&self, place: &Spool) -> Value {
        let (open, pid) = match self.holder {
            Holder::Process(pid) => (json!(true), json!(pid)),
            Holder::Nobody => (json!(false), Value::Null),
            Holder::Unknown => (Value::Null, Value::Null),
        };
        let partitions: Vec<Value> = self
            .partitions
            .iter()
            .map(|(partition, sum)| {
                let mut json = sum.json();
                json["month"] = json!(partition.month);
                json["retention_days"] = json!(partition.retention_days);
                json
            })
            .collect();
        let refused: Vec<Value> = self
            .quarantine
            .iter()
            .map(|batch| {
                json!({
                    "batch_id": batch.listed.named.map(hex),
                    "rows": batch.rows,
                    "bytes": batch.listed.bytes,
                    "kind": batch.reason.as_ref().map(Reason::word),
                    "reason": batch.reason.as_ref().map(Reason::to_string),
                    "is_retried": batch.listed.place == Place::Retry,
                })
            })
            .collect();
        let unreadable: Vec<Value> = self
            .unreadable
            .iter()
            .map(|(listed, why)| json!({ "file": listed.path, "why": why.to_string() }))
            .collect();
        json!({
            "folder": place.dir,
            "gateway": { "has_it_open": open, "pid": pid },
            "waiting": self.waiting.json(),
            "partitions": partitions,
            "quarantine": {
                "batches": self.quarantine.len(),
                "rows": self.quarantine.iter().filter_map(|batch| batch.rows).sum::<u64>(),
                "bytes": self.quarantine_bytes,
                "retrying": self.retrying(),
                "each": refused,
            },
            "bound": {
                "bytes": self.disk_bytes,
                "max_bytes": place.max_bytes,
                "full": place.max_bytes.map(|max| self.disk_bytes as f64 / max.max(1) as f64),
            },
            "damage": { "places": self.damaged_places, "torn_bytes": self.torn_bytes, "unreadable": unreadable },
        })
    }

    fn print(&self, place: &Spool, out: &mut dyn Write) -> std::io::Result<()> {
        let gateway = match self.holder {
            Holder::Process(pid) => format!("open in process {pid}"),
            Holder::Nobody => "no gateway is seen to have it open".to_owned(),
            Holder::Unknown => "whether a gateway has it open cannot be seen on this system".to_owned(),
        };
        writeln!(out, "spool       {}, {gateway}", place.dir.display())?;
        let Sum { sealed, open, rows, bytes, .. } = &self.waiting;
        let (rows, batches) = (count(*rows, "row", "rows"), count(sealed + open, "batch", "batches"));
        match self.waiting.batches() {
            0 => writeln!(out, "waiting     nothing")?,
            _ => writeln!(
                out,
                "waiting     {rows} in {batches} ({sealed} sealed, {open} open), {}{}",
                size(*bytes),
                self.waiting.oldest()
            )?,
        }
        for (of, sum) in &self.partitions {
            let (rows, batches) = (count(sum.rows, "row", "rows"), count(sum.batches(), "batch", "batches"));
            writeln!(out, "            {}: {rows} in {batches}, {}{}", partition(*of), size(sum.bytes), sum.oldest())?;
        }
        let filled = match place.max_bytes {
            Some(max) => format!(
                "{} of {}, {:.1} % full",
                size(self.disk_bytes),
                size(max),
                100.0 * self.disk_bytes as f64 / max.max(1) as f64
            ),
            None => format!(
                "{}; how much there may be stands in the configuration, which --config names",
                size(self.disk_bytes)
            ),
        };
        writeln!(out, "on disk     {filled}")?;
        self.print_quarantine(out)?;
        if self.damaged_places > 0 {
            writeln!(
                out,
                "damage      {}; `consentry spool verify` says where",
                count(self.damaged_places, "place", "places")
            )?;
        }
        if self.torn_bytes > 0 {
            let who = match self.holder {
                Holder::Nobody => "of a write that was broken off; the next start cuts them",
                _ => "of a write that is going on",
            };
            writeln!(out, "torn        {} {who}", size(self.torn_bytes))?;
        }
        for (listed, why) in &self.unreadable {
            writeln!(out, "unreadable  {}: {why}", listed.path.display())?;
        }
        Ok(())
    }

    fn print_quarantine(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.quarantine.is_empty() {
            return writeln!(out, "quarantine  nothing");
        }
        let rows = self.quarantine.iter().filter_map(|batch| batch.rows).sum();
        let batches = count(self.quarantine.len() as u64, "batch", "batches");
        writeln!(out, "quarantine  {} in {batches}, {}", count(rows, "row", "rows"), size(self.quarantine_bytes))?;
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for batch in self.quarantine.iter().filter(|batch| batch.listed.place == Place::Quarantine) {
            let reason = batch.reason.as_ref().map_or("no reason stands beside it".to_owned(), Reason::to_string);
            *reasons.entry(reason).or_default() += 1;
        }
        for (reason, batches) in reasons {
            writeln!(out, "            {}: {reason}", count(batches, "batch", "batches"))?;
        }
        match self.retrying() as u64 {
            0 => Ok(()),
            retrying => {
                writeln!(out, "            {} to be taken up again", count(retrying, "batch waits", "batches wait"))
            }
        }
    }
}
