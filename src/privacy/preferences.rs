//! The preferences page: what is asked and why, the cookies of each purpose, the choice as it stands, and the forms to
//! change it. Plain HTML that needs no script (C5).

use askama::Template;
use bytes::Bytes;

use super::banner::Site;
use super::cookie_list::{self, CookieSaid};
use super::frame::{Frame, More, OwnCookieLives, Serves};
use super::language::{self, Language, PurposeSaid, signals_sent};
use super::notice::NoticeFacts;
use super::snippet::rendered;
use super::words::{Words, fill, iso};
use crate::config::DeclaredCookie;
use crate::consent::{Choice, ChoiceSource, PurposeSet, Signals};

/// A choice as it stands, in plain values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// When it was made, in milliseconds since 1970.
    pub made_at_ms: u64,
    /// When it ends, in seconds since 1970.
    pub kept_until: u64,
    /// The receipt's number, as it is shown.
    pub receipt: String,
    pub granted: PurposeSet,
    /// What was refused; what is in neither set was not asked about.
    pub denied: PurposeSet,
    /// Whether the visitor has said to be under 16 (C11).
    pub under_16: bool,
    /// Where it was made.
    pub source: ChoiceSource,
}

impl Standing {
    pub(super) fn of(choice: &Choice) -> Standing {
        Standing {
            made_at_ms: choice.made_at_ms,
            kept_until: choice.until,
            receipt: format!("{:016x}", choice.receipt),
            granted: choice.granted,
            denied: choice.denied,
            under_16: choice.under_16,
            source: choice.source,
        }
    }

    /// What was chosen for the purpose at `index`; nothing where it was not asked about, so that nothing is pre-ticked (C4).
    pub(super) fn allows(&self, index: usize) -> Option<bool> {
        match (self.granted.contains(index), self.denied.contains(index)) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// What the page is about, the same for all visitors.
pub(super) struct About<'a> {
    pub site: &'a Site,
    pub cookies: &'a [DeclaredCookie],
    pub lives: OwnCookieLives,
    pub serves: Serves,
    pub facts: &'a NoticeFacts,
}

/// What is told of one visitor.
pub(super) struct Visitor<'a> {
    pub standing: Option<&'a Standing>,
    /// Whether the visitor comes from one of the forms.
    pub just_saved: bool,
    pub signals: Signals,
    /// The value of the field `form`.
    pub form: &'a str,
}

impl Visitor<'_> {
    /// Somebody without a choice, a signal and a form that could be sent: for them the page is what its hash is of.
    pub(super) fn nobody() -> Visitor<'static> {
        Visitor { standing: None, just_saved: false, signals: Signals::default(), form: "" }
    }
}

#[derive(Template)]
#[template(path = "preferences.html", config = "static/privacy/askama.toml")]
struct Preferences<'a> {
    frame: Frame<'a>,
    w: &'a Words,
    saved: Option<&'a str>,
    signal: Option<String>,
    under_16: bool,
    now: Option<Now<'a>>,
    can_withdraw: bool,
    /// Whether there is anything to choose.
    asks: bool,
    purposes: Vec<PurposeView<'a>>,
    counted: Option<String>,
    more: More<'a>,
    form: &'a str,
}

/// The choice as it stands, in words.
struct Now<'a> {
    made_at: String,
    made_on: String,
    kept_until: String,
    receipt: &'a str,
}

struct PurposeView<'a> {
    id: &'a str,
    said: PurposeSaid,
    always: bool,
    allowed: Option<bool>,
    cookies: Vec<CookieSaid<'a>>,
    cookies_said: String,
}

/// Renders the page in `language`; `asked` is whether the address says which language it is.
pub(super) fn page(about: &About<'_>, language: &Language, asked: bool, visitor: &Visitor<'_>) -> Bytes {
    let About { site, cookies, lives, serves, .. } = about;
    let (policy, words) = (&site.policy, &language.words);
    let optional = PurposeSet::of(policy.optional().map(|(index, _)| index));
    let granted = visitor.standing.map(|standing| standing.granted.intersect(optional)).unwrap_or_default();
    let said = language::purposes(policy, &site.consent, language, &site.languages);
    let purposes = policy.purposes().iter().zip(said).enumerate().map(|(index, (purpose, said))| {
        let cookies = cookie_list::of_purpose(index, site, cookies, *lives, language);
        PurposeView {
            id: &purpose.id,
            said,
            always: policy.necessary().contains(index),
            allowed: visitor.standing.and_then(|standing| standing.allows(index)),
            cookies_said: fill(&words.cookies, &[("n", &cookies.len().to_string())]),
            cookies,
        }
    });
    let under_16 = visitor.standing.is_some_and(|standing| standing.under_16);
    let signal = signals_sent(visitor.signals).map(|signal| {
        let text = if visitor.standing.is_some() { &words.signal_chosen } else { &words.signal_open };
        fill(text, &[("signal", signal)])
    });
    rendered(&Preferences {
        frame: Frame::new(&site.consent, language, asked).with_languages(&site.languages),
        w: words,
        saved: visitor.standing.filter(|_| visitor.just_saved).map(|_| match granted {
            _ if under_16 => &*words.under_16_on,
            granted if granted.bits() == 0 => &*words.saved_none,
            granted if granted == optional => &*words.saved_all,
            _ => &*words.saved_some,
        }),
        signal,
        under_16,
        now: visitor.standing.map(|standing| Now {
            made_at: iso(standing.made_at_ms / 1000),
            made_on: words.date_time(standing.made_at_ms / 1000),
            kept_until: words.date(standing.kept_until),
            receipt: &standing.receipt,
        }),
        can_withdraw: granted.bits() != 0,
        asks: optional.bits() != 0,
        purposes: purposes.collect(),
        counted: serves.statistics.then(|| fill(&words.statistics_object, &[("reject", &words.reject)])),
        more: More::new(&site.consent, language, &site.languages),
        form: visitor.form,
    })
}
