//! The story of one request.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONNECTION, LINK, LOCATION, RETRY_AFTER, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::upgrade::OnUpgrade;

use super::check::{self, Bounds, Refusal};
use super::client_addr;
use super::conditions;
use super::gateway::{Gateway, Visit};
use super::keep;
use super::manager;
use super::objection;
use super::own;
use super::page_body::VisitorBody;
use super::redirection;
use super::role::{self, Role};
use super::turn::RequestBody;
use super::unanswered;
use super::upgrade::Caller;
use super::watched::{self, Watched};
use crate::consent;
use crate::cookies::{self, Ours};
use crate::observe::trace;
use crate::page::gate::{self, Gate, Key};
use crate::page::{self, ContentType, Inject, Insert, csp};
use crate::privacy::{PageView, VisitorState};
use crate::upstream::{Forward, Overrides, RequestId, Scheme, UpstreamBody, UpstreamError};

/// Answers one request. `hsts` goes into the answer where the site says nothing of the kind.
///
/// All of it is one future, and as small a one as can be: it is made elsewhere and moved to where it stays, as is each one that
/// it awaits. A function that is `async` itself would keep room for what it is given twice.
#[expect(clippy::manual_async_fn, reason = "keeps what it is given once")]
pub fn handle(
    gateway: Rc<Gateway>,
    caller: Rc<Caller>,
    mut request: Request<RequestBody>,
    hsts: Option<HeaderValue>,
) -> impl Future<Output = Result<Response<VisitorBody>, Infallible>> {
    async move {
        let mut watched = Watched::begin(&gateway);
        let mut response = 'answered: {
            let (began, site) = (watched.began(), &*gateway.site);
            let on_upgrade = hyper::upgrade::on(&mut request);
            let (mut parts, body) = request.into_parts();
            trace::tend(&mut parts.headers, site.begin_traces);
            let mut visit = match let_in(&gateway, &caller, &parts, &mut watched) {
                Ok(visit) => visit,
                Err(refused) => break 'answered *refused,
            };
            // Few sites have a consent manager of their own; the others' requests need no room for it.
            let is_new = match &site.import {
                Some(import) => Box::pin(manager::hear(&gateway, import, &mut visit)).await,
                None => false,
            };
            watched.is_known(&gateway, &visit);

            // Ours, or the site's?
            let mut response = match own::path(parts.uri.path(), &site.privacy_path) {
                Some(path) => {
                    watched.is_own(path);
                    own::answer(&gateway, &caller, &visit, path, body).await
                }
                None => match objection::of(&gateway, &visit).map(Box::new) {
                    None => pass_on(&gateway, &caller, &mut visit, body, on_upgrade, &mut watched).await,
                    Some(objection) => {
                        let passed_on = pass_on(&gateway, &caller, &mut visit, body, on_upgrade, &mut watched);
                        let (mut response, lines) =
                            Box::pin(async { tokio::join!(passed_on, objection.write()) }).await;
                        if began.elapsed() < objection::FRESH {
                            keep::set_our_cookies(response.headers_mut(), lines);
                        }
                        response
                    }
                },
            };
            if is_new {
                keep::set_our_cookies(response.headers_mut(), manager::lines(site, &visit));
            }
            if site.decision_header {
                own::say_decision(response.headers_mut(), &visit.decision.explain(&site.policy));
            }
            watched.head(&gateway, &visit, response.status());
            response
        };
        gateway.site.metrics.answered(response.status().as_u16());
        if let Some(hsts) = hsts {
            // The site's own word counts.
            response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(hsts);
        }
        caller.say_farewell(&mut response);
        Ok(response.map(|body| body.watched_by(watched, &caller.turn)))
    }
}

