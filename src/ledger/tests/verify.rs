//! P3: whatever is done to a chain is found and named.

use proptest::prelude::*;

use super::*;
use crate::ledger::row::Link;

const CHAIN: ChainId = ChainId(0xC0FFEE);

struct Chain {
    rows: Vec<Row>,
    keys: PublicKeys,
}

/// A chain of so many rows, made at random.
fn chain(entries: &[(u64, i64, u8)]) -> Chain {
    let ring = KeyRing::ephemeral();
    Chain { rows: made(entries, &ring), keys: PublicKeys::of(&ring) }
}

fn made(entries: &[(u64, i64, u8)], ring: &KeyRing) -> Vec<Row> {
    let signer = Signer::current(ring);
    let mut link = Link { chain: CHAIN, seq: 0, hash: [0; 32], at_ms: 0 };
    let mut rows = Vec::new();
    for (receipt, at_ms, sort) in entries {
        let entry = Entry { receipt: *receipt, under_16: sort % 2 == 0, ..entry(u64::from(*sort), *at_ms) };
        let row = Row::behind(&link, 7, entry, &signer);
        link = Link { chain: CHAIN, seq: row.seq, hash: row.hash, at_ms: row.entry.at_ms };
        rows.push(row);
    }
    rows
}

impl Chain {
    fn check(&self, rows: &[Row]) -> Vec<Finding> {
        super::super::verify::verify(rows, CHAIN, &self.keys, Beginning::FIRST, self.rows.len() as u64)
    }
}

fn entries() -> impl Strategy<Value = Vec<(u64, i64, u8)>> {
    proptest::collection::vec((any::<u64>(), 0..NOW, any::<u8>()), 2..12)
}

/// One field of a row made another.
fn changed(row: &Row, field: u8, to: u64) -> Row {
    let mut new = row.clone();
    let entry = &mut new.entry;
    match field % 19 {
        0 => entry.receipt ^= to | 1,
        1 => entry.previous = entry.previous.map_or(Some(to), |previous| Some(previous ^ (to | 1))),
        2 => entry.at_ms ^= (to | 1) as i64 & 0xFFFF,
        3 => entry.action = Action::ALL[(Action::ALL.iter().position(|a| *a == entry.action).unwrap() + 1) % 5],
        4 => entry.policy_version ^= to as u16 | 1,
        5 => entry.text_hash[to as usize % 32] ^= 1,
        6 => entry.banner_version.push('x'),
        7 => entry.banner_hash[to as usize % 32] ^= 1,
        8 => entry.granted.push("marketing".into()),
        9 => entry.denied.clear(),
        10 => entry.source = "api".into(),
        11 => entry.language = "cy".into(),
        12 => entry.host.push('x'),
        13 => entry.gpc = !entry.gpc,
        14 => entry.dnt = !entry.dnt,
        15 => entry.under_16 = !entry.under_16,
        16 => new.site_id ^= to as u32 | 1,
        17 => new.signature[to as usize % 64] ^= 1,
        // From one list to the other.
        _ => entry.granted.extend(std::mem::take(&mut entry.denied)),
    }
    new
}

