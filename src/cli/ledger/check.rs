//! `consentry ledger verify`: the files' rows and the table's, each against its hash and signature, and both against each
//! other; the notes beside the files, the kept texts, and when the table lets go of its rows. Reads only.

mod chains;
mod expiry;
mod notes;
mod report;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::bail;

use self::chains::Chains;
use self::expiry::Expiry;
use self::report::Report;
use self::texts::Named;
use super::super::settings::Ledger;
use crate::config::ClickHouse;
use crate::engine::{child, socket};
use crate::ledger::verify::{Checker, Finding, Kind};
use crate::ledger::{Beginning, ChainId, Found, Notes, PublicKeys, Row, Rows, strange_files};
use crate::life::now_ms;
use crate::store::{client, consents, exception};

/// Rows asked for at a time.
pub(super) const PAGE: u64 = 20_000;

/// What was seen of a chain in one place: number, hash, receipt.
type Seen = BTreeMap<u64, ([u8; 32], u64)>;

/// What one place has.
#[derive(Default)]
struct Checked {
    rows: u64,
    chains: BTreeMap<ChainId, Extent>,
    /// Rows of this gateway's own chain.
    own: Seen,
    /// The texts that rows of the own chain name.
    texts: Named,
    findings: Vec<Finding>,
    /// The last sound row of the own chain.
    last: u64,
}

/// What there is of a chain in one place.
#[derive(Clone, Copy)]
struct Extent {
    rows: u64,
    /// The times of the first and the last row, as they stand, in milliseconds since 1970.
    first_ms: i64,
    last_ms: i64,
}

impl Checked {
    fn see(&mut self, row: &Row, is_own: bool) {
        let at_ms = row.entry.at_ms;
        self.rows += 1;
        let extent = self.chains.entry(row.chain).or_insert(Extent { rows: 0, first_ms: at_ms, last_ms: at_ms });
        extent.rows += 1;
        extent.last_ms = at_ms;
        if is_own {
            self.texts.see(row);
            self.own.entry(row.seq).or_insert((row.hash, row.entry.receipt));
        }
    }

    /// Missing rows have a receipt where the other place has the row.
    fn name_receipts(&mut self, own: Option<ChainId>, other: &Seen) {
        for finding in self.findings.iter_mut().filter(|finding| finding.chain == own && finding.receipt.is_none()) {
            finding.receipt = finding.seq.and_then(|seq| other.get(&seq)).map(|(_, receipt)| *receipt);
        }
    }
}

/// What is asked for.
pub(super) struct Asked {
    /// JSON for machines.
    pub(super) as_json: bool,
    /// The table is left out.
    pub(super) files_only: bool,
}

