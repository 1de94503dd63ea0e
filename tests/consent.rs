//! Nothing before a choice, nothing after a refusal; a choice that counts is one this gateway signed.

mod pages;
mod proof;
mod signals;
mod under_16;

use std::time::{SystemTime, UNIX_EPOCH};

use consentry::config::Config;
use consentry::consent::{Choice, ChoiceSource, Seal, choice};
use consentry::keys::KeyRing;

use crate::support::gateway::{Folder, Gateway, Nobody, shared, without_database};
use crate::support::site::{Site, page};
use crate::support::visitor::Visitor;
use crate::support::{files, holds};

/// Waits until everything that was captured before now is in the table.
fn settle(gateway: &Gateway, path: &str) {
    Visitor::who_accepts(gateway).get(path);
    gateway.rows(1, &format!("select path from consentry.events where path = '{path}'"));
}

fn rows_below(gateway: &Gateway, prefix: &str) -> u64 {
    let sql = format!("select count() as n from consentry.events where startsWith(path, '{prefix}')");
    gateway.query(&sql)[0]["n"].as_u64().expect("a count is a number")
}

#[test]
fn rule_c2_before_a_choice_there_is_a_banner_and_nothing_else() {
    let (gateway, site) = shared();
    let mut visitor = Visitor::new(gateway);
    for (name, value) in [("_ga", "GA1.1"), ("ad", "7"), ("consentry_visitor", "x"), ("unknown", "1")] {
        visitor.cookies.insert(name.into(), value.into());
    }
    let page = visitor.get("/unasked/page");
    assert_eq!(page.status, 200);
    assert!(
        page.text().contains("id=\"consentry-banner\"") && page.text().contains("<h1>A page</h1>"),
        "{}",
        page.text()
    );
    assert!(!page.text().contains("collector.js"), "{}", page.text());
    assert_eq!(page.all("set-cookie"), [""; 0]);
    assert_eq!(site.request("/unasked/page").all("cookie"), [""; 0]);
    assert_eq!(visitor.beacon("/unasked/page").status, 403);
    settle(gateway, "/unasked-settled");
    assert_eq!(rows_below(gateway, "/unasked/"), 0);
}

#[test]
fn the_banners_form_sets_one_cookie_and_leads_back_to_the_page() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway).saying("Referer", &format!("http://{}/form/page?a=1", gateway.address));
    let answer = visitor.choose("accept");
    assert_eq!((answer.status, answer.field("location")), (303, Some("/form/page?a=1")));
    let cookie = *answer.all("set-cookie").first().expect("the choice is remembered");
    assert!(cookie.starts_with("consentry=v2~"), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15724800"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let page = visitor.get("/form/page");
    assert!(
        !page.text().contains("id=\"consentry-banner\"") && page.text().contains("collector.js"),
        "{}",
        page.text()
    );
}

#[test]
fn a_script_chooses_with_json_and_is_told_what_counts() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    let answer = visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    assert_eq!(answer.status, 200);
    let said = answer.json();
    assert_eq!(said["granted"], serde_json::json!(["necessary", "analytics"]));
    assert_eq!(said["denied"], serde_json::json!(["preferences", "marketing"]));
    let asked = visitor.fetch("GET", "/_privacy/consent").json();
    assert_eq!((&asked["receipt"], &asked["chosen"]), (&said["receipt"], &serde_json::json!(true)));
}

#[test]
fn rule_c1_a_post_that_is_not_understood_changes_nothing() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    for (kind, body, status) in [
        ("application/json", &b"{\"choice\":\"accept\",\"x\":1}"[..], 400),
        ("application/x-www-form-urlencoded", b"choice=yes", 400),
        ("text/plain", b"choice=accept", 415),
        ("application/x-www-form-urlencoded", &[b'a'; 9000], 413),
    ] {
        let answer = visitor.post("/_privacy/consent", kind, body);
        assert_eq!((answer.status, answer.all("set-cookie").len()), (status, 0), "{kind}");
    }
    let elsewhere = Visitor::new(gateway).saying("Origin", "http://elsewhere.example").choose("accept");
    assert_eq!((elsewhere.status, elsewhere.all("set-cookie").len()), (403, 0));
}

#[test]
fn after_a_refusal_nothing_is_captured_and_nothing_is_in_the_queue() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    assert_eq!(visitor.choose("reject").status, 303);
    let page = visitor.get("/refused/page-needle-4711");
    assert!(
        !page.text().contains("id=\"consentry-banner\"") && !page.text().contains("collector.js"),
        "{}",
        page.text()
    );
    assert_eq!(page.all("set-cookie"), [""; 0]);
    let beacon = visitor.beacon("/refused/page-needle-4711");
    assert_eq!((beacon.status, beacon.json()["error"].is_string()), (403, true));
    settle(gateway, "/refused-settled");
    assert_eq!(rows_below(gateway, "/refused/"), 0);
    for (file, bytes) in files(&gateway.folder.data()) {
        assert!(!holds(&bytes, b"page-needle-4711"), "{}", file.display());
    }
    assert_eq!(visitor.cookies.keys().collect::<Vec<_>>(), ["consentry", "consentry_choice"]);
}

