//! Over cookies nobody would write by hand: nothing panics, and nothing grants but a field that says so.

use proptest::prelude::*;

use super::samples::{Sample, all};
use super::*;

/// Where a single byte of a refusing cookie is the answer itself, so that changing it is an answer: `C0002:0`. In a TC string
/// every character is six answers.
fn may_become_a_yes(manager: Manager) -> bool {
    matches!(manager, Manager::OneTrust | Manager::Tcf)
}

fn manager() -> impl Strategy<Value = Manager> {
    proptest::sample::select(Manager::ALL.to_vec())
}

fn granted(import: &Import, line: &[u8]) -> bool {
    import.read([line], NOW, LIFE).is_some_and(|imported| imported.granted != PurposeSet::default())
}

#[test]
fn rule_c12_no_single_changed_byte_makes_a_refusal_a_grant() {
    for Sample { manager, refused, .. } in all().into_iter().filter(|sample| !may_become_a_yes(sample.manager)) {
        let import = import(manager);
        for place in 0..refused.len() {
            for byte in [
                0, b' ', b'"', b'%', b'\'', b',', b'1', b':', b';', b'=', b'!', b'\\', b'a', b'e', b't', b'y', b'{',
                0xff,
            ] {
                let mut line = refused.clone().into_bytes();
                line[place] = byte;
                assert!(!granted(&import, &line), "{}: {}", manager.word(), String::from_utf8_lossy(&line));
            }
        }
    }
}

#[test]
fn rule_c12_a_cookie_that_is_cut_off_grants_nothing_it_did_not_say() {
    // A list that is cut between two entries is a list; everything else is broken.
    let lists = [
        Manager::Tarteaucitron,
        Manager::HubSpot,
        Manager::CookieYes,
        Manager::C15t,
        Manager::Complianz,
        Manager::OneTrust,
    ];
    for Sample { manager, accepted, refused, .. } in all() {
        let import = import(manager);
        for end in 0..accepted.len() {
            assert!(!granted(&import, &refused.as_bytes()[..end.min(refused.len())]), "{}", manager.word());
            let whole = lists.contains(&manager)
                || manager == Manager::Tcf && end > accepted.find('.').unwrap() - 5
                || end + 2 >= accepted.len();
            assert!(whole || !granted(&import, &accepted.as_bytes()[..end]), "{} {end}", manager.word());
        }
    }
}

proptest! {
    #[test]
    fn rule_c12_arbitrary_bytes_never_grant(manager in manager(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let line = [manager.cookies()[0].as_bytes(), b"=", &bytes].concat();
        prop_assert!(!granted(&import(manager), &line));
        prop_assert!(!granted(&import(manager), &bytes));
    }

    #[test]
    fn rule_c12_text_in_the_managers_own_letters_never_grants(
        manager in manager(),
        text in r#"[{}\[\]":,=!'0-9a-z%._-]{0,200}"#,
    ) {
        // Of the grammars that are lists of names, no name of the mapping is likely to be met.
        let line = format!("{}={text}", manager.cookies()[0]);
        prop_assert!(!granted(&import(manager), line.as_bytes()));
    }

    #[test]
    fn rule_c12_a_refusal_with_changed_bytes_is_no_grant(
        place in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let samples = all();
        let Sample { manager, refused, .. } = place.get(&samples);
        prop_assume!(!may_become_a_yes(*manager));
        let mut line = refused.clone().into_bytes();
        for (place, byte) in changes {
            let place = place.index(line.len());
            line[place] = byte;
        }
        prop_assert!(!granted(&import(*manager), &line), "{}: {}", manager.word(), String::from_utf8_lossy(&line));
    }

    #[test]
    fn rule_c12_no_time_and_no_two_halves_of_cookies_make_it_panic(
        place in any::<prop::sample::Index>(),
        (cut, on) in any::<(prop::sample::Index, prop::sample::Index)>(),
        (now, life) in any::<(u64, u64)>(),
    ) {
        let samples = all();
        let Sample { manager, accepted, refused, .. } = place.get(&samples);
        let (cut, on) = (cut.index(accepted.len()), on.index(refused.len()));
        let line = [&accepted.as_bytes()[..cut], &refused.as_bytes()[on..]].concat();
        for line in [&line[..], accepted.as_bytes()] {
            let imported = import(*manager).read([line], now, life);
            prop_assert!(imported.and_then(|imported| imported.at).is_none_or(|at| at <= now.saturating_add(300)));
        }
    }
}
