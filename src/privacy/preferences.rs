//! The preferences page: what is asked and why, the cookies of each purpose, the choice as it stands, and the form to
//! change it. Plain HTML that needs no script (C5).

use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use jiff::Timestamp;

use super::snippet::rendered;
use crate::config::{Consent, DeclaredCookie};
use crate::consent::{Choice, Policy, choice};
use crate::cookies;

/// How long the gateway's own cookies of the analytics purpose live, for visitors to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCookieLives {
    /// `consentry_visitor`
    pub visitor: Duration,
    /// `consentry_visit`
    pub visit: Duration,
}

/// The cookies by which visits are told apart; gone when analytics is refused.
pub(super) const ANALYTICS_COOKIES: [&str; 2] = [cookies::VISITOR, cookies::VISIT];

#[derive(Template)]
#[template(path = "preferences.html", config = "static/privacy/askama.toml")]
struct Preferences<'a> {
    path: &'a str,
    notice_url: Option<&'a str>,
    saved: Option<&'static str>,
    now: Option<Standing>,
    can_reject: bool,
    purposes: Vec<PurposeView<'a>>,
}

/// The choice as it stands.
struct Standing {
    made_at: String,
    made_on: String,
    kept_until: String,
    receipt: String,
}

struct PurposeView<'a> {
    id: &'a str,
    title: &'a str,
    description: &'a str,
    always: bool,
    /// What was chosen; nothing where there is no choice, so that nothing is pre-ticked (C4).
    allowed: Option<bool>,
    cookies: Vec<&'a DeclaredCookie>,
}

/// Renders the page. `just_saved` is whether the visitor comes from the form.
pub(super) fn page(
    policy: &Policy,
    consent: &Consent,
    cookies: &[DeclaredCookie],
    choice: Option<&Choice>,
    just_saved: bool,
) -> Bytes {
    let optional = |choice: &Choice| policy.optional().filter(|(i, _)| choice.granted.contains(*i)).count();
    let purposes = policy.purposes().iter().enumerate().map(|(i, purpose)| PurposeView {
        id: &purpose.id,
        title: &purpose.title,
        description: &purpose.description,
        always: policy.necessary().contains(i),
        allowed: choice.and_then(|c| match (c.granted.contains(i), c.denied.contains(i)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }),
        cookies: cookies.iter().filter(|cookie| cookie.purpose == i).collect(),
    });
    rendered(&Preferences {
        path: &consent.path,
        notice_url: consent.notice_url.as_deref(),
        saved: choice.filter(|_| just_saved).map(|choice| match optional(choice) {
            0 => "You have refused everything that is not necessary. It has stopped.",
            n if n == policy.purposes().len() - 1 => {
                "You have allowed everything. It starts with the next page you open."
            }
            _ => "What you have allowed starts with the next page you open. What you have refused has stopped.",
        }),
        now: choice.map(|choice| Standing {
            made_at: iso(choice.made_at),
            made_on: in_words(choice.made_at, "%-d %B %Y at %H:%M UTC"),
            kept_until: in_words(choice.made_at.saturating_add(policy.choice_life), "%-d %B %Y"),
            receipt: format!("{:016x}", choice.receipt),
        }),
        can_reject: choice.is_none_or(|choice| optional(choice) > 0),
        purposes: purposes.collect(),
    })
}

/// The declared cookies with the gateway's own in front, where the site has not declared those itself.
pub(super) fn with_own_cookies(
    policy: &Policy,
    declared: &[DeclaredCookie],
    lives: OwnCookieLives,
) -> Vec<DeclaredCookie> {
    let choice_life = Duration::from_secs(policy.choice_life);
    let own = [
        (choice::COOKIE, Some(0), choice_life, "Remembers what you have chosen on this page."),
        (
            ANALYTICS_COOKIES[0],
            policy.analytics(),
            lives.visitor,
            "Tells us whether a visit is your first. It holds a random number.",
        ),
        (
            ANALYTICS_COOKIES[1],
            policy.analytics(),
            lives.visit,
            "Keeps the pages of one visit together. It holds a random number.",
        ),
    ];
    let own = own.into_iter().filter(|(name, ..)| declared.iter().all(|cookie| cookie.name != *name));
    let own = own.filter_map(|(name, purpose, life, description)| {
        Some(DeclaredCookie {
            name: name.into(),
            prefix: false,
            purpose: purpose?,
            provider: Some("This website".into()),
            period: Some(life_in_words(life)),
            description: Some(description.into()),
            ..DeclaredCookie::default()
        })
    });
    // One that is declared for two places is one cookie to a visitor.
    let namesake = |one: &DeclaredCookie, other: &DeclaredCookie| one.name == other.name && one.prefix == other.prefix;
    let first = declared.iter().enumerate().filter(|(at, cookie)| !declared[..*at].iter().any(|c| namesake(c, cookie)));
    own.chain(first.map(|(_, cookie)| cookie.clone())).collect()
}

/// In the largest unit that leaves no remainder.
fn life_in_words(life: Duration) -> String {
    let seconds = life.as_secs();
    let units = [(365 * 86_400, "year"), (86_400, "day"), (3_600, "hour"), (60, "minute")];
    let unit = units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    let (length, name) = unit.unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Seconds since 1970 as in `2025-05-03T14:05:00Z`.
pub(super) fn iso(seconds: u64) -> String {
    timestamp(seconds).to_string()
}

fn in_words(seconds: u64, format: &str) -> String {
    timestamp(seconds).strftime(format).to_string()
}

fn timestamp(seconds: u64) -> Timestamp {
    i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_periods_are_words() {
        assert_eq!(iso(1_746_281_100), "2025-05-03T14:05:00Z");
        assert_eq!(in_words(1_746_281_100, "%-d %B %Y at %H:%M UTC"), "3 May 2025 at 14:05 UTC");
        assert!(iso(u64::MAX).starts_with("9999-"));
        let words = |seconds| life_in_words(Duration::from_secs(seconds));
        assert_eq!(words(182 * 86_400), "182 days");
        assert_eq!(words(365 * 86_400), "1 year");
        assert_eq!(words(1_800), "30 minutes");
        assert_eq!(words(90), "90 seconds");
        assert_eq!(words(0), "0 seconds");
    }

    #[test]
    fn the_gateways_own_cookies_are_told_of_too() {
        let policy = Policy::default();
        let lives = OwnCookieLives { visitor: Duration::from_secs(86_400), visit: Duration::from_secs(1_800) };
        let names = |cookies: &[DeclaredCookie]| cookies.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        let all = with_own_cookies(&policy, &[], lives);
        assert_eq!(names(&all), ["consentry", "consentry_visitor", "consentry_visit"]);
        assert_eq!(all[0].period.as_deref(), Some("182 days"));
        let declared = DeclaredCookie { description: None, ..all[1].clone() };
        assert_eq!(
            names(&with_own_cookies(&policy, &[declared], lives)),
            ["consentry", "consentry_visit", "consentry_visitor"]
        );
        let at =
            |path: &str| DeclaredCookie { name: "_ga".into(), path: Some(path.into()), ..DeclaredCookie::default() };
        assert_eq!(names(&with_own_cookies(&policy, &[at("/a"), at("/b")], lives))[3..], ["_ga"]);
        let without = Policy::new(vec![], 1, 60).unwrap();
        assert_eq!(names(&with_own_cookies(&without, &[], lives)), ["consentry"]);
    }
}
