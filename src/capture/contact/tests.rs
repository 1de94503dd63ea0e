//! What a row of an opening or a call holds, and what it does not.

use std::sync::Arc;

use super::*;
use crate::capture::Shared;
use crate::capture::calls::{Format, parse};
use crate::capture::event::COLUMNS;
use crate::config::Config;
use crate::consent::Policy;
use crate::consent::mail::{Campaign, MailConsent, opening};
use crate::enrich::Places;
use crate::keys::KeyRing;
use crate::pseudonym::{RawMail, RawPhone, Subject};

const NOW: u64 = 1_790_000_000;
const NOW_MS: i64 = NOW as i64 * 1000;

fn capture(ring: &Arc<KeyRing>, more: &str) -> Capture {
    let text = format!("[gateway]\nupstream = \"http://127.0.0.1:3000\"\n{more}");
    let config = Config::from_toml(&text, "test.toml", std::iter::empty()).expect("is a configuration");
    Capture::new(Arc::new(Shared::new(&config, ring.clone(), Places::none())))
}

/// The columns of an event's record that are not empty, with their bytes.
fn filled(event: &Event) -> Vec<(&'static str, Vec<u8>)> {
    let mut record = Vec::new();
    event.encode(&mut record);
    let mut rest = &record[..];
    let mut filled = Vec::new();
    for (name, kind) in COLUMNS {
        let (value, after) = rest.split_at(kind.value_len(rest).expect("a record is whole"));
        rest = after;
        if value.iter().any(|byte| *byte != 0) {
            filled.push((name, value.to_owned()));
        }
    }
    assert!(rest.is_empty());
    filled
}

fn names(filled: &[(&'static str, Vec<u8>)]) -> Vec<&'static str> {
    filled.iter().map(|(name, _)| *name).collect()
}

fn value<'f>(filled: &'f [(&'static str, Vec<u8>)], name: &str) -> &'f [u8] {
    &filled.iter().find(|(column, _)| *column == name).expect("the column is filled").1
}

fn opened(capture: &Capture, ring: &KeyRing, agent: &str) -> Vec<(&'static str, Vec<u8>)> {
    let jane = RawMail::new("jane@example.com").unwrap();
    let keyed = &capture.shared.pseudonymiser;
    let consent = MailConsent {
        policy_version: 1,
        receipt: 0xfeed,
        granted_at: NOW - 9,
        ends_at: NOW + 9,
        recipient: keyed.recipient(&jane),
        suppression: keyed.suppression(Subject::Recipient(&jane)),
        campaign: Campaign::new("spring").unwrap(),
    };
    let token = consent.encode(ring);
    let opening = opening(token.as_bytes(), &Policy::default(), ring, NOW, |_| false).ok().unwrap();
    filled(&capture.mail_open(opening, &RawUserAgent::new(agent.as_bytes()), NOW_MS).unwrap())
}

#[test]
fn an_opening_is_campaign_time_and_keyed_recipient_and_nothing_more() {
    let ring = Arc::new(KeyRing::ephemeral());
    let capture = capture(&ring, "");
    let row = opened(&capture, &ring, "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Thunderbird/140.0");
    let expected = [
        "site_id",
        "ts",
        "name",
        "contact_id",
        "contact_key",
        "utm_campaign",
        "consent_version",
        "consent_ref",
        "retention_days",
        "expires_at",
    ];
    assert_eq!(names(&row), expected);
    assert_eq!(value(&row, "name"), b"\x09mail_open");
    assert_eq!(value(&row, "utm_campaign"), b"\x06spring");
    assert_eq!(value(&row, "consent_ref"), 0xfeed_u64.to_le_bytes());
    let jane = capture.shared.pseudonymiser.recipient(&RawMail::new(" JANE@example.com").unwrap());
    assert_eq!(value(&row, "contact_id"), jane.value.0.to_le_bytes());
    assert_eq!(value(&row, "contact_key"), jane.key.0.to_le_bytes());
}

#[test]
fn an_opening_by_a_providers_server_is_marked_as_one() {
    let ring = Arc::new(KeyRing::ephemeral());
    let row = opened(&capture(&ring, ""), &ring, "Mozilla/5.0");
    assert_eq!((value(&row, "is_bot"), value(&row, "bot_reason")), (&[1][..], &b"\x0amail-proxy"[..]));
}

fn called(capture: &Capture, at: &str, from: &str) -> Option<Vec<(&'static str, Vec<u8>)>> {
    let call = format!(
        r#"{{"calls":[{{"id":"{at}{from}","at":"{at}","from":"{from}","to":"+448001111","duration_s":61.5,"consent":"00000000000000ff"}}]}}"#
    );
    let records = parse(call.as_bytes(), Format::Json).unwrap();
    capture.calls(&records, &Policy::default(), NOW_MS).events.pop().map(|event| filled(&event))
}

#[test]
fn a_call_is_time_duration_country_and_keyed_caller_and_nothing_more() {
    let ring = Arc::new(KeyRing::ephemeral());
    let capture = capture(&ring, "");
    let row = called(&capture, "2026-09-20T10:00:00+01:00", "(020) 7946-0018").unwrap();
    let expected = [
        "site_id",
        "ts",
        "name",
        "contact_id",
        "contact_key",
        "country",
        "calling_code",
        "total_ms",
        "consent_version",
        "consent_purposes",
        "consent_ref",
        "retention_days",
        "expires_at",
    ];
    assert_eq!(names(&row), expected);
    assert_eq!(value(&row, "name"), b"\x04call");
    assert_eq!(value(&row, "ts"), 1_789_894_800_000_i64.to_le_bytes());
    assert_eq!(value(&row, "total_ms"), 61_500_u32.to_le_bytes());
    assert_eq!((value(&row, "country"), value(&row, "calling_code")), (&b"\x02GB"[..], &b"\x0244"[..]));
    assert_eq!(
        (value(&row, "consent_ref"), value(&row, "consent_purposes")),
        (&255_u64.to_le_bytes()[..], &[0b101][..])
    );
    let caller = capture.shared.pseudonymiser.caller(&RawPhone::new("+442079460018", 1).unwrap());
    assert_eq!(value(&row, "contact_id"), caller.value.0.to_le_bytes());
}

#[test]
fn a_row_that_would_have_expired_is_not_made() {
    let ring = Arc::new(KeyRing::ephemeral());
    let capture = capture(&ring, "[retention]\nperiod = \"90 days\"\n");
    assert!(called(&capture, "2026-09-20T10:00:00Z", "+442079460018").is_some());
    assert!(called(&capture, "2026-06-01T10:00:00Z", "+442079460018").is_none());
}
