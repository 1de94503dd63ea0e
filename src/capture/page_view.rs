//! The proxied exchange as an event, and a beacon's events beside it.

use http::header::HeaderMap;
use http::{Method, StatusCode};

use super::beacon::BeaconEvent;
use super::event::{Draft, Event, EventName, Utm, VisitStep};
use super::{Capture, Captured, Visitor};
use crate::consent::{Analytics, Permit};
use crate::enrich::{Channel, ClientHints, Device, stated};
use crate::pseudonym::{RawIp, RawUrl, scrub};

/// One request and its answer, as far as capturing may look at them.
pub struct Exchange<'a> {
    /// When, in milliseconds since 1970.
    pub now_ms: i64,
    /// The site's host name, without port.
    pub host: &'a str,
    /// Whether the visitor's side of the connection is encrypted.
    pub https: bool,
    /// Path and query as requested.
    pub target: &'a str,
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// Who asked.
    pub client: &'a RawIp,
    /// The cookie `consentry_visitor`.
    pub visitor_cookie: Option<&'a [u8]>,
    /// The cookie `consentry_visit`.
    pub visit_cookie: Option<&'a [u8]>,
    /// How long a choice is kept, in seconds; no cookie outlives the choice that permits it.
    pub choice_life: u64,
}

impl Exchange<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name).map(|v| v.as_bytes())
    }

    pub(super) fn client_hints(&self) -> ClientHints<'_> {
        ClientHints::read(|name| self.headers.get(name).and_then(|v| v.to_str().ok()))
    }
}

/// How browsers, new and old, say that a page is fetched before anybody asked for it.
const AHEAD: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// Whether an exchange shows a visitor a page: a document that was asked for by navigating, not a part of one, not one
/// fetched ahead of time, not a redirect.
pub fn is_page_view(method: &Method, request: &HeaderMap, status: StatusCode) -> bool {
    let is = |name: &str, wanted: &str| {
        request.get(name).is_none_or(|v| v.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let ahead = AHEAD.iter().flat_map(|name| request.get_all(*name)).any(|purpose| {
        let purpose = purpose.as_bytes().to_ascii_lowercase();
        [&b"prefetch"[..], b"prerender", b"preview"].iter().any(|word| memchr::memmem::find(&purpose, word).is_some())
    });
    method == Method::GET
        && !ahead
        && is("sec-fetch-dest", "document")
        && is("sec-fetch-mode", "navigate")
        && !request.contains_key("x-requested-with")
        && !status.is_redirection()
        && !status.is_informational()
}

impl Capture {
    /// The page view an exchange was. Nothing where the permit does not reach back to it.
    pub fn page_view(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        status: StatusCode,
        response_ms: u32,
    ) -> Option<Captured> {
        let visitor = self.visitor(permit, exchange);
        let (step, visit) = self.shared.visits.count(visitor.id, visitor.visit, exchange.now_ms);
        let device = self.device(exchange);
        let mut draft = self.draft(exchange, &visitor, step, device, &RawUrl::new(exchange.target));
        draft.status = status.as_u16();
        draft.response_ms = response_ms;
        let event = Event::new(permit, draft)?;
        let set_cookies = self.set_cookies(permit, exchange, &visitor, visit);
        Some(Captured { events: vec![event], set_cookies })
    }

    /// The events of a beacon, in their order.
    pub fn beacon(&self, permit: &Permit<Analytics>, exchange: &Exchange<'_>, events: &[BeaconEvent]) -> Captured {
        let mut visitor = self.visitor(permit, exchange);
        let device = self.device(exchange);
        let mut rows = Vec::with_capacity(events.len());
        let mut visit = visitor.visit;
        for item in events {
            let (step, now) = self.shared.visits.extend(visitor.id, visit, exchange.now_ms);
            visit = Some(now);
            visitor.visit = visit;
            let mut draft = self.draft(exchange, &visitor, step, device.clone(), &item.url);
            draft.name = item.name.clone();
            draft.time_zone = stated::time_zone(&item.time_zone);
            draft.screen = stated::screen(&item.screen);
            if !item.language.is_empty() {
                draft.language = stated::language(&item.language);
            }
            draft.engagement_ms = item.engagement_ms;
            draft.scroll_pct = item.scroll_pct;
            // The page's own referrer and campaign stand on its page view; a beacon's `Referer` is the page itself.
            draft.referrer.clear();
            rows.extend(Event::new(permit, draft));
        }
        let visit = visit.unwrap_or_else(|| self.shared.visits.extend(visitor.id, None, exchange.now_ms).1);
        let set_cookies = self.set_cookies(permit, exchange, &visitor, visit);
        Captured { events: rows, set_cookies }
    }

    fn draft(
        &self,
        exchange: &Exchange<'_>,
        visitor: &Visitor,
        step: VisitStep,
        device: Device,
        url: &RawUrl,
    ) -> Draft {
        let referrer = exchange.header("referer").and_then(|v| std::str::from_utf8(v).ok()).map(RawUrl::new);
        let referrer = referrer.and_then(|url| scrub::referrer(&url, exchange.host)).unwrap_or_default();
        let campaign = scrub::utm(url);
        let [source, medium, name, term, content] = campaign.utm;
        let channel = Channel::classify(&referrer.host, referrer.is_own, &source, &medium, campaign.click_id);
        Draft {
            site_id: self.shared.site_id,
            ts: exchange.now_ms,
            name: EventName::PageView,
            visitor: visitor.id,
            step,
            hostname: scrub::host(exchange.host),
            path: scrub::scrub_path(url, &self.shared.query_keys),
            referrer: if referrer.is_own { String::new() } else { referrer.host + &referrer.path },
            channel,
            utm: Utm { source, medium, campaign: name, term, content },
            place: self.shared.places.lookup(exchange.client),
            ip: self.shared.pseudonymiser.ip(exchange.client),
            device,
            language: exchange
                .header("accept-language")
                .and_then(|v| std::str::from_utf8(v).ok())
                .map(stated::language)
                .unwrap_or_default(),
            time_zone: String::new(),
            screen: String::new(),
            response_ms: 0,
            engagement_ms: 0,
            scroll_pct: 0,
            status: 0,
            props: Vec::new(),
            expiry: self.expiry(exchange.now_ms),
        }
    }
}

#[cfg(test)]
mod tests;
