//! What a beacon may do, and what nobody can do with one.

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, shared};
use crate::support::http::Answer;
use crate::support::visitor::Visitor;

fn post(visitor: &mut Visitor, events: Value) -> Answer {
    let body = json!({"v": 1, "events": events}).to_string();
    visitor.post("/_privacy/events", "application/json", body.as_bytes())
}

#[test]
fn an_event_that_comes_again_is_answered_as_the_first_and_kept_once() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/again/page");
    let event = json!([{"n": "engagement", "u": "/again/beacon", "i": "00000000000000aa", "e": 5000}]);
    for _ in 0..3 {
        assert_eq!(post(&mut visitor, event.clone()).status, 204);
    }
    // Another visitor may draw the same id.
    let mut other = Visitor::who_accepts(gateway);
    other.get("/again/other");
    assert_eq!(post(&mut other, event).status, 204);
    assert_eq!(post(&mut visitor, json!([{"n": "engagement", "u": "/again/settled", "e": 1}])).status, 204);
    gateway.rows(1, "select 1 from consentry.events where path = '/again/settled'");
    gateway.rows(2, "select engagement_ms from consentry.events where path = '/again/beacon'");
}

#[test]
fn a_beacon_may_come_as_a_browser_sends_it_on_leaving() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/leaving/page");
    let body = br#"{"v":1,"events":[{"n":"engagement","u":"/leaving/beacon","e":7}]}"#;
    assert_eq!(visitor.post("/_privacy/events", "text/plain;charset=UTF-8", body).status, 204);
    gateway.rows(1, "select 1 from consentry.events where path = '/leaving/beacon'");
}

#[test]
fn every_refusal_is_fast_says_why_in_a_word_and_never_what_was_sent() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    let needle = "jane.needle@mail.example";
    let event = |event: Value| json!({"v": 1, "events": [event]}).to_string();
    let many = json!({"v": 1, "events": vec![json!({"n": "click", "u": "/"}); 21]}).to_string();
    let deep = format!(r#"{{"v":1,"events":[{{"n":"click","u":"/","x":{}{}}}]}}"#, "[".repeat(99), "]".repeat(99));
    for (body, status, reason) in [
        (needle.to_owned(), 400, "malformed"),
        (format!("{{\"v\":1,\"events\":\"{needle}\"}}"), 400, "malformed"),
        (json!({"v": 9, "events": []}).to_string(), 400, "version"),
        (many, 400, "too-many-events"),
        (deep, 400, "too-deep"),
        (event(json!({"n": needle, "u": "/"})), 400, "name"),
        (event(json!({"n": "call", "u": "/"})), 400, "name"),
        (event(json!({"n": "click", "u": needle})), 400, "not-a-path"),
        (event(json!({"n": "click", "u": "/", "i": needle})), 400, "id"),
        (event(json!({"n": "click", "u": "/", "e": needle})), 400, "field"),
        (event(json!({"n": "Signup", "u": "/", "props": {"who": needle}})), 400, "property"),
        (event(json!({"n": "Signup", "u": "/", "props": {"a": {"b": needle}}})), 400, "property"),
        (
            event(json!({"n": "Signup", "u": "/", "props": {"note": "this is text that somebody typed"}})),
            400,
            "property",
        ),
        (" ".repeat(20_000), 413, "too-large"),
    ] {
        let answer = visitor.post("/_privacy/events", "application/json", body.as_bytes());
        assert_eq!((answer.status, answer.json()["reason"].as_str()), (status, Some(reason)), "{}", answer.text());
        assert!(!answer.text().contains("needle"), "{}", answer.text());
    }
    assert!(!gateway.folder.log().contains("needle"));
}

#[test]
fn a_beacon_from_another_site_or_without_consent_is_refused() {
    let (gateway, _) = shared();
    let body = br#"{"v":1,"events":[{"n":"engagement","u":"/cross","e":7}]}"#;
    for (name, value) in
        [("Origin", "http://elsewhere.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")]
    {
        let mut visitor = Visitor::who_accepts(gateway).saying(name, value);
        let answer = visitor.post("/_privacy/events", "application/json", body);
        assert_eq!((answer.status, answer.json()["reason"].as_str()), (403, Some("other-site")), "{name}: {value}");
    }
    for mut visitor in [Visitor::new(gateway), Visitor::who_refuses(gateway)] {
        let answer = visitor.post("/_privacy/events", "application/json", body);
        assert_eq!((answer.status, answer.json()["reason"].as_str()), (403, Some("not-permitted")));
        assert!(answer.field("set-cookie").is_none());
    }
    let mut witness = Visitor::who_accepts(gateway);
    witness.get("/cross/witness");
    gateway.rows(1, "select 1 from consentry.events where path = '/cross/witness'");
    assert!(gateway.query("select 1 from consentry.events where path = '/cross'").is_empty());
}

#[test]
fn an_address_that_sends_too_much_is_told_when_to_come_again_and_others_are_not() {
    let site = crate::support::site::Site::start();
    let folder = crate::support::gateway::Folder::new(site.address, "");
    let gateway = folder.with("CONSENTRY__CAPTURE__BEACONS_PER_MINUTE", "30").serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    let answers: Vec<Answer> = (0..40).map(|_| visitor.beacon("/fast")).collect();
    let taken = answers.iter().filter(|answer| answer.status == 204).count();
    assert!((30..=34).contains(&taken), "{taken}");
    let refused = answers.last().expect("forty were sent");
    assert_eq!((refused.status, refused.json()["reason"].as_str()), (429, Some("too-fast")));
    let seconds: u64 = refused.field("retry-after").and_then(|after| after.parse().ok()).expect("a number");
    assert!((1..=3).contains(&seconds), "{seconds}");
    let mut other = Visitor::who_accepts(&gateway);
    other.from = Some("127.0.0.9".parse().expect("is an address"));
    assert_eq!(other.beacon("/fast").status, 204);
    assert_eq!(visitor.get("/fast").status, 200, "pages are not held to it");
}

#[test]
fn what_is_switched_off_is_not_kept_whoever_sends_it() {
    let site = crate::support::site::Site::start();
    let gateway = Gateway::start(site.address, "[capture]\ncollect = [\"engagement\"]\n");
    let mut visitor = Visitor::who_accepts(&gateway);
    let sent = json!([
        {"n": "page_loaded", "u": "/off", "tz": "Europe/London", "screen": "1x1", "pl": ["PDF"], "ti": "A title", "load": 9},
        {"n": "click", "u": "/off", "l": "A"}, {"n": "hover", "u": "/off"}, {"n": "tel", "u": "/off"},
        {"n": "script_error", "u": "/off", "k": "TypeError"}, {"n": "form_submit", "u": "/off"},
        {"n": "engagement", "u": "/off", "e": 5, "lcp": 100, "login": "jane"},
    ]);
    assert_eq!(post(&mut visitor, sent).status, 204);
    let columns =
        "name, time_zone, screen, plugins, title, load_ms, lcp_ms, engagement_ms, toString(login_id) as login";
    let rows = gateway.rows(2, &format!("select {columns} from consentry.events order by name"));
    let nothing = json!({"name": "page_loaded", "time_zone": "", "screen": "", "plugins": "", "title": "", "load_ms": 0,
                         "lcp_ms": 0, "engagement_ms": 0, "login": "0"});
    assert_eq!(rows[1], nothing);
    assert_eq!((&rows[0]["engagement_ms"], &rows[0]["lcp_ms"], &rows[0]["login"]), (&json!(5), &json!(0), &json!("0")));
}
