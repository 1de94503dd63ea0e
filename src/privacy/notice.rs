//! What is collected, why and for how long (R6): a page and the same as JSON, made of the running configuration. Nobody writes
//! it by hand, so it cannot say what is not so.
//!
//! Its version is the first 12 hexadecimal digits of the SHA-256 of the page in its language, without the lines that tell
//! version and date, at an address that names no language. Just these bytes are kept by the ledger (P5):
//! `consentry ledger text VERSION` shows them.

mod facts;
mod items;

use std::collections::HashMap;

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::cookie_list::{self, CookieSaid};
use super::frame::{Frame, More};
use super::language::{self, Language, PurposeSaid, Said};
use super::preferences::About;
use super::snippet::rendered;
use super::words::{Words, fill, iso};
use super::{Pages, PrivacyRequest, answer, hex};
pub use facts::{Located, NoticeFacts};
use items::{Recorded, Term};

/// Digits of a hash that are shown; `consentry ledger text` takes them.
const VERSION_BYTES: usize = 6;

/// Since when each version is in use here, by its hash, in seconds since 1970.
pub(super) type Since = HashMap<[u8; 32], u64>;

#[derive(Template)]
#[template(path = "notice.html", config = "static/privacy/askama.toml")]
struct Notice<'a> {
    frame: Frame<'a>,
    w: &'a Words,
    more: More<'a>,
    purposes: Vec<PurposeView<'a>>,
    analytics: Option<Analytics<'a>>,
    mail: Option<Vec<Term<'a>>>,
    calls: Option<Vec<Term<'a>>>,
    kept: String,
    counted: Option<String>,
    proofs: String,
    write: &'a str,
    edition: Option<Edition>,
}

struct PurposeView<'a> {
    id: &'a str,
    necessary: bool,
    said: PurposeSaid,
    cookies: Vec<CookieSaid<'a>>,
}

/// What is recorded of visits, and for which purpose.
struct Analytics<'a> {
    id: &'a str,
    purpose: Said,
    items: Vec<Recorded<'a>>,
}

/// Which version it is.
struct Edition {
    version: String,
    /// For programs, and in words.
    since: Option<(String, String)>,
}

/// The page as it is kept: in `language`, without its version.
pub(super) fn kept(about: &About<'_>, language: &Language) -> Bytes {
    rendered(&notice(about, language, false))
}

fn notice<'a>(about: &About<'a>, language: &'a Language, asked: bool) -> Notice<'a> {
    let About { site, cookies, lives, serves, facts } = about;
    let (policy, words) = (&site.policy, &language.words);
    let said = language::purposes(policy, &site.consent, language, &site.languages);
    let analytics = policy.analytics().map(|index| Analytics {
        id: &policy.purposes()[index].id,
        purpose: said[index].title.clone(),
        items: items::of_visits(facts, language),
    });
    let purposes = policy.purposes().iter().zip(said).enumerate().map(|(index, (purpose, said))| PurposeView {
        id: &purpose.id,
        necessary: policy.necessary().contains(index),
        said,
        cookies: cookie_list::of_purpose(index, site, cookies, *lives, language),
    });
    let more = More::new(&site.consent, language, &site.languages);
    Notice {
        frame: Frame::new(&site.consent, language, asked).with_languages(&site.languages),
        w: words,
        purposes: purposes.collect(),
        analytics,
        mail: facts.mail_opens.then(|| items::key(facts.keys.mail, language)),
        calls: facts.calls.then(|| items::key(facts.keys.call, language)),
        kept: words.calendar(&language.code, facts.retention),
        counted: serves.statistics.then(|| fill(&words.statistics_object, &[("reject", &words.reject)])),
        proofs: words.calendar(&language.code, facts.proofs),
        write: more.write(words),
        more,
        edition: None,
    }
}

impl Pages {
    /// Notes since when each version of the notice is in use here, as `since` knows by the hash of its text, in seconds since
    /// 1970. Without this the notice says no date.
    pub fn note_since(&mut self, since: impl Fn(&[u8; 32]) -> Option<u64>) {
        let notices = self.shown.iter().filter(|text| text.kind == super::NOTICE);
        self.since = notices.filter_map(|text| Some((text.hash, since(&text.hash)?))).collect();
    }

    /// The notice, as a page or as JSON.
    pub(super) fn notice(&self, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let (language, asked) = self.language(request.query, request.headers);
        let hash = self.kept_hash(super::NOTICE, &language.code);
        let since = self.since.get(&hash).map(|at| (iso(*at), language.words.date(*at)));
        let about = self.about();
        let edition = Some(Edition { version: hex(&hash[..VERSION_BYTES]), since });
        let notice = Notice { edition, ..notice(&about, language, asked) };
        if request.wants("json", "application/json") {
            return answer::json(StatusCode::OK, &notice.as_json(&hash));
        }
        answer::html(StatusCode::OK, rendered(&notice))
    }
}

impl Notice<'_> {
    /// The same for programs, in the same language.
    fn as_json(&self, hash: &[u8; 32]) -> Value {
        let w = self.w;
        let terms = |terms: &[Term<'_>]| {
            terms.iter().map(|term| json!({ "what": term.label, "period": term.period })).collect::<Vec<_>>()
        };
        let cookie = |cookie: &CookieSaid<'_>| {
            json!({
                "name": format!("{}{}", cookie.name, if cookie.prefix { "*" } else { "" }),
                "provider": cookie.provider.text,
                "period": cookie.period.text,
                "description": cookie.description.as_ref().map(|said| &said.text),
            })
        };
        let purposes = self.purposes.iter().map(|purpose| {
            json!({
                "id": purpose.id,
                "title": purpose.said.title.text,
                "description": purpose.said.description.text,
                "legal_basis": purpose.said.basis.text,
                "necessary": purpose.necessary,
                "cookies": purpose.cookies.iter().map(cookie).collect::<Vec<_>>(),
            })
        });
        let recorded = |analytics: &Analytics<'_>| {
            let item = |item: &Recorded<'_>| json!({ "id": item.id, "text": item.text, "terms": terms(&item.terms) });
            json!({
                "purpose": analytics.id,
                "items": analytics.items.iter().map(item).collect::<Vec<_>>(),
                "kept_for": self.kept,
            })
        };
        let contact =
            |text: &str, list: &[Term<'_>]| json!({ "text": text, "terms": terms(list), "kept_for": self.kept });
        json!({
            "version": self.edition.as_ref().map(|edition| &edition.version),
            "since": self.edition.as_ref().and_then(|edition| Some(&edition.since.as_ref()?.0)),
            "text_hash": hex(hash),
            "language": self.frame.lang,
            "controller": self.more.controller.as_ref().map(|said| &said.text),
            "contact": self.more.contact.as_ref().map(|contact| contact.text),
            "purposes": purposes.collect::<Vec<_>>(),
            "recorded": self.analytics.as_ref().map(recorded),
            "mail_openings": self.mail.as_ref().map(|list| contact(&w.notice_mail, list)),
            "calls": self.calls.as_ref().map(|list| contact(&w.notice_calls, list)),
            "statistics": self.counted.as_ref().map(|object| json!({ "text": w.statistics_text, "object": object })),
            "proof": { "text": w.notice_proof, "kept_for": self.proofs },
            "withdraw": { "text": w.notice_withdraw, "url": format!("{}/", self.frame.path) },
            "rights": {
                "text": w.notice_rights,
                "how": [self.write, &w.give_reference],
                "complaint": w.notice_complaint,
                "url": format!("{}/data", self.frame.path),
            },
        })
    }
}
