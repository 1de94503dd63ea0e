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
//! | `GET /` | the preferences page; `?saved=1` confirms |
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
mod choose;
mod collector;
mod files;
mod form;
mod origin;
mod preferences;
mod snippet;
mod submission;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use crate::config::{Consent, DeclaredCookie};
use crate::consent::{Choice, ChoiceSource, Policy, PurposeSet, Signals};
use crate::cookies::{self, ChoiceCookie};
use crate::keys::KeyRing;
use choose::Circumstances;
pub use choose::{Act, act as choice_act};
pub use collector::CollectorOptions;
use form::FormError;
pub use origin::{came_from, is_same_site_post};
pub use preferences::OwnCookieLives;
pub use snippet::{PageInsert, VisitorState};
pub use submission::MAX_BODY;
use submission::{Encoding, Submission, SubmissionError};

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
    /// The signals that came along (C8).
    pub signals: Signals,
    /// The stamp of what another consent manager says; all zero where none is asked, or it says nothing.
    pub stamp: [u8; 6],
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// What becomes of a request.
pub enum Reply {
    /// This answer.
    Answer(Response<Bytes>),
    /// A choice, which counts once it is in the ledger: then [`Pages::recorded`], else [`Pages::not_recorded`].
    Record(Box<Pending>),
}

impl From<Response<Bytes>> for Reply {
    fn from(response: Response<Bytes>) -> Self {
        Reply::Answer(response)
    }
}

/// A choice that was understood and is nothing yet.
pub struct Pending {
    /// The choice, without its row in the ledger.
    pub choice: Choice,
    /// What it comes to.
    pub act: Act,
    /// The language it was asked in.
    pub language: String,
    /// The first 16 hexadecimal digits of the hash of what was shown; nothing where it was no form of ours.
    pub shown: Option<String>,
    to_script: bool,
    location: String,
}

/// The answer to a choice that was made.
pub struct Answer {
    /// The whole answer. Before it is sent the caller appends a `Set-Cookie` for each cookie that the choice no longer
    /// permits (C6); the gateway's own are already there.
    pub response: Response<Bytes>,
    /// The choice.
    pub chosen: Choice,
}

