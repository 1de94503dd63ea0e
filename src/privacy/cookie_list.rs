//! The cookies of each purpose as visitors read of them: the gateway's own and those the operator declared.

use std::time::Duration;

use super::banner::Site;
use super::frame::OwnCookieLives;
use super::language::{Language, Said};
use crate::config::DeclaredCookie;
use crate::consent::choice;
use crate::cookies;

/// The cookies by which visits are told apart; gone when analytics is refused.
pub(super) const ANALYTICS_COOKIES: [&str; 2] = [cookies::VISITOR, cookies::VISIT];

/// One cookie, in words.
pub(super) struct CookieSaid<'a> {
    pub name: &'a str,
    /// Whether the name is only the beginning of one.
    pub prefix: bool,
    pub provider: Said,
    pub period: Said,
    pub description: Option<Said>,
}

/// The cookies of the purpose at `index`, the gateway's own first.
pub(super) fn of_purpose<'a>(
    index: usize,
    site: &'a Site,
    declared: &'a [DeclaredCookie],
    lives: OwnCookieLives,
    language: &'a Language,
) -> Vec<CookieSaid<'a>> {
    let words = &language.words;
    let choice_life = Duration::from_secs(site.policy.choice_life);
    let own = [
        (choice::COOKIE, Some(0), choice_life, &words.cookie_choice),
        (choice::TWIN, Some(0), choice_life, &words.cookie_choice),
        (ANALYTICS_COOKIES[0], site.policy.analytics(), lives.visitor, &words.cookie_visitor),
        (ANALYTICS_COOKIES[1], site.policy.analytics(), lives.visit, &words.cookie_visit),
    ];
    let own = own.into_iter().filter(|(_, purpose, ..)| *purpose == Some(index));
    let own = own.map(|(name, _, life, description)| CookieSaid {
        name,
        prefix: false,
        provider: Said::here(&words.this_website),
        period: Said::here(words.period(&language.code, life)),
        description: Some(Said::here(description)),
    });
    let theirs = |text: &String| Said::by_operator(text, language, &site.languages);
    let not_stated = || Said::here(&words.not_stated);
    // One name may be declared at several places.
    let is_first = |(at, cookie): &(usize, &DeclaredCookie)| {
        declared[..*at].iter().all(|other| (&other.name, other.prefix) != (&cookie.name, cookie.prefix))
    };
    let first = declared.iter().enumerate().filter(is_first).map(|(_, cookie)| cookie);
    let declared = first.filter(|cookie| cookie.purpose == index).map(|cookie| CookieSaid {
        name: &cookie.name,
        prefix: cookie.prefix,
        provider: cookie.provider.as_ref().map_or_else(not_stated, theirs),
        period: match cookie.period.as_ref() {
            Some(text) => words.period_of(&language.code, text).map_or_else(|| theirs(text), Said::here),
            None => not_stated(),
        },
        description: cookie.description.as_ref().map(theirs),
    });
    own.chain(declared).collect()
}
