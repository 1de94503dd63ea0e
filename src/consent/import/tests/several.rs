//! Several cookies of one name, times, sizes, and the stamp that says that something is new.

use super::samples::{Sample, all, mapping};
use super::*;

/// The managers whose cookies say when.
fn dated() -> impl Iterator<Item = Sample> {
    all().into_iter().filter(|sample| {
        let line = sample.accepted.as_bytes();
        import(sample.manager).read([line], NOW, LIFE).unwrap().at.is_some()
    })
}

#[test]
fn rule_c12_two_cookies_that_do_not_agree_grant_what_both_grant() {
    for Sample { manager, accepted, partly, refused } in all() {
        let (import, word) = (import(manager), manager.word());
        let told = |lines: &[&str]| told_at(&import, lines, NOW);
        assert_eq!(told(&[&accepted, &accepted]), told(&[&accepted]), "{word}: twice the same");
        for (one, other, lesser) in
            [(&accepted, &partly, &partly), (&accepted, &refused, &refused), (&partly, &refused, &refused)]
        {
            for lines in [[one.as_str(), other], [other, one]] {
                assert_eq!(told(&lines), told(&[lesser]), "{word}");
                assert_eq!(told(&[&lines.join("; ")]), told(&[lesser]), "{word}, in one header");
            }
        }
        let name = accepted.split('=').next().unwrap();
        if manager != Manager::Complianz {
            assert_eq!(told(&[&accepted, &format!("{name}=garbage")]), None, "{word}: one that cannot be understood");
        }
    }
}

#[test]
fn rule_c12_a_choice_counts_as_long_as_ours_would_and_never_from_the_future() {
    assert_eq!(dated().count(), 10);
    for Sample { manager, accepted, .. } in dated() {
        let (import, word) = (import(manager), manager.word());
        let at = import.read([accepted.as_bytes()], NOW, LIFE).unwrap().at.unwrap();
        assert!((NOW - 86_400..=NOW - 7_000).contains(&at), "{word}: {at} is in seconds");
        let reads = |now: u64, life: u64| import.read([accepted.as_bytes()], now, life).is_some();
        assert!(reads(at, LIFE) && reads(at - 300, LIFE), "{word}");
        assert!(!reads(at - 301, LIFE), "{word}: from the future");
        assert!(reads(at + 86_399, 86_400) && !reads(at + 86_400, 86_400), "{word}: too old");
        assert!(!reads(at, 0) && !reads(0, u64::MAX) && !reads(u64::MAX, LIFE), "{word}");
    }
    for Sample { manager, refused, .. } in dated() {
        let now = NOW + LIFE;
        assert_eq!(told_at(&import(manager), &[&refused], now), None, "{}: a refusal too", manager.word());
    }
}

#[test]
fn rule_c12_managers_own_periods_end_a_choice_too() {
    let sample = |manager| all().into_iter().find(|sample| sample.manager == manager).unwrap().accepted;
    let reads =
        |manager: Manager, now: u64| import(manager).read([sample(manager).as_bytes()], now, u64::MAX).is_some();
    let day = |days: u64| 1_769_076_000 + days * 86_400;
    assert!(reads(Manager::Civic, day(90) - 1) && !reads(Manager::Civic, day(90)), "consentExpiry is 90 days");
    assert!(
        reads(Manager::CookieConsent3, 1_784_800_799) && !reads(Manager::CookieConsent3, 1_784_800_800),
        "expirationTime"
    );
}

#[test]
fn rule_c12_a_value_beyond_eight_kibibytes_is_not_looked_at() {
    for Sample { manager, accepted, .. } in all() {
        let (name, value) = accepted.split_once('=').unwrap();
        let long = format!("{name}={value}{}", " ".repeat(9000) + "x");
        assert_eq!(told(&import(manager), &long), None, "{}", manager.word());
        // Another's long cookie is none of ours.
        let beside = format!("other={}; {accepted}", "x".repeat(9000));
        assert_eq!(told(&import(manager), &beside), told(&import(manager), &accepted));
        let many: String = (0..9).map(|n| format!("{name}={n}; ")).collect();
        assert!(
            told(&import(manager), &(many + &accepted))
                .is_none_or(|(granted, _)| granted.is_empty() || manager == Manager::Complianz)
        );
    }
}

#[test]
fn rule_c12_the_stamp_changes_with_what_was_said_when_and_to_whom() {
    let mut stamps = Vec::new();
    for Sample { manager, accepted, partly, refused } in all() {
        let import = import(manager);
        let stamp = |line: &str| import.read([line.as_bytes()], NOW, LIFE).unwrap().stamp;
        for line in [&accepted, &partly, &refused] {
            assert_eq!(
                stamp(line),
                stamp(&format!("a=1; {line}; b=2")),
                "{}: the rest is nothing to it",
                manager.word()
            );
            stamps.push(stamp(line));
        }
        let later = accepted.replace("1769076000", "1769076001").replace("2026-01-22T10:00:00", "2026-01-22T10:00:01");
        if later != accepted && manager != Manager::Didomi {
            assert_ne!(stamp(&later), stamp(&accepted), "{}: later the same day", manager.word());
        }
    }
    let all = stamps.len();
    stamps.sort_unstable();
    stamps.dedup();
    assert_eq!(stamps.len(), all, "no two are alike");
}

#[test]
fn rule_c12_a_purpose_is_granted_when_all_of_its_categories_are() {
    let both = [("gtag", "analytics"), ("hotjar", "analytics"), ("youtube", "marketing"), ("gtag", "preferences")];
    let import = import_as(Manager::Tarteaucitron, None, None, &both);
    let told = |value: &str| told(&import, &format!("tarteaucitron={value}"));
    assert_eq!(told("!gtag=true!hotjar=true!youtube=true"), answers("preferences analytics marketing", ""));
    assert_eq!(told("!gtag=true!hotjar=false!youtube=true"), answers("preferences marketing", "analytics"));
    assert_eq!(told("!gtag=true!hotjar=wait!youtube=true"), answers("preferences marketing", ""));
    assert_eq!(told("!gtag=true"), answers("preferences", ""), "no category, no answer");
    assert_eq!(mapping(Manager::Tarteaucitron).len(), 3);
}

#[test]
fn rule_c12_the_evidence_is_of_the_managers_cookies_alone_as_they_were_sent() {
    let evidence = |import: &Import, lines: &[&str]| import.evidence(lines.iter().map(|line| line.as_bytes()));
    for Sample { manager, accepted, refused, .. } in all() {
        let (import, word) = (import(manager), manager.word());
        let of = |line: &str| evidence(&import, &[line]).unwrap();
        assert_eq!(of(&accepted), of(&format!("a=1;{accepted} ; b=2")), "{word}");
        assert_ne!(of(&accepted), of(&refused), "{word}");
        assert_eq!(evidence(&import, &["a=1"]), None, "{word}");
    }
    let expected: [u8; 32] = Sha256::digest(b"klaro={\"matomo\":true}").into();
    assert_eq!(evidence(&import(Manager::Klaro), &["x=1; klaro={\"matomo\":true}"]), Some(expected));
}
