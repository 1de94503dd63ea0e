//! From a permitted request to events in the spool, and the visit's cookies to the visitor. A page waits for none of it: where
//! the spool is full the event is refused and counted, and the page goes out as ever. A beacon's 204 waits until its
//! events survive the death of the process.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::client_addr::Client;
use super::gateway::{Gateway, Visit};
use super::role::{Role, cookie_lines};
use crate::capture::beacon::BeaconEvent;
use crate::capture::event::Event;
use crate::capture::{self, Exchange};
use crate::consent::{Analytics, Mode, Permit};
use crate::cookies;
use crate::spool::{Partition, Refused, SpoolError};
use crate::statistics::View;

/// Keeps the page view an exchange was, where the visitor permits it.
pub(super) fn page_view(gateway: &Gateway, visit: &Visit<'_>, head: &mut http::response::Parts, response_ms: u32) {
    let Some(permit) = &visit.decision.analytics else { return };
    if !capture::is_page_view(&visit.parts.method, &visit.parts.headers, head.status) {
        return;
    }
    let captured = with_exchange(gateway, visit, permit, |exchange| {
        gateway.capture.page_view(permit, exchange, head.status, response_ms)
    });
    let Some(captured) = captured else { return };
    let metrics = &gateway.site.metrics;
    for event in &captured.events {
        match gateway.site.spool.append(partition(event), |out| event.encode(out)) {
            Ok(()) => metrics.events_captured.count(),
            Err(_) => metrics.events_refused.count(),
        }
    }
    set_cookies(&mut head.headers, captured.set_cookies);
}

/// The legal mode where the visitor is (C10). The address is looked up only where that can make a difference: for a page,
/// which alone is counted, and where a mode other than opt-in is configured.
pub(super) fn mode(gateway: &Gateway, parts: &Parts, client: &Client) -> Mode {
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
    if counting.view(permit, &gateway.shared.places, &view) {
        gateway.site.metrics.statistics.counted.count();
    }
}

/// Why a beacon's events are not kept.
pub(super) enum NotKept {
    /// The spool refuses them; nothing of them was kept that was not kept whole.
    Refused(Refused),
    /// They could not be written.
    NotWritten(SpoolError),
}

/// Keeps a beacon's events; when it returns they are on disk, as far as `write` goes. Gives the visit's cookies.
pub(super) async fn beacon(
    gateway: &Gateway,
    visit: &Visit<'_>,
    permit: &Permit<Analytics>,
    events: &[BeaconEvent],
) -> Result<[HeaderValue; 2], NotKept> {
    let captured = with_exchange(gateway, visit, permit, |exchange| gateway.capture.beacon(permit, exchange, events));
    let metrics = &gateway.site.metrics;
    let mut last = None;
    for event in &captured.events {
        let kept = gateway.site.spool.append_acknowledged(partition(event), |out| event.encode(out));
        last = Some(kept.map_err(|refused| {
            metrics.events_refused.count();
            NotKept::Refused(refused)
        })?);
    }
    // Records are written in their order, so the last one's word stands for all.
    if let Some(written) = last {
        written.await.map_err(NotKept::NotWritten)?;
    }
    metrics.events_captured.add(captured.events.len() as u64);
    Ok(captured.set_cookies)
}

/// Adds cookies to an answer.
pub(super) fn set_cookies(headers: &mut HeaderMap, cookies: [HeaderValue; 2]) {
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
}

fn partition(event: &Event) -> Partition {
    Partition::of(event.ts(), event.retention_days())
}

fn with_exchange<T>(
    gateway: &Gateway,
    visit: &Visit<'_>,
    _permit: &Permit<Analytics>,
    make: impl FnOnce(&Exchange<'_>) -> T,
) -> T {
    let cookie = |name: &str| cookies::read(cookie_lines(&visit.parts.headers), name.as_bytes()).next();
    make(&Exchange {
        now_ms: milliseconds(visit.now),
        host: host_name(visit.host),
        https: visit.client.https,
        target: visit.parts.uri.path_and_query().map_or("/", |target| target.as_str()),
        headers: &visit.parts.headers,
        client: &visit.client.ip,
        visitor_cookie: cookie(cookies::VISITOR),
        visit_cookie: cookie(cookies::VISIT),
        choice_life: gateway.site.policy.choice_life,
    })
}

fn milliseconds(since_1970: Duration) -> i64 {
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// A checked host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
