//! Who has said to be under 16 (C11).

use super::*;

#[test]
fn rule_c11_who_says_to_be_under_16_is_asked_nothing_and_permits_nothing() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let declared = Choice { under_16: true, ..Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW) };
    let read = decode(&declared.encode(&policy, &ring), &policy, &ring, NOW).unwrap();
    assert!(read.under_16);
    let decision = decide(&policy, Ok(read), Signals::default(), Mode::UkStatistics);
    assert!(!decision.asks() && decision.analytics.is_none() && decision.statistics.is_none());
    assert_eq!((decision.permitted, decision.reason), (policy.necessary(), Reason::Under16));
}

#[test]
fn rule_c11_a_declaration_outlives_another_policy_and_a_grant_does_not() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW);
    let child = Choice { under_16: true, ..choice.clone() };
    let mut raised = policy.clone();
    raised.version += 1;
    assert_eq!(decode(&choice.encode(&policy, &ring), &raised, &ring, NOW), Err(NoChoice::OldPolicy));
    let read = decode(&child.encode(&policy, &ring), &raised, &ring, NOW).unwrap();
    let decision = decide(&raised, Ok(read), Signals::default(), Mode::OptIn);
    assert_eq!((decision.reason, decision.permitted), (Reason::Under16, raised.necessary()));
    let late = NOW + life(&policy);
    assert_eq!(decode(&child.encode(&policy, &ring), &raised, &ring, late), Err(NoChoice::Expired));
}

#[test]
fn rule_c11_a_declaration_counts_by_whatever_clock_it_was_made() {
    let (policy, ring) = (Policy::default(), KeyRing::ephemeral());
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW);
    let child = Choice { under_16: true, ..choice.clone() };
    let before = NOW - 300_001;
    assert_eq!(decode(&choice.encode(&policy, &ring), &policy, &ring, before), Err(NoChoice::ClockSkew));
    let read = decode(&child.encode(&policy, &ring), &policy, &ring, before);
    let decision = decide(&policy, read, Signals::default(), Mode::OptIn);
    assert_eq!((decision.reason, decision.permitted), (Reason::Under16, policy.necessary()));
}

#[test]
fn rule_c11_a_declaration_counts_beside_a_cookie_that_does_not() {
    let policy = Policy::default();
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Preferences, NOW);
    let child = Choice { under_16: true, ..choice.clone() };
    for none in [NoChoice::Missing, NoChoice::Invalid, NoChoice::Expired, NoChoice::OldPolicy, NoChoice::ClockSkew] {
        let found = Choice::of_host_only(Err(none), Ok(child.clone())).unwrap();
        assert!(found.under_16 && found.granted == PurposeSet::default(), "{none:?}");
        let found = Choice::of_host_only(Err(none), Ok(choice.clone())).map(|choice| choice.granted);
        let expected = if none == NoChoice::Missing { Ok(PurposeSet::default()) } else { Err(none) };
        assert_eq!(found, expected, "{none:?}");
    }
}
