//! A choice becomes a fact: first the ledger's row, durable, then the answer that carries the cookie and ends whatever is no
//! longer permitted (C6). Where the ledger cannot be written nothing changes, and the visitor is told so.

use bytes::Bytes;
use http::Response;
use http::header::SET_COOKIE;

use super::gateway::{Gateway, Visit};
use super::role::cookie_lines;
use crate::cookies;
use crate::privacy::{Pending, PrivacyRequest};

/// Records a choice and answers it.
pub(super) async fn record(
    gateway: &Gateway,
    visit: &Visit<'_>,
    pending: Pending,
    request: &PrivacyRequest<'_>,
) -> Response<Bytes> {
    let site = &*gateway.site;
    let answer = site.pages.recorded(pending, &[0; 32], request);
    let mut response = answer.response;
    let permitted = answer.chosen.granted.union(site.policy.necessary());
    for line in cookies::expire(cookie_lines(&visit.parts.headers), &site.catalogue, permitted, visit.host) {
        response.headers_mut().append(SET_COOKIE, line);
    }
    response
}
