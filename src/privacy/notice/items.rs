//! What is recorded of a visit, each item in one sentence: what the exchange itself says, then what the collector reports.

use std::time::Duration;

use super::facts::{Located, NoticeFacts};
use crate::config::{Item, KeyWindow};
use crate::privacy::language::Language;

/// How long the network of an address is kept; as `ip_net` in `schema/0001_events.sql`.
const NETWORK_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// One item in words.
pub(super) struct Recorded<'a> {
    /// Its name for programs: the configuration's where it is one of `[capture] collect`.
    pub id: &'static str,
    pub text: &'a str,
    pub terms: Vec<Term<'a>>,
}

/// A period and what it is of.
pub(super) struct Term<'a> {
    pub label: &'a str,
    pub period: String,
}

/// Everything that is recorded of visits.
pub(super) fn of_visits<'a>(facts: &NoticeFacts, language: &'a Language) -> Vec<Recorded<'a>> {
    let words = &language.words;
    let item = |id, text: &'a String, terms| Recorded { id, text, terms };
    let network = || Term { label: &words.kept_for, period: words.period(&language.code, NETWORK_LIFE) };
    let mut all = vec![
        item("pages", &words.item_pages, vec![]),
        item("source", &words.item_source, vec![]),
        item("browser", &words.item_browser, vec![]),
        item("visitor", &words.item_visitor, key(facts.keys.visitor, language)),
        item("address_code", &words.item_tag, key(facts.keys.ip, language)),
    ];
    if facts.networks {
        all.push(item("address_network", &words.item_network, vec![network()]));
    }
    match facts.located {
        Located::Nowhere => {}
        Located::Country => all.push(item("country", &words.item_country, vec![])),
        Located::Place => all.push(item("place", &words.item_place, vec![])),
    }
    if facts.searches {
        all.push(item("search", &words.item_search, vec![]));
    }
    let reports_login = facts.collect.contains(&Item::Login);
    if facts.logins && !reports_login {
        all.push(item(Item::Login.word(), &words.item_login, key(facts.keys.login, language)));
    }
    for one in Item::ALL.into_iter().filter(|one| facts.collect.contains(one)) {
        let (text, terms) = match one {
            Item::Device => (&words.item_device, vec![]),
            Item::Plugins => (&words.item_plugins, vec![]),
            Item::Timings => (&words.item_timings, vec![]),
            Item::Vitals => (&words.item_vitals, vec![]),
            Item::Engagement => (&words.item_engagement, vec![]),
            Item::Clicks => (&words.item_clicks, vec![]),
            Item::Downloads => (&words.item_downloads, vec![]),
            Item::Outbound => (&words.item_outbound, vec![]),
            Item::Forms => (&words.item_forms, vec![]),
            Item::Contacts => (&words.item_contacts, vec![]),
            Item::Errors => (&words.item_errors, vec![]),
            Item::Hover => (&words.item_hover, vec![]),
            Item::Titles => (&words.item_titles, vec![]),
            Item::Hash => (&words.item_hash, vec![]),
            Item::Login => (&words.item_login, key(facts.keys.login, language)),
        };
        all.push(item(one.word(), text, terms));
    }
    all.push(item("events", &words.item_events, vec![]));
    all
}

/// How long a key is used and kept, where it is replaced at all.
pub(super) fn key(window: KeyWindow, language: &Language) -> Vec<Term<'_>> {
    let Some(rotate) = window.rotate else { return Vec::new() };
    let words = &language.words;
    let term = |label, period| Term { label, period: words.calendar(&language.code, period) };
    let kept = window.keep.map(|keep| term(&*words.key_kept, keep));
    std::iter::once(term(&*words.key_used, rotate)).chain(kept).collect()
}
