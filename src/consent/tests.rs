//! The decision's promises, checked over sequences nobody would write by hand.

use proptest::prelude::*;

use super::*;
use crate::keys::KeyRing;

const NOW: u64 = 1_790_000_000;

fn decode(value: &str, policy: &Policy, ring: &KeyRing, now: u64) -> Result<Choice, NoChoice> {
    Choice::decode(value.as_bytes(), policy, ring, now)
}

#[test]
fn rule_c1_everything_that_is_not_a_current_choice_is_no_choice() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW);
    let cookie = choice.encode(&policy, &ring);
    assert_eq!(decode(&cookie, &policy, &ring, NOW), Ok(choice));

    let mut changed = cookie.clone();
    changed.replace_range(3..4, "2");
    assert_eq!(decode(&changed, &policy, &ring, NOW), Err(NoChoice::Invalid));
    assert_eq!(decode(&cookie, &policy, &KeyRing::ephemeral(), NOW), Err(NoChoice::Invalid));
    assert_eq!(decode(&cookie[..cookie.len() - 4], &policy, &ring, NOW), Err(NoChoice::Invalid), "a shorter tag");
    assert_eq!(decode(&cookie, &policy, &ring, NOW + policy.choice_life), Err(NoChoice::Expired));
    assert_eq!(decode(&cookie, &policy, &ring, NOW - 301), Err(NoChoice::ClockSkew));
    let next = Policy::new(policy.purposes().to_vec(), 2, policy.choice_life).unwrap();
    assert_eq!(decode(&cookie, &next, &ring, NOW), Err(NoChoice::OldPolicy));
    for none in [NoChoice::Missing, NoChoice::Invalid, NoChoice::Expired, NoChoice::OldPolicy, NoChoice::ClockSkew] {
        let decision = decide(&policy, Err(none), Signals::default(), Mode::OptIn);
        assert!(decision.analytics.is_none() && decision.ask && decision.permitted == policy.necessary());
    }
}

#[test]
fn rule_c7_a_refusal_is_remembered_as_long_as_an_acceptance() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    for granted in [PurposeSet::default(), policy.all()] {
        let cookie = Choice::new(&policy, granted, ChoiceSource::Banner, NOW).encode(&policy, &ring);
        let last = decode(&cookie, &policy, &ring, NOW + policy.choice_life - 1);
        assert!(!decide(&policy, last, Signals::default(), Mode::OptIn).ask);
        let late = decode(&cookie, &policy, &ring, NOW + policy.choice_life);
        assert!(decide(&policy, late, Signals::default(), Mode::OptIn).ask);
    }
}

#[test]
fn rule_c7_a_new_purpose_asks_again_and_is_denied_meanwhile() {
    let (old, ring) = (Policy::default(), KeyRing::ephemeral());
    let cookie = Choice::new(&old, old.all(), ChoiceSource::Banner, NOW).encode(&old, &ring);
    let mut purposes = old.purposes().to_vec();
    purposes.push(Purpose { id: "surveys".into(), ..Purpose::default() });
    let new = Policy::new(purposes, old.version, old.choice_life).unwrap();
    let decision = decide(&new, decode(&cookie, &new, &ring, NOW), Signals::default(), Mode::OptIn);
    assert!(decision.ask && decision.analytics.is_some() && !decision.permitted.contains(4));
}

#[test]
fn rule_c8_a_signal_never_grants_and_an_explicit_choice_wins() {
    let policy = Policy::default();
    let gpc = Signals { gpc: true, dnt: false };
    assert!(decide(&policy, Err(NoChoice::Missing), gpc, Mode::OptIn).analytics.is_none());
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW);
    assert!(decide(&policy, Ok(choice), gpc, Mode::OptIn).analytics.is_some());
}

#[test]
fn of_several_choice_cookies_the_last_made_counts() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let cookie = |set, at| Choice::new(&policy, set, ChoiceSource::Banner, at).encode(&policy, &ring);
    let (granted, denied) = (cookie(policy.all(), NOW), cookie(PurposeSet::default(), NOW + 1));
    let denied_at_once = cookie(PurposeSet::default(), NOW);
    for order in [[&granted, &denied], [&denied, &granted], [&granted, &denied_at_once], [&denied_at_once, &granted]] {
        let found = Choice::among(order.map(|c| c.as_bytes()), &policy, &ring, NOW + 2).unwrap();
        assert_eq!(found.granted, policy.necessary());
    }
    let with_garbage = [b"x".as_slice(), granted.as_bytes()];
    assert!(Choice::among(with_garbage, &policy, &ring, NOW).is_ok());
}

