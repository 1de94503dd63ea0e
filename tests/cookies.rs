//! The cookie gateway: what is not declared and permitted passes in neither direction; the rest keeps its bytes.

use crate::support::gateway::shared;
use crate::support::http::exchange;
use crate::support::site::page;
use crate::support::visitor::Visitor;

#[test]
fn rule_k1_an_undeclared_cookie_reaches_neither_side() {
    let (gateway, site) = shared();
    site.answers("/k1/page", page(&[("Set-Cookie", "undeclared=1; Path=/"), ("Set-Cookie", "session=a")], "<p>x</p>"));
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.cookies.insert("undeclared".into(), "1".into());
    visitor.cookies.insert("session".into(), "a".into());
    let answer = visitor.get("/k1/page");
    let lines = answer.all("set-cookie").into_iter().filter(|line| !line.starts_with("consentry"));
    let (ended, set): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains("Max-Age=0"));
    assert_eq!(set, ["session=a"]);
    // C6: what the browser has all the same it is to forget, and no shared cache keeps the answer that says so (K7).
    assert!(ended.contains(&"undeclared=; Max-Age=0; Path=/"), "{ended:?}");
    assert!(answer.field("cache-control").is_some_and(|control| control.contains("private")), "{}", answer.head);
    assert_eq!(site.request("/k1/page").all("cookie"), ["session=a"]);
}

#[test]
fn rule_k2_a_permitted_set_cookie_passes_byte_for_byte() {
    let (gateway, site) = shared();
    let odd = "session=\"a b\" ;  path=/;HTTPONLY;  samesite=none; Partitioned; Priority=High; X-Odd=\"1\"; Expires=Wed, 21 Oct 2037 07:28:00 GMT";
    let ga = "_ga_ABC=GS1.1.17;Domain=example.org;;secure";
    site.answers("/k2/page", page(&[("Set-Cookie", odd), ("set-cookie", ga), ("Set-Cookie", "ad=1")], "<p>x</p>"));
    let passed = |answer: &crate::support::http::Answer| -> Vec<String> {
        let lines = answer.all("set-cookie").into_iter().filter(|line| !line.starts_with("consentry"));
        lines.map(str::to_owned).collect()
    };
    let mut visitor = Visitor::new(gateway);
    assert_eq!(passed(&visitor.get("/k2/page")), [odd], "before a choice");
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    assert_eq!(passed(&visitor.get("/k2/page")), [odd, ga], "with analytics");
    visitor.choose("accept");
    assert_eq!(passed(&visitor.get("/k2/page")), [odd, ga, "ad=1"], "with everything");
}

#[test]
fn rule_k2_the_site_may_not_set_the_gateways_own_cookies() {
    let (gateway, site) = shared();
    let ours =
        ["consentry=v1~1", "consentry_visitor=AAAA", "Consentry_Visit=1.2.3", "__Host-consentry=1; Path=/; Secure"];
    site.answers("/own/page", page(&ours.map(|line| ("Set-Cookie", line)), "<p>x</p>"));
    assert_eq!(Visitor::new(gateway).get("/own/page").all("set-cookie"), [""; 0]);
}

#[test]
fn rule_k3_permitted_cookies_keep_their_order_and_bytes() {
    let (gateway, site) = shared();
    let host = gateway.address;
    let consent = Visitor::who_accepts(gateway).cookies["consentry"].clone();
    let first = format!("_ga=GA1.1.2; evil=1;session=\"q;  lang=en%20GB; consentry={consent}");
    let second = "ad==a=b=; other=2; _gat=1; session=again";
    let request = format!("GET /k3/page HTTP/1.1\r\nHost: {host}\r\nCookie: {first}\r\nCookie: {second}\r\n\r\n");
    assert_eq!(exchange(host, request).status, 200);
    let sent = site.request("/k3/page").all("cookie").join("|");
    let names: Vec<&str> = sent.split("; ").filter_map(|pair| pair.split('=').next()).collect();
    assert!(!sent.contains("evil") && !sent.contains("other") && !sent.contains("consentry"), "{sent}");
    assert_eq!(names.iter().filter(|name| **name == "_ga").count(), 1, "{sent}");
    for kept in ["_ga=GA1.1.2", "lang=en%20GB", "ad==a=b=", "_gat=1", "session=again"] {
        assert!(sent.contains(kept), "{kept} in {sent}");
    }
    let at = |pair: &str| sent.find(pair);
    assert!(at("_ga=") < at("lang=") && at("lang=") < at("ad=") && at("ad=") < at("session=again"), "{sent}");
}

#[test]
fn rule_k3_refused_cookies_stay_with_the_visitor() {
    let (gateway, site) = shared();
    let mut visitor = Visitor::new(gateway);
    visitor.choose("reject");
    for name in ["session", "lang", "_ga", "ad"] {
        visitor.cookies.insert(name.into(), "1".into());
    }
    visitor.get("/k3/refused");
    assert_eq!(site.request("/k3/refused").all("cookie"), ["session=1"]);
}
