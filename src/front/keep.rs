//! From a permitted request to events in the spool, and the visit's cookies to the visitor. A page waits for none of it: where
//! the spool is full the event is refused and counted, and the page goes out as ever. A beacon's 204 waits until its
//! events survive the death of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_DISPOSITION, LOCATION, SET_COOKIE, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::client_addr::Client;
use super::delivery::Delivery;
use super::gateway::{Gateway, Site, Visit};
use super::role::Role;
use super::upgrade::Caller;
use crate::asked::Asked;
use crate::capture::beacon::{BeaconError, BeaconEvent};
use crate::capture::event::Event;
use crate::capture::{self, Answer, Captured, Exchange, Known};
use crate::consent::{self, Analytics, Mode, Permit, PurposeSet};
use crate::enrich::ClientHints;
use crate::enrich::hints::ACCEPT_CH;
use crate::page::{self, ContentType};
use crate::pseudonym::{RawLogin, RawUserAgent, VisitorId};
use crate::spool::{Acknowledgement, Partition, Refused, SpoolError};
use crate::statistics::View;

/// What the front door learnt of an answer before its body.
pub(super) struct Answered {
    /// When the request came.
    pub began: Instant,
    /// Milliseconds to the answer's first byte.
    pub response_ms: u32,
    /// Who is logged in.
    pub login: Option<RawLogin>,
    /// What a browser may take it for.
    pub content_type: ContentType,
}

/// What was kept of an exchange.
#[derive(Default)]
pub(super) struct Kept {
    /// The page view it is.
    pub page_view_id: Option<u64>,
    /// To be told how the body went.
    pub delivery: Option<Box<Delivery>>,
}

/// Takes the site's word on who is logged in out of its answer; it is for us and never for the visitor.
pub(super) fn login(site: &Site, headers: &mut HeaderMap) -> Option<RawLogin> {
    let name = site.login_header.as_ref()?;
    let login = headers.remove(name)?;
    RawLogin::new(login.as_bytes())
}

/// Keeps what an exchange was where the visitor permits it: a page view, a redirect, or a file.
pub(super) fn exchange(
    gateway: &Gateway,
    visit: &Visit<'_>,
    role: Role,
    head: &mut http::response::Parts,
    answered: Answered,
) -> Kept {
    let Some(permit) = &visit.decision.analytics else { return Kept::default() };
    let status = head.status;
    let Answered { began, response_ms, login, content_type } = answered;
    let location = status.is_redirection().then(|| head.headers.get(LOCATION).cloned()).flatten();
    let location = location.as_ref().and_then(|location| location.to_str().ok());
    let answer = Answer { status, response_ms, login, location };
    let is_navigation = role == Role::Document && is_way_to_page(visit);
    let captured = |captured: Option<Captured>, headers: &mut HeaderMap| {
        let Captured { mut events, set_cookies, .. } = captured?;
        self::set_cookies(headers, set_cookies.into_iter().flatten());
        events.pop()
    };
    let (event, is_page) = if is_navigation && status.is_redirection() {
        let redirect = location.is_some();
        let made = |exchange: &Exchange<'_>| gateway.capture.redirect(permit, exchange, answer);
        let made = if redirect { with_exchange(visit, permit, true, made) } else { None };
        (captured(made, &mut head.headers), false)
    } else if is_navigation && content_type.is_page() && !page::is_download(&head.headers) && !status.is_informational()
    {
        let made = |exchange: &Exchange<'_>| gateway.capture.page_view(permit, exchange, answer);
        head.headers.append(HeaderName::from_static("accept-ch"), HeaderValue::from_static(ACCEPT_CH));
        (captured(with_exchange(visit, permit, true, made), &mut head.headers), true)
    } else if let Some(kind) = transfer_kind(gateway, visit, head) {
        let made = |exchange: &Exchange<'_>| gateway.capture.transfer(permit, exchange, answer, kind);
        (with_exchange(visit, permit, is_way_to_page(visit), made), false)
    } else {
        (None, false)
    };
    let Some(event) = event else { return Kept::default() };
    Kept {
        page_view_id: is_page.then(|| event.page_view_id()),
        delivery: Some(Delivery::of(event, Arc::clone(&gateway.site), began)),
    }
}

