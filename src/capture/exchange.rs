//! The proxied exchange as an event: no script is needed for any of this.

use http::header::{ACCEPT_LANGUAGE, HeaderMap, REFERER};
use http::{HeaderName, Method, StatusCode};

use super::event::{Draft, Event, Someone, Stated, Utm, name};
use super::visit::{Arrival, Visit};
use super::{Capture, Captured, Visitor};
use crate::consent::{Analytics, Permit, PurposeSet};
use crate::enrich::channel::spammers;
use crate::enrich::{Channel, ClientHints, stated};
use crate::pseudonym::scrub::Referrer;
use crate::pseudonym::{RawIp, RawLogin, RawUrl, scrub};

/// One request, as far as capturing may look at it.
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
    /// Whether the one who asked is connected to us, with no proxy between that may have changed the headers.
    pub direct: bool,
    /// Whether a page is asked for.
    pub is_page: bool,
    /// Whether it was asked for in HTTP/1.0.
    pub http_1_0: bool,
    /// The cookie `consentry_visitor`.
    pub visitor_cookie: Option<&'a [u8]>,
    /// The cookie `consentry_visit`.
    pub visit_cookie: Option<&'a [u8]>,
}

/// The head of the site's answer.
pub struct Answer<'a> {
    /// Its status.
    pub status: StatusCode,
    /// The gateway's time to its first byte, in milliseconds.
    pub response_ms: u32,
    /// Who is logged in, as the site says.
    pub login: Option<RawLogin>,
    /// Where a redirect leads.
    pub location: Option<&'a str>,
}