/// Who is calling with one clear request, and what is permitted; or the refusal.
fn let_in<'a>(
    gateway: &'a Gateway,
    caller: &Caller,
    parts: &'a Parts,
    watched: &mut Watched,
) -> Result<Visit<'a>, Box<Response<VisitorBody>>> {
    let site = &*gateway.site;
    let client = client_addr::client(&caller.peer, &parts.headers, &site.trusted_proxies);
    watched.is_called(RequestId::of(&parts.headers, client.through_proxy));
    let bounds = Bounds { head: site.limits.max_head_bytes, body: gateway.upstream.max_request_body() };
    let checked = match caller.turn.is_trailed() {
        true => Err(Refusal::AfterTrailers),
        false => check::check(&parts.method, &parts.uri, parts.version, &parts.headers, bounds),
    };
    let host = match checked {
        Ok(host) => host,
        Err(refusal) => {
            let status = refusal.status();
            watched.refused(gateway, (&parts.method, &parts.uri), &client.ip, status, &watched::word(refusal));
            let mut response = own::problem(status, &refusal.to_string());
            if refusal.ends_connection() && parts.version < Version::HTTP_2 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            return Err(Box::new(response));
        }
    };
    let named = host;
    let host = client_addr::asked_host(&caller.peer, &parts.headers, &site.trusted_proxies).unwrap_or(named);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let asked = cookies::Asked { host, https: client.https, now_ms: keep::milliseconds(now) as u64 };
    let signed = cookies::Signed { ring: &site.ring, remembered: Some(&gateway.choices) };
    let ours = Ours::of(role::cookie_lines(&parts.headers));
    let choice = site.choice_cookie.read(&ours, asked, &site.policy, signed);
    let choice = choice.and_then(|choice| site.as_it_stands(choice, asked.now_ms));
    let signals = role::signals(&parts.headers, site.honour_dnt);
    let decision = consent::decide(&site.policy, choice.clone(), signals, keep::place(gateway, parts, &client));
    Ok(Visit { parts, named, host, client, ours, now, choice, stamp: [0; 6], decision })
}

/// Fetches the site's answer, without what is not permitted in either direction.
#[expect(clippy::manual_async_fn, reason = "keeps what it is given once")]
fn pass_on<'a, 'v: 'a>(
    gateway: &'a Gateway,
    caller: &'a Caller,
    visit: &'a mut Visit<'v>,
    body: RequestBody,
    on_upgrade: OnUpgrade,
    watched: &'a mut Watched,
) -> impl Future<Output = Response<VisitorBody>> + use<'a, 'v> {
    async move {
        let (site, parts, began) = (&*gateway.site, visit.parts, watched.began());
        // The site sees the cookies that are permitted, and for a page is asked for something we can read.
        let role = Role::of(&parts.method, &parts.headers);
        let lines = role::cookie_lines(&parts.headers);
        let cookies = cookies::filter_request(lines, &site.catalogue, visit.decision.permitted);
        site.metrics.cookies_removed_from_requests.add(cookies.removed);
        let request_id = watched.id();
        let forward = Forward {
            client: &visit.client.ip,
            has_share: visit.client.is_one,
            trusted_proxies: &visit.client.proxies,
            by_proxy: visit.client.through_proxy,
            scheme: if visit.client.https { Scheme::Https } else { Scheme::Http },
            host: visit.named.as_bytes(),
            asked_host: visit.host.as_bytes(),
            cookie: cookies.header.as_deref(),
            // A condition of what changes something says that it may.
            overrides: Overrides {
                identity: role.is_page(),
                whole: role.is_page() && role::asks_for_page(&parts.method),
            },
            request_id: &request_id,
            websocket: true,
        };
        watched.asks(role);
        let (role, answer) = match conditions::Asked::of(role, parts, &body) {
            None => (role, gateway.upstream.send(parts, forward, Some(body)).await),
            Some(asked) => Box::pin(asked.send(gateway, parts, forward, visit.host)).await,
        };
        watched.answers();
        visit.look_again(site);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.status().is_client_error() => {
                tracing::debug!(%error, %request_id, "a request could not be passed on");
                // A visitor who went away was not refused.
                if !matches!(error, UpstreamError::RequestBody) {
                    watched.turned_away(gateway, visit, error.status(), &error);
                }
                let problem = || own::problem(error.status(), "The request could not be passed on to the website.");
                return unanswered::refused(gateway, parts.version, &error, &request_id, problem);
            }
            Err(error) => {
                site.metrics.upstream_errors.count();
                // Who was asked has said so otherwise.
                if matches!(error, UpstreamError::HasHalf) {
                    tracing::warn!(%error, %request_id, "the site was not asked");
                }
                if matches!(error, UpstreamError::HasHalf) {
                    watched.turned_away(gateway, visit, error.status(), &error);
                }
                keep::unanswered(gateway, visit, role, began, error.status());
                let message = || own::no_answer(gateway, visit.parts, error.status(), &request_id);
                let mut response = unanswered::page(gateway, error.status(), &request_id, message);
                if let Some(seconds) = error.retry_after() {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                return response;
            }
        };
        let response_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        let (mut head, body) = answer.into_parts();
        let login = keep::login(site, &mut head.headers);
        let removed = cookies::filter_response(&mut head.headers, &site.catalogue, visit.decision.permitted);
        site.metrics.cookies_removed_from_answers.add(removed as u64);
        site.seen.learn(cookies.header.as_deref(), &head, &site.catalogue, parts.uri.path());

        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            if let Some(tunnel) = body.into_tunnel() {
                caller.tunnel_after(on_upgrade, tunnel);
            }
            return Response::from_parts(head, VisitorBody::own(Bytes::new()));
        }

        // What the visitor permits is captured, whatever the answer is of: a page, a file, a way to another page.
        let content_type = ContentType::of(&head.headers);
        let answered = keep::Answered { began, response_ms, login, content_type };
        let kept = keep::exchange(gateway, visit, role, &mut head, answered);
        if leads_elsewhere(&head)
            && let Some(answer) = redirection::withheld(site, visit, role, &mut head)
        {
            return answer.map(|body| body.told_to(kept.delivery));
        }
        // A piece of a page is none, whoever asked for it.
        let role = if role == Role::Document && content_type == ContentType::Piece { Role::Part } else { role };
        if role.is_page() && head.headers.contains_key(LINK) {
            if let Some(gating) = site.tags.gating(visit.decision.permitted) {
                gate::filter_link(&mut head.headers, &gating);
            }
            // Whole, it is not for those who refuse: a shared cache would give it to them.
            page::depends_on_choice(&mut head.headers);
        }
        let is_markup = content_type.markup().is_some();
        if !role.is_page() || !is_markup {
            // Nothing says what it is, so a browser that looks into it may find a page.
            let is_guessed = role.is_page()
                && content_type == ContentType::Guessed
                && !leads_elsewhere(&head)
                && !body.is_end_stream();
            // A page that was not asked for as one goes out as it is; so that nobody gets it as one, no cache that is shared
            // keeps it. The same for word that a page has not changed.
            if is_markup || is_guessed || role.is_page() && head.status == StatusCode::NOT_MODIFIED {
                page::depends_on_choice(&mut head.headers);
            }
            if role == Role::Document && !is_guessed {
                site.plain.learn(visit.host, parts, &head);
            }
            if is_guessed && site.tags.gating(visit.decision.permitted).is_some() {
                csp::hold_to_own_site(&mut head.headers);
            }
            if removed > 0 || head.headers.contains_key(SET_COOKIE) {
                page::sets_cookies(&mut head.headers);
            }
            return Response::from_parts(head, VisitorBody::passed(body).told_to(kept.delivery));
        }
        if role == Role::Document {
            keep::statistics(gateway, visit, head.status);
            // C6: what escaped a withdrawal goes now that it is seen.
            if cookies.removed > 0 && visit.choice.is_ok() {
                let (lines, permitted) = (role::cookie_lines(&parts.headers), visit.decision.permitted);
                for line in cookies::sweep(lines, &site.catalogue, permitted, visit.host, parts.uri.path()) {
                    head.headers.append(SET_COOKIE, line);
                }
            }
        }
        dress(gateway, visit, role, head, body, kept)
    }
}

