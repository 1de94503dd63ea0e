//! The visitor's pages and what is put into the site's: banner, "Privacy choices" link, preferences page, the choice
//! itself and the files a browser needs for them.
//!
//! HTTP in, HTTP out, as values: this room opens no socket, reads no clock, writes nothing to disk and logs nothing. It
//! never decides what is permitted ([`consent`](crate::consent) does) and never captures. The front door calls
//! [`Pages::snippet`] for every page of the site and [`Pages::respond`] for every request below the visitor's folder
//! except the beacons.
//!
//! # Endpoints, below `/_privacy` by default
//! | request | answer |
//! |---|---|
//! | `GET /` | the preferences page; `?saved=1` confirms, `?lang=cy` chooses the language |
//! | `GET /receipt` | the receipt of the choice, `?format=json` as a signed file |
//! | `GET /consent` | the choice as JSON: `chosen`, `granted`, `denied`, `made_at`, `receipt`, … |
//! | `POST /consent` | makes a choice; what it may say stands at the top of `privacy/submission.rs` |
//! | `GET /banner.css`, `/banner.js`, `/collector.js`, `/privacy.css` | the files |
//!
//! A post as JSON, or one that accepts JSON, is answered with the same JSON as a GET; a form with 303 to the page it
//! came from, or to the preferences page. Wrong posts change nothing: 403 from another site, 413 above [`MAX_BODY`],
//! 415 neither form nor JSON, else 400 with the reason.
//!
//! # In the page
//! The gate makes an element inert by renaming attribute `NAME` to `data-consentry-NAME` (with an empty
//! `data-consentry-type` where a script had no type) and naming its purpose in `data-consentry-purpose`;
//! `static/banner.js` undoes this when the purpose is granted.

mod answer;
mod banner;
mod collector;
mod cookie_list;
mod files;
mod form;
mod frame;
mod language;
mod message;
mod origin;
mod preferences;
mod receipt;
mod snippet;
mod submission;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use crate::config::{Consent, DeclaredCookie};
use crate::consent::{Choice, ChoiceSource, Policy, PurposeSet, Signals, choice};
use crate::cookies;
use crate::keys::KeyRing;
use crate::page::Insert;
pub use banner::ShownText;
use banner::Site;
pub use collector::CollectorOptions;
pub use frame::{OwnCookieLives, Serves};
use language::{Language, Languages};
pub use message::Message;
pub use origin::is_same_site_post;
use preferences::{About, Standing, Visitor};
pub use snippet::{PageView, VisitorState};
pub use submission::MAX_BODY;
use submission::{Encoding, Submission};

/// A request to one of the endpoints, its body read.
pub struct PrivacyRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The path below the visitor's folder, with its slash: `/`, `/consent`; empty for the folder without a slash.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The headers as they came.
    pub headers: &'a HeaderMap,
    /// The body; the front door reads no more than [`MAX_BODY`] and one byte.
    pub body: &'a [u8],
    /// The host the request is for, as in `Host`.
    pub host: &'a str,
    /// Whether the visitor came over TLS.
    pub https: bool,
    /// The choice that counts, if there is one.
    pub choice: Option<&'a Choice>,
    /// What the headers say on the visitor's behalf, as far as the site honours it.
    pub signals: Signals,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// An answer, and the choice it carries.
pub struct Answer {
    /// The whole answer.
    pub response: Response<Bytes>,
    /// The new choice, where this answer sets one. Before it is sent the caller appends a `Set-Cookie` for each cookie
    /// that the choice no longer permits (C6); the gateway's own are already there.
    pub chosen: Option<Choice>,
}

impl From<Response<Bytes>> for Answer {
    fn from(response: Response<Bytes>) -> Self {
        Answer { response, chosen: None }
    }
}

/// The visitor's pages of one site; made once, shared by all threads.
pub struct Pages {
    site: Arc<Site>,
    cookies: Vec<DeclaredCookie>,
    lives: OwnCookieLives,
    serves: Serves,
    snippets: snippet::Snippets,
    files: files::Files,
    /// The question about everything, then the preferences page, in every language they are in.
    shown: Vec<ShownText>,
}

