//! `consentry ledger verify`: the files' rows and the table's, each against its hash and signature, and both against each
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::super::settings::Ledger;
use crate::config::ClickHouse;
use crate::engine::{child, socket};
use crate::ledger::verify::{Checker, Finding, Kind};
use crate::ledger::{Beginning, ChainId, Found, Notes, PublicKeys, Row, Rows};
use crate::life::now_ms;
use crate::store::consents::Stored;
use crate::store::{client, consents, exception};

/// Rows asked for at a time.
pub(super) const PAGE: u64 = 20_000;

/// Where rows of a chain that nobody here keeps may have begun to expire, in days before its first row does.
const ABOUT_TO_EXPIRE: u16 = 62;

/// What was seen of a chain in one place: number, hash, receipt.
type Seen = BTreeMap<u64, ([u8; 32], u64)>;

/// What one place has.
#[derive(Default)]
struct Checked {
    rows: u64,
    chains: BTreeSet<ChainId>,
    /// Rows of this gateway's own chain.
    own: Seen,
    findings: Vec<Finding>,
    /// The last sound row of the own chain.
    last: u64,
}

impl Checked {
    fn see(&mut self, row: &Row, is_own: bool) {
        self.rows += 1;
        self.chains.insert(row.chain);
        if is_own {
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

/// Does it: 0 all well, 1 something was found or nothing could be checked.
pub(super) fn run(as_json: bool, place: &Ledger, keys: &PublicKeys) -> anyhow::Result<ExitCode> {
    // Before the table is read, and that before the files: what was shipped is in the table, what is in the table is in
    // the files, also while the gateway goes on.
    let before = Notes::read(&place.folder, keys);
    let expired = expired_until(place);
    let table = table(place, keys, &before, expired);
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
    let report = Report { place, files, table, why_not, waiting };
    let is_well = report.is_well();
    if as_json {
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
    for found in rows {
        match found {
            Found::Row { row, .. } if Some(row.chain) == own_chain => {
                checked.see(&row, true);
                let checker = own.get_or_insert_with(|| {
                    let noted = Notes::read(&place.folder, keys);
                    if noted.beginning_is_forged {
                        held_back.push(forged(noted.chain));
                    }
                    Checker::new(row.chain, keys, noted.beginning.unwrap_or(Beginning::FIRST))
                });
                checker.row(&row);
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
    let head = before.head.as_ref().filter(|head| Some(head.chain) == own_chain).map_or(0, |head| head.seq);
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
    Ok(checked)
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
        let mut chains = Chains { keys, before, expired, checked: Checked::default(), open: None };
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

/// The chains of the table, one after the other.
struct Chains<'k> {
    keys: &'k PublicKeys,
    before: &'k Notes,
    expired: u64,
    checked: Checked,
    open: Option<(ChainId, Checker<'k>)>,
}

impl<'k> Chains<'k> {
    fn stored(&mut self, stored: &Stored) {
        let (chain, seq) = stored.name();
        let row = match stored.row() {
            Ok(row) => row,
            Err(column) => {
                let what = format!("its `{column}` is not what may stand there");
                let (chain, seq) = (Some(chain), Some(seq));
                self.checked.findings.push(Finding { kind: Kind::Changed, chain, seq, receipt: None, what });
                return;
            }
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != chain) {
            self.close();
            let beginning = self.beginning(&row, stored.expires_at());
            self.open = Some((chain, Checker::new(chain, self.keys, beginning)));
        }
        let is_own = self.before.chain == Some(chain);
        self.checked.see(&row, is_own);
        if let Some((_, checker)) = &mut self.open
            && checker.row(&row)
            && is_own
        {
            self.checked.last = self.checked.last.max(seq);
        }
    }

    /// Behind which row the chain may begin in the table, where what has expired goes row by row.
    fn beginning(&self, first: &Row, expires_at: u16) -> Beginning {
        let is_own = self.before.chain == Some(first.chain);
        let noted = self.before.beginning.unwrap_or(Beginning::FIRST);
        let until = if is_own {
            self.expired.max(noted.seq)
        } else if expires_at <= day(now_ms()).saturating_add(ABOUT_TO_EXPIRE) {
            // Who keeps that chain knows better.
            first.seq.saturating_sub(1)
        } else {
            0
        };
        match until {
            0 => Beginning::FIRST,
            seq if is_own && seq == noted.seq => noted,
            seq => Beginning { seq, hash: first.prev_hash },
        }
    }

    fn close(&mut self) {
        let Some((chain, checker)) = self.open.take() else { return };
        let shipped = if self.before.chain == Some(chain) { self.before.shipped } else { 0 };
        self.checked.findings.extend(checker.finish(shipped));
    }

    fn finish(mut self) -> Checked {
        self.close();
        if let Some(chain) = self.before.chain
            && !self.checked.chains.contains(&chain)
            && self.before.shipped > 0
        {
            let until = self.expired.max(self.before.beginning.map_or(0, |beginning| beginning.seq));
            let checker = Checker::new(chain, self.keys, Beginning { seq: until, hash: [0; 32] });
            self.checked.findings.extend(checker.finish(self.before.shipped));
        }
        self.checked
    }
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

struct Report<'p> {
    place: &'p Ledger,
    files: Checked,
    table: Option<Checked>,
    why_not: Option<String>,
    /// Rows that are in the files and not yet in the table.
    waiting: usize,
}

impl Report<'_> {
    fn is_well(&self) -> bool {
        self.files.findings.is_empty() && self.table.as_ref().is_none_or(|table| table.findings.is_empty())
    }

    fn print(&self) {
        let many = |rows: u64| if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
        let state = |checked: &Checked| if checked.findings.is_empty() { "whole" } else { "NOT whole" };
        println!("files  {}: {}, {}", self.place.folder.display(), many(self.files.rows), state(&self.files));
        match (&self.table, &self.why_not) {
            (Some(table), _) => {
                let chains = match table.chains.len() {
                    1 => "1 gateway".to_owned(),
                    more => format!("{more} gateways"),
                };
                println!("table  consents: {} of {chains}, {}", many(table.rows), state(table));
            }
            (None, why) => println!("table  not checked: {}", why.as_deref().unwrap_or("it cannot be reached")),
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

    fn json(&self) -> Value {
        let findings = |at: &str, checked: &Checked| -> Vec<Value> {
            let one = |finding: &Finding| {
                json!({
                    "where": at,
                    "kind": finding.kind.word(),
                    "chain": finding.chain.map(|chain| chain.to_string()),
                    "seq": finding.seq,
                    "receipt": finding.receipt.map(crate::ledger::hex::hex_u64),
                    "what": finding.what,
                })
            };
            checked.findings.iter().map(one).collect()
        };
        let mut all = findings("files", &self.files);
        all.extend(self.table.iter().flat_map(|table| findings("table", table)));
        let chains = |checked: &Checked| checked.chains.iter().map(ChainId::to_string).collect::<Vec<_>>();
        json!({
            "ok": self.is_well(),
            "files": { "rows": self.files.rows, "chains": chains(&self.files) },
            "table": match (&self.table, &self.why_not) {
                (Some(table), _) => json!({ "checked": true, "rows": table.rows, "chains": chains(table), "waiting": self.waiting }),
                (None, why) => json!({ "checked": false, "why": why }),
            },
            "findings": all,
        })
    }
}
