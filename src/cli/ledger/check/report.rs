//! What `consentry ledger verify` says, for people and for machines.

use serde_json::{Value, json};

use super::super::super::settings::Ledger;
use super::{Checked, Extent};
use crate::ledger::ChainId;
use crate::ledger::hex::hex_u64;
use crate::ledger::verify::Finding;

/// All that is known of a ledger.
pub(super) struct Report<'p> {
    pub(super) place: &'p Ledger,
    pub(super) files: Checked,
    pub(super) table: Option<Checked>,
    /// Whether the table was left out because that was asked for.
    pub(super) files_only: bool,
    pub(super) why_not: Option<String>,
    /// Rows that are in the files and not yet in the table.
    pub(super) waiting: usize,
    /// The chain of this gateway.
    pub(super) own: Option<ChainId>,
}

impl Report<'_> {
    /// Whether everything that was to be checked could be, and is well.
    pub(super) fn is_well(&self) -> bool {
        let table = self.table.as_ref().map_or(self.files_only, |table| table.findings.is_empty());
        table && self.files.findings.is_empty()
    }

    /// For people.
    pub(super) fn print(&self) {
        let state = |checked: &Checked| match (checked.findings.is_empty(), checked.rows) {
            (true, 0) => "nothing to prove",
            (true, _) => "whole",
            (false, _) => "NOT whole",
        };
        println!("files  {}: {}, {}", self.place.folder.display(), many(self.files.rows), state(&self.files));
        match (&self.table, self.why_not()) {
            (Some(table), _) => {
                let chains = match table.chains.len() {
                    1 => "1 gateway".to_owned(),
                    more => format!("{more} gateways"),
                };
                println!("table  consents: {} of {chains}, {}", many(table.rows), state(table));
                for (chain, extent) in &table.chains {
                    let (first, last) = (instant(extent.first_ms), instant(extent.last_ms));
                    println!("       chain {chain}: {}, {first} to {last}; {}", many(extent.rows), self.whose(*chain));
                }
            }
            (None, why) if self.files_only => println!("table  not checked: {why}"),
            (None, why) => println!(
                "table  NOT checked: {why}. Whether both have the same rows is not known; to check the files alone, say --files-only"
            ),
        }
        if self.waiting > 0 {
            println!("{} not in the table yet", many(self.waiting as u64));
        }
        for finding in &self.files.findings {
            println!("files: {finding}");
        }
        for finding in self.table.iter().flat_map(|table| &table.findings) {
            println!("table: {finding}");
        }
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let findings = |at: &str, checked: &Checked| -> Vec<Value> {
            let one = |finding: &Finding| {
                json!({
                    "where": at,
                    "kind": finding.kind.word(),
                    "chain": finding.chain.map(|chain| chain.to_string()),
                    "seq": finding.seq,
                    "receipt": finding.receipt.map(hex_u64),
                    "what": finding.what,
                })
            };
            checked.findings.iter().map(one).collect()
        };
        let mut all = findings("files", &self.files);
        all.extend(self.table.iter().flat_map(|table| findings("table", table)));
        let chain = |(chain, extent): (&ChainId, &Extent)| {
            json!({
                "chain": chain.to_string(),
                "rows": extent.rows,
                "first": instant(extent.first_ms),
                "last": instant(extent.last_ms),
                "here": self.is_here(*chain),
            })
        };
        let chains = |checked: &Checked| checked.chains.iter().map(chain).collect::<Vec<_>>();
        json!({
            "ok": self.is_well(),
            "files": { "rows": self.files.rows, "chains": chains(&self.files) },
            "table": match &self.table {
                Some(table) => json!({ "checked": true, "rows": table.rows, "chains": chains(table), "waiting": self.waiting }),
                None => json!({ "checked": false, "why": self.why_not() }),
            },
            "findings": all,
        })
    }

    fn why_not(&self) -> &str {
        self.why_not.as_deref().unwrap_or("it cannot be reached")
    }

    /// Whether the files have the chain, or would.
    fn is_here(&self, chain: ChainId) -> bool {
        self.own == Some(chain) || self.files.chains.contains_key(&chain)
    }

    fn whose(&self, chain: ChainId) -> &'static str {
        if self.is_here(chain) { "of this folder" } else { "of another gateway, or of a folder that is gone" }
    }
}

fn many(rows: u64) -> String {
    if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") }
}

/// A time as RFC 3339 has it, in UTC, to the second.
fn instant(at_ms: i64) -> String {
    jiff::Timestamp::from_second(at_ms.div_euclid(1000)).map_or_else(|_| at_ms.to_string(), |time| time.to_string())
}
