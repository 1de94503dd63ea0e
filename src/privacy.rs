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
//! | `GET /notice` | what is collected, why and for how long; `?format=json` |
//! | `GET /data` | what the visitor's browser carries, and how to get, correct or delete the rest; `?format=json`, `?format=csv` |
//! | `GET /receipt` | the receipt of the choice, `?format=json` as a signed file |
//! | `GET /keys.json` | the public keys that receipts are verified with |
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
//! `static/banner` undoes this when the purpose is granted. What may run is given back only where `data-consentry-key` is that
//! of our own script: users of a site write such attributes, too (see [`Key`](crate::page::gate::Key)).

mod answer;
mod banner;
mod choose;
mod choosing;
mod collector;
mod cookie_list;
mod data;
mod files;
mod first;
mod form;
mod frame;
mod google;
mod language;
mod message;
mod notice;
mod origin;
mod preferences;
mod proof;
mod receipt;
mod request;
mod snippet;
mod submission;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::{HeaderMap, Method, Response, StatusCode};
use serde_json::json;

use crate::config::{Consent, DeclaredCookie};
use crate::consent::{Choice, Policy, PurposeSet, Signals};
use crate::cookies::ChoiceCookie;
use crate::keys::KeyRing;
use crate::page::Insert;
pub use banner::ShownText;
use banner::Site;
pub use choose::{Act, act as choice_act};
pub use choosing::{Answer, Pending, Reply, ended_with_analytics};
pub use collector::CollectorOptions;
pub use data::Recording;
pub use frame::{OwnCookieLives, Serves};
use language::{Language, Languages};
pub use message::Message;
pub use notice::{Located, NoticeFacts};
pub use origin::{came_from, is_same_site_post};
use preferences::{About, Standing, Visitor};
pub use request::PrivacyRequest;
pub use snippet::{PageView, VisitorState};
pub use submission::MAX_BODY;