/// What kind of file an exchange delivers that is worth a row: one to be saved, or one that a page did not get.
fn transfer_kind(gateway: &Gateway, visit: &Visit<'_>, head: &http::response::Parts) -> Option<&'static str> {
    let is_download = (head.headers.contains_key(CONTENT_DISPOSITION) && page::is_download(&head.headers))
        || gateway.site.is_download(visit.parts.uri.path());
    let kind = match is_download {
        true => "download",
        false if head.status.as_u16() >= 400 => "resource",
        false => return None,
    };
    let asked = visit.parts.method == Method::GET && !capture::is_ahead(&visit.parts.headers);
    (asked && !head.status.is_redirection()).then_some(kind)
}

/// Keeps that a page a visitor asked for did not come at all.
pub(super) fn unanswered(gateway: &Gateway, visit: &Visit<'_>, role: Role, began: Instant, status: StatusCode) {
    let Some(permit) = &visit.decision.analytics else { return };
    if role != Role::Document || !is_way_to_page(visit) {
        return;
    }
    let response_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    let answer = Answer { status, response_ms, login: None, location: None };
    let made = |exchange: &Exchange<'_>| gateway.capture.transfer(permit, exchange, answer, "page");
    if let Some(event) = with_exchange(visit, permit, true, made) {
        Delivery::of(event, Arc::clone(&gateway.site), began).broken();
    }
}

/// Not all events could be written.
pub(super) struct NotWritten {
    /// Which were all the same.
    pub kept: Vec<bool>,
    /// What went wrong; nothing where the spool is full.
    pub error: Option<SpoolError>,
}

/// Keeps events of any times; when it returns they are on disk, as far as `write` goes.
pub(super) async fn all(site: &Site, events: &[Event]) -> Result<(), NotWritten> {
    let append = |event: &Event| site.spool.append_acknowledged(partition(event), |out| event.encode(out)).ok();
    let waiting: Vec<_> = events.iter().map_while(append).collect();
    site.metrics.events_refused.add((events.len() - waiting.len()) as u64);
    let (mut kept, mut error) = (vec![false; events.len()], None);
    for (kept, written) in kept.iter_mut().zip(waiting) {
        match written.await {
            Ok(()) => *kept = true,
            Err(failed) => error = Some(failed),
        }
    }
    let written = kept.iter().filter(|kept| **kept).count();
    site.metrics.events_captured.add(written as u64);
    if written == events.len() { Ok(()) } else { Err(NotWritten { kept, error }) }
}

/// Where a request is, as far as the decision needs it.
pub(super) fn place(gateway: &Gateway, parts: &Parts, client: &Client) -> consent::Place {
    let needs = PurposeSet::of(gateway.shared.path_classes.needs(parts.uri.path()));
    consent::Place { mode: mode(gateway, parts, client), needs }
}

/// The legal mode where the visitor is (C10). The address is looked up only where that can make a difference: for a page,
/// which alone is counted, and where a mode other than opt-in is configured.
fn mode(gateway: &Gateway, parts: &Parts, client: &Client) -> Mode {
    let modes = &gateway.site.modes;
    match modes.differ() && Role::of(&parts.method, &parts.headers) == Role::Document {
        true => modes.at(&gateway.shared.places.lookup(&client.ip).country),
        false => Mode::OptIn,
    }
}

/// Counts the page view an exchange was, where it may be counted without a row of its own.
pub(super) fn statistics(gateway: &Gateway, visit: &Visit<'_>, status: StatusCode) {
    let (Some(permit), Some(counting)) = (&visit.decision.statistics, &gateway.counting) else { return };
    if !capture::is_page_view(&visit.parts.method, &visit.parts.headers, status) {
        return;
    }
    let view = View {
        now: visit.now.as_secs(),
        host: host_name(visit.host),
        target: visit.parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        headers: &visit.parts.headers,
        client: &visit.client.ip,
        status,
    };
    if counting.view(permit, &gateway.shared.places, &gateway.shared.path_classes, &view) {
        gateway.site.metrics.statistics.counted.count();
    }
}

/// Who counts that a page goes out with the banner on it: nobody where a program asks for it, or it is fetched before anyone
/// looks.
pub(super) fn banner_shown(gateway: &Gateway, visit: &Visit<'_>, status: StatusCode) -> Option<Arc<Asked>> {
    let headers = &visit.parts.headers;
    if !visit.decision.asks() || !capture::is_page_view(&visit.parts.method, headers, status) {
        return None;
    }
    (!is_bot(gateway, headers)).then(|| Arc::clone(&gateway.site.asked))
}

/// Whether the agent a request names is a program.
pub(super) fn is_bot(gateway: &Gateway, headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = RawUserAgent::new(headers.get(USER_AGENT).map_or(&[][..], |value| value.as_bytes()));
    gateway.agents.borrow_mut().get(&agent, &ClientHints::read(text)).is_bot()
}

/// Why a beacon's events are not kept.
pub(super) enum NotKept {
    /// One of them may not be.
    NotABeacon(BeaconError),
    /// The spool refuses them; those that were kept before are known when they come again.
    Refused(Refused),
    /// They could not be written.
    NotWritten(SpoolError),
}

/// How long a beacon waits for the disk before it is answered that its events are not kept, as far as is known.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// Events of a beacon that are being written. Whoever sent them may be gone before that is over, or be told to send them again:
/// what could not be written must be known no more when they come again, and only that.
struct Waiting {
    acknowledgements: Vec<Acknowledgement>,
    ids: Vec<Option<(VisitorId, u64)>>,
    shared: Arc<capture::Shared>,
}

impl Waiting {
    /// Waits for all that is left, and forgets all of them where anything failed.
    async fn settle(&mut self) -> Result<(), SpoolError> {
        while let Some(acknowledgement) = self.acknowledgements.last_mut() {
            let written = acknowledgement.await;
            self.acknowledgements.pop();
            if let Err(error) = written {
                self.forget_from(0);
                return Err(error);
            }
        }
        Ok(())
    }

    fn forget_from(&mut self, from: usize) {
        self.ids
            .drain(from.min(self.ids.len())..)
            .flatten()
            .for_each(|(visitor, id)| self.shared.repeats.forget(visitor, id));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.acknowledgements.is_empty() {
            return;
        }
        let mut left = Waiting {
            acknowledgements: std::mem::take(&mut self.acknowledgements),
            ids: std::mem::take(&mut self.ids),
            shared: Arc::clone(&self.shared),
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Whoever asked is answered; it is only about what is known.
                let _ = left.settle().await;
            });
        }
    }
}

