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
/// 1970.
///
/// Our cookie keeps the stamp of what the manager said when it was made, so both stand in an order even where the manager
/// writes no time: a stamp that is another one is news. Where a choice on our own pages is known to be later it stands. A
/// choice that came from the manager goes when the manager's cookie goes. Who has said to be under 16 stays so (C11).
pub fn meet(
    manager: Manager,
    policy: &Policy,
    own: Result<Choice, NoChoice>,
    imported: Option<Imported>,
    now_ms: u64,
) -> Met {
    let stands = |choice| Met { choice, news: None };
    let Some(said) = imported else {
        return match own {
            Ok(choice) if matches!(choice.source, ChoiceSource::Import(_)) => stands(Err(NoChoice::Missing)),
            own => stands(own),
        };
    };
    if let Ok(choice) = &own {
        let is_later = said.at.is_some_and(|at| at < choice.made_at());
        let is_ours = !matches!(choice.source, ChoiceSource::Import(_));
        if choice.stamp == said.stamp || choice.under_16 || is_ours && is_later {
            return stands(own);
        }
    }
    // Where nobody can say which was later, what either refuses is refused.
    let order_is_unknown = |choice: &&Choice| choice.stamp == [0; 6] && said.at.is_none();
    let granted = match own.as_ref().ok().filter(order_is_unknown) {
        Some(choice) => said.granted.intersect(choice.granted),
        None => said.granted,
    };
    let mut news = Choice::new(policy, granted, ChoiceSource::Import(manager), now_ms);
    // What the manager does not ask about, nobody was asked about.
    news.denied = said.denied.union(said.granted.without(granted)).intersect(policy.all());
    news.refused = news.denied;
    news.stamp = said.stamp;
    news.until = said.at.map_or(news.until, |at| news.until.min(at.saturating_add(policy.choice_life)));
    let meanwhile = own.map(|own| Choice {
        granted: own.granted.intersect(said.granted),
        denied: own.denied.union(said.denied),
        refused: own.refused.union(said.denied),
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
        meet(Manager::Klaro, &Policy::default(), own, imported, NOW)
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
        let unknown = met(Ok(refused), Some(said(0b1110, None, 1))).news.unwrap();
        assert_eq!((unknown.granted, unknown.denied), (PurposeSet::of([0]), set(0b1110)));
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
            granted in proptest::option::of(any::<u8>()), at in proptest::option::of(0u64..120), stamp in 1u8..3
        ) {
            let source = if from_manager { ChoiceSource::Import(Manager::Klaro) } else { ChoiceSource::Api };
            let own = own.map(|bits| ours(bits, source, own_stamp)).ok_or(NoChoice::Missing);
            let imported = granted.map(|bits| said(bits & 0b1110, at.map(|at| NOW / 1000 - at), stamp));
            let met = met(own.clone(), imported);
            let had = own.map_or(PurposeSet::default(), |choice| choice.granted);
            prop_assert!(met.choice.map_or(PurposeSet::default(), |choice| choice.granted).is_subset_of(had));
            if let Some(news) = met.news {
                prop_assert!(news.granted.is_subset_of(imported.unwrap().granted.union(PurposeSet::of([0]))));
            }
        }
    }
}
