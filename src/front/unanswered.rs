//! What a visitor gets where the site gives no answer: the operator's own page or ours, with the request's id, so that the
//! line in the log can be found, and nothing of what happened.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode, Version};

use super::gateway::Gateway;
use super::own;
use super::page_body::VisitorBody;
use crate::upstream::{REQUEST_ID, RequestId, UpstreamError};

/// The answer; `ours` makes the page where the operator has none for the status.
pub(super) fn page(
    gateway: &Gateway,
    status: StatusCode,
    request_id: &RequestId,
    ours: impl FnOnce() -> Response<VisitorBody>,
) -> Response<VisitorBody> {
    let mut response = match gateway.upstream.error_page(status, request_id) {
        Some(page) => html(page),
        None => ours(),
    };
    *response.status_mut() = status;
    response.headers_mut().insert(REQUEST_ID, request_id.to_value());
    response
}

/// The answer where the request itself is why; `ours` makes the page where the operator has none for the status.
pub(super) fn refused(
    gateway: &Gateway,
    version: Version,
    error: &UpstreamError,
    request_id: &RequestId,
    ours: impl FnOnce() -> Response<VisitorBody>,
) -> Response<VisitorBody> {
    let status = error.status();
    let mut response = page(gateway, status, request_id, ours);
    if status == StatusCode::REQUEST_TIMEOUT {
        gateway.site.metrics.doors.slow_bodies.count();
        // RFC 9110 §15.5.9: nobody waits for the rest of it. Of HTTP/2 the stream alone ends.
        if version < Version::HTTP_2 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response
}

fn html(page: Bytes) -> Response<VisitorBody> {
    let mut response = Response::new(VisitorBody::own(page));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    own::no_store(response.headers_mut());
    response
}
