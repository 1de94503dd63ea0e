//! The kept texts (P5): each that a row of this gateway names is there, byte for byte.

use std::collections::BTreeMap;
use std::path::Path;

use crate::ledger::hex::hex;
use crate::ledger::verify::{Finding, Kind};
use crate::ledger::{ChainId, LedgerError, Row, find_text};

/// The hashes that rows name, each with the first row that does.
#[derive(Default)]
pub(super) struct Named(BTreeMap<[u8; 32], First>);

struct First {
    chain: ChainId,
    seq: u64,
    receipt: u64,
    /// What was kept under it, in words.
    what: &'static str,
}

impl Named {
    /// A row of this gateway.
    pub(super) fn see(&mut self, row: &Row) {
        let entry = &row.entry;
        for (hash, what) in [(entry.text_hash, "what was asked"), (entry.banner_hash, "the banner")] {
            // Zeros are nothing that was shown.
            if hash != [0; 32] {
                let first = First { chain: row.chain, seq: row.seq, receipt: entry.receipt, what };
                self.0.entry(hash).or_insert(first);
            }
        }
    }

    /// These and those of another place.
    pub(super) fn join(&mut self, others: Named) {
        for (hash, first) in others.0 {
            self.0.entry(hash).or_insert(first);
        }
    }

    /// Those that are missing from a ledger's folder, or are not what their names say.
    pub(super) fn check(&self, folder: &Path) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (hash, First { chain, seq, receipt, what }) in &self.0 {
            let name = hex(hash);
            let (kind, what) = match find_text(folder, &name) {
                Ok(Some(_)) => continue,
                Ok(None) => (Kind::Removed, format!("{what}, texts/{name}, is not kept any more")),
                Err(LedgerError::Damaged { .. }) => {
                    (Kind::Changed, format!("{what}, texts/{name}, is not what was shown: its SHA-256 is another"))
                }
                Err(error) => (Kind::Unreadable, format!("{what}, texts/{name}: {error}")),
            };
            let (chain, seq, receipt) = (Some(*chain), Some(*seq), Some(*receipt));
            findings.push(Finding { kind, chain, seq, receipt, what });
        }
        findings
    }
}
