//! The decision's promises, checked over sequences nobody would write by hand.

use proptest::prelude::*;

use super::*;
use crate::keys::KeyRing;

mod under_16;

/// Milliseconds since 1970, as all times here.
const NOW: u64 = 1_790_000_000_000;

/// How long a choice is kept.
fn life(policy: &Policy) -> u64 {
    policy.choice_life * 1000
}

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
    assert_eq!(decode(&cookie, &policy, &ring, NOW + life(&policy)), Err(NoChoice::Expired));
    assert_eq!(decode(&cookie, &policy, &ring, NOW - 300_001), Err(NoChoice::ClockSkew));
    let next = Policy::new(policy.purposes().to_vec(), 2, policy.choice_life).unwrap();
    assert_eq!(decode(&cookie, &next, &ring, NOW), Err(NoChoice::OldPolicy));
    for none in [NoChoice::Missing, NoChoice::Invalid, NoChoice::Expired, NoChoice::OldPolicy, NoChoice::ClockSkew] {
        let decision = decide(&policy, Err(none), Signals::default(), Mode::OptIn);
        assert!(decision.analytics.is_none() && decision.asks() && decision.permitted == policy.necessary());
    }
}

#[test]
fn rule_c7_a_refusal_is_remembered_as_long_as_an_acceptance() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    for granted in [PurposeSet::default(), policy.all()] {
        let cookie = Choice::new(&policy, granted, ChoiceSource::Banner, NOW).encode(&policy, &ring);
        let last = decode(&cookie, &policy, &ring, NOW + life(&policy) - 1);
        assert!(!decide(&policy, last, Signals::default(), Mode::OptIn).asks());
        let late = decode(&cookie, &policy, &ring, NOW + life(&policy));
        assert!(decide(&policy, late, Signals::default(), Mode::OptIn).asks());
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
    assert_eq!(decision.ask, PurposeSet::of([4]), "about the new one alone");
    assert!(decision.analytics.is_some() && !decision.permitted.contains(4));
}

#[test]
fn rule_c7_a_changed_purpose_is_asked_again_alone_and_a_wording_is_not() {
    let (mut policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let cookie = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW).encode(&policy, &ring);
    let refused = Choice::new(&policy, PurposeSet::default(), ChoiceSource::Banner, NOW).encode(&policy, &ring);
    policy.mark(2, [1, 2, 3]);
    let decision = decide(&policy, decode(&cookie, &policy, &ring, NOW), Signals::default(), Mode::OptIn);
    assert_eq!(decision.ask, PurposeSet::of([2]));
    assert!(decision.analytics.is_none() && decision.permitted == PurposeSet::of([0, 1, 3]));
    let asked = decide(&policy, decode(&refused, &policy, &ring, NOW), Signals::default(), Mode::UkStatistics);
    assert_eq!((asked.ask, asked.permitted), (PurposeSet::of([2]), policy.necessary()));
    assert!(asked.statistics.is_none(), "what was refused before may have been an objection");
    let mut worded = Policy::default().purposes().to_vec();
    worded[2].description = "Counts what is read.".into();
    let worded = Policy::new(worded, 1, policy.choice_life).unwrap();
    assert!(!decide(&worded, decode(&cookie, &worded, &ring, NOW), Signals::default(), Mode::OptIn).asks());
}

#[test]
fn rule_c3_a_page_with_a_purpose_of_its_own_needs_that_one_too() {
    let asks = |id: &str| Purpose { id: id.into(), ..Purpose::default() };
    let policy = Policy::new(vec![asks("analytics"), asks("health")], 1, Policy::default().choice_life).unwrap();
    let of_health = |mode| Place { mode, needs: PurposeSet::of([2]) };
    for (granted, captured) in
        [(&[][..], false), (&["analytics"], false), (&["health"], false), (&["analytics", "health"], true)]
    {
        let decision = decide(&policy, chose(&policy, granted), Signals::default(), of_health(Mode::UkStatistics));
        assert_eq!(decision.analytics.is_some(), captured, "{granted:?}");
        assert!(decision.statistics.is_none(), "{granted:?}");
        let elsewhere = decide(&policy, chose(&policy, granted), Signals::default(), Mode::OptIn);
        assert_eq!(elsewhere.permitted, decision.permitted, "the page changes nothing else");
        assert_eq!(elsewhere.analytics.is_some(), granted.contains(&"analytics"));
    }
    let held = decide(&policy, chose(&policy, &["analytics"]), Signals::default(), of_health(Mode::OptIn));
    assert_eq!(held.explain(&policy), "analytics=denied;reason=path, health=denied;reason=choice");
}

