//! The telephone import.

use serde_json::json;

use super::{TOKEN, ask, folder, gateway, private, text};
use crate::support::gateway::{Gateway, Nobody, shared};
use crate::support::http::Answer;
use crate::support::site::Site;

/// A time that calls can have.
pub fn an_hour_ago() -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).to_string()
}

fn import(gateway: &Gateway, fields: &str, body: &[u8]) -> Answer {
    ask(gateway, "POST", "/_privacy/calls", fields, body)
}

fn knowing_the_token(content_type: &str) -> String {
    format!("Authorization: Bearer {TOKEN}\r\nContent-Type: {content_type}\r\n")
}

/// Hands over JSON as the telephone system does.
pub fn post(gateway: &Gateway, body: &str) -> Answer {
    import(gateway, &knowing_the_token("application/json"), body.as_bytes())
}

#[test]
fn a_call_is_kept_with_its_callers_consent_and_not_without() {
    let (gateway, _) = gateway();
    let at = an_hour_ago();
    let call = |id: &str, from: &str, consent: &str| {
        format!(r#"{{"id":"ways-{id}","at":"{at}","from":"{from}","to":"+448001111","duration_s":180{consent}}}"#)
    };
    let calls = [
        call("1", "+353 1 234 5678", r#","consent":true"#),
        call("2", "020 7946 0001", r#","consent":"00000000000000fe""#),
        call("3", "020 7946 0002", r#","consent":false"#),
        call("4", "020 7946 0003", ""),
        call("5", "anonymous", r#","consent":true"#),
        call("1", "+353 1 234 5678", r#","consent":true"#),
    ];
    let body = format!("{{\"calls\":[{}]}}", calls.join(","));
    let answer = post(gateway, &body);
    assert_eq!((answer.status, answer.field("cache-control")), (200, Some("no-store")), "{}", answer.text());
    assert!(answer.field("set-cookie").is_none());
    let refused = json!([
        {"index": 2, "reason": "no-consent"}, {"index": 3, "reason": "no-consent"}, {"index": 4, "reason": "number"},
    ]);
    assert_eq!(answer.json(), json!({"accepted": 2, "refused": refused, "repeated": 1}));
    assert_eq!(post(gateway, &body).json(), json!({"accepted": 0, "refused": refused, "repeated": 3}));

    let csv = format!(
        "id,at,from,to,duration_s,consent\r\nways-6,{at},\"+44 1481 960 194\",,7,TRUE\r\nways-7,{at},020 7946 0004,,7,no\r\n"
    );
    let answer = import(gateway, &knowing_the_token("text/csv; charset=utf-8"), csv.as_bytes());
    let refused = json!([{"index": 1, "reason": "no-consent"}]);
    assert_eq!(answer.json(), json!({"accepted": 1, "refused": refused, "repeated": 0}));

    let sql = "select country, calling_code, toUInt32(total_ms) as ms, contact_id != 0 as who, contact_key != 0 as known, \
               visitor_id = 0 as nobody, consent_purposes as purposes, lower(leftPad(hex(consent_ref), 16, '0')) as receipt, \
               ts < now() - interval 50 minute as then, hostname || path || browser || city as rest \
               from consentry.events where name = 'call' order by country";
    let row = |country: &str, code: &str, ms: u32, receipt: &str| {
        json!({
            "country": country, "calling_code": code, "ms": ms, "who": 1, "known": 1, "nobody": 1, "purposes": 5,
            "receipt": receipt, "then": 1, "rest": "",
        })
    };
    let (none, receipt) = ("0000000000000000", "00000000000000fe");
    let expected = [row("GB", "44", 180_000, receipt), row("GG", "44", 7000, none), row("IE", "353", 180_000, none)];
    assert_eq!(gateway.rows(3, sql), expected);
}

#[test]
fn a_call_is_one_call_also_after_a_restart() {
    let nobody = Nobody::new();
    let site = Site::start();
    let gateway = folder(&site, &format!("[clickhouse]\nurl = \"http://{}\"\n", nobody.address)).serve();
    let at = an_hour_ago();
    let call =
        |id: &str| format!(r#"{{"id":"{id}","at":"{at}","from":"+442079460018","duration_s":1,"consent":true}}"#);
    let import = |gateway: &Gateway, ids: [&str; 2]| {
        let answer = post(gateway, &format!("{{\"calls\":[{}]}}", ids.map(call).join(","))).json();
        (answer["accepted"].as_u64(), answer["repeated"].as_u64())
    };
    assert_eq!(import(&gateway, ["one", "two"]), (Some(2), Some(0)));
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    assert_eq!(import(&gateway, ["two", "three"]), (Some(1), Some(1)));
}

#[test]
fn only_who_has_the_token_hands_over_calls() {
    let (gateway, _) = gateway();
    let reason = |answer: &Answer| answer.json()["reason"].as_str().unwrap_or_default().to_owned();
    for (fields, status, code) in [
        (String::new(), 401, "no-token"),
        (format!("Authorization: Basic {TOKEN}\r\n"), 401, "no-token"),
        ("Authorization: Bearer\r\n".to_owned(), 401, "no-token"),
        (format!("Authorization: Bearer {}\r\n", &TOKEN[1..]), 403, "wrong-token"),
        (format!("Authorization: Bearer {TOKEN}0\r\n"), 403, "wrong-token"),
        (format!("Authorization: Bearer {TOKEN}\r\n"), 415, "content-type"),
        (knowing_the_token("text/plain"), 415, "content-type"),
        (knowing_the_token("application/json"), 400, "malformed"),
        (knowing_the_token("text/csv"), 400, "column"),
    ] {
        let answer = import(gateway, &fields, b"07700900123");
        assert_eq!((answer.status, reason(&answer).as_str()), (status, code), "{fields}");
        assert!(!answer.text().contains("7700"), "{}", answer.text());
        assert_eq!(answer.field("www-authenticate").is_some(), status == 401);
    }
    let asked = ask(gateway, "GET", "/_privacy/calls", &format!("Authorization: Bearer {TOKEN}\r\n"), b"");
    assert_eq!((asked.status, asked.field("allow")), (405, Some("POST")));
    let many = format!("{{\"calls\":[{}]}}", vec!["1"; 501].join(","));
    let answer = post(gateway, &many);
    assert_eq!((answer.status, reason(&answer).as_str()), (413, "too-many"));
    let answer = post(gateway, &" ".repeat(256 * 1024 + 1));
    assert_eq!((answer.status, reason(&answer).as_str()), (413, "too-large"));
    assert_eq!(post(gateway, &format!("{{\"calls\":[]}}{}", " ".repeat(256 * 1024 - 12))).status, 200);
}

#[test]
fn without_a_configured_token_there_is_no_such_page() {
    let (gateway, _) = shared();
    let answer = post(gateway, "{\"calls\":[]}");
    let unknown = ask(gateway, "POST", "/_privacy/nothing", &knowing_the_token("application/json"), b"{\"calls\":[]}");
    assert_eq!((answer.status, answer.text()), (404, unknown.text()));
}

#[test]
fn a_token_that_others_can_read_stops_the_start_with_what_to_do() {
    let nobody = Nobody::new();
    let site = Site::start();
    let folder = folder(&site, &format!("[clickhouse]\nurl = \"http://{}\"\n", nobody.address));
    let told = |folder: &crate::support::gateway::Folder| {
        let output = folder.run(&["serve"]);
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    private(&folder, 0o640);
    let said = told(&folder);
    assert!(said.contains("chmod 600 token") && said.contains("calls_token_file") && !said.contains(TOKEN), "{said}");
    private(&folder, 0o600);
    folder.write("token", "short");
    assert!(told(&folder).contains("openssl rand"), "{}", told(&folder));
    std::fs::remove_file(folder.path().join("token")).expect("the file is ours");
    assert!(told(&folder).contains("there is no token's file token"), "{}", told(&folder));
}

#[test]
fn an_import_that_does_not_fit_is_refused_and_can_be_sent_again() {
    let nobody = Nobody::new();
    let site = Site::start();
    let more = format!("[clickhouse]\nurl = \"http://{}\"\n[spool]\nmax_bytes = \"64 KiB\"\n", nobody.address);
    let gateway = folder(&site, &more).serve();
    let at = an_hour_ago();
    let calls: Vec<String> = (0..500)
        .map(|n| {
            format!(r#"{{"id":"{n}","at":"{at}","from":"+442079460{:03}","duration_s":1,"consent":true}}"#, n % 1000)
        })
        .collect();
    let body = format!("{{\"calls\":[{}]}}", calls.join(","));
    let figure = |name: &str| -> u64 {
        let metrics = crate::dashboard::get(&gateway, "/metrics").text();
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} "))).expect("the figure is there");
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    };
    // A few more may fit the second time, and none of the first ones is kept again.
    let mut refused = 0;
    for _ in 0..2 {
        let answer = post(&gateway, &body);
        assert_eq!((answer.status, &answer.json()["reason"]), (503, &json!("spool-full")), "{}", answer.text());
        assert_eq!(answer.field("Retry-After"), Some("5"));
        let kept = figure("consentry_events_captured_total");
        assert!(kept > 0 && kept < 500, "{kept}");
        refused += 500 - kept;
    }
    assert_eq!(figure("consentry_call_imports_refused_total"), 2);
    assert_eq!(figure("consentry_events_refused_total"), refused);
}
