//! A choice becomes a fact: first the ledger's row, durable, then the answer that carries the cookie and ends whatever is no
//! longer permitted (C6). Where the ledger cannot be written nothing changes, and the visitor is told so.

use bytes::Bytes;
use http::Response;
use http::header::{LOCATION, SET_COOKIE};

use super::gateway::{Gateway, Visit};
use super::role::{self, cookie_lines};
use crate::consent::{NoChoice, PurposeSet};
use crate::cookies::{self, Withdrawal};
use crate::privacy::{Pending, PrivacyRequest, came_from};

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
    // C6: what is no longer permitted goes in this very answer, whoever set it.
    let pages: Vec<String> = pages_around(gateway, visit, &response);
    let withdrawal = Withdrawal {
        catalogue: &site.catalogue,
        seen: &site.seen,
        permitted: answer.chosen.granted.union(site.policy.necessary()),
        before: before(visit),
        host: visit.host,
        https: visit.client.https,
        pages: &pages.iter().map(String::as_str).collect::<Vec<_>>(),
    };
    for line in cookies::expire(cookie_lines(&visit.parts.headers), &withdrawal) {
        response.headers_mut().append(SET_COOKIE, line);
    }
    response
}

/// The site's pages a choice was made on and leads back to, as far as browser and answer tell.
fn pages_around(gateway: &Gateway, visit: &Visit<'_>, response: &Response<Bytes>) -> Vec<String> {
    let from = came_from(&visit.parts.headers, visit.host);
    let to = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let pages = from.into_iter().chain(to);
    pages.filter(|page| role::own_path(page, &gateway.site.privacy_path).is_none()).map(str::to_owned).collect()
}

/// What was permitted until now, where that is known: a choice that counts no more may have permitted anything.
fn before(visit: &Visit<'_>) -> Option<PurposeSet> {
    matches!(visit.choice, Ok(_) | Err(NoChoice::Missing)).then_some(visit.decision.permitted)
}
