//! Visits through the real gateway: cookies that nobody can make up, campaigns, events of before.

use serde_json::json;

use crate::support::gateway::shared;
use crate::support::visitor::Visitor;

#[test]
fn a_visit_that_is_forged_is_not_continued_and_nothing_breaks() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/forged/one");
    let real = visitor.cookies["consentry_visit"].clone();
    let mut thief = Visitor::who_accepts(gateway);
    thief.cookies.insert("consentry_visit".into(), real.clone());
    thief.get("/forged/thief");
    let changed = real.replacen(".1.", ".40000.", 1);
    assert_ne!(real, changed);
    // Another process that knows nothing of this visitor: the table does not help out.
    let mut forger = Visitor::who_accepts(gateway);
    for value in [changed.as_str(), "x", "", "ffffffffffffffff.1.5.0.AAAA", "1.2.3.4.5.6.7"] {
        forger.cookies.insert("consentry_visit".into(), value.into());
        assert_eq!(forger.get("/forged/forger").status, 200);
    }
    let sql = "select path, toString(session_id) as visit, max(seq) as last from consentry.events \
               where startsWith(path, '/forged/') group by path, visit order by path";
    let rows = gateway.rows(3, sql);
    let forger = rows.iter().find(|row| row["path"] == "/forged/forger").expect("its row");
    assert_eq!(forger["last"], 5, "one visit of five pages by what this gateway knows itself");
    assert_ne!(rows[1]["visit"], rows[2]["visit"], "{rows:?}");
}

#[test]
fn another_campaign_begins_another_visit() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    for target in ["/camp/one?utm_source=a&utm_campaign=x", "/camp/two", "/camp/one?utm_source=a&utm_campaign=x"] {
        visitor.get(target);
    }
    visitor.get("/camp/three?utm_source=b");
    let sql = "select count() as pages, min(seq) as first, uniqExact(visitor_id) as who from consentry.events \
               where startsWith(path, '/camp/') group by session_id order by pages";
    let rows = gateway.rows(2, sql);
    assert_eq!(json!(rows), json!([{"pages": 1, "first": 1, "who": 1}, {"pages": 3, "first": 1, "who": 1}]));
}

#[test]
fn rule_c2_an_event_of_a_time_before_the_grant_is_not_kept() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    let events = json!({"v": 1, "events": [
        {"n": "engagement", "u": "/before/grant", "e": 900, "t": 3_600_000},
        {"n": "engagement", "u": "/before/settled", "e": 900},
    ]});
    let answer = visitor.post("/_privacy/events", "application/json", events.to_string().as_bytes());
    assert_eq!(answer.status, 204);
    let rows = gateway.rows(1, "select path from consentry.events where startsWith(path, '/before/')");
    assert_eq!(rows[0]["path"], "/before/settled");
}