#[test]
fn the_decision_says_why_for_each_purpose() {
    let policy = Policy::default();
    let explain = |choice, signals| decide(&policy, choice, signals, Mode::OptIn).explain(&policy);
    let none = Signals::default();
    assert_eq!(
        explain(Err(NoChoice::Missing), none),
        "analytics=denied;reason=no-choice, preferences=denied;reason=no-choice, marketing=denied;reason=no-choice"
    );
    assert_eq!(
        explain(Err(NoChoice::Expired), Signals { gpc: true, dnt: false }),
        "analytics=denied;reason=expired-choice, preferences=denied;reason=expired-choice, marketing=denied;reason=gpc"
    );
    assert_eq!(
        explain(chose(&policy, &["analytics"]), none),
        "analytics=granted;reason=choice, preferences=denied;reason=choice, marketing=denied;reason=choice"
    );
    let changed = chose(&policy, &["analytics"]).map(|choice| Choice { granted: PurposeSet::of([0]), ..choice });
    assert!(explain(changed, none).starts_with("analytics=denied;reason=not-asked, "));
}

#[test]
fn what_was_read_is_what_was_written() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let choice = Choice {
        under_16: true,
        signals: Signals { gpc: true, dnt: true },
        stamp: [1, 2, 3, 4, 5, 6],
        said_at: Some(NOW / 1000 - 60),
        language: Language::new("zh-Hant-TW-x-more"),
        text: [0xab; 8],
        row: [0xcd; 16],
        until: NOW / 1000 + 60,
        ..Choice::new(&policy, policy.all(), ChoiceSource::Withdrawal, NOW)
    };
    assert_eq!(choice.language.as_str(), "zh-Hant-TW-");
    let value = choice.encode(&policy, &ring);
    assert_eq!(decode(&value, &policy, &ring, NOW), Ok(choice));
    assert_eq!(decode(&value, &policy, &ring, NOW + 60_000), Err(NoChoice::Expired), "its own end comes first");
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
fn rule_c8_a_signal_refuses_every_purpose_that_stands_for_advertising() {
    let asks = |id: &str, google: &[&str]| {
        let google = google.iter().map(|kind| (*kind).to_owned()).collect();
        Purpose { id: id.into(), google, ..Purpose::default() }
    };
    let purposes = vec![
        asks("analytics", &["analytics_storage"]),
        asks("advertising", &["ad_storage"]),
        asks("audiences", &["functionality_storage", "ad_user_data"]),
        asks("offers", &["ad_personalization"]),
        asks("marketing", &[]),
    ];
    let policy = Policy::new(purposes, 1, Policy::default().choice_life).unwrap();
    let advertising = PurposeSet::of([2, 3, 4, 5]);
    let decision = decide(&policy, Err(NoChoice::Missing), signals(true, false), Mode::OptIn);
    assert_eq!(decision.refused, advertising);
    let said = decision.explain(&policy);
    assert_eq!(
        said,
        "analytics=denied;reason=no-choice, advertising=denied;reason=gpc, audiences=denied;reason=gpc, \
         offers=denied;reason=gpc, marketing=denied;reason=gpc"
    );
    let objection = Choice::objection(&policy, signals(true, false), NOW);
    assert_eq!((objection.denied, objection.refused), (advertising, advertising), "as the ledger's row says");
    let none = Policy::new(vec![asks("analytics", &[])], 1, 1).unwrap();
    assert!(decide(&none, Err(NoChoice::Missing), signals(true, false), Mode::OptIn).refused.is_empty());
}