#[test]
fn rule_c6_withdrawing_expires_every_cookie_in_the_same_answer() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/withdrawn/page");
    for name in ["lang", "_ga_X1", "ad", "session"] {
        visitor.cookies.insert(name.into(), "1".into());
    }
    assert!(visitor.cookies.contains_key("consentry_visitor") && visitor.cookies.contains_key("consentry_visit"));
    let answer = visitor.choose("reject");
    let expired = |name: &str| {
        let mut lines = answer.all("set-cookie").into_iter().filter(|line| line.starts_with(&format!("{name}=;")));
        lines.any(|line| line.to_ascii_lowercase().contains("max-age=0"))
    };
    for name in ["lang", "_ga_X1", "ad", "consentry_visitor", "consentry_visit"] {
        assert!(expired(name), "{name}: {}", answer.head);
    }
    assert_eq!(visitor.cookies.keys().collect::<Vec<_>>(), ["consentry", "consentry_choice", "session"]);
    assert_eq!(visitor.beacon("/withdrawn/page").status, 403);
}

#[test]
fn rule_c6_a_cookie_on_a_path_is_expired_there_though_it_does_not_come_with_the_withdrawal() {
    let (gateway, site) = shared();
    let lines = [("Set-Cookie", "_ga_path=1; Path=/c6; HttpOnly"), ("Set-Cookie", "session=1; Path=/c6")];
    site.answers("/c6/page", page(&lines, "<p>x</p>"));
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/c6/page");
    visitor.cookies.remove("_ga_path");
    let answer = visitor.choose("reject");
    let ended: Vec<&str> = answer.all("set-cookie").into_iter().filter(|line| line.contains("Max-Age=0")).collect();
    assert!(ended.contains(&"_ga_path=; Max-Age=0; Path=/c6"), "{ended:?}");
    assert!(!ended.iter().any(|line| line.starts_with("session")), "{ended:?}");
    let bytes: usize = answer.all("set-cookie").iter().map(|line| line.len() + 14).sum();
    assert!(bytes < 7 * 1024, "an answer's head stays within what proxies take: {bytes}");
}

#[test]
fn rule_c6_one_visitors_made_up_cookies_are_not_in_the_way_of_another_ones_withdrawal() {
    let (gateway, site) = shared();
    site.answers("/made-up/page", page(&[("Set-Cookie", "ad=1; Path=/made-up")], "<p>x</p>"));
    let mut attacker = Visitor::who_accepts(gateway);
    attacker.get("/made-up/page");
    for i in 0..40 {
        attacker.cookies.retain(|name, _| name.starts_with("consentry"));
        for mark in ["", "!", "x"] {
            attacker
                .cookies
                .insert(format!("_ga_{mark}{}", char::from(b'a' + i % 26).to_string().repeat(3)), "1".into());
        }
        attacker.get("/made-up/page");
    }
    let mut visitor = Visitor::who_accepts(gateway);
    for i in 0..45 {
        visitor.cookies.insert(format!("a{i}"), "1".into());
    }
    visitor.cookies.insert("lang".into(), "1".into());
    let answer = visitor.choose("reject");
    let lines = answer.all("set-cookie");
    for expected in ["lang=; Max-Age=0; Path=/", "ad=; Max-Age=0; Path=/made-up", "a0=; Max-Age=0; Path=/"] {
        assert!(lines.contains(&expected), "{expected}: {}", answer.head);
    }
    assert!(!lines.iter().any(|line| line.starts_with("_ga_!") || line.starts_with("_ga_xaaa")), "{}", answer.head);
    assert!(answer.head.len() < 8 * 1024, "{}", answer.head.len());
}

#[test]
fn rule_c1_a_forged_altered_or_expired_choice_is_no_choice() {
    let (gateway, _) = shared();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    // Its purposes come to what the gateway's do.
    let configuration = Config::load(&gateway.folder.path().join("consentry.toml")).expect("the gateway read it");
    let policy = configuration.policy;
    let ring = KeyRing::open_or_create(&gateway.folder.data().join("keys.json"), 1, now).expect("the gateway made it");
    let choice = |made_at: u64, ring: &KeyRing| {
        Choice::new(&policy, policy.all(), ChoiceSource::Banner, made_at * 1000)
            .encode(&policy, Seal::new(ring, "127.0.0.1"))
    };
    let good = choice(now, &ring);
    let chosen = |cookie: &str| {
        let mut visitor = Visitor::new(gateway);
        visitor.cookies.insert(choice::COOKIE.into(), cookie.into());
        let asked = visitor.fetch("GET", "/_privacy/consent").json();
        let page = visitor.get("/forged/page").text();
        assert_eq!(page.contains("id=\"consentry-banner\""), asked["chosen"] == false, "{page}");
        asked["chosen"] == true
    };
    assert!(chosen(&good));
    assert!(!chosen(&choice(now, &KeyRing::ephemeral())), "signed by another key");
    assert!(!chosen(&choice(now - 182 * 86_400, &ring)), "made 182 days ago");
    assert!(!chosen(&choice(now + 3600, &ring)), "made in an hour");
    assert!(!chosen(&good.replace("analytics", "marketing")), "altered");
    for garbage in ["", "v1", "%00", "v2~1~1~1~1~analytics.AAAA~~banner~~en~0~~AAAA"] {
        assert!(!chosen(garbage), "{garbage}");
    }
}

