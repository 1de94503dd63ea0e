//! `consentry spool status`: what waits, since when, how full the spool is, and what is in quarantine. Looks at both ends of
//! sealed segments and reads only open ones, so that it is quick with any backlog.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::super::settings::Spool;
use super::shown::{age, hex, span};
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
    let listed = look::list(&place.dir)?;
    let in_queue = |listed: &&Listed| listed.place == Place::Queue;
    let queue: BTreeSet<u64> = listed.iter().filter(in_queue).filter_map(|listed| listed.named).collect();
    for listed in listed.into_iter().filter(|listed| listed.place != Place::Shipped) {
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
            // A half beside its whole counts for nothing.
            Ok(found) if found.about.half_of.is_some_and(|whole| queue.contains(&whole)) => {}
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
}
