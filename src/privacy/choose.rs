//! From what a visitor posted to the choice it makes: pure, and not yet a fact. The front door has it written into the ledger,
//! and only what the ledger has becomes a cookie (C6); what cannot be written changes nothing.

use super::form::Shown;
use super::submission::Submission;
use crate::consent::Language;
use crate::consent::{Choice, Policy, PurposeSet, Signals};

/// What the visitor did (P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Granted something, having chosen nothing before.
    Accept,
    /// Granted nothing that is optional, having chosen nothing before.
    Refuse,
    /// Chose differently than before, or the same again.
    Change,
    /// Took back everything that was granted.
    Withdrawal,
}

/// What is known of a post beside what it says.
pub(super) struct Circumstances<'a> {
    /// The choice that counted until now.
    pub(super) before: Option<&'a Choice>,
    /// The signals that came along.
    pub(super) signals: Signals,
    /// The stamp of what another consent manager says.
    pub(super) stamp: [u8; 6],
    /// What the form showed; nothing where it was none of ours.
    pub(super) shown: Option<&'a Shown>,
    /// The language of what was shown.
    pub(super) language: &'a str,
    /// Milliseconds since 1970.
    pub(super) now_ms: u64,
}

/// The choice a post makes.
///
/// A form that asked about some purposes only answers those (C7): the others stay what they were, and the whole ends when
/// the earlier choice would have. Who has said to be under 16 grants nothing, whatever else is said, until that is taken
/// back (C11).
pub(super) fn made(policy: &Policy, submission: &Submission, circumstances: &Circumstances<'_>) -> Choice {
    let before = circumstances.before;
    let under_16 = submission.under_16.unwrap_or_else(|| before.is_some_and(|choice| choice.under_16));
    let granted = if under_16 { PurposeSet::default() } else { submission.granted };
    let mut choice = Choice::new(policy, granted, submission.source, circumstances.now_ms);
    choice.under_16 = under_16;
    choice.signals = circumstances.signals;
    choice.stamp = circumstances.stamp;
    choice.language = Language::new(circumstances.language);
    let optional = policy.all().without(policy.necessary());
    let about = circumstances.shown.map_or(optional, |shown| shown.about.intersect(optional));
    let rest = optional.without(about);
    if let Some(before) = before.filter(|_| !rest.is_empty() && !under_16) {
        let keep = |new: PurposeSet, old: PurposeSet| new.without(rest).union(old.intersect(rest));
        choice.granted = keep(choice.granted, before.granted);
        choice.denied = keep(choice.denied, before.denied);
        choice.refused = keep(choice.refused, before.refused);
        choice.until = choice.until.min(before.until);
    } else if !rest.is_empty() && !under_16 {
        // Nobody was asked about them.
        choice.granted = choice.granted.without(rest);
        choice.denied = choice.denied.without(rest);
        choice.refused = choice.refused.without(rest);
    }
    choice
}

