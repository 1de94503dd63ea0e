//! The status as people read it.

use std::collections::BTreeMap;
use std::io::Write;

use super::super::super::settings::Spool;
use super::super::shown::{count, partition, size};
use super::{Status, Sum};
use crate::spool::look::{Holder, Place, Reason};

impl Status {
    pub(super) fn print(&self, place: &Spool, out: &mut dyn Write) -> std::io::Result<()> {
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
