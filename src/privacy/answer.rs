//! Answers: the headers that go with each kind, so that none is forgotten.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Response, StatusCode};

/// Nothing but our own style sheet and our own forms; no script at all.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page of ours.
pub(super) fn html(status: StatusCode, page: Bytes) -> Response<Bytes> {
    let mut response = personal(status, page, "text/html; charset=utf-8");
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// A value for scripts.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    personal(status, value.to_string().into(), "application/json")
}

/// A table to keep, under this name.
pub(super) fn csv(status: StatusCode, table: String, name: &str) -> Response<Bytes> {
    let mut response = personal(status, table.into(), "text/csv; charset=utf-8; header=present");
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

/// What was posted is done; the browser goes on to `location` with a GET.
pub(super) fn see_other(location: &str) -> Response<Bytes> {
    let mut response = personal(StatusCode::SEE_OTHER, Bytes::new(), "text/plain; charset=utf-8");
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The method does not go with the path (RFC 9110 §15.5.6); `page` says so.
pub(super) fn method_not_allowed(mut page: Response<Bytes>, allow: &'static str) -> Response<Bytes> {
    page.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    page
}

/// The last touch to every answer: its length, and no body for HEAD (RFC 9110 §9.3.2).
pub(super) fn finish(method: &Method, mut response: Response<Bytes>) -> Response<Bytes> {
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    // RFC 9110 §8.6: a length in a 304 would be that of the 200.
    if response.status() != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    if method == Method::HEAD {
        *response.body_mut() = Bytes::new();
    }
    response
}

/// One visitor's own answer: no cache keeps it (K7).
fn personal(status: StatusCode, body: Bytes, content_type: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie, Accept, Accept-Language, Content-Type"));
    response
}
