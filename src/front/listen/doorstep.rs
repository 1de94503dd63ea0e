//! What is settled before a request comes in: a challenge of an authority, the way to TLS, the pace of an address. What comes
//! in goes to [`handle`](crate::front::handle); its answer may be told on the way out to come by TLS alone.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};

use super::misdirected;
use super::work::Room;
use crate::front::check::{self, Bounds};
use crate::front::client_addr::{self, Client};
use crate::front::handle::handle;
use crate::front::own;
use crate::front::page_body::VisitorBody;
use crate::front::turn::RequestBody;
use crate::front::upgrade::Caller;
use crate::front::watched::Watched;
use crate::upstream::RequestId;

/// An answer on its way: on the heap, where it takes no room of a connection that waits and is moved once.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response<VisitorBody>, Infallible>>>>;

/// Answers one request, of either version.
pub(super) fn answer(room: &Room, caller: &Rc<Caller>, mut request: Request<RequestBody>) -> Answering {
    if request.version() == Version::HTTP_2 {
        join_crumbs(request.headers_mut());
    }
    let settled = settled(room, caller, &request).or_else(|| misdirected::answer(room, caller, &request));
    if let Some((response, watched)) = settled {
        room.shared.metrics.answered(response.status().as_u16());
        let mut response = response.map(|body| body.watched_by(watched, &caller.turn));
        caller.say_farewell(&mut response);
        return Box::pin(ready(Ok(response)));
    }
    let hsts = room.shared.hsts.clone().filter(|_| caller.peer.https);
    Box::pin(handle(room.gateway.clone(), caller.clone(), request, hsts))
}

/// RFC 9113 §8.2.3: a visitor may send each cookie in a line of its own; everybody else expects one line.
fn join_crumbs(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    // Of right values, so it is one.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn settled(room: &Room, caller: &Caller, request: &Request<RequestBody>) -> Option<(Response<VisitorBody>, Watched)> {
    let (shared, gateway) = (&*room.shared, &*room.gateway);
    if !shared.settles() {
        return None;
    }
    let (asked, path) = ((request.method(), request.uri()), request.uri().path());
    let watched = |client: &Client, host: &str, status, refused: Option<&str>| {
        let mut watched = Watched::begin(gateway);
        watched.is_called(RequestId::of(request.headers(), client.through_proxy));
        match refused {
            Some(reason) => watched.refused(gateway, asked, &client.ip, status, reason),
            None => watched.is_settled(gateway, asked, host, status),
        }
        watched
    };
    let client = client_addr::client(&caller.peer, request.headers(), &gateway.site().trusted_proxies);
    if let Some(content) = shared.challenges.file(path).filter(|_| request.method() == Method::GET) {
        let mut response = Response::new(VisitorBody::own(Bytes::from(content)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        own::no_store(response.headers_mut());
        let watched = watched(&client, "", StatusCode::OK, None);
        return Some((response, watched));
    }
    let site = gateway.site();
    if let Some(pace) = &shared.pace {
        // C6: a withdrawal is always taken.
        let is_choice = *request.method() == Method::POST
            && path.strip_prefix(&*site.privacy_path).is_some_and(|rest| rest == "/consent");
        // What comes from a listed proxy and for nobody else is its own, such as its health checks.
        let is_proxys = client.through_proxy && !client.is_one;
        let may_wait = !is_choice && !is_proxys;
        if let (true, Err(seconds)) = (may_wait, pace.take(client.ip.bucket(), Instant::now())) {
            shared.metrics.doors.requests_paced.count();
            let mut response =
                own::problem(StatusCode::TOO_MANY_REQUESTS, "More was asked for than is answered at once.");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            let watched = watched(&client, "", response.status(), Some("too-many"));
            return Some((response, watched));
        }
    }
    let port = shared.redirect.filter(|_| !client.https)?;
    let bounds = Bounds { head: site.limits.max_head_bytes, body: u64::MAX };
    // What is no clear request is refused by `handle`.
    let host = check::check(request.method(), request.uri(), request.version(), request.headers(), bounds).ok()?;
    let mut response = own::problem(StatusCode::PERMANENT_REDIRECT, "This website is reached by https alone.");
    response.headers_mut().insert(LOCATION, secure(host, request.uri(), port)?);
    let watched = watched(&client, host, response.status(), None);
    Some((response, watched))
}

/// The same address with TLS.
fn secure(host: &str, target: &Uri, port: u16) -> Option<HeaderValue> {
    let end = match host.strip_prefix('[') {
        Some(_) => host.find(']')? + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let name = host.get(..end)?;
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = target.path_and_query().map(|path| path.as_str()).filter(|path| path.starts_with('/')).unwrap_or("/");
    HeaderValue::from_str(&format!("https://{name}{port}{path}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_tls_keeps_host_path_and_query() {
        let to = |host: &str, target: &str, port: u16| {
            let secure = secure(host, &target.parse().unwrap(), port).unwrap();
            secure.to_str().unwrap().to_owned()
        };
        assert_eq!(to("a.example", "/x?y=1", 443), "https://a.example/x?y=1");
        assert_eq!(to("a.example:8080", "/x", 8443), "https://a.example:8443/x");
        assert_eq!(to("[::1]:8080", "/", 443), "https://[::1]/");
        assert_eq!(to("a.example", "*", 443), "https://a.example/");
        assert_eq!(to("a.example", "http://a.example//evil.example", 443), "https://a.example//evil.example");
    }

    #[test]
    fn crumbs_of_cookies_become_one_line() {
        let mut headers = HeaderMap::new();
        join_crumbs(&mut headers);
        assert!(headers.is_empty());
        for crumb in ["a=1", "b=2; c=3", "d=4"] {
            headers.append(COOKIE, HeaderValue::from_static(crumb));
        }
        join_crumbs(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3; d=4"]);
    }
}
