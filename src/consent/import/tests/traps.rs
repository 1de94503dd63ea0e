//! What looks like a yes and is none, manager by manager.

mod json;
mod lists;

use super::samples::{Sample, all, encoded};
use super::*;

/// Nothing counts.
fn nothing(manager: Manager, lines: &[String]) {
    for line in lines {
        assert_eq!(told(&import(manager), line), None, "{}: {line}", manager.word());
    }
}

fn accepted(manager: Manager) -> String {
    all().into_iter().find(|sample| sample.manager == manager).unwrap().accepted
}

/// `manager`'s accepted cookie with each of `changes` in turn.
fn changed(manager: Manager, changes: &[(&str, &str)]) -> Vec<String> {
    let line = accepted(manager);
    let change = |(from, to): &(&str, &str)| {
        assert!(line.contains(from), "{}: {from} in {line}", manager.word());
        line.replace(from, to)
    };
    changes.iter().map(change).collect()
}

/// The same where the cookie is percent-encoded JSON.
fn changed_json(manager: Manager, changes: &[(&str, &str)]) -> Vec<String> {
    let encoded: Vec<_> = changes.iter().map(|(from, to)| (encoded(from), encoded(to))).collect();
    changed(manager, &encoded.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect::<Vec<_>>())
}

#[test]
fn rule_c12_no_cookie_an_empty_one_and_another_managers_are_nothing() {
    let samples = all();
    for Sample { manager, .. } in &samples {
        nothing(
            *manager,
            &["".into(), "a=1".into(), format!("{}=", manager.cookies()[0]), manager.cookies()[0].into()],
        );
        for other in samples.iter().filter(|other| other.manager.cookies() != manager.cookies()) {
            nothing(*manager, std::slice::from_ref(&other.accepted));
            // Another's value under this one's name.
            let (_, value) = other.accepted.split_once('=').unwrap();
            let told = told(&import(*manager), &format!("{}={value}", manager.cookies()[0]));
            assert!(told.is_none_or(|(granted, _)| granted.is_empty()), "{} {value}", manager.word());
        }
    }
}