/// Keeps a beacon's events; when it returns they are as durable as they are to be. Gives the visit's cookies, where they are to
/// be set anew.
pub(super) async fn beacon(
    gateway: &Gateway,
    caller: &Caller,
    visit: &Visit<'_>,
    permit: &Permit<Analytics>,
    events: &[BeaconEvent<'_>],
) -> Result<Option<[HeaderValue; 2]>, NotKept> {
    let captured = with_exchange(visit, permit, false, |exchange| gateway.capture.beacon(permit, exchange, events));
    let sent = events.len();
    let Captured { events, ids, set_cookies } = captured.map_err(NotKept::NotABeacon)?;
    let metrics = &gateway.site.metrics;
    let mut waiting = Waiting { acknowledgements: Vec::new(), ids, shared: Arc::clone(&gateway.shared) };
    for (index, event) in events.iter().enumerate() {
        match gateway.site.spool.append_acknowledged(partition(event), |out| event.encode(out)) {
            Ok(acknowledgement) => waiting.acknowledgements.push(acknowledgement),
            Err(refused) => {
                metrics.events_refused.add((events.len() - index) as u64);
                waiting.forget_from(index);
                return Err(NotKept::Refused(refused));
            }
        }
    }
    // What was left out may be a repeat of what is just being written, and is answered for like it.
    let repeats = events.len() < sent;
    let written = async {
        waiting.settle().await?;
        if repeats { gateway.site.spool.written().await } else { Ok(()) }
    };
    let written = caller.within(DISK_PATIENCE, written).await;
    written.unwrap_or(Err(SpoolError::NotWritten(std::io::ErrorKind::TimedOut))).map_err(NotKept::NotWritten)?;
    metrics.events_captured.add(events.len() as u64);
    Ok(set_cookies)
}

/// Adds cookies to an answer.
pub(super) fn set_cookies(headers: &mut HeaderMap, cookies: impl IntoIterator<Item = HeaderValue>) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

/// Adds cookies to an answer that no cache may keep for others then.
pub(super) fn set_our_cookies(headers: &mut HeaderMap, cookies: Vec<HeaderValue>) {
    if !cookies.is_empty() {
        set_cookies(headers, cookies);
        page::sets_cookies(headers);
    }
}

/// Who the visitor's cookies say it is.
pub(super) fn known(gateway: &Gateway, visit: &Visit<'_>, permit: &Permit<Analytics>) -> Option<Known> {
    gateway.capture.known(permit, visit.ours.visitor, visit.ours.visit, milliseconds(visit.now))
}

fn partition(event: &Event) -> Partition {
    Partition::of(event.ts(), event.retention_days())
}

fn is_way_to_page(visit: &Visit<'_>) -> bool {
    capture::is_navigation(&visit.parts.method, &visit.parts.headers)
}

fn with_exchange<T>(
    visit: &Visit<'_>,
    _permit: &Permit<Analytics>,
    is_page: bool,
    make: impl FnOnce(&Exchange<'_>) -> T,
) -> T {
    make(&Exchange {
        now_ms: milliseconds(visit.now),
        host: host_name(visit.host),
        https: visit.client.https,
        target: visit.parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        headers: &visit.parts.headers,
        client: &visit.client.ip,
        direct: !visit.client.through_proxy,
        is_page,
        http_1_0: visit.parts.version == http::Version::HTTP_10,
        visitor_cookie: visit.ours.visitor,
        visit_cookie: visit.ours.visit,
    })
}

pub(super) fn milliseconds(since_1970: Duration) -> i64 {
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// A checked host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