impl Pages {
    /// Renders everything that is the same for all visitors. The collector collects nothing until it is told to.
    pub fn new(
        policy: &Policy,
        consent: &Consent,
        cookies: &[DeclaredCookie],
        lives: OwnCookieLives,
        ring: Arc<KeyRing>,
    ) -> Pages {
        let languages = Languages::new(consent);
        let site = Arc::new(Site { policy: policy.clone(), consent: consent.clone(), languages, ring });
        let (snippets, shown) = snippet::Snippets::new(site.clone());
        let files = files::Files::new(&CollectorOptions::default());
        let pages = Pages { site, cookies: cookies.to_vec(), lives, serves: Serves::default(), snippets, files, shown };
        pages.with(Serves::default())
    }

    /// The same with a collector that collects what `options` list.
    pub fn with_collector(self, options: &CollectorOptions) -> Pages {
        Pages { files: files::Files::new(options), ..self }
    }

    /// The same beside what else the gateway serves.
    pub fn with(mut self, serves: Serves) -> Pages {
        self.serves = serves;
        self.shown.retain(|text| text.kind != PREFERENCES);
        let languages = self.site.languages.of_pages();
        let page = |language: &Language| preferences::page(&self.about(), language, false, &Visitor::nobody());
        let texts = languages.map(|language| ShownText::new(PREFERENCES, &language.code, page(language)));
        let texts: Vec<ShownText> = texts.collect();
        self.shown.extend(texts);
        self
    }

    /// What goes into a page of the site. Renders nothing of what a visitor reads, unless it is the first to be asked about
    /// just these purposes.
    pub fn snippet(&self, view: &PageView<'_>) -> Insert {
        self.snippets.insert(view)
    }

    /// The texts visitors are shown from the start: the question about everything and the preferences page, in every language
    /// (P5).
    pub fn shown_texts(&self) -> &[ShownText] {
        &self.shown
    }

    /// The texts that have been rendered since this was last called: questions about a part of the purposes. To be kept before a
    /// choice that was made on one of them is written down (P5).
    pub fn take_new_texts(&self) -> Vec<ShownText> {
        self.snippets.take_new_texts()
    }

    /// The hash of the preferences page in a language, as somebody without a choice sees it.
    pub fn text_hash(&self, language: &str) -> [u8; 32] {
        let mut pages = self.shown.iter().filter(|text| text.kind == PREFERENCES);
        let first = pages.clone().next().map(|text| text.hash).unwrap_or_default();
        pages.find(|text| text.language == language).map_or(first, |text| text.hash)
    }

    /// What the operator calls this version of the banner.
    pub fn banner_version(&self) -> &str {
        &self.site.consent.banner_version
    }

    /// A page with one message, in the language the browser asks for.
    pub fn message(&self, message: Message, headers: &HeaderMap) -> Response<Bytes> {
        let response = message::page(message, &self.site.consent, self.language(None, headers), None);
        answer::finish(&Method::GET, response)
    }

    /// Answers a request below the visitor's folder.
    pub fn respond(&self, request: &PrivacyRequest<'_>) -> Answer {
        let get = matches!(*request.method, Method::GET | Method::HEAD);
        let mut answer = match request.path {
            "" if get => answer::see_other(&self.in_language("/", request)).into(),
            "/" if get => self.preferences_page(request).into(),
            "/receipt" if get => self.receipt(request, None, None).into(),
            "/consent" if get => answer::json(StatusCode::OK, &self.state(request.choice)).into(),
            "/consent" if request.method == Method::POST => self.choose(request),
            "/consent" => self.not_possible(request, "GET, HEAD, POST").into(),
            path => self.other(path, get, request).into(),
        };
        answer.response = answer::finish(request.method, answer.response);
        answer
    }

