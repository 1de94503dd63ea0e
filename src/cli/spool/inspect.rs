//! `consentry spool inspect`: what segments say of themselves. Shows the names of columns and never a value.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Value, json};

use super::super::settings::Spool;
use super::shown::{age, count, fault, hex, partition, size, span};
use crate::spool::look::{self, Listed, Place, Reason, Segment, Summary, Unread};

/// Does it.
pub(super) fn run(place: &Spool, what: Option<&Path>, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let Some(what) = what else { return list(place, as_json, out) };
    let text = what.to_str().unwrap_or_default();
    let is_file = text.contains(['/', '.']) || what.is_file();
    let found = match (is_file, super::batch_id(text)) {
        (true, _) => vec![Listed::file(what).with_context(|| format!("cannot read {}", what.display()))?],
        (false, Ok(batch)) => super::of_batches(place, &[batch])?,
        (false, Err(why)) => {
            eprintln!("consentry: {text} is neither a batch nor a file: {why}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut said = Vec::new();
    for listed in &found {
        let segment = match look::read(listed) {
            Ok(segment) => segment,
            Err(Unread::Gone) => bail!("{} was shipped or moved meanwhile; ask again", listed.path.display()),
            Err(why) => return Err(anyhow!(why).context(listed.path.display().to_string())),
        };
        match as_json {
            true => said.push(whole(listed, &segment)),
            false => print(listed, &segment, out)?,
        }
    }
    if as_json {
        match <[Value; 1]>::try_from(said) {
            Ok([one]) => writeln!(out, "{one:#}")?,
            // A copy that somebody made: one of them in quarantine.
            Err(several) => writeln!(out, "{:#}", Value::from(several))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(place: &Spool, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let (mut said, mut shown, mut unread) = (Vec::new(), 0, 0);
    for listed in look::list(&place.dir)? {
        match look::summary(&listed) {
            Err(Unread::Gone) => continue,
            Ok(found) if as_json => said.push(summary(&listed, &found)),
            Ok(found) => line(&listed, &found, out)?,
            Err(why) => {
                unread += u32::from(!matches!(why, Unread::Empty));
                match as_json {
                    true => said.push(json!({
                        "batch_id": listed.named.map(hex),
                        "file": listed.path,
                        "place": listed.place.word(),
                        "unreadable": why.to_string(),
                    })),
                    false => writeln!(out, "{}  {:<10}  {why}", name(&listed), listed.place.word())?,
                }
            }
        }
        shown += 1;
    }
    if as_json {
        writeln!(out, "{:#}", Value::from(said))?;
    } else if shown == 0 {
        eprintln!("consentry: nothing waits in {}, and nothing is in quarantine", place.dir.display());
    }
    Ok(ExitCode::from(u8::from(unread > 0)))
}

fn name(listed: &Listed) -> String {
    listed.named.map_or_else(|| listed.path.display().to_string(), hex)
}

fn line(listed: &Listed, found: &Summary, out: &mut dyn Write) -> std::io::Result<()> {
    let age = age(listed.since, SystemTime::now()).map(span).unwrap_or_default();
    let (month, days) = (found.about.partition.month, found.about.partition.retention_days);
    writeln!(
        out,
        "{}  {:<10}  {month}/{days:<5}  {:>7} rows  {:<6}  {:>9}  {age:>8}{}",
        name(listed),
        listed.place.word(),
        found.rows,
        if found.sealed.is_some() { "sealed" } else { "open" },
        size(found.bytes),
        match found.faults.len() as u64 {
            0 => String::new(),
            faults => format!("  {}", count(faults, "place is not whole", "places are not whole")),
        },
    )
}

fn summary(listed: &Listed, found: &Summary) -> Value {
    let about = &found.about;
    json!({
        "batch_id": hex(about.batch_id),
        "number": about.batch_id.to_string(),
        "file": listed.path,
        "place": listed.place.word(),
        "version": about.version,
        "instance": format!("{:08x}", about.instance()),
        "month": about.partition.month,
        "retention_days": about.partition.retention_days,
        "half_of": about.half_of.map(hex),
        "schema": format!("{:08x}", about.schema_hash()),
        "rows": found.rows,
        "bytes": found.bytes,
        "age_s": age(listed.since, SystemTime::now()).map(|age| age.as_secs()),
        "seal": found.sealed.map(|sealed| json!({
            "rows": sealed.rows,
            "data_bytes": sealed.data_bytes,
            "content": format!("{:08x}", sealed.content),
        })),
        "reason": listed.reason().as_ref().map(Reason::to_string),
        "faults": found.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

/// One that was read to its end, with its columns.
fn whole(listed: &Listed, segment: &Segment) -> Value {
    let mut said = summary(listed, &segment.summary());
    let columns = segment.about().columns.iter();
    said["whole_rows"] = json!(segment.rows());
    said["columns"] = columns.map(|column| json!([column.name, column.kind.clickhouse_type()])).collect();
    said
}

fn print(listed: &Listed, segment: &Segment, out: &mut dyn Write) -> std::io::Result<()> {
    let about = segment.about();
    writeln!(out, "batch      {}, in the table batch_id = {}", hex(about.batch_id), about.batch_id)?;
    writeln!(out, "file       {}", listed.path.display())?;
    writeln!(out, "format     version {}, written by instance {:08x}", about.version, about.instance())?;
    if let Some(whole) = about.half_of {
        writeln!(out, "half of    {}", hex(whole))?;
    }
    writeln!(out, "partition  {}", partition(about.partition))?;
    writeln!(out, "columns    {}, schema {:08x}", about.columns.len(), about.schema_hash())?;
    let rows = count(segment.rows() as u64, "row is whole", "rows are whole");
    writeln!(out, "rows       {rows}, {} in all", size(segment.len() as u64))?;
    match segment.sealed() {
        Some(sealed) => {
            let rows = count(sealed.rows.into(), "row", "rows");
            writeln!(out, "seal       {rows} in {} bytes, content {:08x}", sealed.data_bytes, sealed.content)?;
        }
        None => writeln!(out, "seal       none: it is open; nothing of it was sent")?,
    }
    if let Some(age) = age(listed.since, SystemTime::now()) {
        writeln!(out, "age        {}", span(age))?;
    }
    if listed.place.is_aside() {
        let reason = listed.reason().map_or("none stands beside it".to_owned(), |reason| reason.to_string());
        writeln!(out, "reason     {reason}")?;
        if listed.place == Place::Retry {
            writeln!(out, "           it waits to be taken up again")?;
        }
    }
    for fault in segment.faults() {
        writeln!(out, "damage     byte {}, {} bytes: {}", fault.offset, fault.bytes, fault.what)?;
    }
    let columns = about.columns.iter().map(|column| format!("{} {}", column.name, column.kind.clickhouse_type()));
    writeln!(out, "\n{}", columns.collect::<Vec<_>>().join("\n"))
}