/// Does it: 0 all well, 1 something was found or could not be checked.
pub(super) fn run(asked: &Asked, place: &Ledger, keys: &PublicKeys) -> anyhow::Result<ExitCode> {
    // Before the table is read, and that before the files: what was shipped is in the table, what is in the table is in
    // the files, also while the gateway goes on.
    let before = Notes::read(&place.folder, keys);
    let expired = expired_until(place);
    let table = if asked.files_only {
        Err("it was not asked for (--files-only)".to_owned())
    } else {
        table(place, keys, &before, expired)
    };
    let mut files = files(place, keys, &before, table.as_ref().map_or(0, |table| table.last))?;
    let has_files = files.rows > 0 || !files.findings.is_empty();

    let (mut table, why_not) = match table {
        Ok(table) => (Some(table), None),
        Err(why) => (None, Some(why)),
    };
    let mut waiting = 0;
    if let Some(table) = &mut table {
        table.name_receipts(before.chain, &files.own);
        files.name_receipts(before.chain, &table.own);
        if has_files {
            waiting = files.own.keys().filter(|seq| **seq > table.last.max(before.shipped)).count();
            compare(before.chain, &files, table);
        }
    }
    if !has_files && table.as_ref().is_none_or(|table| table.rows == 0 && table.findings.is_empty()) {
        let why = why_not.map_or_else(|| "the table `consents` is empty".to_owned(), |why| why.clone());
        bail!("nothing could be checked: there are no rows in {}, and {why}", place.folder.display());
    }
    if has_files {
        files.texts.join(table.as_mut().map(|table| std::mem::take(&mut table.texts)).unwrap_or_default());
        files.findings.extend(files.texts.check(&place.folder));
    }
    let report = Report { place, files, table, files_only: asked.files_only, why_not, waiting, own: before.chain };
    let is_well = report.is_well();
    if asked.as_json {
        println!("{:#}", report.json())
    } else {
        report.print()
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The number of the last row in the files whose time is over: the table may have let go of it and of those before.
fn expired_until(place: &Ledger) -> u64 {
    let today = day(now_ms());
    let mut last = 0;
    for found in Rows::of(&place.folder).into_iter().flatten() {
        let Found::Row { row, .. } = found else { continue };
        if place.retention.after(day(row.entry.at_ms)) > today {
            break;
        }
        last = row.seq;
    }
    last
}

fn day(at_ms: i64) -> u16 {
    u16::try_from(at_ms.max(0) / 86_400_000).unwrap_or(u16::MAX)
}

fn files(place: &Ledger, keys: &PublicKeys, before: &Notes, in_table: u64) -> anyhow::Result<Checked> {
    let mut checked = Checked::default();
    let mut chains: BTreeMap<ChainId, Vec<Row>> = BTreeMap::new();
    let rows = Rows::of(&place.folder)?;
    let mut own: Option<Checker<'_>> = None;
    // Months may go while they are read; what they ended with is noted first.
    let mut held_back = Vec::new();
    let own_chain = before.chain;
    let mut last_sound = 0;
    for found in rows {
        match found {
            Found::Row { row, file, .. } if Some(row.chain) == own_chain => {
                checked.see(&row, true);
                let checker = own.get_or_insert_with(|| {
                    let noted = Notes::read(&place.folder, keys);
                    if noted.beginning_is_forged {
                        held_back.push(forged(noted.chain));
                    }
                    Checker::new(row.chain, keys, noted.beginning.unwrap_or(Beginning::FIRST))
                });
                if checker.row(&row) {
                    last_sound = last_sound.max(row.seq);
                    checked.findings.extend((row.file() != file).then(|| misplaced(&row, &file)));
                }
            }
            Found::Row { row, .. } => {
                checked.see(&row, false);
                chains.entry(row.chain).or_default().push(*row);
            }
            Found::Unreadable { file, line, why } => {
                let what = format!("{file}, line {line}: {why}");
                checked.findings.push(Finding { kind: Kind::Unreadable, chain: None, seq: None, receipt: None, what });
            }
            // Being written just now; or the next start cuts it off, since nobody was told of it.
            Found::Torn { .. } => {}
        }
    }
    checked.findings.append(&mut held_back);
    checked.last = checked.own.keys().next_back().copied().unwrap_or(0);
    let head = before.head.filter(|head| Some(head.chain) == own_chain).map_or(0, |head| head.seq);
    let written = head.max(before.shipped).max(in_table);
    match (own, own_chain) {
        (Some(checker), _) => checked.findings.extend(checker.finish(written)),
        (None, Some(chain)) if written > 0 => {
            let noted = Notes::read(&place.folder, keys).beginning.unwrap_or(Beginning::FIRST);
            checked.findings.extend(Checker::new(chain, keys, noted).finish(written));
        }
        _ => {}
    }
    for (chain, rows) in chains {
        let what = format!("{} rows of another chain stand in the files of this gateway", rows.len());
        let seq = rows.first().map(|row| row.seq);
        checked.findings.push(Finding { kind: Kind::Inserted, chain: Some(chain), seq, receipt: None, what });
    }
    checked.findings.extend(notes::check(place, keys, &checked.own, last_sound));
    for name in strange_files(&place.folder)? {
        let what = format!("{name} is named like a file of rows, but is of no month: nothing in it is read");
        checked.findings.push(Finding { kind: Kind::Unreadable, chain: None, seq: None, receipt: None, what });
    }
    Ok(checked)
}

fn misplaced(row: &Row, file: &str) -> Finding {
    let what = format!("it stands in {file}, and belongs in {}", row.file());
    let (chain, seq, receipt) = (Some(row.chain), Some(row.seq), Some(row.entry.receipt));
    Finding { kind: Kind::Reordered, chain, seq, receipt, what }
}

fn forged(chain: Option<ChainId>) -> Finding {
    let what =
        "the note of what has expired (`expired`) is not signed by this gateway, so nothing explains a beginning";
    Finding { kind: Kind::Unsigned, chain, seq: None, receipt: None, what: what.into() }
}

/// The table's rows; or why they could not be had.
fn table(place: &Ledger, keys: &PublicKeys, before: &Notes, expired: u64) -> Result<Checked, String> {
    let target = &place.target;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let is_embedded = matches!(target.clickhouse, ClickHouse::Embedded { .. });
        if is_embedded && !child::answers(&socket::recorded(&target.data_dir)).await {
            return Err("the embedded ClickHouse is not running (it runs with the gateway)".to_owned());
        }
        let client = client::connect(&target.clickhouse, &target.data_dir).map_err(|error| error.to_string())?;
        let mut chains = Chains::new(keys, before, expired, Expiry::of(place.retention));
        let mut behind = (ChainId(0), 0);
        loop {
            let rows = consents::rows_behind(&client, behind.0, behind.1, PAGE).await;
            let rows = rows.map_err(|error| exception::in_short(&error))?;
            let Some(last) = rows.last() else { return Ok(chains.finish()) };
            behind = last.name();
            rows.iter().for_each(|stored| chains.stored(stored));
        }
    })
}

/// Rows that are sound in both places and not the same: two histories.
fn compare(own: Option<ChainId>, files: &Checked, table: &mut Checked) {
    let named: BTreeSet<u64> = files
        .findings
        .iter()
        .chain(&table.findings)
        .filter(|found| found.chain == own)
        .filter_map(|found| found.seq)
        .collect();
    for (seq, (hash, receipt)) in &table.own {
        if files.own.get(seq).is_some_and(|(other, _)| other != hash) && !named.contains(seq) {
            let what = "it is another row than the one in the files".to_owned();
            let (seq, receipt) = (Some(*seq), Some(*receipt));
            table.findings.push(Finding { kind: Kind::Changed, chain: own, seq, receipt, what });
        }
    }
}