/// What that comes to, after what counted before.
pub fn act(policy: &Policy, before: Option<&Choice>, now: &Choice) -> Act {
    let optional = |choice: &Choice| choice.granted.without(policy.necessary());
    let had = before.map(optional).filter(|had| !had.is_empty());
    match (before, had, optional(now).is_empty()) {
        (_, Some(_), true) => Act::Withdrawal,
        (Some(_), ..) => Act::Change,
        (None, _, true) => Act::Refuse,
        (None, _, false) => Act::Accept,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::ChoiceSource;

    const NOW: u64 = 1_790_000_000_000;

    fn set(bits: u8) -> PurposeSet {
        PurposeSet::of((0..8).filter(|i| bits >> i & 1 == 1))
    }

    fn submission(granted: PurposeSet, under_16: Option<bool>) -> Submission {
        Submission { granted, source: ChoiceSource::Banner, under_16, form: None, way_back: None }
    }

    fn choose(
        before: Option<&Choice>,
        granted: PurposeSet,
        about: Option<PurposeSet>,
        under_16: Option<bool>,
    ) -> Choice {
        let shown = about.map(|about| Shown { language: "en-GB".into(), about, text: String::new() });
        let circumstances = Circumstances {
            before,
            signals: Signals::default(),
            stamp: [0; 6],
            shown: shown.as_ref(),
            language: "en-GB",
            now_ms: NOW,
        };
        made(&Policy::default(), &submission(granted, under_16), &circumstances)
    }

    fn earlier(granted: PurposeSet) -> Choice {
        Choice::new(&Policy::default(), granted, ChoiceSource::Banner, NOW - 86_400_000)
    }

    #[test]
    fn rule_c7_an_answer_about_one_purpose_leaves_the_others_as_they_were() {
        let policy = Policy::default();
        let (preferences, analytics, marketing) = (set(2), set(4), set(8));
        // Analytics has changed since: it is neither granted nor denied.
        let before = Choice { denied: marketing, refused: marketing, ..earlier(preferences) };
        let accepted = choose(Some(&before), policy.all(), Some(analytics), None);
        assert_eq!(accepted.granted, policy.necessary().union(preferences).union(analytics), "marketing stays refused");
        assert_eq!((accepted.denied, accepted.until), (marketing, before.until));
        let refused = choose(Some(&before), policy.necessary(), Some(analytics), None);
        assert_eq!(refused.granted, policy.necessary().union(preferences));
        assert_eq!(refused.denied, marketing.union(analytics));
        let whole = choose(Some(&before), policy.all(), None, None);
        assert!(whole.granted == policy.all() && whole.until > before.until);
    }

    #[test]
    fn rule_c11_under_16_refuses_everything_and_accept_all_does_not_override_it() {
        let policy = Policy::default();
        let declared = choose(None, policy.all(), None, Some(true));
        assert!(declared.under_16 && declared.granted == policy.necessary());
        let accepted = choose(Some(&declared), policy.all(), None, None);
        assert!(accepted.under_16 && accepted.granted == policy.necessary());
        let partly = choose(Some(&declared), policy.all(), Some(set(4)), None);
        assert!(partly.under_16 && partly.granted == policy.necessary());
        let older = choose(Some(&accepted), policy.all(), None, Some(false));
        assert!(!older.under_16 && older.granted == policy.all());
        let late = choose(Some(&older), policy.all(), Some(set(4)), Some(true));
        assert!(late.under_16 && late.granted == policy.necessary(), "what was granted before goes too");
    }

    #[test]
    fn rule_p1_each_act_has_its_name() {
        let policy = Policy::default();
        let named = |before: Option<PurposeSet>, now: PurposeSet| {
            act(&policy, before.map(earlier).as_ref(), &choose(None, now, None, None))
        };
        let (all, none, some) = (policy.all(), PurposeSet::default(), set(4));
        assert_eq!(named(None, all), Act::Accept);
        assert_eq!(named(None, some), Act::Accept);
        assert_eq!(named(None, none), Act::Refuse);
        assert_eq!(named(Some(all), none), Act::Withdrawal);
        assert_eq!(named(Some(all), some), Act::Change);
        assert_eq!(named(Some(none), some), Act::Change);
        assert_eq!(named(Some(none), none), Act::Change);
    }

    proptest! {
        /// C1, C7, C11: nothing is granted that was not answered with yes now, or granted before and not asked about now.
        #[test]
        fn nothing_is_granted_that_nobody_granted(
            had in proptest::option::of(any::<u8>()), yes: u8, about in proptest::option::of(any::<u8>()),
            child in proptest::option::of(any::<bool>()), was_child: bool
        ) {
            let policy = Policy::default();
            let before = had.map(|bits| Choice { under_16: was_child, ..earlier(set(bits)) });
            let now = choose(before.as_ref(), set(yes), about.map(set), child);
            let about = about.map_or(policy.all(), set);
            let had = before.as_ref().map_or(PurposeSet::default(), |choice| choice.granted);
            let may = set(yes).intersect(about).union(had.without(about)).union(policy.necessary());
            prop_assert!(now.granted.is_subset_of(may));
            if now.under_16 {
                prop_assert_eq!(now.granted, policy.necessary());
            }
            prop_assert!(now.granted.intersect(now.denied).is_empty());
            prop_assert!(before.is_none_or(|before| about == policy.all() || now.until <= before.until.max(now.until)));
        }
    }
}
