//! The story of one request.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::check::{self, Bounds};
use super::client_addr;
use super::gateway::{Gateway, Site, Visit};
use super::keep;
use super::own;
use super::page_body::VisitorBody;
use super::role::{self, Role};
use super::upgrade::Caller;
use crate::consent::{self, Choice, choice};
use crate::cookies;
use crate::page::gate::{self, Gate};
use crate::page::{self, Inject, Insert, csp};
use crate::privacy::{Message, PageView, VisitorState};
use crate::upstream::{Forward, Overrides, Scheme, UpstreamBody};

/// Answers one request.
pub async fn handle(
    gateway: Rc<Gateway>,
    caller: Rc<Caller>,
    request: Request<Incoming>,
) -> Result<Response<VisitorBody>, Infallible> {
    let response = answer(&gateway, &caller, request).await;
    gateway.site.metrics.answered(response.status().as_u16());
    Ok(response)
}

async fn answer(gateway: &Gateway, caller: &Caller, mut request: Request<Incoming>) -> Response<VisitorBody> {
    let began = Instant::now();
    let site = &*gateway.site;
    let on_upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();

    // Who is calling, and is it one clear request?
    let bounds = Bounds { head: site.limits.max_head_bytes, body: site.limits.max_body_bytes };
    let host = match check::check(&parts.method, &parts.uri, parts.version, &parts.headers, bounds) {
        Ok(host) => host,
        Err(refusal) => return own::problem(refusal.status(), &refusal.to_string()),
    };
    let client = client_addr::client(caller.peer, &parts.headers, &site.trusted_proxies);

    // What is permitted?
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let choices = cookies::read(role::cookie_lines(&parts.headers), choice::COOKIE.as_bytes());
    let choice = Choice::among(choices, &site.policy, &site.ring, now.as_secs());
    let signals = role::signals(&parts.headers, site.honour_dnt);
    let decision = consent::decide(&site.policy, choice.clone(), signals, keep::mode(gateway, &parts, &client));
    let visit = Visit { parts: &parts, host, client, now, choice, decision };

    // Ours, or the site's?
    if let Some(path) = role::own_path(parts.uri.path(), &site.privacy_path) {
        return own::answer(gateway, &visit, path, body).await;
    }

    // The site sees the cookies that are permitted, and for a page is asked for something we can read.
    let role = Role::of(&parts.method, &parts.headers);
    let lines = role::cookie_lines(&parts.headers);
    let cookies = cookies::filter_request(lines, &site.catalogue, visit.decision.permitted);
    site.metrics.cookies_removed_from_requests.add(cookies.removed);
    let peers = [caller.peer];
    let forward = Forward {
        client: &visit.client.ip,
        trusted_proxies: if visit.client.through_proxy { &peers } else { &[] },
        scheme: if visit.client.https { Scheme::Https } else { Scheme::Http },
        host: host.as_bytes(),
        cookie: cookies.header.as_deref(),
        overrides: Overrides { identity: role.is_page(), whole: role.is_page() },
        websocket: true,
    };
    let answer = match gateway.upstream.send(&parts, forward, Some(body)).await {
        Ok(answer) => answer,
        Err(error) if error.status().is_client_error() => {
            tracing::debug!(%error, "a request could not be passed on");
            return own::problem(error.status(), "The request could not be passed on to the website.");
        }
        Err(error) => {
            site.metrics.upstream_errors.count();
            tracing::warn!(%error, "the site did not answer");
            keep::unanswered(gateway, &visit, role, began, error.status());
            let mut response = own::message(gateway, visit.parts, Message::NoAnswer);
            *response.status_mut() = error.status();
            return response;
        }
    };
    let response_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    let (mut head, body) = answer.into_parts();
    let login = keep::login(site, &mut head.headers);
    let removed = cookies::filter_response(&mut head.headers, &site.catalogue, visit.decision.permitted);
    site.metrics.cookies_removed_from_answers.add(removed as u64);

    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        if let Some(tunnel) = body.into_tunnel() {
            caller.tunnel_after(on_upgrade, tunnel);
        }
        return Response::from_parts(head, VisitorBody::own(Bytes::new()));
    }

    // What the visitor permits is captured, whatever the answer is of: a page, a file, a way to another page.
    let kept = keep::exchange(gateway, &visit, role, &mut head, keep::Answered { began, response_ms, login });
    if !role.is_page() || !role::is_html(&head.headers) {
        // A page that was not asked for as one goes out as it is; so that nobody gets it as one, no cache that is shared
        // keeps it. The same for word that a page has not changed.
        if role::is_html(&head.headers) || role.is_page() && head.status == StatusCode::NOT_MODIFIED {
            page::depends_on_choice(&mut head.headers);
        }
        if removed > 0 || head.headers.contains_key(SET_COOKIE) {
            page::sets_cookies(&mut head.headers);
        }
        return Response::from_parts(head, VisitorBody::passed(body).told_to(kept.delivery));
    }
    if role == Role::Document && role::is_html(&head.headers) {
        keep::statistics(gateway, &visit, head.status);
    }
    dress(site, &visit, role, head, body, kept)
}

/// Puts banner, link and collector into a page, and its third-party tags of purposes that are not permitted to sleep.
fn dress(
    site: &Site,
    visit: &Visit<'_>,
    role: Role,
    mut head: http::response::Parts,
    body: UpstreamBody,
    kept: keep::Kept,
) -> Response<VisitorBody> {
    let gating = site.tags.gating(visit.decision.permitted);
    if let Some(gating) = &gating {
        gate::filter_link(&mut head.headers, gating);
    }
    let Some(markup) = page::eligible(&head) else {
        // We cannot read it, so what it may load is held to the site itself; the page is served.
        page::depends_on_choice(&mut head.headers);
        if gating.is_some() && !page::is_download(&head.headers) {
            csp::hold_to_own_site(&mut head.headers);
        }
        site.metrics.pages_not_injectable.count();
        return Response::from_parts(head, VisitorBody::passed(body).told_to(kept.delivery));
    };
    let insert = match role {
        Role::Document => {
            let terms = csp::admit_all(&mut head.headers, visit.host, &site.privacy_path);
            site.pages.snippet(&PageView {
                state: VisitorState::from(&visit.decision),
                id: kept.page_view_id,
                nonce: terms.nonce.as_deref(),
                headers: &visit.parts.headers,
                host: visit.host,
                now: visit.now.as_secs(),
            })
        }
        _ => Insert::default(),
    };
    site.metrics.pages_injected.count();
    page::prepare_head(&mut head, gating.is_none().then(|| insert.len()));
    if !insert.body_start.is_empty() {
        page::depends_on_language(&mut head.headers);
    }
    if visit.parts.method == Method::HEAD {
        return Response::from_parts(head, VisitorBody::passed(body));
    }
    let page = Inject::new(Gate::new(body, gating, markup), insert, markup);
    Response::from_parts(head, VisitorBody::page(page).told_to(kept.delivery))
}