#[test]
fn rule_c8_a_written_objection_answers_nothing_and_stands_until_something_is_chosen() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    for (signals, source) in [(signals(true, true), ChoiceSource::Gpc), (signals(false, true), ChoiceSource::Dnt)] {
        let objection = Choice::objection(&policy, signals, NOW);
        assert_eq!((objection.source, objection.denied), (source, policy.advertising()));
        let objected = Err(NoChoice::Objected { receipt: objection.receipt });
        let value = objection.encode(&policy, &ring);
        assert_eq!(decode(&value, &policy, &ring, NOW), objected);
        assert_eq!(decode(&value, &policy, &ring, NOW + life(&policy)), Err(NoChoice::Expired));

        // The signal is gone.
        let decision = decide(&policy, objected.clone(), Signals::default(), Mode::UkStatistics);
        assert_eq!(decision.ask, policy.all().without(policy.necessary()), "everything is still asked");
        assert_eq!((decision.permitted, decision.refused), (policy.necessary(), policy.advertising()));
        assert!(decision.statistics.is_none() && decision.analytics.is_none());
        let said = decision.explain(&policy);
        assert!(said.starts_with("analytics=denied;reason=no-choice,"), "{said}");
        assert!(said.ends_with("marketing=denied;reason=objection"), "{said}");

        // Beside a choice it is nothing, whichever was made last.
        for at in [NOW - 1000, NOW + 1000] {
            let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, at).encode(&policy, &ring);
            for values in [[&value, &choice], [&choice, &value]] {
                let values = values.map(|value| value.as_bytes());
                let seal = Seal::new(&ring, "");
                let counts = Choice::among(values, &policy, seal, NOW).map(|choice| choice.granted);
                assert_eq!(counts, Ok(policy.all()));
            }
        }
    }
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
    let choice = Choice {
        under_16: true,
        signals: Signals { gpc: true, dnt: true },
        stamp: [0xff; 6],
        said_at: Some(NOW / 1000),
        language: Language::new("zh-Hant-TW1"),
        until: u64::MAX >> 16,
        ..Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW)
    };
    let cookie = choice.encode(&policy, &KeyRing::ephemeral());
    assert!(cookie.len() < 400, "{}", cookie.len());
    assert!(cookie.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)));
}

#[derive(Clone, Debug)]
enum Act {
    Choose { bits: u8, under_16: bool },
    Wait(u64),
    BackInTime(u64),
    Garbage(Vec<u8>),
    Tamper { at: usize, with: u8 },
    Forget,
    Replay(usize),
    RaisePolicy,
    ChangePurpose { index: usize, to: u8 },
    Signal { gpc: bool, dnt: bool },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (any::<u8>(), prop::bool::weighted(0.1)).prop_map(|(bits, under_16)| Act::Choose { bits, under_16 }),
        3 => (0u64..100 * 86_400_000).prop_map(Act::Wait),
        1 => (0u64..400_000).prop_map(Act::BackInTime),
        1 => proptest::collection::vec(any::<u8>(), 0..60).prop_map(Act::Garbage),
        1 => (0usize..200, any::<u8>()).prop_map(|(at, with)| Act::Tamper { at, with }),
        1 => Just(Act::Forget),
        2 => (0usize..8).prop_map(Act::Replay),
        1 => Just(Act::RaisePolicy),
        1 => (1usize..4, any::<u8>()).prop_map(|(index, to)| Act::ChangePurpose { index, to }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(gpc, dnt)| Act::Signal { gpc, dnt }),
    ]
}