    /// The language of one of our pages, and whether the address says which it is.
    fn language(&self, query: Option<&str>, headers: &HeaderMap) -> (&Language, bool) {
        self.site.languages.of_page(query, headers.get_all(ACCEPT_LANGUAGE))
    }

    fn about(&self) -> About<'_> {
        About { site: &self.site, cookies: &self.cookies, lives: self.lives, serves: self.serves }
    }

    fn say(&self, message: Message, request: &PrivacyRequest<'_>, detail: Option<&str>) -> Response<Bytes> {
        message::page(message, &self.site.consent, self.language(request.query, request.headers), detail)
    }

    fn not_possible(&self, request: &PrivacyRequest<'_>, allow: &'static str) -> Response<Bytes> {
        let detail = format!("This address can only be asked with {allow}.");
        answer::method_not_allowed(self.say(Message::NotPossible, request, Some(&detail)), allow)
    }

    /// A file, or nothing.
    fn other(&self, path: &str, get: bool, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let name = path.strip_prefix('/').unwrap_or_default();
        let file = self.files.get(name, request.headers).filter(|_| get);
        file.unwrap_or_else(|| match path {
            "" | "/" | "/receipt" => self.not_possible(request, "GET, HEAD"),
            _ if self.files.contains(name) => self.not_possible(request, "GET, HEAD"),
            _ => self.say(Message::NotFound, request, None),
        })
    }

    fn preferences_page(&self, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let just_saved = request.query.is_some_and(|query| query.split('&').any(|field| field == "saved=1"));
        let (language, asked) = self.language(request.query, request.headers);
        let policy = &self.site.policy;
        let about = PurposeSet::of(policy.optional().map(|(index, _)| index));
        let stem = form::stem(&language.code, about, &self.text_hash(&language.code), policy);
        let tail = form::tail(&stem, &self.site.ring, request.host, request.now);
        let form = stem + std::str::from_utf8(&tail).expect("digits and base64 are ASCII");
        let standing = request.choice.map(|choice| Standing::of(choice, policy));
        let visitor = Visitor { standing: standing.as_ref(), just_saved, signals: request.signals, form: &form };
        answer::html(StatusCode::OK, preferences::page(&self.about(), language, asked, &visitor))
    }

    /// The receipt of the choice that counts: a page, or where it is asked for with `format=json` or as JSON alone, the signed
    /// file. `facts` are what the ledger knows of it, `file` is the ledger's receipt.
    fn receipt(
        &self,
        request: &PrivacyRequest<'_>,
        facts: Option<&receipt::ReceiptFacts>,
        file: Option<&serde_json::Value>,
    ) -> Response<Bytes> {
        let asked = request.query.is_some_and(|query| query.split('&').any(|field| field == "format=json"));
        let to_script = asked || wants_json(request.headers);
        let standing = request.choice.map(|choice| Standing::of(choice, &self.site.policy));
        match (standing, file) {
            (Some(standing), Some(file)) if to_script => receipt::file(&standing.receipt, file),
            (Some(standing), _) if !to_script => {
                let policy_version = self.site.policy.version;
                let plain = receipt::ReceiptFacts { policy_version, ..receipt::ReceiptFacts::default() };
                let language = self.language(request.query, request.headers);
                let facts = facts.unwrap_or(&plain);
                let page = receipt::page(&self.site, self.serves, language, request.host, &standing, facts);
                answer::html(StatusCode::OK, page)
            }
            _ if to_script => answer::json(StatusCode::NOT_FOUND, &json!({ "error": "There is no receipt." })),
            _ => self.say(Message::NoReceipt, request, None),
        }
    }

    /// What scripts are told of a choice.
    fn state(&self, choice: Option<&Choice>) -> serde_json::Value {
        let ids = |set: PurposeSet| {
            let named = self.site.policy.purposes().iter().enumerate().filter(|(i, _)| set.contains(*i));
            named.map(|(_, purpose)| purpose.id.as_str()).collect::<Vec<_>>()
        };
        let purposes = self.site.policy.purposes().iter().enumerate().map(|(i, purpose)| {
            json!({
                "id": purpose.id,
                "title": purpose.title,
                "description": purpose.description,
                "necessary": self.site.policy.necessary().contains(i),
            })
        });
        json!({
            "chosen": choice.is_some(),
            "granted": ids(choice.map_or(self.site.policy.necessary(), |c| c.granted.union(self.site.policy.necessary()))),
            "denied": ids(choice.map(|c| c.denied).unwrap_or_default()),
            "made_at": choice.map(|c| words::iso(c.made_at)),
            "receipt": choice.map(|c| format!("{:016x}", c.receipt)),
            "policy_version": self.site.policy.version,
            "purposes": purposes.collect::<Vec<_>>(),
        })
    }

    fn choose(&self, request: &PrivacyRequest<'_>) -> Answer {
        let encoding = request.headers.get(CONTENT_TYPE).and_then(|value| Encoding::of(value.as_bytes()));
        let to_script = encoding == Some(Encoding::Json) || wants_json(request.headers);
        let refuse = |message: Message, reason: &str, detail| match to_script {
            true => answer::json(message.status(), &json!({ "error": reason })).into(),
            false => self.say(message, request, detail).into(),
        };
        if !is_same_site_post(request.headers, request.host) {
            let reason =
                "The request came from another website. Open the privacy choices of this one and choose there.";
            return refuse(Message::OtherSite, reason, None);
        }
        let submission = match submission::read(encoding, request.body, &self.site.policy) {
            Ok(submission) => submission,
            Err(error) => {
                let reason = error.to_string();
                return refuse(Message::from(&error), &reason, Some(&reason));
            }
        };
        let choice = Choice::new(&self.site.policy, submission.granted, submission.source, request.now);
        let mut response = match to_script {
            true => answer::json(StatusCode::OK, &self.state(Some(&choice))),
            false => answer::see_other(&self.after_choosing(&submission, request)),
        };
        for line in self.cookie_lines(&choice, request.https) {
            response.headers_mut().append(SET_COOKIE, line);
        }
        Answer { response, chosen: Some(choice) }
    }

    /// Where a form leads to: back to the page of the banner, or to the confirmation on the preferences page.
    fn after_choosing(&self, submission: &Submission, request: &PrivacyRequest<'_>) -> String {
        let back = origin::way_back(submission.way_back.as_deref(), request.headers, request.host);
        let from_here =
            back.strip_prefix(&self.site.consent.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match submission.source == ChoiceSource::Preferences || from_here {
            true => self.in_language("/?saved=1", request),
            false => back,
        }
    }

    /// The choice's own cookie (C9) and, where analytics is refused, the end of the cookies that came with it (C6).
    fn cookie_lines(&self, choice: &Choice, https: bool) -> Vec<HeaderValue> {
        let (value, life) = (choice.encode(&self.site.policy, &self.site.ring), self.site.policy.choice_life);
        let mut lines = vec![cookies::set(choice::COOKIE, value, life, https)];
        if self.site.policy.analytics().is_none_or(|index| !choice.granted.contains(index)) {
            lines.extend(cookie_list::ANALYTICS_COOKIES.map(|name| cookies::set(name, String::new(), 0, https)));
        }
        lines
    }

    /// An address of ours, which keeps the language that was asked for.
    fn in_language(&self, path: &str, request: &PrivacyRequest<'_>) -> String {
        let folder = &self.site.consent.path;
        match self.language(request.query, request.headers) {
            (language, true) if path.contains('?') => format!("{folder}{path}&lang={}", language.code),
            (language, true) => format!("{folder}{path}?lang={}", language.code),
            _ => format!("{folder}{path}"),
        }
    }
}

/// The kind of the preferences page among the texts that are shown.
const PREFERENCES: &str = "preferences";

/// Whether a client asks for JSON and not for a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let names = |what: &str| {
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(what))
    };
    names("application/json") && !names("text/html")
}

#[cfg(test)]
mod tests;
