//! One row of `consentry.events`.
//!
//! Rows are immutable: what becomes known of a page later is another row with the same `page_view_id`, and the view
//! `page_views` of `schema/` makes one row of them. A page view's rows are its `pageview` (from the proxied exchange, or from
//! the collector where only the browser knows that a page is shown), its `page_loaded` and any number of `engagement`. Times
//! are added up, of a measurement that can only grow the largest counts, of what never changes whichever row has it.

mod columns;
mod contact;

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::consent::{Analytics, Granted, Permit, PurposeSet};
use crate::enrich::{Channel, Device, Place};
use crate::keys::KeyId;
use crate::pseudonym::{IpPseudonym, VisitorId};
pub use columns::COLUMNS;
pub use contact::{Contact, MailOpen, PhoneCall};

/// What happened; the column `name`. Any other name is a custom event's.
pub mod name {
    /// A page was delivered to the visitor, or shown by a script or the browser alone.
    pub const PAGE_VIEW: &str = "pageview";
    /// The page is there and its script runs; from the collector.
    pub const PAGE_LOADED: &str = "page_loaded";
    /// How long and how far the page was read, and how it was left; from the collector.
    pub const ENGAGEMENT: &str = "engagement";
    /// A file was delivered, or something the page needed was not; from the proxied exchange.
    pub const TRANSFER: &str = "transfer";
    /// The visitor was sent to another address; from the proxied exchange.
    pub const REDIRECT: &str = "redirect";
    /// An e-mail was opened; from the pixel.
    pub const MAIL_OPEN: &str = "mail_open";
    /// The published number was called; imported.
    pub const CALL: &str = "call";
    /// What the collector reports within a page.
    pub const WITHIN_PAGE: [&str; 9] =
        ["click", "hover", "outbound", "download", "form_submit", "tel", "mailto", "resource_error", "script_error"];
    /// What only the gateway itself may say.
    pub const GATEWAYS_OWN: [&str; 4] = [TRANSFER, REDIRECT, MAIL_OPEN, CALL];
}

/// Where in a visit an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisitStep {
    /// `start_seconds << 32 | random`.
    pub session_id: u64,
    /// 1 at the start, 2 when it is no bounce any more, 0 for events that do not count as a step.
    pub seq: u16,
    /// Time since the visit's last event in milliseconds; 0 at the start. The sum over a visit is its duration.
    pub since_prev_ms: u32,
}

/// When an event's row expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// The retention class in days, nominal (a year has 365.25); part of the partition key.
    pub retention_days: u16,
    /// The first day on which the row is gone, in days since 1970; exact by the calendar.
    pub expires_at: u16,
}

/// A keyed pseudonym as it stands in a row; 0 and 0 for nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Someone {
    /// The MAC.
    pub id: u128,
    /// The key it was made under.
    pub key: u32,
}

/// How an answer went over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The answer's status; 0 where there was none.
    pub status: u16,
    /// The gateway's time to the first byte of the answer, in milliseconds.
    pub response_ms: u32,
    /// Until the last byte was handed over, or a call's duration; in milliseconds.
    pub total_ms: u32,
    /// Bytes of the body that were handed over.
    pub bytes: u64,
    /// `complete`, `aborted` (by the visitor), `broken` (by the site), or empty.
    pub outcome: &'static str,
}

/// What the browser states of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// First language, as in `en-GB`.
    pub language: String,
    /// Up to five, comma-joined.
    pub languages: String,
    /// IANA time zone.
    pub time_zone: String,
    /// As in `1920x1080`.
    pub screen: String,
    /// As in `1280x720`.
    pub viewport: String,
    /// As in `4g`.
    pub connection: &'static str,
    /// Names of plug-ins.
    pub plugins: String,
}

/// Navigation timing and web vitals, in milliseconds; 0 where the browser did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Looking up the host.
    pub dns_ms: u32,
    /// Connecting, TLS included.
    pub connect_ms: u32,
    /// From the request to its first byte.
    pub ttfb_ms: u32,
    /// Until the document was ready.
    pub dom_ms: u32,
    /// Until everything was loaded.
    pub load_ms: u32,
    /// First contentful paint.
    pub fcp_ms: u32,
    /// Largest contentful paint.
    pub lcp_ms: u32,
    /// Interaction to next paint.
    pub inp_ms: u32,
    /// Cumulative layout shift in thousandths, and one: 0 is not measured, 1 is no shift.
    pub cls_milli: u16,
}

/// How the page was read and left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How long the page was visible.
    pub engagement_ms: u32,
    /// How far it was scrolled, 0 to 100.
    pub scroll_pct: u8,
    /// How it was left; empty where it was not, or nobody knows.
    pub exit_method: &'static str,
}

/// What within a page, or beyond it, an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The kind of element, of resource or of error.
    pub kind: String,
    /// An element's label, or a keyed hash of it.
    pub label: String,
    /// Host and scrubbed path of a link, a file, a form or a script.
    pub target: String,
    /// How long the pointer dwelt, in milliseconds.
    pub dwell_ms: u32,
}

/// What a custom event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Custom {
    /// Bounded key/value pairs.
    pub props: Vec<(String, String)>,
    /// Money in thousandths of the currency's unit.
    pub revenue_milli: i64,
    /// ISO 4217, as in `GBP`.
    pub currency: String,
}