#[test]
fn rule_c8_the_signal_reaches_the_site_and_grants_nothing() {
    let (gateway, site) = shared();
    let mut visitor = Visitor::new(gateway).saying("Sec-GPC", "1");
    let page = visitor.get("/gpc/page");
    assert_eq!(site.request("/gpc/page").all("sec-gpc"), ["1"]);
    assert!(page.text().contains("id=\"consentry-banner\""));
    assert_eq!(visitor.beacon("/gpc/page").status, 403);
}

#[test]
fn a_refused_visitor_is_in_no_queue_while_an_accepted_one_is() {
    let site = Site::start();
    // Nobody takes anything out of the queue here.
    let (gateway, _nobody) = without_database(site.address, "");
    let mut refused = Visitor::new(&gateway);
    refused.get("/queue/undecided-needle");
    refused.choose("reject");
    refused.get("/queue/refused-needle");
    refused.beacon("/queue/refused-needle");
    let mut withdrawn = Visitor::who_accepts(&gateway);
    withdrawn.choose("reject");
    withdrawn.get("/queue/withdrawn-needle");
    let mut accepted = Visitor::who_accepts(&gateway);
    accepted.get("/queue/accepted-page");
    assert_eq!(accepted.beacon("/queue/accepted-beacon").status, 204);
    let queue = files(&gateway.folder.data().join("spool"));
    let queued = |needle: &[u8]| queue.iter().any(|(_, bytes)| holds(bytes, needle));
    assert!(queued(b"/queue/accepted-page") && queued(b"/queue/accepted-beacon"));
    assert!(!queued(b"-needle"));
}

#[test]
fn rule_c3_other_purposes_do_not_grant_analytics() {
    let (gateway, site) = shared();
    let mut visitor = Visitor::new(gateway);
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["preferences","marketing"]}"#);
    let page = visitor.get("/c3/page");
    assert!(page.all("set-cookie").is_empty() && !page.text().contains("collector.js"), "{}", page.head);
    assert_eq!(visitor.beacon("/c3/page").status, 403);
    for name in ["lang", "_ga", "ad"] {
        visitor.cookies.insert(name.into(), "1".into());
    }
    visitor.get("/c3/cookies");
    assert_eq!(site.request("/c3/cookies").all("cookie"), ["ad=1; lang=1"]);
}

#[test]
fn rule_c5_withdrawing_is_one_page_and_one_button_without_javascript() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::who_accepts(gateway);
    assert!(visitor.get("/c5/page").text().contains("href=\"/_privacy/\""), "from every page");
    let preferences = visitor.get("/_privacy/");
    let text = preferences.text();
    assert!(text.contains("method=\"post\"") && text.contains("action=\"/_privacy/consent\""), "{text}");
    assert!(!text.contains("<script"), "{text}");
    let saved = visitor.post(
        "/_privacy/consent",
        "application/x-www-form-urlencoded",
        b"choice=save&source=preferences&purpose.analytics=no&purpose.preferences=yes&purpose.marketing=no",
    );
    assert_eq!((saved.status, saved.field("location")), (303, Some("/_privacy/?saved=1")));
    assert_eq!(
        visitor.fetch("GET", "/_privacy/consent").json()["granted"],
        serde_json::json!(["necessary", "preferences"])
    );
    assert_eq!(visitor.beacon("/c5/page").status, 403);
}

#[test]
fn rule_c7_a_raised_policy_version_asks_everybody_again() {
    let site = Site::start();
    let nobody = Nobody::new();
    let more = format!("[clickhouse]\nurl = \"http://{}\"\n", nobody.address);
    let gateway = Folder::new(site.address, &more).serve();
    let visitor = Visitor::who_accepts(&gateway);
    let (_, folder) = gateway.end("TERM");
    let before = std::fs::read_to_string(folder.path().join("consentry.toml")).expect("is there");
    folder.write("consentry.toml", &format!("{before}[consent]\npolicy_version = 2\n"));
    let gateway = folder.serve();
    let mut again = Visitor::new(&gateway);
    again.cookies = visitor.cookies;
    assert!(again.get("/c7/page").text().contains("id=\"consentry-banner\""));
    let refused = again.beacon("/c7/page");
    assert_eq!((refused.status, refused.text().contains("old-policy")), (403, true), "{}", refused.text());
}