impl Exchange<'_> {
    pub(super) fn header(&self, name: &HeaderName) -> Option<&[u8]> {
        self.headers.get(name).map(|v| v.as_bytes())
    }

    pub(super) fn client_hints(&self) -> ClientHints<'_> {
        // Most browsers send none but on request, and a look at all names costs less than a search for each.
        if !self.headers.keys().any(|name| name.as_str().starts_with("sec-ch-ua")) {
            return ClientHints::default();
        }
        ClientHints::read(|name| self.headers.get(name).and_then(|v| v.to_str().ok()))
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// How browsers, new and old, say that a page is fetched before anybody asked for it.
const AHEAD: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
static DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");
static MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Whether a request is somebody's way to a page: a document that was asked for by navigating, not a part of one, not one
/// fetched ahead of time. One that a service worker passes on is `empty` and says by its mode what it is.
pub fn is_navigation(method: &Method, request: &HeaderMap) -> bool {
    let is = |name: &HeaderName, wanted: &str| {
        request.get(name).is_none_or(|v| v.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    method == Method::GET
        && (is(&DESTINATION, "document") || (is(&DESTINATION, "empty") && request.contains_key(&MODE)))
        && is(&MODE, "navigate")
        && !request.contains_key(&REQUESTED_WITH)
        && !is_ahead(request)
}

/// Whether an exchange shows a visitor a page.
pub fn is_page_view(method: &Method, request: &HeaderMap, status: StatusCode) -> bool {
    is_navigation(method, request) && !status.is_redirection() && !status.is_informational()
}

/// Whether a request fetches ahead of time.
pub fn is_ahead(request: &HeaderMap) -> bool {
    request.iter().filter(|(name, _)| AHEAD.contains(&name.as_str())).any(|(_, purpose)| {
        let purpose = purpose.as_bytes().to_ascii_lowercase();
        [&b"prefetch"[..], b"prerender", b"preview"].iter().any(|word| memchr::memmem::find(&purpose, word).is_some())
    })
}

impl Capture {
    /// The page view an exchange was. Nothing where the permit does not reach back to it.
    pub fn page_view(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        answer: Answer<'_>,
    ) -> Option<Captured> {
        let visitor = self.visitor(permit, exchange);
        let url = RawUrl::new(exchange.target);
        let mut draft = self.draft(exchange, &visitor, exchange.now_ms, &url);
        let referrer = exchange.text(&REFERER).map(RawUrl::new);
        let arrival = self.arrive(&mut draft, &url, referrer.as_ref(), exchange.host);
        let (step, visit) = self.shared.visits.count(visitor.id, visitor.visit, arrival, exchange.now_ms);
        draft.step = step;
        draft.page_view_id = self.draws.next();
        self.answered(&mut draft, answer);
        self.captured(permit, exchange, &visitor, draft, visit)
    }

    /// A redirect that a visitor was sent through, with where it led.
    pub fn redirect(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        answer: Answer<'_>,
    ) -> Option<Captured> {
        let visitor = self.visitor(permit, exchange);
        let url = RawUrl::new(exchange.target);
        let mut draft = self.draft(exchange, &visitor, exchange.now_ms, &url);
        draft.name = name::REDIRECT.into();
        // A campaign's parameters may go no further than here.
        let referrer = exchange.text(&REFERER).map(RawUrl::new);
        self.arrive(&mut draft, &url, referrer.as_ref(), exchange.host);
        draft.subject.target = answer.location.map(|location| self.target(&RawUrl::new(location))).unwrap_or_default();
        let (step, visit) = self.shared.visits.extend(visitor.id, visitor.visit, exchange.now_ms);
        draft.step = step;
        self.answered(&mut draft, answer);
        self.captured(permit, exchange, &visitor, draft, visit)
    }

    /// A file that was delivered to a visitor who is known already, or something a page needed and did not get. Sets no
    /// cookie: such answers may be cached.
    pub fn transfer(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        answer: Answer<'_>,
        kind: &'static str,
    ) -> Option<Event> {
        exchange.visitor_cookie?;
        let visitor = self.visitor(permit, exchange);
        let mut draft = self.draft(exchange, &visitor, exchange.now_ms, &RawUrl::new(exchange.target));
        draft.name = name::TRANSFER.into();
        draft.subject.kind = kind.to_owned();
        draft.step = self.shared.visits.extend(visitor.id, visitor.visit, exchange.now_ms).0;
        self.answered(&mut draft, answer);
        Event::new(permit, draft)
    }

    fn captured(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        visitor: &Visitor,
        draft: Draft,
        visit: Visit,
    ) -> Option<Captured> {
        let event = Event::new(permit, draft)?;
        let set_cookies = Some(self.set_cookies(permit, exchange, visitor, visit));
        Some(Captured { events: vec![event], ids: Vec::new(), set_cookies })
    }

    fn answered(&self, draft: &mut Draft, answer: Answer<'_>) {
        draft.delivery.status = answer.status.as_u16();
        draft.delivery.response_ms = answer.response_ms;
        if let Some(login) = &answer.login {
            draft.login = self.login(login);
        }
    }

    pub(super) fn login(&self, login: &RawLogin) -> Someone {
        let keyed = self.shared.pseudonymiser.login(login);
        Someone { id: keyed.value.0, key: keyed.key.0 }
    }

    /// Referrer, campaign and channel of a page that somebody came to.
    pub(super) fn arrive(&self, draft: &mut Draft, url: &RawUrl, referrer: Option<&RawUrl>, own_host: &str) -> Arrival {
        let mut referrer = referrer.and_then(|url| scrub::referrer(url, own_host)).unwrap_or_default();
        if self.shared.spammers.has(&referrer.host) {
            referrer = Referrer::default();
            draft.bot_reason = spammers::REASON;
        }
        let campaign = scrub::utm(url);
        let [source, medium, name, term, content] = campaign.utm;
        draft.channel = Channel::classify(&referrer.host, referrer.is_own, &source, &medium, campaign.click_id);
        // Of a page that is kept as a class, what was searched for and what the campaign calls it say what the path said.
        let is_plain = draft.path_class.is_empty();
        if is_plain {
            draft.search_term = scrub::searched(url, &self.shared.search_keys);
        }
        let is_campaign = !(source.is_empty() && medium.is_empty() && name.is_empty()) || campaign.click_id.is_some();
        let from_outside = !referrer.is_own && !referrer.host.is_empty();
        let network = campaign.click_id.map_or("", |_| draft.channel.source.as_str());
        let arrival = Arrival {
            campaign: is_campaign.then(|| Arrival::checksum([&*source, &medium, &name, network])),
            referrer: from_outside.then(|| Arrival::checksum([referrer.host.as_str()])),
        };
        draft.utm = match is_plain {
            true => Utm { source, medium, campaign: name, term, content },
            false => Utm { source, medium, ..Utm::default() },
        };
        draft.referrer = if referrer.is_own { String::new() } else { referrer.host + &referrer.path };
        arrival
    }

    /// An event of this exchange at the page it asks for.
    pub(super) fn draft(&self, exchange: &Exchange<'_>, visitor: &Visitor, ts: i64, url: &RawUrl) -> Draft {
        let mut draft = self.blank(exchange, visitor);
        self.place(&mut draft, ts, url);
        draft
    }

    /// Puts an event where and when it happened.
    pub(super) fn place(&self, draft: &mut Draft, ts: i64, url: &RawUrl) {
        draft.ts = ts;
        draft.expiry = self.expiry(ts);
        draft.path = scrub::scrub_path(url, &self.shared.query_keys);
        self.classify_path(draft);
    }

    /// What every event of this exchange has in common.
    pub(super) fn blank(&self, exchange: &Exchange<'_>, visitor: &Visitor) -> Draft {
        let shared = &*self.shared;
        let (device, bot_reason) = self.device(exchange);
        Draft {
            visitor: visitor.id,
            visitor_key: visitor.key,
            hostname: scrub::host(exchange.host),
            place: shared.places.lookup(exchange.client),
            ip: shared.pseudonymiser.ip(exchange.client),
            device,
            bot_reason,
            stated: Stated {
                language: exchange.text(&ACCEPT_LANGUAGE).map(stated::language).unwrap_or_default(),
                ..Stated::default()
            },
            ..Draft::blank(shared.site_id, exchange.now_ms)
        }
    }

    /// Host and scrubbed path of a web address, or the scrubbed path of one without a host; as a class where the path has
    /// one. Of any other address (`tel:`, `data:`) nothing is kept.
    pub(super) fn target(&self, url: &RawUrl) -> String {
        let local = || url.is_path().then(|| (String::new(), scrub::scrub_path(url, &[])));
        let Some((host, path)) = scrub::target(url).or_else(local) else { return String::new() };
        host + &self.shared.path_classes.classify(&path).map_or(path, |found| found.shown_path)
    }

    /// Puts the class of a path in the place of what it says of a person (D3). What else names the page goes with it.
    pub(super) fn classify_path(&self, draft: &mut Draft) {
        if let Some(found) = self.shared.path_classes.classify(&draft.path) {
            draft.path_class = found.class.to_owned();
            draft.needs = PurposeSet::of(found.needs);
            draft.path = found.shown_path;
        }
    }
}

#[cfg(test)]
mod tests;