/// The visitor's pages of one site; made once, shared by all threads.
pub struct Pages {
    policy: Policy,
    consent: Consent,
    cookies: Vec<DeclaredCookie>,
    choice_cookie: ChoiceCookie,
    ring: Arc<KeyRing>,
    snippets: snippet::Snippets,
    files: files::Files,
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
        Pages {
            snippets: snippet::Snippets::new(consent),
            files: files::Files::new(&CollectorOptions::default()),
            cookies: preferences::with_own_cookies(policy, cookies, lives),
            policy: policy.clone(),
            choice_cookie: ChoiceCookie::new(consent.cookie_domain.as_deref()),
            consent: consent.clone(),
            ring,
        }
    }

    /// The same with a collector that collects what `options` list.
    pub fn with_collector(self, options: &CollectorOptions) -> Pages {
        Pages { files: files::Files::new(options), ..self }
    }

    /// What goes into a page for a visitor in this state. Copies nothing.
    pub fn snippet(&self, state: VisitorState) -> &PageInsert {
        self.snippets.for_state(state)
    }

    /// The same for a page whose view was captured, with the id that what the collector reports of it will carry.
    pub fn snippet_of_page(&self, state: VisitorState, page_view_id: u64) -> PageInsert {
        self.snippets.for_page(state, page_view_id)
    }

    /// The same with the nonce of the page's Content-Security-Policy; renders the head anew.
    pub fn snippet_with_nonce(&self, state: VisitorState, page_view_id: Option<u64>, nonce: &str) -> PageInsert {
        self.snippets.with_nonce(state, page_view_id, nonce)
    }

    /// Answers a request below the visitor's folder.
    pub fn respond(&self, request: &PrivacyRequest<'_>) -> Reply {
        let get = matches!(*request.method, Method::GET | Method::HEAD);
        let reply = match request.path {
            "" if get => answer::see_other(&self.below("/")).into(),
            "/" if get => self.preferences_page(request).into(),
            "/consent" if get => answer::json(StatusCode::OK, &self.state(request.choice, request.signals)).into(),
            "/consent" if request.method == Method::POST => self.choose(request),
            "/consent" => answer::method_not_allowed(&self.consent.path, "GET, HEAD, POST").into(),
            path => self.other(path, get, request.headers).into(),
        };
        match reply {
            Reply::Answer(response) => Reply::Answer(answer::finish(request.method, response)),
            record => record,
        }
    }

    /// A file, or nothing.
    fn other(&self, path: &str, get: bool, headers: &HeaderMap) -> Response<Bytes> {
        let name = path.strip_prefix('/').unwrap_or_default();
        let file = self.files.get(name, headers).filter(|_| get);
        file.unwrap_or_else(|| match path {
            "" | "/" => answer::method_not_allowed(&self.consent.path, "GET, HEAD"),
            _ if self.files.contains(name) => answer::method_not_allowed(&self.consent.path, "GET, HEAD"),
            _ => answer::message(
                &self.consent.path,
                StatusCode::NOT_FOUND,
                "Page not found",
                "If you typed the web address, check it is correct.",
            ),
        })
    }

    fn preferences_page(&self, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let saved = request.query.is_some_and(|query| query.split('&').any(|field| field == "saved=1"));
        let page = preferences::page(&self.policy, &self.consent, &self.cookies, request.choice, saved);
        answer::html(StatusCode::OK, page)
    }

    /// What scripts are told of a choice.
    fn state(&self, choice: Option<&Choice>, signals: Signals) -> serde_json::Value {
        let ids = |set: PurposeSet| {
            let named = self.policy.purposes().iter().enumerate().filter(|(i, _)| set.contains(*i));
            named.map(|(_, purpose)| purpose.id.as_str()).collect::<Vec<_>>()
        };
        let purposes = self.policy.purposes().iter().enumerate().map(|(i, purpose)| {
            json!({
                "id": purpose.id,
                "title": purpose.title,
                "description": purpose.description,
                "necessary": self.policy.necessary().contains(i),
            })
        });
        json!({
            "chosen": choice.is_some(),
            "granted": ids(choice.map_or(self.policy.necessary(), |c| c.granted.union(self.policy.necessary()))),
            "denied": ids(choice.map(|c| c.denied).unwrap_or_default()),
            "under_16": choice.is_some_and(|c| c.under_16),
            "made_at": choice.map(|c| preferences::iso(c.made_at())),
            "kept_until": choice.map(|c| preferences::iso(c.until)),
            "source": choice.map(|c| c.source.word()),
            "gpc": signals.gpc,
            "receipt": choice.map(|c| format!("{:016x}", c.receipt)),
            "policy_version": self.policy.version,
            "purposes": purposes.collect::<Vec<_>>(),
        })
    }

    /// Reads what was posted. Nothing is changed by it before [`Pages::recorded`].
    fn choose(&self, request: &PrivacyRequest<'_>) -> Reply {
        let encoding = request.headers.get(CONTENT_TYPE).and_then(|value| Encoding::of(value.as_bytes()));
        let to_script = encoding == Some(Encoding::Json) || wants_json(request.headers);
        let refuse = |status, reason: &str| Reply::Answer(self.refused(to_script, status, reason));
        if !is_same_site_post(request.headers, request.host) {
            let reason =
                "The request came from another website. Open the privacy choices of this one and choose there.";
            return refuse(StatusCode::FORBIDDEN, reason);
        }
        let submission = match submission::read(encoding, request.body, &self.policy) {
            Ok(submission) => submission,
            Err(error) => {
                let status = match error {
                    SubmissionError::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
                    SubmissionError::Type => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    _ => StatusCode::BAD_REQUEST,
                };
                return refuse(status, &error.to_string());
            }
        };
        let now = request.now_ms / 1000;
        let shown = match &submission.form {
            Some(form) => match form::read(form, &self.policy, &self.ring, request.host, now) {
                Ok(shown) => Some(shown),
                Err(error @ FormError::Forged) => return refuse(StatusCode::FORBIDDEN, &error.to_string()),
                Err(error) => return refuse(StatusCode::CONFLICT, &error.to_string()),
            },
            None if !origin::is_vouched_for(request.headers) => {
                return refuse(StatusCode::FORBIDDEN, &FormError::Forged.to_string());
            }
            None => None,
        };
        let language = shown.as_ref().map_or("en-GB", |shown| &shown.language);
        let circumstances = Circumstances {
            before: request.choice,
            signals: request.signals,
            stamp: request.stamp,
            shown: shown.as_ref(),
            language,
            now_ms: request.now_ms,
        };
        let choice = choose::made(&self.policy, &submission, &circumstances);
        Reply::Record(Box::new(Pending {
            act: choose::act(&self.policy, request.choice, &choice),
            location: self.after_choosing(&submission, request),
            language: language.to_owned(),
            shown: shown.map(|shown| shown.text),
            to_script,
            choice,
        }))
    }

    /// The answer to a choice that is in the ledger: `row` is the hash of its row. What is no longer permitted and was not
    /// set by the gateway itself is for the caller to end, in this very answer (C6).
    pub fn recorded(&self, pending: Pending, row: &[u8; 32], request: &PrivacyRequest<'_>) -> Answer {
        let Pending { mut choice, to_script, location, .. } = pending;
        choice.row.copy_from_slice(&row[..16]);
        let mut response = match to_script {
            true => answer::json(StatusCode::OK, &self.state(Some(&choice), request.signals)),
            false => answer::see_other(&location),
        };
        for line in self.cookie_lines(&choice, request) {
            response.headers_mut().append(SET_COOKIE, line);
        }
        let analytics = |choice: &Choice| self.policy.analytics().is_some_and(|index| choice.granted.contains(index));
        if !analytics(&choice) && request.choice.is_some_and(analytics) {
            // What the browser was asked to tell of itself (Accept-CH) it need not tell any more.
            response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"clientHints\""));
        }
        response = answer::finish(request.method, response);
        Answer { response, chosen: choice }
    }

    /// The answer to a choice that could not be written into the ledger: nothing has changed.
    pub fn not_recorded(&self, pending: &Pending, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let reason = "Your choice could not be recorded, so nothing has changed. Please try again later.";
        let mut response = self.refused(pending.to_script, StatusCode::SERVICE_UNAVAILABLE, reason);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
        answer::finish(request.method, response)
    }

    /// A post that changes nothing, and why.
    fn refused(&self, to_script: bool, status: StatusCode, reason: &str) -> Response<Bytes> {
        match to_script {
            true => answer::json(status, &json!({ "error": reason })),
            false => answer::message(&self.consent.path, status, "Your choice was not saved", reason),
        }
    }

    /// Where a form leads to: back to the page of the banner, or to the confirmation on the preferences page.
    fn after_choosing(&self, submission: &Submission, request: &PrivacyRequest<'_>) -> String {
        let back = origin::way_back(submission.way_back.as_deref(), request.headers, request.host);
        let from_here =
            back.strip_prefix(&self.consent.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let on_page = matches!(submission.source, ChoiceSource::Preferences | ChoiceSource::Withdrawal);
        match on_page || from_here {
            true => self.below("/?saved=1"),
            false => back,
        }
    }

    /// The choice's own cookies (C9) and, where analytics is refused, the end of the cookies that came with it (C6).
    fn cookie_lines(&self, choice: &Choice, request: &PrivacyRequest<'_>) -> Vec<HeaderValue> {
        let asked = cookies::Asked { host: request.host, https: request.https, now_ms: request.now_ms };
        let sent = || request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let mut lines = self.choice_cookie.set(choice, sent, asked, &self.policy, &self.ring);
        lines.extend(ended_with_analytics(&self.policy, choice, request.https));
        lines
    }

    /// The language a visitor of the site's reads who says nothing of it but in the headers.
    pub fn language_of(&self, _headers: &HeaderMap) -> &str {
        "en-GB"
    }

    /// The hash of what is asked, in a language.
    pub fn text_hash(&self, _language: &str) -> [u8; 32] {
        [0; 32]
    }

    /// The banner's version.
    pub fn banner_version(&self) -> &str {
        "1"
    }

    fn below(&self, path: &str) -> String {
        format!("{}{path}", self.consent.path)
    }
}

/// The end of the gateway's own cookies of analytics, where `choice` does not permit it (C6).
pub fn ended_with_analytics(policy: &Policy, choice: &Choice, https: bool) -> Vec<HeaderValue> {
    match policy.analytics().is_some_and(|index| choice.granted.contains(index)) {
        true => Vec::new(),
        false => preferences::ANALYTICS_COOKIES.map(|name| cookies::set(name, String::new(), 0, https)).into(),
    }
}

/// Whether a client asks for JSON and not for a page.
fn wants_json(headers: &HeaderMap) -> bool {
    let names = |what: &str| {
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains(what))
    };
    names("application/json") && !names("text/html")
}

#[cfg(test)]
mod tests;
