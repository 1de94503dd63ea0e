//! Pages with one message: what happened and what can be done, in the visitor's language, and nothing of how.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::answer;
use super::form::FormError;
use super::frame::Frame;
use super::language::Language;
use super::snippet::rendered;
use super::submission::SubmissionError;
use super::words::Words;
use crate::config::Consent;

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// There is no such page of ours: 404.
    NotFound,
    /// A choice came from another website: 403.
    OtherSite,
    /// More was sent than is read: 413.
    TooLarge,
    /// A choice is neither a form nor JSON: 415.
    WrongType,
    /// A choice could not be read: 400.
    NotUnderstood,
    /// Something else is asked now than was answered: 409.
    AskedChanged,
    /// The form lay open for too long: 409.
    TooOld,
    /// The form is none of ours: 403.
    NotOurs,
    /// The ledger cannot be written, so the choice does not count (P1): 503.
    NotRecorded,
    /// The address does not take this method: 405.
    NotPossible,
    /// There is no choice yet, so there is no receipt: 404.
    NoReceipt,
    /// The request did not come to its end in time: 408.
    TooSlow,
    /// The request broke off: 400.
    BrokeOff,
    /// The site behind the gateway gives no answer: 502.
    NoAnswer,
}

impl Message {
    /// The status that goes with it.
    pub fn status(self) -> StatusCode {
        match self {
            Message::NotFound | Message::NoReceipt => StatusCode::NOT_FOUND,
            Message::OtherSite | Message::NotOurs => StatusCode::FORBIDDEN,
            Message::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Message::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Message::NotUnderstood | Message::BrokeOff => StatusCode::BAD_REQUEST,
            Message::AskedChanged | Message::TooOld => StatusCode::CONFLICT,
            Message::NotRecorded => StatusCode::SERVICE_UNAVAILABLE,
            Message::NotPossible => StatusCode::METHOD_NOT_ALLOWED,
            Message::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Message::NoAnswer => StatusCode::BAD_GATEWAY,
        }
    }

    /// Its heading and what it says.
    fn words(self, words: &Words) -> (&str, &str) {
        match self {
            Message::NotFound => (&words.not_found_title, &words.not_found),
            Message::OtherSite => (&words.not_saved_title, &words.other_site),
            Message::TooLarge => (&words.failed_title, &words.too_large),
            Message::WrongType | Message::NotUnderstood => (&words.not_saved_title, &words.not_understood),
            Message::AskedChanged => (&words.not_saved_title, &words.asked_changed),
            Message::TooOld => (&words.not_saved_title, &words.too_old),
            Message::NotOurs => (&words.not_saved_title, &words.not_ours),
            Message::NotRecorded => (&words.not_saved_title, &words.not_recorded),
            Message::NotPossible => (&words.not_possible_title, &words.not_possible),
            Message::NoReceipt => (&words.receipt_none_title, &words.receipt_none),
            Message::TooSlow => (&words.failed_title, &words.too_slow),
            Message::BrokeOff => (&words.failed_title, &words.broke_off),
            Message::NoAnswer => (&words.failed_title, &words.no_answer),
        }
    }
}

impl From<&SubmissionError> for Message {
    fn from(error: &SubmissionError) -> Message {
        match error {
            SubmissionError::TooLong(_) => Message::TooLarge,
            SubmissionError::Type => Message::WrongType,
            _ => Message::NotUnderstood,
        }
    }
}

impl From<FormError> for Message {
    fn from(error: FormError) -> Message {
        match error {
            FormError::Forged => Message::NotOurs,
            FormError::Old => Message::TooOld,
            FormError::OtherPolicy => Message::AskedChanged,
        }
    }
}

#[derive(Template)]
#[template(path = "message.html", config = "static/privacy/askama.toml")]
struct Page<'a> {
    frame: Frame<'a>,
    w: &'a Words,
    title: &'a str,
    text: &'a str,
    detail: Option<&'a str>,
}

/// The page. `detail` is for whoever wrote what was sent, in English, or something to be quoted.
pub(super) fn page(
    message: Message,
    consent: &Consent,
    (language, asked): (&Language, bool),
    detail: Option<&str>,
) -> Response<Bytes> {
    let (title, text) = message.words(&language.words);
    let frame = Frame::new(consent, language, asked);
    answer::html(message.status(), rendered(&Page { frame, w: &language.words, title, text, detail }))
}
