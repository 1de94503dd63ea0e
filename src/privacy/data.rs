//! What a visitor's browser carries of ours, decoded, and how to get, correct or delete what is held (R2): a page, the same as
//! JSON, the same as CSV. Rows are found by the reference it shows, which is the `visitor_id` they are written under; nothing
//! here reads a row. What a request says beside (address, browser) is not shown.

mod formats;

use askama::Template;
use bytes::Bytes;
use http::header::COOKIE;
use http::{HeaderMap, Response, StatusCode};

use super::frame::{Frame, More};
use super::language::{self, Said};
use super::preferences::Standing;
use super::snippet::rendered;
use super::words::{Words, iso};
use super::{Pages, PrivacyRequest, answer};
use crate::capture::{Known, KnownVisit};
use crate::consent::choice;
use crate::cookies;
use formats::Facts;

/// Under what the visitor's rows are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// None are.
    #[default]
    Off,
    /// They are from the next page on: the visitor has no number yet.
    NotYet,
    /// As this visitor.
    Under(Known),
}

#[derive(Template)]
#[template(path = "data.html", config = "static/privacy/askama.toml")]
struct Data<'a> {
    frame: Frame<'a>,
    w: &'a Words,
    more: More<'a>,
    /// Whether the browser carries anything of ours.
    carries: bool,
    choice: Option<ChoiceSaid<'a>>,
    visitor: bool,
    visit: bool,
    began: Option<(String, String)>,
    pages: Option<u16>,
    state: &'a str,
    /// The one that is written now first.
    references: Vec<Reference>,
    write: &'a str,
}

/// The choice in words.
struct ChoiceSaid<'a> {
    /// What was asked: its title, and what was answered.
    purposes: Vec<(Said, &'a str)>,
    made_at: String,
    made_on: String,
    kept_until: String,
    receipt: String,
}

/// What finds the visitor's rows.
pub(super) struct Reference {
    /// `visitor_id`, as the database writes it.
    pub visitor_id: String,
    /// `visitor_key`
    pub key: u32,
}

impl Recording {
    fn known(&self) -> Option<&Known> {
        match self {
            Recording::Under(known) => Some(known),
            Recording::Off | Recording::NotYet => None,
        }
    }

    fn visit(&self) -> Option<KnownVisit> {
        self.known()?.visit
    }

    /// The one that is written now first.
    fn references(&self) -> Vec<Reference> {
        let every = self.known().into_iter().flat_map(|known| std::iter::once(&known.visitor).chain(&known.earlier));
        every.map(|keyed| Reference { visitor_id: keyed.value.0.to_string(), key: keyed.key.0 }).collect()
    }
}

impl Pages {
    /// What the visitor's browser carries, as a page, as JSON or as CSV.
    pub(super) fn data(&self, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let has = |name: &str| carries(request.headers, name);
        let facts = Facts {
            site: &self.site,
            choice: request.choice,
            visitor: has(cookies::VISITOR),
            visit: has(cookies::VISIT),
            recording: &request.recording,
        };
        if request.wants("json", "application/json") {
            return answer::json(StatusCode::OK, &facts.as_json());
        }
        if request.wants("csv", "text/csv") {
            return answer::csv(StatusCode::OK, facts.as_csv(), "consentry-data.csv");
        }
        let (language, asked) = self.language(request.query, request.headers);
        let (words, consent) = (&language.words, &self.site.consent);
        let more = More::new(consent, language, &self.site.languages);
        let choice_names = [choice::COOKIE, choice::HOST_COOKIE, choice::TWIN];
        let page = Data {
            frame: Frame::new(consent, language, asked).with_languages(&self.site.languages),
            w: words,
            carries: request.choice.is_some() || facts.visitor || facts.visit || choice_names.into_iter().any(has),
            choice: request.choice.map(|choice| self.choice_said(&Standing::of(choice), language)),
            visitor: facts.visitor,
            visit: facts.visit,
            began: request.recording.visit().map(|visit| (iso(visit.began), words.date_time(visit.began))),
            pages: request.recording.visit().map(|visit| visit.pages),
            state: match request.recording {
                Recording::Off => &words.data_not_recorded,
                Recording::NotYet => &words.data_not_yet,
                Recording::Under(_) => &words.data_recorded,
            },
            references: request.recording.references(),
            write: more.write(words),
            more,
        };
        answer::html(StatusCode::OK, rendered(&page))
    }

    fn choice_said<'a>(&self, standing: &Standing, language: &'a language::Language) -> ChoiceSaid<'a> {
        let (site, words) = (&self.site, &language.words);
        let said = language::purposes(&site.policy, &site.consent, language, &site.languages);
        let purposes = said.into_iter().enumerate().map(|(index, said)| {
            let answer = match standing.allows(index) {
                _ if site.policy.necessary().contains(index) => &words.always_on,
                Some(true) => &words.yes,
                Some(false) => &words.no,
                None => &words.open,
            };
            (said.title, &**answer)
        });
        ChoiceSaid {
            purposes: purposes.collect(),
            made_at: iso(standing.made_at_ms / 1000),
            made_on: words.date_time(standing.made_at_ms / 1000),
            kept_until: words.date(standing.kept_until),
            receipt: standing.receipt.clone(),
        }
    }
}

/// Whether a cookie of this name came.
fn carries(headers: &HeaderMap, name: &str) -> bool {
    cookies::read(headers.get_all(COOKIE).iter().map(|line| line.as_bytes()), name.as_bytes()).next().is_some()
}
