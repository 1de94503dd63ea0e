//! Our own endpoints below the visitors' folder, and our own error pages.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::gateway::{Gateway, Visit};
use super::keep::{self, NotKept};
use super::page_body::VisitorBody;
use super::turn::RequestBody;
use super::upgrade::{Caller, TooLate};
use super::{calls, choice, mail, role};
use crate::capture::beacon::{self, BeaconError};
use crate::privacy::{MAX_BODY, Message, PrivacyRequest, Recording, Reply, is_same_site_post};
use crate::upstream::RequestId;

/// Where support of Global Privacy Control is stated (GPC specification §4).
const GPC: &str = "/.well-known/gpc.json";
/// Since when this program honours the signal, as the specification wants it.
const GPC_SUPPORT: &str = "{\"gpc\":true,\"lastUpdate\":\"2026-11-26\"}\n";

/// When to send again what could not be kept, in seconds: as the collector does.
const LATER: HeaderValue = HeaderValue::from_static("5");

/// What of our own a path names: the part below the visitors' folder, or the one file of ours that has its place elsewhere.
/// Nothing where the request is the site's.
pub(super) fn path<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if path == GPC { Some(path) } else { role::own_path(path, folder) }
}

/// Says in an answer what was decided and why.
pub(super) fn say_decision(headers: &mut HeaderMap, said: &str) {
    // What a shared cache may keep is of nobody, and says nothing of anybody.
    let is_shared =
        headers.get_all(CACHE_CONTROL).iter().any(|line| line.as_bytes().windows(6).any(|w| w == b"public"));
    if let (Ok(said), false) = (HeaderValue::from_str(said), is_shared) {
        headers.insert("consentry-decision", said);
    }
}

/// Answers a request that is ours; `path` is what [`path`] made of it.
pub(super) async fn answer(
    gateway: &Gateway,
    caller: &Caller,
    visit: &Visit<'_>,
    path: &str,
    body: RequestBody,
) -> Response<VisitorBody> {
    match (path, &gateway.site.calls) {
        (GPC, _) => return gpc(&visit.parts.method),
        ("/open.gif", _) if [Method::GET, Method::HEAD].contains(&visit.parts.method) => {
            return mail::answer(gateway, visit);
        }
        ("/calls", Some(import)) => return calls::answer(gateway, visit, import, body).await,
        _ => {}
    }
    let bound = if path == "/events" { beacon::MAX_BYTES } else { MAX_BODY };
    let idle = gateway.site.limits.idle_timeout;
    let body = match caller.within(idle, Limited::new(body, bound + 1).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() && path == "/events" => {
            let words = "a beacon holds at most 16 KiB";
            return refused(gateway, StatusCode::PAYLOAD_TOO_LARGE, "too-large", words);
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return message(gateway, visit.parts, Message::TooLarge);
        }
        Ok(Err(_)) => return message(gateway, visit.parts, Message::BrokeOff),
        Err(TooLate) => {
            gateway.site.metrics.doors.slow_bodies.count();
            return message(gateway, visit.parts, Message::TooSlow);
        }
    };
    if path == "/events" {
        return events(gateway, caller, visit, &body).await;
    }
    let request = PrivacyRequest {
        method: &visit.parts.method,
        path,
        query: visit.parts.uri.query(),
        headers: &visit.parts.headers,
        body: &body,
        host: visit.host,
        https: visit.client.https,
        choice: visit.choice.as_ref().ok(),
        signals: visit.decision.signals,
        stamp: visit.stamp,
        recording: recording(gateway, visit, path),
        now_ms: keep::milliseconds(visit.now).unsigned_abs(),
    };
    let response = match gateway.site.pages.respond(&request) {
        Reply::Answer(response) => response,
        Reply::Record(pending) => choice::record(gateway, visit, *pending, &request).await,
    };
    response.map(VisitorBody::own)
}

/// Under what the visitor's rows are written, for the one page that says so.
fn recording(gateway: &Gateway, visit: &Visit<'_>, path: &str) -> Recording {
    match &visit.decision.analytics {
        Some(permit) if path == "/data" => {
            keep::known(gateway, visit, permit).map_or(Recording::NotYet, Recording::Under)
        }
        _ => Recording::Off,
    }
}