#[test]
fn a_choice_of_eight_long_purposes_stays_under_400_bytes() {
    let purposes = (0..7).map(|i| Purpose { id: format!("{}{i}", "p".repeat(23)), ..Purpose::default() });
    let policy = Policy::new(purposes.collect(), u16::MAX, u64::MAX).unwrap();
    let cookie =
        Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW).encode(&policy, &KeyRing::ephemeral());
    assert!(cookie.len() < 400, "{}", cookie.len());
    assert!(cookie.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)));
}

#[derive(Clone, Debug)]
enum Act {
    Choose(u8),
    Wait(u64),
    Garbage(Vec<u8>),
    Forget,
    RaisePolicy,
    Signal(bool),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => any::<u8>().prop_map(Act::Choose),
        3 => (0u64..100 * 86_400).prop_map(Act::Wait),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Act::Garbage),
        1 => Just(Act::Forget),
        1 => Just(Act::RaisePolicy),
        2 => any::<bool>().prop_map(Act::Signal),
    ]
}

fn signals(gpc: bool, dnt: bool) -> Signals {
    Signals { gpc, dnt }
}

/// Whether such a visitor is counted in the statistics lane, and whether rows are captured.
fn lanes(policy: &Policy, choice: Result<Choice, NoChoice>, signals: Signals, mode: Mode) -> (bool, bool) {
    let decision = decide(policy, choice, signals, mode);
    (decision.statistics.is_some(), decision.analytics.is_some())
}

fn chose(policy: &Policy, granted: &[&str]) -> Result<Choice, NoChoice> {
    let granted = PurposeSet::of(granted.iter().filter_map(|id| policy.index(id)));
    Ok(Choice::new(policy, granted, ChoiceSource::Preferences, NOW))
}

#[test]
fn rule_c10_who_has_not_chosen_is_counted_only_where_the_mode_says_so() {
    let policy = Policy::default();
    let missing = || Err(NoChoice::Missing);
    assert_eq!(lanes(&policy, missing(), Signals::default(), Mode::OptIn), (false, false));
    assert_eq!(lanes(&policy, missing(), Signals::default(), Mode::UkStatistics), (true, false));
    let decision = decide(&policy, missing(), Signals::default(), Mode::UkStatistics);
    assert!(decision.ask && decision.permitted == policy.necessary(), "nothing else is permitted by it");
    assert_eq!(Mode::default(), Mode::OptIn);
}

#[test]
fn rule_c8_a_signal_without_a_choice_is_an_objection_to_statistics() {
    let policy = Policy::default();
    for (gpc, dnt, counted) in [(false, false, true), (true, false, false), (false, true, false), (true, true, false)] {
        let found = lanes(&policy, Err(NoChoice::Missing), signals(gpc, dnt), Mode::UkStatistics);
        assert_eq!(found, (counted, false), "gpc {gpc}, dnt {dnt}");
    }
}

#[test]
fn rule_l4_a_refusal_is_an_objection_on_the_request_that_carries_it() {
    let policy = Policy::default();
    for (granted, counted) in [(&[][..], false), (&["preferences", "marketing"], false), (&["analytics"], false)] {
        assert_eq!(lanes(&policy, chose(&policy, granted), Signals::default(), Mode::UkStatistics).0, counted);
    }
    let (ring, refused) = (KeyRing::ephemeral(), chose(&policy, &[]).unwrap());
    let cookie = refused.encode(&policy, &ring);
    let read = Choice::among([cookie.as_bytes()], &policy, &ring, NOW);
    assert!(!lanes(&policy, read, Signals::default(), Mode::UkStatistics).0);

    // Where analytics is not asked about, refusing everything objects and allowing something else does not.
    let asks = |id: &str| Purpose { id: id.into(), ..Purpose::default() };
    let other = Policy::new(vec![asks("marketing"), asks("surveys")], 1, policy.choice_life).unwrap();
    for (granted, gpc, counted) in [
        (&[][..], false, false),
        (&["surveys"], false, true),
        (&["surveys"], true, false),
        (&["marketing"], true, false),
    ] {
        let found = lanes(&other, chose(&other, granted), signals(gpc, false), Mode::UkStatistics);
        assert_eq!(found, (counted, false), "{granted:?}, gpc {gpc}");
    }
}

#[test]
fn rule_l4_a_choice_that_cannot_be_read_any_more_may_have_been_an_objection() {
    let policy = Policy::default();
    for unread in [NoChoice::Invalid, NoChoice::Expired, NoChoice::OldPolicy, NoChoice::ClockSkew] {
        assert!(!lanes(&policy, Err(unread), Signals::default(), Mode::UkStatistics).0, "{unread:?}");
    }
}