/// An event without its consent: everything but what the permit adds.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The site.
    pub site_id: u32,
    /// Milliseconds since 1970.
    pub ts: i64,
    /// What happened; one of [`name`] or a custom event's.
    pub name: Cow<'static, str>,
    /// Who, keyed.
    pub visitor: VisitorId,
    /// The key of the visitor's pseudonym.
    pub visitor_key: u32,
    /// Who, as the site knows them; keyed.
    pub login: Someone,
    /// Whose e-mail or telephone; keyed.
    pub contact: Someone,
    /// Where in the visit.
    pub step: VisitStep,
    /// The page view this belongs to; 0 for none.
    pub page_view_id: u64,
    /// The site's host name.
    pub hostname: String,
    /// The path, scrubbed.
    pub path: String,
    /// The class of the path, where it has one.
    pub path_class: String,
    /// What must be granted beside analytics for an event of this path to be kept (C3).
    pub needs: PurposeSet,
    /// The page's title, scrubbed.
    pub title: String,
    /// What was searched for on the site, scrubbed.
    pub search_term: String,
    /// How the page came to be shown.
    pub navigation: &'static str,
    /// Host and scrubbed path of the page before, where it was on another site.
    pub referrer: String,
    /// Where the visit came from.
    pub channel: Channel,
    /// The campaign's parameters, scrubbed.
    pub utm: Utm,
    /// Where the visitor is.
    pub place: Place,
    /// What is kept of the address.
    pub ip: IpPseudonym,
    /// The browser.
    pub device: Arc<Device>,
    /// Why the visitor is taken for a program; empty for a person.
    pub bot_reason: &'static str,
    /// What the browser states of itself.
    pub stated: Stated,
    /// How the answer went over the wire.
    pub delivery: Delivery,
    /// How long the browser took.
    pub timing: Timing,
    /// How the page was read and left.
    pub reading: Reading,
    /// What the event is about.
    pub subject: Subject,
    /// What a custom event says.
    pub custom: Custom,
    /// When the row expires.
    pub expiry: Expiry,
    /// By what the browser knows it, should it be sent again; 0 where it has no id.
    pub event_id: u64,
}

impl Draft {
    /// Of nobody, about nothing.
    pub fn blank(site_id: u32, ts: i64) -> Draft {
        Draft {
            site_id,
            ts,
            name: name::PAGE_VIEW.into(),
            visitor: VisitorId(0),
            visitor_key: 0,
            login: Someone::default(),
            contact: Someone::default(),
            step: VisitStep::default(),
            page_view_id: 0,
            hostname: String::new(),
            path: String::new(),
            path_class: String::new(),
            needs: PurposeSet::default(),
            title: String::new(),
            search_term: String::new(),
            navigation: "",
            referrer: String::new(),
            channel: Channel { source: String::new(), channel: "" },
            utm: Utm::default(),
            place: Place::default(),
            ip: IpPseudonym { net: Ipv6Addr::UNSPECIFIED, tag: 0, key: KeyId(0) },
            device: Arc::default(),
            bot_reason: "",
            stated: Stated::default(),
            delivery: Delivery::default(),
            timing: Timing::default(),
            reading: Reading::default(),
            subject: Subject::default(),
            custom: Custom::default(),
            expiry: Expiry::default(),
            event_id: 0,
        }
    }
}

/// The five campaign parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Utm {
    /// `utm_source`
    pub source: String,
    /// `utm_medium`
    pub medium: String,
    /// `utm_campaign`
    pub campaign: String,
    /// `utm_term`
    pub term: String,
    /// `utm_content`
    pub content: String,
}

/// An event that may be stored: made of a draft and a permit, and of nothing less.
pub struct Event {
    draft: Draft,
    consent_version: u16,
    consent_purposes: u8,
    consent_ref: u64,
}

impl Event {
    /// An event under a permit. Nothing where it is of a time before the visitor's grant (C2), or of a page for which more was
    /// to be granted (C3).
    pub fn new(permit: &Permit<Analytics>, draft: Draft) -> Option<Event> {
        Event::under(permit.granted(), draft)
    }

    /// Under what somebody granted: which lane may store what is for the public constructors to say.
    fn under(granted: &Granted, draft: Draft) -> Option<Event> {
        let granted_ms = i64::try_from(granted.at_ms).ok()?;
        let may = draft.ts >= granted_ms && draft.needs.is_subset_of(granted.purposes);
        may.then(|| Event {
            draft,
            consent_version: granted.policy_version,
            consent_purposes: granted.purposes.bits(),
            consent_ref: granted.receipt,
        })
    }

    /// The receipt of the choice that permits it.
    pub fn receipt(&self) -> u64 {
        self.consent_ref
    }

    /// When it happened, in milliseconds since 1970.
    pub fn ts(&self) -> i64 {
        self.draft.ts
    }

    /// Its retention class in days.
    pub fn retention_days(&self) -> u16 {
        self.draft.expiry.retention_days
    }

    /// The page view it belongs to.
    pub fn page_view_id(&self) -> u64 {
        self.draft.page_view_id
    }

    /// Adds how the answer's body went, which is known only at its end.
    pub fn delivered(&mut self, total_ms: u32, bytes: u64, outcome: &'static str) {
        let delivery = &mut self.draft.delivery;
        (delivery.total_ms, delivery.bytes, delivery.outcome) = (total_ms, bytes, outcome);
    }
}