/// Whether browsers go on to another address without a look at what came. Those of a redirection that names none are shown.
fn leads_elsewhere(head: &http::response::Parts) -> bool {
    matches!(head.status.as_u16(), 301 | 302 | 303 | 307 | 308)
        && head.headers.get(LOCATION).is_some_and(|location| !location.is_empty())
}

/// Puts banner, link and collector into a page, and its third-party tags of purposes that are not permitted to sleep.
fn dress(
    gateway: &Gateway,
    visit: &Visit<'_>,
    role: Role,
    mut head: http::response::Parts,
    body: UpstreamBody,
    kept: keep::Kept,
) -> Response<VisitorBody> {
    let site = &*gateway.site;
    let mut gating = site.tags.gating(visit.decision.permitted);
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
            let key = gating.is_some().then(|| Key::of(gateway.draws.next()));
            gating = gating.zip(key).map(|(gating, key)| gating.with_key(key));
            let terms = csp::admit_all(&mut head.headers, visit.host, &site.privacy_path);
            let twin = visit.choice.as_ref().ok().map(|choice| choice.twin(&site.policy));
            site.pages.snippet(&PageView {
                state: VisitorState::from(&visit.decision),
                twin: twin.as_deref(),
                id: kept.page_view_id,
                key,
                nonce: terms.nonce.as_deref(),
                headers: &visit.parts.headers,
                host: visit.host,
                now: visit.now.as_secs(),
                is_posted: !matches!(visit.parts.method, Method::GET | Method::HEAD),
                asked: keep::banner_shown(gateway, visit, head.status).filter(|_| visit.parts.method != Method::HEAD),
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
    let gate = Gate::new(body, gating, markup).of_named_encoding(page::named_encoding(&head.headers));
    let page = Inject::new(gate, insert, markup);
    Response::from_parts(head, VisitorBody::page(page).told_to(kept.delivery))
}
