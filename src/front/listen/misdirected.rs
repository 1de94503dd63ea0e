//! A request that another certificate would have answered for: 421, whereupon the visitor opens a connection for its host
//! (RFC 9110 §15.5.20).

use http::header::HOST;
use http::{Request, Response, StatusCode};

use super::work::Room;
use crate::front::client_addr;
use crate::front::own;
use crate::front::page_body::VisitorBody;
use crate::front::turn::RequestBody;
use crate::front::unanswered;
use crate::front::upgrade::Caller;
use crate::front::watched::Watched;
use crate::upstream::RequestId;

/// The answer to such a request; nothing to any other. Costs one comparison where certificates are chosen by name.
pub(super) fn answer(
    room: &Room,
    caller: &Caller,
    request: &Request<RequestBody>,
) -> Option<(Response<VisitorBody>, Watched)> {
    let opened = caller.opened.as_ref()?;
    // What names two hosts or none is refused by `check`.
    let host = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    if !opened.is_misdirected(host) {
        return None;
    }
    let (gateway, status) = (&*room.gateway, StatusCode::MISDIRECTED_REQUEST);
    room.shared.metrics.doors.misdirected.count();
    let client = client_addr::client(&caller.peer, request.headers(), &gateway.site().trusted_proxies);
    let mut watched = Watched::begin(gateway);
    watched.is_called(RequestId::of(request.headers(), client.through_proxy));
    watched.refused(gateway, (request.method(), request.uri()), &client.ip, status, "misdirected");
    let words = "This connection was opened for another website. Please try again.";
    let id = watched.id();
    let response = unanswered::page(gateway, status, &id, || own::problem(status, words));
    Some((response, watched))
}