fn names(findings: &[Finding], seq: u64, kinds: &[Kind]) -> bool {
    findings.iter().any(|finding| finding.seq == Some(seq) && kinds.contains(&finding.kind))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn rule_p3_a_whole_chain_is_whole(made in entries()) {
        let chain = chain(&made);
        prop_assert_eq!(chain.check(&chain.rows), vec![]);
    }

    #[test]
    fn rule_p3_a_changed_row_is_found_and_named(made in entries(), at: prop::sample::Index, field: u8, to: u64) {
        let chain = chain(&made);
        let at = at.index(made.len());
        let mut rows = chain.rows.clone();
        rows[at] = changed(&rows[at], field, to);
        let found = chain.check(&rows);
        prop_assert!(names(&found, at as u64 + 1, &[Kind::Changed, Kind::Unsigned]), "{:?}", found);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].receipt, Some(rows[at].entry.receipt));
        // Hashed again, so that it fits itself: then the signature does not.
        rows[at].hash = rows[at].content_hash();
        let found = chain.check(&rows);
        prop_assert!(names(&found, at as u64 + 1, &[Kind::Unsigned]), "{:?}", found);
    }

    #[test]
    fn rule_p3_a_removed_row_is_found_and_named(made in entries(), at: prop::sample::Index, many in 1usize..4) {
        let chain = chain(&made);
        let at = at.index(made.len());
        let mut rows = chain.rows.clone();
        let end = rows.len().min(at + many);
        rows.drain(at..end);
        let found = chain.check(&rows);
        prop_assert_eq!(found.len(), 1);
        prop_assert!(names(&found, at as u64 + 1, &[Kind::Removed]), "{:?}", found);
        // With those behind it counted down and hashed again, the signatures fail.
        for row in &mut rows[at..] {
            row.seq -= (end - at) as u64;
            row.hash = row.content_hash();
        }
        prop_assert!(!chain.check(&rows).is_empty());
    }

    #[test]
    fn rule_p3_an_inserted_row_is_found_and_named(made in entries(), at: prop::sample::Index, copied: prop::sample::Index, forged: bool) {
        let chain = chain(&made);
        let (at, copied) = (at.index(made.len() + 1), copied.index(made.len()));
        let mut rows = chain.rows.clone();
        let mut row = rows[copied].clone();
        if forged {
            // As a forger would, who has no key: in its place by number and hash.
            row.seq = at as u64 + 1;
            row.prev_hash = at.checked_sub(1).map_or([0; 32], |before| rows[before].hash);
            row.entry.receipt ^= 1;
            row.hash = row.content_hash();
        }
        rows.insert(at, row.clone());
        let found = chain.check(&rows);
        prop_assert!(names(&found, row.seq, &[Kind::Inserted, Kind::Unsigned, Kind::Reordered]), "{:?}", found);
    }

    #[test]
    fn rule_p3_swapped_rows_are_found_and_named(made in entries(), one: prop::sample::Index, other: prop::sample::Index) {
        let chain = chain(&made);
        let (one, other) = (one.index(made.len()), other.index(made.len()));
        prop_assume!(one != other);
        let mut rows = chain.rows.clone();
        rows.swap(one, other);
        let found = chain.check(&rows);
        prop_assert!(names(&found, one.min(other) as u64 + 1, &[Kind::Reordered]), "{:?}", found);
        prop_assert!(found.iter().all(|finding| finding.kind == Kind::Reordered), "{:?}", found);
    }

    #[test]
    fn rule_p3_a_row_of_another_key_is_found_and_named(made in entries(), other in entries(), at: prop::sample::Index) {
        let chain = chain(&made);
        let at = at.index(made.len().min(other.len()));
        let forged = super::verify::made(&other, &KeyRing::ephemeral());
        let mut rows = chain.rows.clone();
        rows[at] = forged[at].clone();
        let found = chain.check(&rows);
        prop_assert!(names(&found, at as u64 + 1, &[Kind::Unsigned]), "{:?}", found);
        // A whole other history.
        prop_assert!(chain.check(&forged).len() >= forged.len());
    }

    #[test]
    fn a_row_reads_back_from_its_line_and_no_other_way_of_writing_it_is_one(made in entries(), at: prop::sample::Index, byte: prop::sample::Index, to: u8) {
        let chain = chain(&made);
        let row = &chain.rows[at.index(made.len())];
        let line = row.line();
        prop_assert_eq!(&Row::parse(line.as_bytes()).unwrap(), row);
        let mut bytes = line.into_bytes();
        let byte = byte.index(bytes.len());
        prop_assume!(bytes[byte] != to);
        bytes[byte] = to;
        // Any one byte changed is no row, or another row, which is found.
        if let Ok(other) = Row::parse(&bytes) {
            prop_assert_ne!(&other, row);
            if other.chain == row.chain {
                let mut rows = chain.rows.clone();
                rows[row.seq as usize - 1] = other;
                prop_assert!(!chain.check(&rows).is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in ".*") {
        let _ = Row::parse(&bytes);
        let _ = Row::parse(text.as_bytes());
    }
}

#[test]
fn rows_that_have_expired_may_be_missing_from_the_beginning_only() {
    let made: Vec<_> = (1..=6).map(|n| (n, n as i64, n as u8)).collect();
    let chain = chain(&made);
    let beginning = Beginning { seq: 3, hash: chain.rows[2].hash };
    let check = |rows: &[Row], beginning| super::super::verify::verify(rows, CHAIN, &chain.keys, beginning, 6);
    for from in 0..=3 {
        assert_eq!(check(&chain.rows[from..], beginning), [], "from {from}");
    }
    assert_eq!(check(&chain.rows[4..], beginning)[0].seq, Some(4));
    assert_eq!(check(&chain.rows[3..], Beginning::FIRST)[0].seq, Some(1));
    let other = Beginning { seq: 3, hash: [1; 32] };
    assert_eq!(check(&chain.rows[3..], other)[0].kind, Kind::Inserted);
    let mut holed = chain.rows[1..].to_vec();
    holed.remove(1);
    assert_eq!(check(&holed, beginning), [], "what has expired goes in any order");
    holed.remove(2);
    assert_eq!(check(&holed, beginning)[0].seq, Some(5));
}

#[test]
fn a_finding_says_which_row_whose_receipt_and_what() {
    let chain = chain(&[(0xAB, 1, 1), (0xCD, 2, 2)]);
    let mut rows = chain.rows.clone();
    rows[1].entry.granted.push("marketing".into());
    let said = chain.check(&rows)[0].to_string();
    assert_eq!(
        said,
        "changed, chain 0000000000c0ffee, row 2, receipt 00000000000000cd: what it says is not what was written: its \
         hash is of something else"
    );
}
