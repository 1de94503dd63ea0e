//! `POST /_privacy/calls`: a telephone system hands over calls. Only who has the token is let in, before a byte of the body
//! is read; where none is configured the page does not exist.

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

use super::gateway::{CallsImport, Gateway, Visit};
use super::keep::{self, NotWritten};
use super::own;
use super::page_body::VisitorBody;
use super::turn::RequestBody;
use crate::capture::calls::{self, Format, MAX_BYTES};

/// Answers a request to the import.
pub(super) async fn answer(
    gateway: &Gateway,
    visit: &Visit<'_>,
    calls: &CallsImport,
    body: RequestBody,
) -> Response<VisitorBody> {
    let response = hand_over(gateway, visit, calls, body).await;
    if !response.status().is_success() {
        gateway.site.metrics.call_imports_refused.count();
    }
    response
}

async fn hand_over(
    gateway: &Gateway,
    visit: &Visit<'_>,
    calls: &CallsImport,
    body: RequestBody,
) -> Response<VisitorBody> {
    let headers = &visit.parts.headers;
    match bearer(headers) {
        None => {
            let mut response =
                refused(StatusCode::UNAUTHORIZED, "no-token", "send Authorization: Bearer and the token");
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        Some(presented) if !calls.token.is(presented) => {
            return refused(StatusCode::FORBIDDEN, "wrong-token", "this is not the token of calls_token_file");
        }
        Some(_) => {}
    }
    if visit.parts.method != Method::POST {
        let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "method", "calls are posted");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let Some(format) = format(headers) else {
        let words = "calls are sent as application/json or text/csv";
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type", words);
    };
    let idle = gateway.site.limits.idle_timeout;
    let body = match tokio::time::timeout(idle, Limited::new(body, MAX_BYTES).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "an import holds at most 256 KiB");
        }
        Ok(Err(_)) => return refused(StatusCode::BAD_REQUEST, "broken-off", "the request broke off"),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT, "too-slow", "the request took too long"),
    };
    match calls::parse(&body, format) {
        Ok(records) => import(gateway, visit, calls, &records).await,
        Err(error) => {
            let too_many = error == calls::CallsError::TooMany;
            let status = if too_many { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
            refused(status, error.code(), &error.to_string())
        }
    }
}

/// Keeps what may be kept, and says what became of each call once that is on disk.
async fn import(
    gateway: &Gateway,
    visit: &Visit<'_>,
    calls: &CallsImport,
    records: &[calls::Record],
) -> Response<VisitorBody> {
    let (site, capture, now_ms) = (&gateway.site, &gateway.capture, keep::milliseconds(visit.now));
    let import = capture.calls(records, &site.policy, now_ms);
    let written = keep::all(site, &import.events).await;
    let is_kept = |index: usize| written.as_ref().err().is_none_or(|not| not.kept.get(index) == Some(&true));
    let ids = || import.ids.iter().copied().enumerate();
    ids().filter(|(index, _)| !is_kept(*index)).for_each(|(_, id)| capture.forget_call(id));
    if let Err(error) = calls.known.add(ids().filter(|(index, _)| is_kept(*index)).map(|(_, id)| id), now_ms) {
        tracing::error!(%error, "calls are kept, but would be taken again after a restart: calls-known cannot be written");
    }
    let again = "send the import again: what was kept of it is known";
    match written {
        Ok(()) => {
            site.metrics.calls_accepted.add(import.events.len() as u64);
            site.metrics.calls_refused.add(import.refused.len() as u64);
            site.metrics.calls_repeated.add(import.repeated as u64);
            let refused = |(index, why): &(usize, calls::Refusal)| json!({ "index": index, "reason": why.word() });
            let refused: Vec<Value> = import.refused.iter().map(refused).collect();
            own::json(
                StatusCode::OK,
                &json!({ "accepted": import.events.len(), "refused": refused, "repeated": import.repeated }),
            )
        }
        Err(NotWritten { error: None, .. }) => {
            refused(StatusCode::SERVICE_UNAVAILABLE, "spool-full", &format!("the spool is full; {again}"))
        }
        Err(NotWritten { error: Some(error), .. }) => {
            tracing::error!(%error, "imported calls could not be written");
            refused(StatusCode::SERVICE_UNAVAILABLE, "not-written", &format!("not all could be written; {again}"))
        }
    }
}

fn refused(status: StatusCode, code: &str, words: &str) -> Response<VisitorBody> {
    own::json(status, &json!({ "error": words, "reason": code }))
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); nothing where there are two such headers.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match value.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Format::Json),
        "text/csv" => Some(Format::Csv),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_follows_bearer_once() {
        let headers = |values: &[&'static str]| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            map
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some(&b"abc"[..]));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some(&b"abc"[..]));
        for none in [&[][..], &["Basic abc"], &["Bearer"], &["abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }

    #[test]
    fn calls_come_as_json_or_csv() {
        let format =
            |value: &'static str| format(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]));
        assert_eq!(format("application/json; charset=utf-8"), Some(Format::Json));
        assert_eq!(format("Text/CSV; header=present"), Some(Format::Csv));
        assert_eq!(format("application/x-www-form-urlencoded"), None);
    }
}