/// The visitor's pages of one site; made once, shared by all threads.
pub struct Pages {
    site: Arc<Site>,
    cookies: Vec<DeclaredCookie>,
    choice_cookie: ChoiceCookie,
    lives: OwnCookieLives,
    serves: Serves,
    facts: NoticeFacts,
    snippets: snippet::Snippets,
    files: files::Files,
    /// The question about everything, then the preferences page and the notice, in every language they are in.
    shown: Vec<ShownText>,
    since: notice::Since,
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
        let choice_cookie = ChoiceCookie::new(consent.cookie_domain.as_deref());
        let (cookies, serves, facts) = (cookies.to_vec(), Serves::default(), NoticeFacts::default());
        let since = notice::Since::default();
        let pages = Pages { site, cookies, choice_cookie, lives, serves, facts, snippets, files, shown, since };
        pages.shown_again()
    }

    /// The same with a collector that collects what `options` list.
    pub fn with_collector(self, options: &CollectorOptions) -> Pages {
        Pages { files: files::Files::new(options), ..self }
    }

    /// The same beside what else the gateway serves.
    pub fn with(self, serves: Serves) -> Pages {
        Pages { serves, ..self }.shown_again()
    }

    /// The same with a notice of what is captured as `facts` say.
    pub fn with_notice(self, facts: NoticeFacts) -> Pages {
        Pages { facts, ..self }.shown_again()
    }

    /// With preferences page and notice as they are shown now.
    fn shown_again(mut self) -> Pages {
        self.shown.retain(|text| ![PREFERENCES, NOTICE].contains(&text.kind));
        let preferences = |language: &Language| {
            let page = preferences::page(&self.about(), language, false, &Visitor::nobody());
            ShownText::new(PREFERENCES, &language.code, page)
        };
        let notice =
            |language: &Language| ShownText::new(NOTICE, &language.code, notice::kept(&self.about(), language));
        let languages = || self.site.languages.of_pages();
        let texts: Vec<ShownText> = languages().map(preferences).chain(languages().map(notice)).collect();
        self.shown.extend(texts);
        self
    }

    /// What goes into a page of the site. Renders nothing of what a visitor reads, unless it is the first to be asked about
    /// just these purposes.
    pub fn snippet(&self, view: &PageView<'_>) -> Insert {
        self.snippets.insert(view)
    }

    /// The texts visitors are shown from the start: the question about everything, the preferences page and the notice, in
    /// every language (P5).
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
        self.kept_hash(PREFERENCES, language)
    }

    /// The hash of a kept page in a language, else in the first.
    fn kept_hash(&self, kind: &str, language: &str) -> [u8; 32] {
        let mut pages = self.shown.iter().filter(|text| text.kind == kind);
        let first = pages.clone().next().map(|text| text.hash).unwrap_or_default();
        pages.find(|text| text.language == language).map_or(first, |text| text.hash)
    }

    /// The language our pages would be in for a visitor who says nothing of it but in the headers.
    pub fn language_of(&self, headers: &HeaderMap) -> &str {
        &self.language(None, headers).0.code
    }

    /// What the operator calls this version of the banner.
    pub fn banner_version(&self) -> &str {
        &self.site.consent.banner_version
    }

    /// A page with one message, in the language the browser asks for. `reference` stands below it as it is, to be quoted.
    pub fn message(&self, message: Message, headers: &HeaderMap, reference: Option<&str>) -> Response<Bytes> {
        let response = message::page(message, &self.site.consent, self.language(None, headers), reference);
        answer::finish(&Method::GET, response)
    }

    /// Answers a request below the visitor's folder.
    pub fn respond(&self, request: &PrivacyRequest<'_>) -> Reply {
        let get = matches!(*request.method, Method::GET | Method::HEAD);
        let reply = match request.path {
            "" if get => answer::see_other(&self.in_language("/", request)).into(),
            "/" if get => self.preferences_page(request).into(),
            "/notice" if get => self.notice(request).into(),
            "/data" if get => self.data(request).into(),
            "/receipt" if get => self.receipt(request).into(),
            "/keys.json" if get => self.keys().into(),
            "/consent" if get => answer::json(StatusCode::OK, &self.state(request.choice, request.signals)).into(),
            "/consent" if request.method == Method::POST => self.choose(request),
            "/consent" => self.not_possible(request, "GET, HEAD, POST").into(),
            path => self.other(path, get, request).into(),
        };
        match reply {
            Reply::Answer(response) => Reply::Answer(answer::finish(request.method, response)),
            record => record,
        }
    }

    /// The language of one of our pages, and whether the address says which it is.
    fn language(&self, query: Option<&str>, headers: &HeaderMap) -> (&Language, bool) {
        self.site.languages.of_page(query, headers.get_all(ACCEPT_LANGUAGE))
    }

    fn about(&self) -> About<'_> {
        About { site: &self.site, cookies: &self.cookies, lives: self.lives, serves: self.serves, facts: &self.facts }
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
            "" | "/" | "/notice" | "/data" | "/receipt" | "/keys.json" => self.not_possible(request, "GET, HEAD"),
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
        let tail = form::tail(&stem, &self.site.ring, request.host, request.now_ms / 1000);
        let form = stem + std::str::from_utf8(&tail).expect("digits and base64 are ASCII");
        let standing = request.choice.map(Standing::of);
        let visitor = Visitor { standing: standing.as_ref(), just_saved, signals: request.signals, form: &form };
        answer::html(StatusCode::OK, preferences::page(&self.about(), language, asked, &visitor))
    }

    /// What scripts are told of a choice.
    fn state(&self, choice: Option<&Choice>, signals: Signals) -> serde_json::Value {
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
        let permitted = choice.filter(|choice| !choice.under_16).map(|choice| choice.granted).unwrap_or_default();
        json!({
            "chosen": choice.is_some(),
            "granted": ids(choice.map_or(self.site.policy.necessary(), |c| c.granted.union(self.site.policy.necessary()))),
            "denied": ids(choice.map(|c| c.denied).unwrap_or_default()),
            "under_16": choice.is_some_and(|c| c.under_16),
            "made_at": choice.map(|c| words::iso(c.made_at())),
            "kept_until": choice.map(|c| words::iso(c.until)),
            "source": choice.map(|c| c.source.word()),
            "gpc": signals.gpc,
            "receipt": choice.map(|c| format!("{:016x}", c.receipt)),
            "policy_version": self.site.policy.version,
            "google": self.site.consent.google_consent_mode.then(|| google::state(&self.site.policy, permitted)),
            "purposes": purposes.collect::<Vec<_>>(),
        })
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
/// The kind of the notice among them.
const NOTICE: &str = "notice";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
