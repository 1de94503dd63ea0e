//! The promises of C12, held against what managers really write.

mod declared;
mod properties;
mod samples;
mod several;
mod traps;
mod written;

use super::*;

/// 2026-01-22, 12:00 UTC; the samples are from two hours earlier.
const NOW: u64 = 1_769_083_200;
const LIFE: u64 = 182 * 86_400;

/// The four purposes every site knows: `necessary`, `preferences`, `analytics`, `marketing`.
fn policy() -> Policy {
    Policy::default()
}

fn import_as(manager: Manager, cookie: Option<&str>, version: Option<&str>, categories: &[(&str, &str)]) -> Import {
    let policy = policy();
    let index = |purpose: &str| policy.index(purpose).unwrap();
    let categories: Vec<_> = categories.iter().map(|(c, purpose)| ((*c).to_owned(), index(purpose))).collect();
    Import::new(manager, cookie.map(str::to_owned), version.map(str::to_owned), categories, &policy).unwrap()
}

/// As a site would declare `manager`.
fn import(manager: Manager) -> Import {
    import_as(manager, None, None, samples::mapping(manager))
}

/// What is granted and denied, in the policy's order.
type Told = Option<(Vec<String>, Vec<String>)>;

fn told_at(import: &Import, lines: &[&str], now: u64) -> Told {
    let imported = import.read(lines.iter().map(|line| line.as_bytes()), now, LIFE)?;
    let policy = policy();
    let ids =
        |set: PurposeSet| policy.optional().filter(|(i, _)| set.contains(*i)).map(|(_, p)| p.id.clone()).collect();
    assert!(!imported.granted.contains(0) && !imported.denied.contains(0), "nobody is asked for what is necessary");
    assert_eq!(imported.granted.intersect(imported.denied), PurposeSet::default());
    assert!(imported.granted.union(imported.denied).is_subset_of(policy.all()));
    Some((ids(imported.granted), ids(imported.denied)))
}

fn told(import: &Import, line: &str) -> Told {
    told_at(import, &[line], NOW)
}

/// `granted` and `denied` as lists with spaces.
fn answers(granted: &str, denied: &str) -> Told {
    let list = |ids: &str| ids.split_whitespace().map(str::to_owned).collect();
    Some((list(granted), list(denied)))
}
