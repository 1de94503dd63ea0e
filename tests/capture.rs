//! What a visitor allowed becomes a row: which, with what in it, and nothing that names the visitor.

mod agents;
mod beacons;
mod dictionary;
mod exchange;
mod places;
mod visits;

use serde_json::json;

use crate::support::gateway::shared;
use crate::support::visitor::Visitor;

#[test]
fn a_page_view_after_consent_is_a_row_that_names_its_consent_and_its_end() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    visitor.from = Some("127.0.0.7".parse().expect("is an address"));
    visitor.get("/row/one");
    visitor.choose("accept");
    let receipt = visitor.fetch("GET", "/_privacy/consent").json()["receipt"].as_str().expect("a receipt").to_owned();
    assert_eq!(visitor.get("/row/one?utm_source=news&q=free+text").status, 200);
    assert_eq!(visitor.get("/row/two").status, 200);
    let sql = "select path, name, seq, since_prev_ms, lower(leftPad(hex(consent_ref), 16, '0')) as receipt, consent_version, \
               consent_purposes, expires_at = toDate(ts) + interval 6 year as to_the_day, retention_days, \
               toString(ip_net) as net, ip_hash != 0 as hashed, visitor_id != 0 as known, toString(visitor_id) as visitor, \
               toString(session_id) as visit, browser, os, device, status, utm_source, hostname, is_bot \
               from consentry.events where startsWith(path, '/row/') order by seq";
    let rows = gateway.rows(2, sql);
    for row in &rows {
        for (field, value) in [
            ("name", json!("pageview")),
            ("receipt", json!(receipt)),
            ("consent_version", json!(1)),
            ("consent_purposes", json!(0b1111)),
            ("to_the_day", json!(1)),
            ("retention_days", json!(2192)),
            ("net", json!("::ffff:127.0.0.0")),
            ("hashed", json!(1)),
            ("known", json!(1)),
            ("browser", json!("Chrome")),
            ("status", json!(200)),
            ("hostname", json!("[address]")),
            ("is_bot", json!(0)),
        ] {
            assert_eq!(row[field], value, "{field} of {row}");
        }
    }
    let [first, second] = &rows[..] else { unreachable!("two rows were waited for") };
    assert_eq!((&first["path"], &second["path"]), (&json!("/row/one"), &json!("/row/two")));
    assert_eq!((&first["seq"], &second["seq"]), (&json!(1), &json!(2)));
    assert_eq!(first["since_prev_ms"], 0);
    assert!(second["since_prev_ms"].as_u64().is_some_and(|ms| ms < 30_000), "{second}");
    assert_eq!((&first["visitor"], &first["visit"]), (&second["visitor"], &second["visit"]));
    assert_eq!((&first["utm_source"], &second["utm_source"]), (&json!("news"), &json!("")));
}

#[test]
fn only_the_granted_purposes_stand_in_the_row() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    visitor.get("/bits/page");
    let sql = "select consent_purposes as bits from consentry.events where path = '/bits/page'";
    assert_eq!(gateway.rows(1, sql)[0]["bits"], 0b0101);
}

#[test]
fn a_beacon_is_a_row_once_it_is_answered_with_204() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/beacon/page");
    let answer = visitor.beacon("/beacon/page");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let sql =
        "select name, seq, engagement_ms, scroll_pct from consentry.events where path = '/beacon/page' order by seq";
    let rows = gateway.rows(2, sql);
    assert_eq!(rows[0], json!({"name": "engagement", "seq": 0, "engagement_ms": 1200, "scroll_pct": 50}));
    assert_eq!(rows[1]["seq"], 1);
}

#[test]
fn a_beacon_that_is_none_is_refused_with_its_reason() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    for (body, status) in [
        (&b"garbage"[..], 400),
        (b"", 400),
        (br#"{"v":2,"events":[]}"#, 400),
        (br#"{"v":1,"events":[{"n":"engagement","u":"elsewhere"}]}"#, 400),
        (br#"{"v":1,"events":[{"n":"transfer","u":"/"}]}"#, 400),
        (&[b' '; 20_000], 413),
    ] {
        let answer = visitor.post("/_privacy/events", "application/json", body);
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 400 {
            assert!(
                answer.json()["error"].as_str().is_some_and(|reason| reason.contains("beacon")),
                "{}",
                answer.text()
            );
        }
    }
    let asked = visitor.fetch("GET", "/_privacy/events");
    assert_eq!((asked.status, asked.field("allow")), (405, Some("POST")));
    let mut elsewhere = Visitor::who_accepts(gateway).saying("Origin", "http://elsewhere.example");
    assert_eq!(elsewhere.beacon("/").status, 403);
}

#[test]
fn what_is_no_page_view_is_no_page_view_row() {
    let (gateway, site) = shared();
    site.answers("/none/redirect", "HTTP/1.1 302 Found\r\nLocation: /none/x\r\nContent-Length: 0\r\n\r\n");
    site.answers("/none/json", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/none/redirect");
    visitor.get("/none/json");
    visitor.fetch("GET", "/none/fetched");
    visitor.fetch("HEAD", "/none/head");
    Visitor::who_accepts(gateway).saying("Sec-Purpose", "prefetch").get("/none/ahead");
    visitor.get("/none/settled");
    let sql = "select path, name, target from consentry.events where startsWith(path, '/none/') order by name";
    let rows = gateway.rows(2, sql);
    assert_eq!(rows[0], json!({"path": "/none/settled", "name": "pageview", "target": ""}));
    assert_eq!(rows[1], json!({"path": "/none/redirect", "name": "redirect", "target": "/none/x"}));
}