/// That the signal is honoured, for everyone who asks.
fn gpc(method: &Method) -> Response<VisitorBody> {
    let mut response = match *method {
        Method::GET => Response::new(VisitorBody::own(Bytes::from_static(GPC_SUPPORT.as_bytes()))),
        Method::HEAD => Response::new(VisitorBody::own(Bytes::new())),
        _ => {
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "This address can only be asked with GET.");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    response
}

/// `POST /_privacy/events`: 204 when the events are on disk; otherwise why not, as JSON: a code in `reason`, and words.
async fn events(gateway: &Gateway, caller: &Caller, visit: &Visit<'_>, body: &[u8]) -> Response<VisitorBody> {
    if visit.parts.method != Method::POST {
        let mut response = refused(gateway, StatusCode::METHOD_NOT_ALLOWED, "method", "beacons are posted");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let refuse = |status, code, words: &str| refused(gateway, status, code, words);
    if !is_same_site_post(&visit.parts.headers, visit.host) {
        return refuse(StatusCode::FORBIDDEN, "other-site", "beacons come from the site's own pages");
    }
    let Some(permit) = &visit.decision.analytics else {
        let why = visit.decision.reason.word();
        return refuse(StatusCode::FORBIDDEN, "not-permitted", &format!("analytics is not permitted ({why})"));
    };
    let now_ms = i64::try_from(visit.now.as_millis()).unwrap_or(i64::MAX);
    if let Err(seconds) = gateway.capture.pace().take(visit.client.ip.bucket(), now_ms) {
        let words = "more beacons come from this address than are taken";
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, "too-fast", words);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        return response;
    }
    // What was withdrawn while the body came is withdrawn for it too (C6).
    if visit.choice.as_ref().is_ok_and(|choice| gateway.site.replaced.contains(choice.receipt)) {
        return refuse(StatusCode::FORBIDDEN, "not-permitted", "analytics is not permitted (replaced-choice)");
    }
    let not_a_beacon = |error: BeaconError| refuse(StatusCode::BAD_REQUEST, error.code(), &error.to_string());
    let events = match beacon::parse(body) {
        Ok(events) => events,
        Err(error) => return not_a_beacon(error),
    };
    match keep::beacon(gateway, caller, visit, permit, &events).await {
        Ok(cookies) => {
            gateway.site.metrics.beacons_accepted.count();
            let mut response = Response::new(VisitorBody::own(Bytes::new()));
            *response.status_mut() = StatusCode::NO_CONTENT;
            no_store(response.headers_mut());
            keep::set_cookies(response.headers_mut(), cookies.into_iter().flatten());
            response
        }
        Err(NotKept::NotABeacon(error)) => not_a_beacon(error),
        Err(NotKept::Refused(error)) => refuse(StatusCode::SERVICE_UNAVAILABLE, "spool-full", &error.to_string()),
        Err(NotKept::NotWritten(error)) => {
            tracing::error!(%error, "a beacon's events could not be written");
            let words = "the events could not be written; send them again";
            refuse(StatusCode::SERVICE_UNAVAILABLE, "not-written", words)
        }
    }
}

fn refused(gateway: &Gateway, status: StatusCode, code: &str, words: &str) -> Response<VisitorBody> {
    gateway.site.metrics.beacons_refused.count();
    json(status, &serde_json::json!({ "error": words, "reason": code }))
}

/// What happened, in the visitor's language.
pub(super) fn message(gateway: &Gateway, parts: &Parts, message: Message) -> Response<VisitorBody> {
    gateway.site.pages.message(message, &parts.headers, None).map(VisitorBody::own)
}

/// The page for a visitor whom the site does not answer, with the request's id to be quoted: it leads to the line in the log.
pub(super) fn no_answer(gateway: &Gateway, parts: &Parts, status: StatusCode, id: &RequestId) -> Response<VisitorBody> {
    let reference = format!("{} \u{b7} {id}", status.as_u16());
    gateway.site.pages.message(Message::NoAnswer, &parts.headers, Some(&reference)).map(VisitorBody::own)
}

/// An error page for whoever sent what no browser sends: what happened, in plain words, and nothing of how.
pub(super) fn problem(status: StatusCode, text: &str) -> Response<VisitorBody> {
    let title = status.canonical_reason().unwrap_or("Error");
    let html = format!(
        "<!doctype html><html lang=\"en-GB\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>\n"
    );
    let mut response = Response::new(VisitorBody::own(Bytes::from(html)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    no_store(response.headers_mut());
    response
}

pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response<VisitorBody> {
    let mut response = Response::new(VisitorBody::own(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, LATER);
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    no_store(response.headers_mut());
    response
}

pub(super) fn no_store(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
