//! From an exchange or a beacon, with a permit, to an event. Nothing here runs without a [`Permit`]; identifiers are keyed or
//! cut by [`pseudonym`](crate::pseudonym) and text is scrubbed before an event exists, and what goes out is the compact
//! record the spool keeps. Called by the front door; does no I/O and reads no clock.

pub mod beacon;
pub mod event;
mod page_view;
pub mod visit;
pub mod visitor;

use std::cell::RefCell;
use std::sync::Arc;

use http::HeaderValue;

pub use page_view::{Exchange, is_page_view};

use crate::config;
use crate::consent::{Analytics, Permit};
use crate::cookies;
use crate::enrich::{Device, DeviceCache, Places};
use crate::pseudonym::{Pseudonymiser, RawUserAgent, VisitorId};
use event::{Event, Expiry};
use visit::{Visit, Visits};
use visitor::VisitorToken;

/// Devices a worker remembers, so that an agent it has seen is not parsed again.
const DEVICES: usize = 4096;

/// What all workers of a gateway share for capturing.
pub struct Shared {
    /// Makes pseudonyms.
    pub pseudonymiser: Pseudonymiser,
    /// The geo database.
    pub places: Places,
    /// The visits that are going on.
    pub visits: Visits,
    /// The number of the site in the tables.
    pub site_id: u32,
    /// Query keys whose values are kept in paths.
    pub query_keys: Vec<String>,
    /// How long rows are kept.
    pub retention: config::Period,
}

/// One worker's hands for capturing.
pub struct Capture {
    shared: Arc<Shared>,
    devices: RefCell<DeviceCache>,
}

/// What was made of an exchange or a beacon: events for the spool and cookies for the visitor.
pub struct Captured {
    /// The events.
    pub events: Vec<Event>,
    /// `consentry_visitor` and `consentry_visit`.
    pub set_cookies: [HeaderValue; 2],
}

/// Who the visitor is, as the request's cookies say, or a new one.
struct Visitor {
    token: VisitorToken,
    id: VisitorId,
    visit: Option<Visit>,
}

impl Capture {
    /// For one worker.
    pub fn new(shared: Arc<Shared>) -> Capture {
        Capture { shared, devices: RefCell::new(DeviceCache::new(DEVICES)) }
    }

    fn visitor(&self, permit: &Permit<Analytics>, exchange: &Exchange<'_>) -> Visitor {
        let token = exchange.visitor_cookie.and_then(|value| VisitorToken::decode(permit, value));
        let token = token.unwrap_or_else(|| VisitorToken::make(permit));
        let visit = exchange.visit_cookie.and_then(|value| Visit::decode(value, exchange.now_ms));
        let id = self.shared.pseudonymiser.visitor(token.bytes()).value;
        Visitor { token, id, visit }
    }

    fn device(&self, exchange: &Exchange<'_>) -> Device {
        let agent = RawUserAgent::new(exchange.header("user-agent").unwrap_or_default());
        let hints = exchange.client_hints();
        self.devices.borrow_mut().get(&agent, &hints).clone()
    }

    fn expiry(&self, now_ms: i64) -> Expiry {
        let today = u16::try_from(now_ms.div_euclid(86_400_000)).unwrap_or(u16::MAX);
        Expiry {
            retention_days: self.shared.retention.retention_days(),
            expires_at: self.shared.retention.after(today),
        }
    }

    fn set_cookies(
        &self,
        permit: &Permit<Analytics>,
        exchange: &Exchange<'_>,
        visitor: &Visitor,
        visit: Visit,
    ) -> [HeaderValue; 2] {
        // A visitor is known no longer than the choice that permits it.
        let choice_left = (permit.granted_at() + exchange.choice_life).saturating_sub(exchange.now_ms as u64 / 1000);
        let visit_left = self.shared.visits.timeout().as_secs().min(choice_left);
        [
            cookies::set(cookies::VISITOR, visitor.token.encode(), choice_left, exchange.https),
            cookies::set(cookies::VISIT, visit.encode(), visit_left, exchange.https),
        ]
    }
}
