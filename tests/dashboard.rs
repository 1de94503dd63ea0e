//! Marketing's side: nothing without the password, figures with it.

use crate::support::eventually;
use crate::support::gateway::{Gateway, shared};
use crate::support::http::{Answer, exchange};
use crate::support::visitor::Visitor;

/// Asks the dashboard's listener.
pub fn get(gateway: &Gateway, target: &str) -> Answer {
    ask(gateway, "GET", target, "", "")
}

fn ask(gateway: &Gateway, method: &str, target: &str, fields: &str, body: &str) -> Answer {
    let (host, length) = (gateway.dashboard, body.len());
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
    exchange(gateway.dashboard, head)
}

fn sign_in(gateway: &Gateway, password: &str) -> Answer {
    let body = serde_json::json!({ "password": password }).to_string();
    ask(gateway, "POST", "/api/sign-in", "Content-Type: application/json\r\n", &body)
}

#[test]
fn figures_are_for_those_who_know_the_password() {
    let (gateway, _) = shared();
    for path in ["/api/totals", "/api/series", "/api/pages", "/api/sources", "/api/countries", "/api/devices"] {
        assert_eq!(get(gateway, path).status, 401, "{path}");
    }
    assert_eq!(sign_in(gateway, "wrong").status, 401);
    let password = gateway.password.as_deref().expect("the first start made one");
    let signed_in = sign_in(gateway, password);
    assert_eq!(signed_in.status, 200);
    let cookie = signed_in.field("set-cookie").expect("a session").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let session = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());

    let mut visitor = Visitor::who_accepts(gateway).saying("Referer", "https://www.google.com/");
    visitor.get("/figures/one");
    visitor.get("/figures/two");
    let pages = eventually("both pages are counted", || {
        let pages = ask(gateway, "GET", "/api/pages?limit=1000", &session, "").json();
        let count = |path: &str| pages["rows"].as_array()?.iter().find(|row| row["label"] == path).cloned();
        Some((count("/figures/one")?, count("/figures/two")?))
    });
    assert_eq!((&pages.0["visitors"], &pages.1["page_views"]), (&1.into(), &1.into()));
    let totals = ask(gateway, "GET", "/api/totals?page=/figures/one", &session, "").json();
    // A page narrows to the visits that saw it, with all they saw.
    assert_eq!((&totals["current"]["visits"], &totals["current"]["page_views"]), (&1.into(), &2.into()), "{totals}");
    let sources = ask(gateway, "GET", "/api/sources?page=/figures/one", &session, "").json();
    assert_eq!(sources["rows"][0]["visits"], 1, "{sources}");

    assert_eq!(ask(gateway, "POST", "/api/sign-out", &session, "").status, 200);
    assert_eq!(ask(gateway, "GET", "/api/totals", &session, "").status, 401);
}

#[test]
fn probes_and_metrics_need_no_password_and_hold_no_visitor() {
    let (gateway, _) = shared();
    assert_eq!(get(gateway, "/healthz").text(), "ok\n");
    assert_eq!(get(gateway, "/readyz").json()["ready"], true);
    let metrics = get(gateway, "/metrics").text();
    assert!(metrics.contains("consentry_events_captured_total"), "{metrics}");
    assert!(!metrics.contains("127.0.0.1") && !metrics.contains("path="), "{metrics}");
}

#[test]
fn a_page_elsewhere_cannot_speak_to_it() {
    let (gateway, _) = shared();
    let rebound = exchange(gateway.dashboard, "GET /api/session HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(rebound.status, 421);
    let fields = "Origin: http://evil.example\r\nContent-Type: application/json\r\n";
    assert_eq!(ask(gateway, "POST", "/api/sign-in", fields, "{\"password\":\"x\"}").status, 403);
}
