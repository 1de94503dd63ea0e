//! From an exchange or a beacon, with a permit, to an event. Nothing here runs without a [`Permit`]; identifiers are keyed or
//! cut by [`pseudonym`](crate::pseudonym) and text is scrubbed before an event exists, and what goes out is the compact
//! record the spool keeps. Called by the front door; does no I/O and reads no clock.
//!
//! # Both sides of a page
//! The gateway sees the exchange, the browser sees the page. The `pageview` row is the exchange's; it draws the page view's
//! id, which goes into the page with the collector's script, and what the collector reports of the page comes back with that
//! id, in rows of their own. Nothing waits for anything and no row is ever changed: the view `page_views` puts together what
//! there is each time it is read, so late parts are in it from the moment they are stored.
//!
//! A page that only the browser knows of (a route of a single-page site, one from the back/forward cache, one that was
//! fetched ahead of time) has its `pageview` from the collector, with an id the collector drew. The page on which a visitor
//! gives consent has none, since it was delivered before: its `page_loaded` begins the visit, with the time of the grant.

pub mod beacon;
pub mod calls;
mod contact;
mod draws;
pub mod event;
mod exchange;
mod hashed;
mod known;
mod pace;
mod repeats;
mod reported;
mod shared;
pub mod visit;
pub mod visitor;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use http::HeaderValue;
use http::header::USER_AGENT;

pub(crate) use draws::Draws;
pub use exchange::{Answer, Exchange, is_ahead, is_navigation, is_page_view};
pub use known::{Known, KnownVisit};
pub use pace::Pace;
pub use repeats::Repeats;
pub use shared::Shared;

use crate::consent::{Analytics, Permit};
use crate::cookies;
use crate::enrich::bots::{self, BotReason, Headers};
use crate::enrich::{Device, DeviceCache};
use crate::keys::Remembered;
use crate::pseudonym::{RawUserAgent, VisitorId};
use event::{Event, Expiry};
use visit::Visit;
use visitor::VisitorToken;

/// Devices a worker remembers, so that an agent it has seen is not parsed again.
const DEVICES: usize = 4096;

/// One worker's hands for capturing.
pub struct Capture {
    shared: Arc<Shared>,
    devices: RefCell<DeviceCache>,
    /// The visits it has verified.
    visits: Remembered<Visit>,
    draws: Draws,
    /// The last day that was asked for, and when what happened on it expires.
    expiry: Cell<Option<(u16, u16)>>,
}

/// What was made of an exchange or a beacon: events for the spool and cookies for the visitor.
pub struct Captured {
    /// The events.
    pub events: Vec<Event>,
    /// For each event of a beacon, by what it is known when it comes again.
    pub ids: Vec<Option<(VisitorId, u64)>>,
    /// `consentry_visitor` and `consentry_visit`; nothing where those that were sent are as good.
    pub set_cookies: Option<[HeaderValue; 2]>,
}

/// Who the visitor is, as the request's cookies say, or a new one.
struct Visitor {
    token: VisitorToken,
    id: VisitorId,
    key: u32,
    visit: Option<Visit>,
    /// The visit as the cookie has it, where the browser sent both cookies.
    sent: Option<Visit>,
}

impl Capture {
    /// For one worker.
    pub fn new(shared: Arc<Shared>) -> Capture {
        Capture {
            shared,
            devices: RefCell::new(DeviceCache::new(DEVICES)),
            visits: Remembered::default(),
            draws: Draws::default(),
            expiry: Cell::default(),
        }
    }

    /// How many beacons each address may send.
    pub fn pace(&self) -> &Pace {
        &self.shared.pace
    }

    fn visitor(&self, permit: &Permit<Analytics>, exchange: &Exchange<'_>) -> Visitor {
        let sent = exchange.visitor_cookie.and_then(|value| VisitorToken::decode(permit, value));
        let is_known = sent.is_some();
        let token = sent.unwrap_or_else(|| VisitorToken::make(permit));
        let keyed = self.shared.pseudonymiser.visitor(token.bytes());
        let (id, key) = (keyed.value, keyed.key.0);
        let read = |value| self.shared.signed.decode_once(id, value, exchange.now_ms, &self.visits);
        let visit = exchange.visit_cookie.and_then(read);
        Visitor { token, id, key, visit, sent: visit.filter(|_| is_known) }
    }

    /// The browser, and why it is taken for a program, or nothing.
    fn device(&self, exchange: &Exchange<'_>) -> (Arc<Device>, &'static str) {
        let agent = RawUserAgent::new(exchange.header(&USER_AGENT).unwrap_or_default());
        let hints = exchange.client_hints();
        let device = self.devices.borrow_mut().get(&agent, &hints).clone();
        let headers = match self.shared.bot_headers {
            true => Headers::read(exchange.direct, exchange.https, exchange.http_1_0, exchange.is_page, |name| {
                exchange.headers.get(name).map(|value| value.as_bytes())
            }),
            false => Headers::default(),
        };
        let is_in_network = self.shared.bot_networks.contains(exchange.client);
        let reason = bots::decide(&device, is_in_network, &headers).map_or("", BotReason::word);
        (device, reason)
    }

    fn expiry(&self, now_ms: i64) -> Expiry {
        let today = u16::try_from(now_ms.div_euclid(86_400_000)).unwrap_or(u16::MAX);
        // A calendar is asked once a day.
        let expires_at = match self.expiry.get() {
            Some((day, expires_at)) if day == today => expires_at,
            _ => self.shared.retention.after(today),
        };
        self.expiry.set(Some((today, expires_at)));
        Expiry { retention_days: self.shared.retention.retention_days(), expires_at }
    }

    fn set_cookies(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        visitor: &Visitor,
        visit: Visit,
    ) -> [HeaderValue; 2] {
        // A visitor is known no longer than the choice that permits it.
        let choice_left = permit.until().saturating_sub(exchange.now_ms as u64 / 1000);
        let visit_left = self.shared.visits.timeout().as_secs().min(choice_left);
        let visit = self.shared.signed.encode(visitor.id, &visit);
        [
            cookies::set(cookies::VISITOR, visitor.token.encode(), choice_left, exchange.https),
            cookies::set(cookies::VISIT, visit, visit_left, exchange.https),
        ]
    }
}
