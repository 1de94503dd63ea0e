//! One row of `consentry.events`.

use crate::consent::{Analytics, Permit};
use crate::enrich::{Channel, Device, Place};
use crate::pseudonym::{IpPseudonym, VisitorId};
use crate::spool::record::{ColumnKind, RecordWriter};

/// What happened; the column `name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventName {
    /// A page was delivered to the visitor; from the proxied exchange.
    PageView,
    /// The page is there and its script runs; from the collector.
    PageLoaded,
    /// How long and how far the page was read; from the collector, on leaving.
    Engagement,
}

impl EventName {
    /// The value of the column.
    pub fn word(&self) -> &'static str {
        match self {
            EventName::PageView => "pageview",
            EventName::PageLoaded => "page_loaded",
            EventName::Engagement => "engagement",
        }
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The retention class in days, nominal (a year has 365.25); part of the partition key.
    pub retention_days: u16,
    /// The first day on which the row is gone, in days since 1970; exact by the calendar.
    pub expires_at: u16,
}

/// An event without its consent: everything but what the permit adds.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The site.
    pub site_id: u32,
    /// Milliseconds since 1970.
    pub ts: i64,
    /// What happened.
    pub name: EventName,
    /// Who, keyed.
    pub visitor: VisitorId,
    /// Where in the visit.
    pub step: VisitStep,
    /// The site's host name.
    pub hostname: String,
    /// The path, scrubbed.
    pub path: String,
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
    pub device: Device,
    /// First language, as in `en-GB`.
    pub language: String,
    /// IANA time zone, from the collector.
    pub time_zone: String,
    /// As in `1920x1080`, from the collector.
    pub screen: String,
    /// The gateway's time to the first byte of the answer.
    pub response_ms: u32,
    /// How long the page was visible.
    pub engagement_ms: u32,
    /// How far it was scrolled, 0 to 100.
    pub scroll_pct: u8,
    /// The answer's status.
    pub status: u16,
    /// Bounded key/value pairs.
    pub props: Vec<(String, String)>,
    /// When the row expires.
    pub expiry: Expiry,
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

/// The columns of a record, in order; `batch_id` is added when a batch is sealed.
pub const COLUMNS: [(&str, ColumnKind); 43] = [
    ("site_id", ColumnKind::UInt32),
    ("ts", ColumnKind::Milliseconds),
    ("name", ColumnKind::Text),
    ("visitor_id", ColumnKind::UInt128),
    ("session_id", ColumnKind::UInt64),
    ("seq", ColumnKind::UInt16),
    ("since_prev_ms", ColumnKind::UInt32),
    ("hostname", ColumnKind::Text),
    ("path", ColumnKind::Text),
    ("referrer", ColumnKind::Text),
    ("source", ColumnKind::Text),
    ("channel", ColumnKind::Text),
    ("utm_source", ColumnKind::Text),
    ("utm_medium", ColumnKind::Text),
    ("utm_campaign", ColumnKind::Text),
    ("utm_term", ColumnKind::Text),
    ("utm_content", ColumnKind::Text),
    ("country", ColumnKind::Text),
    ("region", ColumnKind::Text),
    ("city", ColumnKind::Text),
    ("ip_net", ColumnKind::Ipv6),
    ("ip_hash", ColumnKind::UInt64),
    ("browser", ColumnKind::Text),
    ("browser_version", ColumnKind::Text),
    ("os", ColumnKind::Text),
    ("os_version", ColumnKind::Text),
    ("device", ColumnKind::Text),
    ("language", ColumnKind::Text),
    ("time_zone", ColumnKind::Text),
    ("screen", ColumnKind::Text),
    ("plugins", ColumnKind::Text),
    ("response_ms", ColumnKind::UInt32),
    ("engagement_ms", ColumnKind::UInt32),
    ("scroll_pct", ColumnKind::UInt8),
    ("exit_method", ColumnKind::Text),
    ("status", ColumnKind::UInt16),
    ("props", ColumnKind::TextMap),
    ("consent_version", ColumnKind::UInt16),
    ("consent_purposes", ColumnKind::UInt8),
    ("consent_ref", ColumnKind::UInt64),
    ("is_bot", ColumnKind::UInt8),
    ("retention_days", ColumnKind::UInt16),
    ("expires_at", ColumnKind::Date),
];

impl Event {
    /// An event under a permit. Nothing where it is of a time before the visitor's grant (C2).
    pub fn new(permit: &Permit<Analytics>, draft: Draft) -> Option<Event> {
        let granted_ms = i64::try_from(permit.granted_at()).ok()?.checked_mul(1000)?;
        (draft.ts >= granted_ms).then(|| Event {
            draft,
            consent_version: permit.policy_version(),
            consent_purposes: permit.purposes().bits(),
            consent_ref: permit.receipt(),
        })
    }

    /// When it happened, in milliseconds since 1970.
    pub fn ts(&self) -> i64 {
        self.draft.ts
    }

    /// Its retention class in days.
    pub fn retention_days(&self) -> u16 {
        self.draft.expiry.retention_days
    }

    /// Appends the compact record: the values of [`COLUMNS`], in that order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let d = &self.draft;
        let mut w = RecordWriter(out);
        w.u32(d.site_id);
        w.milliseconds(d.ts);
        w.text(d.name.word());
        w.u128(d.visitor.0);
        w.u64(d.step.session_id);
        w.u16(d.step.seq);
        w.u32(d.step.since_prev_ms);
        w.text(&d.hostname);
        w.text(&d.path);
        w.text(&d.referrer);
        w.text(&d.channel.source);
        w.text(d.channel.channel);
        for value in [&d.utm.source, &d.utm.medium, &d.utm.campaign, &d.utm.term, &d.utm.content] {
            w.text(value);
        }
        w.text(&d.place.country);
        w.text(&d.place.region);
        w.text(&d.place.city);
        w.ipv6(d.ip.net);
        w.u64(d.ip.tag);
        w.text(&d.device.browser);
        w.text(&d.device.browser_version);
        w.text(&d.device.os);
        w.text(&d.device.os_version);
        w.text(d.device.class);
        w.text(&d.language);
        w.text(&d.time_zone);
        w.text(&d.screen);
        w.text("");
        w.u32(d.response_ms);
        w.u32(d.engagement_ms);
        w.u8(d.scroll_pct);
        w.text("");
        w.u16(d.status);
        w.text_map(&d.props);
        w.u16(self.consent_version);
        w.u8(self.consent_purposes);
        w.u64(self.consent_ref);
        w.u8(d.device.is_bot().into());
        w.u16(d.expiry.retention_days);
        w.u16(d.expiry.expires_at);
    }
}
