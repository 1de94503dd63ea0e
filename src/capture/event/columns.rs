//! An event's values in the order of the columns: the compact record the spool keeps.

use super::Event;
use crate::spool::record::{ColumnKind, RecordWriter};

/// The columns of a record, in order; `batch_id` is added when a batch is sealed. `_event` is no column of the table: it is what
/// a start knows events by that come again ([`Repeats`](crate::capture::Repeats)).
pub const COLUMNS: [(&str, ColumnKind); 78] = [
    ("site_id", ColumnKind::UInt32),
    ("ts", ColumnKind::Milliseconds),
    ("name", ColumnKind::Text),
    ("visitor_id", ColumnKind::UInt128),
    ("visitor_key", ColumnKind::UInt32),
    ("login_id", ColumnKind::UInt128),
    ("login_key", ColumnKind::UInt32),
    ("contact_id", ColumnKind::UInt128),
    ("contact_key", ColumnKind::UInt32),
    ("session_id", ColumnKind::UInt64),
    ("seq", ColumnKind::UInt16),
    ("since_prev_ms", ColumnKind::UInt32),
    ("page_view_id", ColumnKind::UInt64),
    ("hostname", ColumnKind::Text),
    ("path", ColumnKind::Text),
    ("path_class", ColumnKind::Text),
    ("title", ColumnKind::Text),
    ("search_term", ColumnKind::Text),
    ("navigation", ColumnKind::Text),
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
    ("calling_code", ColumnKind::Text),
    ("ip_net", ColumnKind::Ipv6),
    ("ip_hash", ColumnKind::UInt64),
    ("ip_key", ColumnKind::UInt32),
    ("browser", ColumnKind::Text),
    ("browser_version", ColumnKind::Text),
    ("os", ColumnKind::Text),
    ("os_version", ColumnKind::Text),
    ("device", ColumnKind::Text),
    ("is_bot", ColumnKind::UInt8),
    ("bot_reason", ColumnKind::Text),
    ("language", ColumnKind::Text),
    ("languages", ColumnKind::Text),
    ("time_zone", ColumnKind::Text),
    ("screen", ColumnKind::Text),
    ("viewport", ColumnKind::Text),
    ("connection", ColumnKind::Text),
    ("plugins", ColumnKind::Text),
    ("status", ColumnKind::UInt16),
    ("response_ms", ColumnKind::UInt32),
    ("total_ms", ColumnKind::UInt32),
    ("bytes", ColumnKind::UInt64),
    ("outcome", ColumnKind::Text),
    ("dns_ms", ColumnKind::UInt32),
    ("connect_ms", ColumnKind::UInt32),
    ("ttfb_ms", ColumnKind::UInt32),
    ("dom_ms", ColumnKind::UInt32),
    ("load_ms", ColumnKind::UInt32),
    ("fcp_ms", ColumnKind::UInt32),
    ("lcp_ms", ColumnKind::UInt32),
    ("inp_ms", ColumnKind::UInt32),
    ("cls_milli", ColumnKind::UInt16),
    ("engagement_ms", ColumnKind::UInt32),
    ("scroll_pct", ColumnKind::UInt8),
    ("exit_method", ColumnKind::Text),
    ("kind", ColumnKind::Text),
    ("label", ColumnKind::Text),
    ("target", ColumnKind::Text),
    ("dwell_ms", ColumnKind::UInt32),
    ("props", ColumnKind::TextMap),
    ("revenue", ColumnKind::Thousandths),
    ("currency", ColumnKind::Text),
    ("consent_version", ColumnKind::UInt16),
    ("consent_purposes", ColumnKind::UInt8),
    ("consent_ref", ColumnKind::UInt64),
    ("retention_days", ColumnKind::UInt16),
    ("expires_at", ColumnKind::Date),
    ("_event", ColumnKind::UInt64),
];

impl Event {
    /// Appends the compact record: the values of [`COLUMNS`], in that order.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let d = &self.draft;
        let mut w = RecordWriter(out);
        w.u32(d.site_id);
        w.milliseconds(d.ts);
        w.text(&d.name);
        w.u128(d.visitor.0);
        w.u32(d.visitor_key);
        for someone in [d.login, d.contact] {
            w.u128(someone.id);
            w.u32(someone.key);
        }
        w.u64(d.step.session_id);
        w.u16(d.step.seq);
        w.u32(d.step.since_prev_ms);
        w.u64(d.page_view_id);
        for value in [&d.hostname, &d.path, &d.path_class, &d.title, &d.search_term] {
            w.text(value);
        }
        w.text(d.navigation);
        w.text(&d.referrer);
        w.text(&d.channel.source);
        w.text(d.channel.channel);
        for value in [&d.utm.source, &d.utm.medium, &d.utm.campaign, &d.utm.term, &d.utm.content] {
            w.text(value);
        }
        for value in [&d.place.country, &d.place.region, &d.place.city] {
            w.text(value);
        }
        w.text(d.place.calling_code);
        w.ipv6(d.ip.net);
        w.u64(d.ip.tag);
        w.u32(d.ip.key.0);
        for value in [&d.device.browser, &d.device.browser_version, &d.device.os, &d.device.os_version] {
            w.text(value);
        }
        w.text(d.device.class);
        w.u8((!d.bot_reason.is_empty()).into());
        w.text(d.bot_reason);
        for value in
            [&d.stated.language, &d.stated.languages, &d.stated.time_zone, &d.stated.screen, &d.stated.viewport]
        {
            w.text(value);
        }
        w.text(d.stated.connection);
        w.text(&d.stated.plugins);
        self.encode_measurements(&mut w);
        w.text(d.reading.exit_method);
        for value in [&d.subject.kind, &d.subject.label, &d.subject.target] {
            w.text(value);
        }
        w.u32(d.subject.dwell_ms);
        w.text_map(&d.custom.props);
        w.thousandths(d.custom.revenue_milli);
        w.text(&d.custom.currency);
        w.u16(self.consent_version);
        w.u8(self.consent_purposes);
        w.u64(self.consent_ref);
        w.u16(d.expiry.retention_days);
        w.u16(d.expiry.expires_at);
        w.u64(d.event_id);
    }

    fn encode_measurements(&self, w: &mut RecordWriter<'_>) {
        let (delivery, timing, reading) = (&self.draft.delivery, &self.draft.timing, &self.draft.reading);
        w.u16(delivery.status);
        w.u32(delivery.response_ms);
        w.u32(delivery.total_ms);
        w.u64(delivery.bytes);
        w.text(delivery.outcome);
        for ms in [timing.dns_ms, timing.connect_ms, timing.ttfb_ms, timing.dom_ms, timing.load_ms] {
            w.u32(ms);
        }
        for ms in [timing.fcp_ms, timing.lcp_ms, timing.inp_ms] {
            w.u32(ms);
        }
        w.u16(timing.cls_milli);
        w.u32(reading.engagement_ms);
        w.u8(reading.scroll_pct);
    }
}
