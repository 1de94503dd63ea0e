//! The notes beside the rows: which chain it is, and which row is the last.

use std::time::{Duration, Instant};

use super::super::super::settings::Ledger;
use super::Seen;
use crate::ledger::verify::{Finding, Kind};
use crate::ledger::{Notes, PublicKeys};

/// How long a gateway that is running may take from a row to the note of it.
const PATIENCE: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(20);

/// What is wrong with them. `own` are the rows that stand in the files, `last` is the number of the last sound one.
pub(super) fn check(place: &Ledger, keys: &PublicKeys, own: &Seen, last: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    if last == 0 {
        return findings;
    }
    let mut notes = Notes::read(&place.folder, keys);
    let waited = Instant::now();
    while waited.elapsed() < PATIENCE && notes.head.is_none_or(|head| head.seq < last) {
        std::thread::sleep(LOOK);
        notes = Notes::read(&place.folder, keys);
    }
    let chain = notes.chain;
    let mut find = |kind, seq, what: String| findings.push(Finding { kind, chain, seq, receipt: None, what });
    if !notes.chain_is_noted {
        find(Kind::Removed, None, "the note of the chain's id (`chain`) is missing or is none".into());
    }
    match notes.head {
        None if notes.head_is_forged => {
            let what = "the note of the last row (`head`) is not signed by this gateway, so nothing says that no end was cut off";
            find(Kind::Unsigned, None, what.into());
        }
        None => {
            let what = "the note of the last row (`head`) is missing, so nothing says that no end was cut off";
            find(Kind::Removed, None, what.into());
        }
        Some(head) if Some(head.chain) != chain => {
            find(Kind::Changed, None, format!("the note of the last row (`head`) names another chain, {}", head.chain));
        }
        Some(head) if head.seq < last => {
            let what = format!(
                "the note of the last row (`head`) names another row, {}: it was set back, or power or process ended right then (the next start notes it again)",
                head.seq
            );
            find(Kind::Changed, Some(last), what);
        }
        // What came since the rows were read is a newer one; what is missing is named as such.
        Some(head) => {
            if own.get(&head.seq).is_some_and(|(hash, _)| *hash != head.hash) {
                let what = "the note of the last row (`head`) names another row of this number";
                find(Kind::Changed, Some(head.seq), what.into());
            }
        }
    }
    findings
}
