//! A choice that was posted: read, then (once the ledger has it) answered. In between stands [`Pending`], which is nothing yet.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::choose::{self, Act, Circumstances};
use super::request::wants_json;
use super::submission::{self, Encoding, Submission};
use super::{Message, Pages, PrivacyRequest, answer, cookie_list, form, origin};
use crate::consent::{Choice, ChoiceSource, Policy, PurposeSet};
use crate::cookies;

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
    /// The purposes it was about.
    pub about: PurposeSet,
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

impl Pages {
    /// Reads what was posted. Nothing is changed by it before [`Pages::recorded`].
    pub(super) fn choose(&self, request: &PrivacyRequest<'_>) -> Reply {
        let encoding = request.headers.get(CONTENT_TYPE).and_then(|value| Encoding::of(value.as_bytes()));
        let to_script = encoding == Some(Encoding::Json) || wants_json(request.headers);
        let refuse = |message: Message, reason: &str, detail| match to_script {
            true => answer::json(message.status(), &json!({ "error": reason })).into(),
            false => self.say(message, request, detail).into(),
        };
        if !origin::is_same_site_post(request.headers, request.host) {
            origin::tell_of_other_host(request.headers);
            let reason =
                "The request came from another website. Open the privacy choices of this one and choose there.";
            return refuse(Message::OtherSite, reason, None);
        }
        let policy = &self.site.policy;
        let submission = match submission::read(encoding, request.body, policy) {
            Ok(submission) => submission,
            Err(error) => {
                let reason = error.to_string();
                return refuse(Message::from(&error), &reason, Some(&reason));
            }
        };
        let form = match &submission.form {
            Some(form) => form::read(form, policy, &self.site.ring, request.host, request.now_ms / 1000).map(Some),
            None if !origin::is_vouched_for(request.headers) => Err(form::FormError::Forged),
            None => Ok(None),
        };
        let shown = match form {
            Ok(shown) => shown,
            Err(error) => return refuse(Message::from(error), &error.to_string(), None),
        };
        let language = match &shown {
            Some(shown) => shown.language.clone(),
            None => self.language(request.query, request.headers).0.code.clone(),
        };
        let circumstances = Circumstances {
            before: request.choice,
            signals: request.signals,
            stamp: request.stamp,
            shown: shown.as_ref(),
            language: &language,
            now_ms: request.now_ms,
        };
        let mut choice = choose::made(policy, &submission, &circumstances);
        choice.text.copy_from_slice(&self.text_hash(&language)[..8]);
        Reply::Record(Box::new(Pending {
            act: choose::act(policy, request.choice, &choice),
            location: self.after_choosing(&submission, request),
            about: shown.as_ref().map_or(policy.all(), |shown| shown.about).without(policy.necessary()),
            language,
            shown: shown.map(|shown| shown.text),
            to_script,
            choice,
        }))
    }

    /// The answer to a choice that is in the ledger: `row` is the hash of its row.
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
        let analytics = self.site.policy.analytics();
        let permits = |choice: &Choice| analytics.is_some_and(|index| choice.granted.contains(index));
        if !permits(&choice) && request.choice.is_some_and(permits) {
            // What the browser was asked to tell of itself (Accept-CH) it need not tell any more.
            response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"clientHints\""));
        }
        Answer { response: answer::finish(request.method, response), chosen: choice }
    }

    /// The answer to a choice that could not be written into the ledger: nothing has changed.
    pub fn not_recorded(&self, pending: &Pending, request: &PrivacyRequest<'_>) -> Response<Bytes> {
        let reason = "Your choice could not be recorded, so nothing has changed. Please try again later.";
        let mut response = match pending.to_script {
            true => answer::json(Message::NotRecorded.status(), &json!({ "error": reason })),
            false => self.say(Message::NotRecorded, request, None),
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("30"));
        answer::finish(request.method, response)
    }

    /// Where a form leads to: back to the page of the banner, or to the confirmation on the preferences page.
    fn after_choosing(&self, submission: &Submission, request: &PrivacyRequest<'_>) -> String {
        let back = origin::way_back(submission.way_back.as_deref(), request.headers, request.host);
        let from_here =
            back.strip_prefix(&self.site.consent.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let on_page = matches!(submission.source, ChoiceSource::Preferences | ChoiceSource::Withdrawal);
        match on_page || from_here {
            true => self.in_language("/?saved=1", request),
            false => back,
        }
    }

    /// The choice's own cookies (C9) and, where analytics is refused, the end of the cookies that came with it (C6).
    fn cookie_lines(&self, choice: &Choice, request: &PrivacyRequest<'_>) -> Vec<HeaderValue> {
        let asked = cookies::Asked { host: request.host, https: request.https, now_ms: request.now_ms };
        let sent = || request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let (policy, ring) = (&self.site.policy, &self.site.ring);
        let mut lines = self.choice_cookie.set(choice, sent, asked, policy, ring);
        lines.extend(ended_with_analytics(policy, choice, request.https));
        lines
    }
}

/// The end of the gateway's own cookies of analytics, where `choice` does not permit it (C6).
pub fn ended_with_analytics(policy: &Policy, choice: &Choice, https: bool) -> Vec<HeaderValue> {
    match policy.analytics().is_some_and(|index| choice.granted.contains(index)) {
        true => Vec::new(),
        false => cookie_list::ANALYTICS_COOKIES.map(|name| cookies::set(name, String::new(), 0, https)).into(),
    }
}