#[test]
fn rule_l3_a_view_is_in_one_lane_at_most() {
    let policy = Policy::default();
    for granted in [&["analytics"][..], &["analytics", "marketing"], &["marketing"]] {
        let (counted, captured) = lanes(&policy, chose(&policy, granted), Signals::default(), Mode::UkStatistics);
        assert!(!counted && captured == granted.contains(&"analytics"));
    }
}

proptest! {
    /// C1, C2: whatever happens, what is permitted was granted, to this policy, and not since withdrawn or expired.
    #[test]
    fn what_is_permitted_was_granted_and_not_since_withdrawn(acts in proptest::collection::vec(act(), 1..40)) {
        let ring = KeyRing::ephemeral();
        let mut policy = Policy::default();
        let (mut now, mut signals) = (NOW, Signals::default());
        let mut cookie: Option<Vec<u8>> = None;
        // What the visitor last said, to which policy, and when.
        let mut said: Option<(PurposeSet, u16, u64)> = None;
        for act in acts {
            match act {
                Act::Choose(bits) => {
                    let granted = PurposeSet::of((0..8).filter(|i| bits >> i & 1 == 1));
                    let choice = Choice::new(&policy, granted, ChoiceSource::Preferences, now);
                    cookie = Some(choice.encode(&policy, &ring).into_bytes());
                    said = Some((granted, policy.version, now));
                }
                Act::Wait(seconds) => now += seconds,
                Act::Garbage(bytes) => { cookie = Some(bytes); said = None; }
                Act::Forget => { cookie = None; said = None; }
                Act::RaisePolicy => policy.version += 1,
                Act::Signal(gpc) => signals.gpc = gpc,
            }
            let decision = decide(&policy, Choice::among(cookie.as_deref(), &policy, &ring, now), signals, Mode::OptIn);
            prop_assert!(decision.statistics.is_none());
            let granted = match said {
                Some((granted, version, at)) if version == policy.version && now - at < policy.choice_life => granted,
                _ => PurposeSet::default(),
            };
            prop_assert!(decision.permitted.is_subset_of(granted.union(policy.necessary())));
            if let Some(permit) = &decision.analytics {
                prop_assert!(granted.contains(policy.analytics().unwrap()));
                prop_assert_eq!(Some(permit.granted_at()), said.map(|(_, _, at)| at));
            }
        }
    }

    #[test]
    fn garbage_is_never_a_choice(value in proptest::collection::vec(any::<u8>(), 0..420)) {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        prop_assert!(Choice::decode(&value, &policy, &ring, NOW).is_err());
    }

    #[test]
    fn no_changed_byte_is_accepted(at in 0usize..150, with in any::<u8>()) {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        let good = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW).encode(&policy, &ring).into_bytes();
        let mut bad = good.clone();
        if let Some(byte) = bad.get_mut(at) { *byte = with; }
        prop_assert!(bad == good || Choice::decode(&bad, &policy, &ring, NOW).is_err());
    }

    /// L4, C8, C10: whoever objects in whatever way is not counted, and neither is anyone the mode does not reach. The lane
    /// changes nothing else of the decision.
    #[test]
    fn rule_l4_nobody_who_objects_is_counted(
        granted in any::<u8>(), asked in any::<u8>(), kind in 0u8..7, gpc: bool, dnt: bool, uk: bool
    ) {
        let policy = Policy::default();
        let mode = if uk { Mode::UkStatistics } else { Mode::OptIn };
        let choice = match kind {
            0 => Err(NoChoice::Missing),
            1 => Err(NoChoice::Invalid),
            2 => Err(NoChoice::Expired),
            3 => Err(NoChoice::OldPolicy),
            4 => Err(NoChoice::ClockSkew),
            _ => {
                let bits = |bits: u8| PurposeSet::of((0..8).filter(move |i| bits >> i & 1 == 1));
                let mut choice = Choice::new(&policy, bits(granted), ChoiceSource::Api, NOW);
                // Purposes that came later were not asked about.
                choice.denied = choice.denied.intersect(bits(asked));
                Ok(choice)
            }
        };
        let decision = decide(&policy, choice.clone(), signals(gpc, dnt), mode);
        let without = decide(&policy, choice.clone(), Signals::default(), Mode::OptIn);
        prop_assert_eq!(decision.permitted, without.permitted);
        prop_assert_eq!(decision.analytics.is_some(), without.analytics.is_some());
        let analytics = policy.analytics().unwrap();
        if decision.statistics.is_some() {
            prop_assert!(uk && !gpc && !dnt && decision.analytics.is_none());
            match choice {
                Ok(choice) => {
                    prop_assert!(!choice.denied.contains(analytics) && !choice.granted.contains(analytics));
                    prop_assert!(!choice.granted.is_subset_of(policy.necessary()));
                }
                Err(why) => prop_assert_eq!(why, NoChoice::Missing),
            }
        }
    }
}
