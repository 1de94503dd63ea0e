//! What an import may be, and what it may not.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::capture::Shared;
use crate::config::Config;
use crate::enrich::Places;
use crate::keys::KeyRing;

/// 2026-09-21T14:13:20Z
const NOW_MS: i64 = 1_790_000_000_000;

fn capture() -> Capture {
    let text = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";
    let config = Config::from_toml(text, "test.toml", std::iter::empty()).expect("is a configuration");
    Capture::new(Arc::new(Shared::new(&config, Arc::new(KeyRing::ephemeral()), Places::none())))
}

/// Accepted, refused with index and word, repeated.
type Told = (usize, Vec<(usize, &'static str)>, usize);

fn import(capture: &Capture, body: &str, format: Format) -> Told {
    let records = parse(body.as_bytes(), format).expect("is an import");
    let import = capture.calls(&records, &Policy::default(), NOW_MS);
    let refused = import.refused.iter().map(|(index, why)| (*index, why.word())).collect();
    assert_eq!(import.ids.len(), import.events.len());
    (import.events.len(), refused, import.repeated)
}

fn one(fields: &str) -> Told {
    import(&capture(), &format!("{{\"calls\":[{{{fields}}}]}}"), Format::Json)
}

fn why(fields: &str) -> &'static str {
    match one(fields) {
        (1, refused, 0) if refused.is_empty() => "",
        (0, refused, 0) if refused.len() == 1 => refused[0].1,
        told => panic!("{fields}: {told:?}"),
    }
}

const GOOD: &str = r#""id":"1","at":"2026-09-21T10:00:00Z","from":"+442079460018","duration_s":180,"consent":true"#;

#[test]
fn a_call_is_kept_only_with_its_callers_consent() {
    assert_eq!(why(GOOD), "");
    assert_eq!(why(&GOOD.replace("true", "\"00ff00ff00ff00ff\"")), "");
    for none in ["false", "null", "1", "\"yes\"", "\"\"", "[true]", "\"00ff\""] {
        assert_eq!(why(&GOOD.replace("true", none)), "no-consent", "{none}");
    }
    assert_eq!(why(&GOOD.replace(",\"consent\":true", "")), "no-consent");
    // Of such a call nothing else is looked at.
    assert_eq!(why(r#""consent":false"#), "no-consent");
}

#[test]
fn each_thing_that_is_wrong_with_a_call_has_its_word() {
    for (good, bad, word) in [
        (r#""1""#, r#""""#, "id"),
        (r#""1""#, "null", "id"),
        ("2026-09-21T10:00:00Z", "2026-09-21T10:00:00", "time"),
        ("2026-09-21T10:00:00Z", "yesterday", "time"),
        ("2026-09-21T10:00:00Z", "2026-09-21T14:20:00Z", "time"),
        ("2026-09-21T10:00:00Z", "2025-08-01T10:00:00Z", "time"),
        ("+442079460018", "anonymous", "number"),
        ("+442079460018", "999", "number"),
        ("180", "-1", "duration"),
        ("180", "86401", "duration"),
        ("180", "\"NaN\"", "duration"),
        ("180", "null", "duration"),
    ] {
        assert_eq!(why(&GOOD.replace(good, bad)), word, "{bad}");
    }
    for (good, fine) in [
        (r#""1""#, "17"),
        ("2026-09-21T10:00:00Z", "2026-09-21 11:00:00+01:00"),
        ("2026-09-21T10:00:00Z", "2026-09-21T14:16:00Z"),
        ("2026-09-21T10:00:00Z", "2025-08-20T10:00:00Z"),
        ("+442079460018", "020 7946 0018"),
        ("180", "\"180\""),
        ("180", "0"),
    ] {
        assert_eq!(why(&GOOD.replace(good, fine)), "", "{fine}");
    }
}

#[test]
fn the_same_id_is_one_call_within_an_import_and_across_them() {
    let capture = capture();
    let body = format!("{{\"calls\":[{{{GOOD}}},{{{GOOD}}},5,{{{}}}]}}", GOOD.replace("\"1\"", "\"2\""));
    assert_eq!(import(&capture, &body, Format::Json), (2, vec![(2, "no-consent")], 1));
    assert_eq!(import(&capture, &body, Format::Json), (0, vec![(2, "no-consent")], 3));
    // Until it turns out that it could not be kept.
    let records = parse(body.as_bytes(), Format::Json).ok().unwrap();
    let known = capture.shared.pseudonymiser.every_call(b"1");
    capture.forget_call(known[0]);
    assert_eq!(records.len(), 4);
    assert_eq!(import(&capture, &body, Format::Json), (1, vec![(2, "no-consent")], 2));
}

#[test]
fn csv_is_read_as_telephone_systems_and_spreadsheets_write_it() {
    let capture = capture();
    let body = "\u{feff}\r\nID,At,\"from\",To,duration_s,consent\r\n\
                a,2026-09-21T10:00:00Z,+442079460018,+44800,180,TRUE\r\n\
                \r\n\
                \"b,\"\"c\",2026-09-21T10:00:00Z,\"(020) 7946,0018\",,7,true\n\
                d,2026-09-21T10:00:00Z,+442079460018,+44800,180,no\n\
                e,2026-09-21T10:00:00Z";
    assert_eq!(import(&capture, body, Format::Csv), (2, vec![(2, "no-consent"), (3, "no-consent")], 0));
    let body = "consent;id;at;from;duration_s\n00ff00ff00ff00ff;x;2026-09-21T10:00:00Z;+4930123456;1\n";
    assert_eq!(import(&capture, body, Format::Csv), (1, vec![], 0));
    assert_eq!(import(&capture, "id,at,from,duration_s,consent\n", Format::Csv), (0, vec![], 0));
}

#[test]
fn a_body_that_is_no_import_is_named_without_its_content() {
    let refusal = |body: &[u8], format| parse(body, format).err().expect("is refused");
    for (body, format, code) in [
        (&b""[..], Format::Json, "malformed"),
        (b"{}", Format::Json, "malformed"),
        (br#"{"calls":{"from":"+447700900123"}}"#, Format::Json, "malformed"),
        (b"\xff", Format::Csv, "malformed"),
        (b"", Format::Csv, "column"),
        (b"id,at,from,consent\n1,2,+447700900123,true\n", Format::Csv, "column"),
        (b"id,at,from,duration_s,consent\n\"1,2,+447700900123", Format::Csv, "malformed"),
    ] {
        let refusal = refusal(body, format);
        assert_eq!(refusal.code(), code);
        assert!(!refusal.to_string().contains("7700"), "{refusal}");
    }
    let many = |count| format!("{{\"calls\":[{}]}}", vec!["1"; count].join(","));
    assert_eq!(parse(many(MAX_CALLS).as_bytes(), Format::Json).map(|calls| calls.len()).ok(), Some(MAX_CALLS));
    assert_eq!(refusal(many(MAX_CALLS + 1).as_bytes(), Format::Json), CallsError::TooMany);
    let many = |count| format!("id,at,from,duration_s,consent\n{}", "a\n".repeat(count));
    assert_eq!(parse(many(MAX_CALLS).as_bytes(), Format::Csv).map(|calls| calls.len()).ok(), Some(MAX_CALLS));
    assert_eq!(refusal(many(MAX_CALLS + 1).as_bytes(), Format::Csv), CallsError::TooMany);
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

proptest! {
    #[test]
    fn garbage_is_never_a_call(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Json, Format::Csv] {
            let records = parse(&body, format).unwrap_or_default();
            prop_assert!(records.iter().all(|record| record.judge(&Policy::default(), 44, NOW_MS).is_err()));
        }
    }

    #[test]
    fn what_is_below_a_good_header_never_panics(body in "[ab,;\"\r\n\u{e9}]{0,60}") {
        let _ = parse(format!("id,at,from,duration_s,consent\n{body}").as_bytes(), Format::Csv);
    }

    #[test]
    fn what_is_quoted_is_read_as_it_is(id in any::<String>(), from in any::<String>()) {
        let body = format!("id,at,from,duration_s,consent\n{},,{},,\n", quoted(&id), quoted(&from));
        let records = parse(body.as_bytes(), Format::Csv).ok().unwrap();
        prop_assert_eq!((records[0].id.as_str(), records[0].from.as_str()), (id.as_str(), from.as_str()));
    }
}
