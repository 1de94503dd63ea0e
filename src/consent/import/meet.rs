//! What a visitor told the site's consent manager meets what they told us: which of the two counts, and whether it is news that
//! has to be written down first.

use super::Imported;
use super::Manager;
use crate::consent::{Choice, ChoiceSource, NoChoice, Policy};

/// What counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// What counts now: never more than both allow, where the manager has said something new.
    pub choice: Result<Choice, NoChoice>,
    /// The manager's news as a choice. It counts from the moment the ledger has it.
    pub news: Option<Choice>,
}

/// Lays what the manager's cookie says (`imported`) beside the choice of our own cookie. Pure; `now_ms` is in milliseconds since
/// 1970; `shared` is whether our choice counts for several hosts, of which each may have a manager's cookie of its own.
///
/// Our cookie keeps the stamp of what the manager said when it was made: another stamp is something else. It **grants** only
/// where it is known to be later than our choice, by the manager's own time; where the manager writes none, only where our
/// choice was the manager's, too, and of this host. What is not known to be later may take away, and where our own pages
/// were used later not even that. A choice that came from the manager goes when the manager's cookie goes. Who has said to be
/// under 16 stays so (C11), and behind a copy of a replaced choice nothing is taken over.
pub fn meet(
    manager: Manager,
    policy: &Policy,
    own: Result<Choice, NoChoice>,
    imported: Option<Imported>,
    shared: bool,
    now_ms: u64,
) -> Met {
    let stands = |choice| Met { choice, news: None };
    let is_imported = |choice: &Choice| matches!(choice.source, ChoiceSource::Import(_));
    let Some(said) = imported else {
        return match own {
            Ok(choice) if is_imported(&choice) => stands(Err(NoChoice::Missing)),
            own => stands(own),
        };
    };
    let (granted, denied) = match &own {
        Err(NoChoice::Replaced) => return stands(own),
        Err(_) => (said.granted, said.denied),
        Ok(choice) if choice.stamp == said.stamp || choice.under_16 => return stands(own),
        Ok(choice) => match (said.at, is_imported(choice)) {
            // Whoever presses twice within a second means the second press; times are in seconds.
            (Some(at), true) if at >= choice.said_at.unwrap_or(choice.made_at()) => (said.granted, said.denied),
            (Some(at), false) if at > choice.made_at() => (said.granted, said.denied),
            (None, true) if !shared => (said.granted, said.denied),
            (Some(_), _) => return stands(own),
            (None, _) => {
                let granted = choice.granted.intersect(said.granted);
                if granted.without(policy.necessary()) == choice.granted.without(policy.necessary()) {
                    return stands(own);
                }
                (granted, choice.denied.union(said.denied).union(choice.granted.without(granted)))
            }
        },
    };
    let mut news = Choice::new(policy, granted, ChoiceSource::Import(manager), now_ms);
    // What the manager does not ask about, nobody was asked about.
    news.denied = denied.without(news.granted).intersect(policy.all());
    news.refused = news.denied;
    news.stamp = said.stamp;
    news.said_at = said.at;
    news.until = said.at.map_or(news.until, |at| news.until.min(at.saturating_add(policy.choice_life)));
    let meanwhile = own.map(|own| Choice {
        granted: own.granted.intersect(granted),
        denied: own.denied.union(denied),
        refused: own.refused.union(denied),
        ..own
    });
    Met { choice: meanwhile, news: Some(news) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::consent::PurposeSet;

    const NOW: u64 = 1_790_000_000_000;

    fn set(bits: u8) -> PurposeSet {
        PurposeSet::of((1..8).filter(|i| bits >> i & 1 == 1))
    }

    fn said(granted: u8, at: Option<u64>, stamp: u8) -> Imported {
        Imported { granted: set(granted), denied: set(!granted & 0b1110), at, stamp: [stamp; 6] }
    }

    fn met(own: Result<Choice, NoChoice>, imported: Option<Imported>) -> Met {
        meet(Manager::Klaro, &Policy::default(), own, imported, false, NOW)
    }

    fn met_on_another_host(own: Choice, imported: Imported) -> Met {
        meet(Manager::Klaro, &Policy::default(), Ok(own), Some(imported), true, NOW)
    }

    fn ours(granted: u8, source: ChoiceSource, stamp: u8) -> Choice {
        let choice = Choice::new(&Policy::default(), set(granted), source, NOW - 60_000);
        Choice { stamp: [stamp; 6], ..choice }
    }

    #[test]
    fn rule_c12_what_the_manager_says_first_is_news_and_counts_only_when_it_is_written_down() {
        let met = met(Err(NoChoice::Missing), Some(said(0b0100, None, 1)));
        assert_eq!(met.choice, Err(NoChoice::Missing));
        let news = met.news.unwrap();
        assert_eq!((news.granted, news.denied), (PurposeSet::of([0, 2]), set(0b1010)));
        assert_eq!((news.source, news.stamp), (ChoiceSource::Import(Manager::Klaro), [1; 6]));
    }

    #[test]
    fn rule_c12_the_same_word_again_is_no_news() {
        for source in [ChoiceSource::Import(Manager::Klaro), ChoiceSource::Preferences] {
            let own = ours(0b1110, source, 1);
            let met = met(Ok(own.clone()), Some(said(0b1110, None, 1)));
            assert_eq!((met.choice, met.news), (Ok(own), None));
        }
    }

    #[test]
    fn rule_c12_a_refusal_in_the_manager_counts_at_once() {
        let own = ours(0b1110, ChoiceSource::Import(Manager::Klaro), 1);
        let met = met(Ok(own), Some(said(0, None, 2)));
        assert_eq!(met.choice.unwrap().granted.without(PurposeSet::of([0])), PurposeSet::default());
        assert_eq!(met.news.unwrap().denied, set(0b1110));
    }

    #[test]
    fn rule_c12_a_manager_whose_cookie_is_gone_grants_nothing_any_more() {
        let imported = ours(0b1110, ChoiceSource::Import(Manager::Klaro), 1);
        assert_eq!(met(Ok(imported), None).choice, Err(NoChoice::Missing));
        let own = ours(0b1110, ChoiceSource::Preferences, 1);
        assert_eq!(met(Ok(own.clone()), None).choice, Ok(own));
    }

    #[test]
    fn a_later_choice_on_our_own_pages_stands_and_an_unknown_order_takes_the_stricter() {
        let refused = ours(0, ChoiceSource::Preferences, 0);
        let earlier = Some(NOW / 1000 - 3600);
        assert_eq!(met(Ok(refused.clone()), Some(said(0b1110, earlier, 1))).news, None);
        let later = Some(NOW / 1000 - 1);
        assert_eq!(met(Ok(refused.clone()), Some(said(0b1110, later, 1))).news.unwrap().granted, PurposeSet::of(0..4));
        assert_eq!(met(Ok(refused.clone()), Some(said(0b1110, None, 1))), Met { choice: Ok(refused), news: None });
    }

    #[test]
    fn rule_c6_what_a_manager_said_before_does_not_undo_a_withdrawal() {
        let now = NOW / 1000;
        for source in [ChoiceSource::Withdrawal, ChoiceSource::Import(Manager::Klaro)] {
            let withdrawn = Choice { said_at: Some(now - 60), ..ours(0, source, 2) };
            for at in [now - 3600, now - 61] {
                let met = met(Ok(withdrawn.clone()), Some(said(0b1110, Some(at), 1)));
                assert_eq!((met.choice, met.news), (Ok(withdrawn.clone()), None), "{source:?} at {at}");
            }
            let later = met(Ok(withdrawn), Some(said(0b1110, Some(now - 1), 1)));
            assert_eq!(later.news.unwrap().granted, PurposeSet::of(0..4));
        }
        // A manager without a time may take away, and nothing else, once the visitor has chosen on our pages.
        let withdrawn = ours(0, ChoiceSource::Withdrawal, 2);
        assert_eq!(met(Ok(withdrawn.clone()), Some(said(0b1110, None, 1))).news, None);
        let chosen = ours(0b1110, ChoiceSource::Preferences, 2);
        assert_eq!(met(Ok(chosen), Some(said(0b0010, None, 1))).news.unwrap().granted, PurposeSet::of([0, 1]));
    }

    #[test]
    fn rule_c12_managers_of_several_hosts_do_not_undo_each_others_refusals() {
        let refused = ours(0, ChoiceSource::Import(Manager::Klaro), 2);
        assert_eq!(met_on_another_host(refused, said(0b1110, None, 1)).news, None, "nothing to take away");
        let accepted = ours(0b1110, ChoiceSource::Import(Manager::Klaro), 2);
        let met = met_on_another_host(accepted, said(0b0010, None, 1));
        assert_eq!(met.news.unwrap().granted, PurposeSet::of([0, 1]));
    }

    #[test]
    fn behind_a_copy_of_a_replaced_choice_nothing_is_taken_over() {
        let met = met(Err(NoChoice::Replaced), Some(said(0b1110, Some(NOW / 1000), 1)));
        assert_eq!((met.choice, met.news), (Err(NoChoice::Replaced), None));
    }

    #[test]
    fn rule_c11_a_manager_does_not_override_a_declaration() {
        let child = Choice { under_16: true, ..ours(0, ChoiceSource::Preferences, 0) };
        let met = met(Ok(child.clone()), Some(said(0b1110, Some(NOW / 1000), 1)));
        assert_eq!((met.choice, met.news), (Ok(child), None));
    }

    proptest! {
        /// C12: until it is written down an import can only lower, and what is written down was granted by the manager.
        #[test]
        fn an_import_lowers_until_it_is_proven(
            own in proptest::option::of(any::<u8>()), from_manager: bool, own_stamp in 0u8..3,
            shared: bool, granted in proptest::option::of(any::<u8>()), at in proptest::option::of(0u64..120), stamp in 1u8..3
        ) {
            let source = if from_manager { ChoiceSource::Import(Manager::Klaro) } else { ChoiceSource::Api };
            let own = own.map(|bits| ours(bits, source, own_stamp)).ok_or(NoChoice::Missing);
            let imported = granted.map(|bits| said(bits & 0b1110, at.map(|at| NOW / 1000 - at), stamp));
            let met = meet(Manager::Klaro, &Policy::default(), own.clone(), imported, shared, NOW);
            let had = own.map_or(PurposeSet::default(), |choice| choice.granted);
            prop_assert!(met.choice.map_or(PurposeSet::default(), |choice| choice.granted).is_subset_of(had));
            if let Some(news) = met.news {
                prop_assert!(news.granted.is_subset_of(imported.unwrap().granted.union(PurposeSet::of([0]))));
            }
        }
    }
}