/// What a visitor said once: to which policy, when, and as which cookie.
#[derive(Clone)]
struct Said {
    granted: PurposeSet,
    version: u16,
    purposes: Vec<Fingerprint>,
    at: u64,
    cookie: Vec<u8>,
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
    assert!(decision.asks() && decision.permitted == policy.necessary(), "nothing else is permitted by it");
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
    /// C1, C2, C7, C11: whatever happens, what is permitted was granted by the newest choice the browser holds, to this policy
    /// and to this meaning of the purpose, and is not since withdrawn or expired. A browser that sends old cookies along
    /// (from a backup, a path, a parent domain) changes nothing about that.
    #[test]
    fn what_is_permitted_was_granted_and_not_since_withdrawn(acts in proptest::collection::vec(act(), 1..60)) {
        let ring = KeyRing::ephemeral();
        let mut policy = Policy::default();
        let (mut now, mut signals) = (NOW, Signals::default());
        let mut jar: Vec<Vec<u8>> = Vec::new();
        let mut history: Vec<Said> = Vec::new();
        for act in acts {
            match act {
                Act::Choose { bits, under_16 } => {
                    let granted = PurposeSet::of((0..8).filter(|i| bits >> i & 1 == 1));
                    let choice = Choice { under_16, ..Choice::new(&policy, granted, ChoiceSource::Preferences, now) };
                    let cookie = choice.encode(&policy, &ring).into_bytes();
                    jar = vec![cookie.clone()];
                    let granted = if under_16 { PurposeSet::default() } else { granted };
                    let purposes = policy.purposes().iter().map(|purpose| purpose.fingerprint).collect();
                    history.push(Said { granted, version: policy.version, purposes, at: now, cookie });
                }
                Act::Wait(ms) => now += ms,
                Act::BackInTime(ms) => now -= ms,
                Act::Garbage(bytes) => jar.insert(0, bytes),
                Act::Tamper { at, with } => if let Some(byte) = jar.last_mut().and_then(|cookie| cookie.get_mut(at)) {
                    *byte = with;
                },
                Act::Forget => jar.clear(),
                Act::Replay(which) => jar.extend(history.get(which).map(|said| said.cookie.clone())),
                Act::RaisePolicy => policy.version += 1,
                Act::ChangePurpose { index, to } => policy.mark(index, [to, 0, 0]),
                Act::Signal { gpc, dnt } => signals = Signals { gpc, dnt },
            }
            let sent = jar.iter().map(Vec::as_slice);
            let decision = decide(&policy, Choice::among(sent, &policy, &ring, now), signals, Mode::OptIn);
            prop_assert!(decision.statistics.is_none());
            // The newest of those the browser holds that count; of two made at once whatever both grant.
            let counts = |said: &&Said| jar.contains(&said.cookie)
                && said.version == policy.version
                && said.at <= now + 300_000
                && now.saturating_sub(said.at) < life(&policy);
            let newest = history.iter().filter(counts).map(|said| said.at).max();
            let of_then: Vec<&Said> = history.iter().filter(counts).filter(|said| Some(said.at) == newest).collect();
            // Each as far as its purposes still mean the same.
            let still = |said: &Said| {
                let same = policy.purposes().iter().zip(&said.purposes).map(|(now, then)| now.fingerprint == *then);
                said.granted.intersect(PurposeSet::of(same.enumerate().filter_map(|(i, same)| same.then_some(i))))
            };
            let granted = of_then.into_iter().map(still).fold(PurposeSet::default(), PurposeSet::union);
            prop_assert!(decision.permitted.is_subset_of(granted.union(policy.necessary())));
            if let Some(permit) = &decision.analytics {
                prop_assert!(granted.contains(policy.analytics().unwrap()));
                prop_assert_eq!(Some(permit.granted_at_ms()), newest);
            }
        }
    }

    #[test]
    fn garbage_is_never_a_choice(value in proptest::collection::vec(any::<u8>(), 0..420)) {
        let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
        prop_assert!(Choice::decode(&value, &policy, &ring, NOW).is_err());
    }

    #[test]
    fn no_changed_byte_is_accepted(at in 0usize..250, with in any::<u8>()) {
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
        granted in any::<u8>(), asked in any::<u8>(), kind in 0u8..8, gpc: bool, dnt: bool, uk: bool
    ) {
        let policy = Policy::default();
        let mode = if uk { Mode::UkStatistics } else { Mode::OptIn };
        let choice = match kind {
            0 => Err(NoChoice::Missing),
            1 => Err(NoChoice::Invalid),
            2 => Err(NoChoice::Expired),
            3 => Err(NoChoice::OldPolicy),
            4 => Err(NoChoice::ClockSkew),
            5 => Err(NoChoice::Objected { receipt: 7 }),
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
