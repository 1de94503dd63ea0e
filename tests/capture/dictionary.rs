//! The data dictionary, item by item: what the notices say is collected is what stands in the table, in the form they say.

use serde_json::{Value, json};

use crate::support::gateway::Gateway;
use crate::support::site::{Site, page};
use crate::support::visitor::Visitor;
use crate::support::{files, holds};

const EVERYTHING: &str = r#"
[capture]
query_keys = ["page"]
search_keys = ["q"]
click_labels = ["Book a demo"]
free_text = ["comment"]
collect = ["device", "plugins", "timings", "vitals", "engagement", "clicks", "downloads", "outbound", "forms", "contacts",
           "errors", "hover", "titles", "hash", "login"]
[[path_class]]
pattern = "/conditions/**"
class = "health"
"#;

/// The id that a page's markup gives the collector.
fn page_view_id(html: &str) -> String {
    let (_, after) = html.split_once("data-consentry-page=\"").unwrap_or_else(|| panic!("no id in {html}"));
    after.split('"').next().expect("the attribute ends").to_owned()
}

fn sent(visitor: &mut Visitor, events: Value) {
    let body = json!({"v": 1, "events": events}).to_string();
    let answer = visitor.post("/_privacy/events", "application/json", body.as_bytes());
    assert_eq!(answer.status, 204, "{}", answer.text());
}

fn row(gateway: &Gateway, columns: &str, name: &str) -> Value {
    gateway.rows(1, &format!("select {columns} from consentry.events where name = '{name}'")).remove(0)
}

#[test]
fn every_item_of_the_dictionary_stands_in_its_column() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, EVERYTHING);
    let mut visitor = Visitor::who_accepts(&gateway).saying("Referer", "https://www.google.co.uk/search?q=needle");
    let html = visitor.get("/search?q=Waiting++list&page=2&utm_source=news").text();
    let id = page_view_id(&html);
    let (at, u) = ("https://www.partner.example/needle@mail.example/a?x=needle#y", "/search?q=needle&page=2");
    sent(
        &mut visitor,
        json!([
            {"n": "page_loaded", "u": u, "p": id, "i": "0000000000000001", "login": "user-needle-7", "nt": "navigate",
             "tz": "Europe/London", "lang": "en-GB,cy", "screen": "1920x1080", "vp": "1280x720", "net": "4g",
             "pl": ["PDF Viewer", "Chrome PDF Viewer"], "ti": "Results for 943 476 5919",
             "dns": 1, "con": 2, "ttfb": 30, "dom": 400, "load": 500.4},
            {"n": "click", "u": u, "p": id, "el": "button", "l": " book  a DEMO "},
            {"n": "click", "u": u, "p": id, "el": "strange", "l": "Jane Needle, 12 May", "to": "/conditions/needle"},
            {"n": "hover", "u": u, "p": id, "el": "link", "l": "Prices", "d": 1500},
            {"n": "download", "u": u, "p": id, "el": "link", "to": "https://cdn.example/files/guide.pdf?token=needle"},
            {"n": "outbound", "u": u, "p": id, "el": "link", "to": at},
            {"n": "form_submit", "u": u, "p": id, "el": "form", "l": "contact", "to": "/send?needle=1"},
            {"n": "tel", "u": u, "p": id, "el": "link", "l": "Call us"},
            {"n": "mailto", "u": u, "p": id, "el": "link", "l": "needle@mail.example"},
            {"n": "resource_error", "u": u, "p": id, "k": "img", "to": "https://cdn.example/missing.png?needle"},
            {"n": "script_error", "u": u, "p": id, "k": "TypeError", "to": "https://cdn.example/app.js?needle:3:4"},
            {"n": "Signup", "u": u, "p": id, "props": {"plan": "pro", "seats": 3, "trial": true,
             "comment": "please call me on 07700 900123 in the needle"}, "rev": {"amount": 12.345, "currency": "gbp"}},
        ]),
    );
    sent(
        &mut visitor,
        json!([
            {"n": "engagement", "u": u, "p": id, "e": 4000, "sd": 60, "lcp": 900, "fcp": 300, "cls": 0.2},
            {"n": "engagement", "u": u, "p": id, "e": 1500, "sd": 80, "lcp": 1200, "fcp": 300, "inp": 48, "cls": 0.25,
             "x": "link", "xt": at},
        ]),
    );
    visitor.get("/conditions/needle/children");

    let view = row(
        &gateway,
        "path, search_term, source, channel, referrer, utm_source, toString(visitor_key) as k, \
                              toString(ip_key) as i, bot_reason",
        "pageview' and path_class = '' and name = 'pageview",
    );
    assert_eq!(view["path"], "/search?page=2");
    assert_eq!((&view["search_term"], &view["utm_source"]), (&json!("waiting list"), &json!("news")));
    assert_eq!((&view["source"], &view["referrer"]), (&json!("news"), &json!("www.google.co.uk/search")));
    assert!(view["k"] != "0" && view["i"] != "0" && view["bot_reason"] == "", "{view}");
    let loaded = row(
        &gateway,
        "time_zone, language, languages, screen, viewport, connection, plugins, title, navigation, dns_ms, connect_ms, \
         ttfb_ms, dom_ms, load_ms, login_id != 0 as login",
        "page_loaded",
    );
    assert_eq!(
        loaded,
        json!({"time_zone": "Europe/London", "language": "en-GB", "languages": "en-GB,cy", "screen": "1920x1080",
               "viewport": "1280x720", "connection": "4g", "plugins": "Chrome PDF Viewer, PDF Viewer",
               "title": "Results for [nhs-number]", "navigation": "navigate", "dns_ms": 1, "connect_ms": 2, "ttfb_ms": 30,
               "dom_ms": 400, "load_ms": 500, "login": 1})
    );
    let clicks = gateway.rows(2, "select kind, label, target from consentry.events where name = 'click' order by kind");
    assert_eq!(clicks[0], json!({"kind": "button", "label": "Book a demo", "target": ""}));
    assert_eq!((&clicks[1]["kind"], &clicks[1]["target"]), (&json!("other"), &json!("/conditions/[health]")));
    assert!(clicks[1]["label"].as_str().is_some_and(|hash| hash.starts_with('#') && hash.len() == 13), "{clicks:?}");
    for (name, column, value) in [
        ("hover", "dwell_ms", json!(1500)),
        ("download", "target", json!("cdn.example/files/guide.pdf")),
        ("outbound", "target", json!("www.partner.example/[email]/a")),
        ("form_submit", "target", json!("/send")),
        ("tel", "kind", json!("link")),
        ("mailto", "target", json!("")),
        ("resource_error", "target", json!("cdn.example/missing.png")),
        ("resource_error", "kind", json!("img")),
        ("script_error", "target", json!("cdn.example/app.js")),
        ("script_error", "kind", json!("TypeError")),
    ] {
        assert_eq!(row(&gateway, column, name)[column], value, "{column} of {name}");
    }
    let signup = row(&gateway, "props, toString(revenue) as revenue, currency", "Signup");
    assert_eq!((&signup["revenue"], &signup["currency"]), (&json!("12.345"), &json!("GBP")));
    let props =
        json!({"plan": "pro", "seats": "3", "trial": "true", "comment": "please call me on [phone] in the needle"});
    assert_eq!(signup["props"], props);
    let class = gateway.rows(1, "select path, path_class from consentry.events where path_class != ''");
    assert_eq!(class[0], json!({"path": "/conditions/[health]", "path_class": "health"}));

    // Both sides of the page are one row, and the times are sums.
    let sql = "select page, seen_by, searched_for, visitor_time_zone, browser_loaded_ms, visible_ms, scrolled_pct, \
               largest_paint_ms, interaction_ms, layout_shift, left_by, left_to, http_status, gateway_outcome, \
               campaign, visitor_browser from consentry.page_views where page = '/search?page=2'";
    assert_eq!(
        gateway.rows(1, sql)[0],
        json!({"page": "/search?page=2", "seen_by": "both", "searched_for": "waiting list",
               "visitor_time_zone": "Europe/London", "browser_loaded_ms": 500, "visible_ms": 5500, "scrolled_pct": 80,
               "largest_paint_ms": 1200, "interaction_ms": 48, "layout_shift": 0.25, "left_by": "link_outside",
               "left_to": "www.partner.example/[email]/a", "http_status": 200, "gateway_outcome": "complete",
               "campaign": "", "visitor_browser": "Chrome"})
    );
    let (_, folder) = gateway.end("TERM");
    // Free text is kept where it was declared, scrubbed; nothing else of what a visitor did has a needle in it.
    for row in folder.query("select * except props from consentry.events") {
        assert!(!row.to_string().contains("needle"), "{row}");
    }
}

#[test]
fn rule_d3_a_page_that_is_kept_as_a_class_keeps_nothing_else_that_names_it() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, EVERYTHING);
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/conditions/asthma?q=needle&utm_source=news&utm_campaign=needle&utm_content=needle&page=needle");
    sent(
        &mut visitor,
        json!([
            {"n": "page_loaded", "u": "/conditions/asthma", "ti": "Living with a needle"},
            {"n": "pageview", "u": "/app", "h": "/conditions/needle", "nt": "hash"},
            {"n": "outbound", "u": "/app", "to": "mailto:needle@nhs?subject=needle"},
            {"n": "click", "u": "/app", "to": "data:text/html,needle"},
            {"n": "click", "u": "/app", "to": "//other.example/conditions/needle"},
        ]),
    );
    let rows = gateway.rows(6, "select name, path, path_class, utm_source, target from consentry.events order by ts");
    assert_eq!(rows.iter().filter(|row| row["path_class"] == "health").count(), 3, "{rows:?}");
    assert!(rows.iter().any(|row| row["path"] == "/app#/conditions/[health]"), "{rows:?}");
    assert!(rows.iter().any(|row| row["utm_source"] == "news"), "{rows:?}");
    let everything = gateway.query("select * from consentry.events");
    assert!(everything.iter().all(|row| !row.to_string().contains("needle")), "{everything:?}");
}

#[test]
fn rule_d1_planted_personal_data_is_in_no_file() {
    let site = Site::start();
    site.answers("/error", page(&[], "<p>Jane Needle 943 476 5919</p>"));
    let gateway = Gateway::start(site.address, EVERYTHING);
    let planted: [&str; 10] = [
        "943+476+5919",
        "07700+900123",
        "jane.needle@mail.example",
        "9434765919",
        "943 476 5919",
        "943-476-5919",
        "07700900123",
        "+447700900123",
        "07700 900 123",
        "SW1A 1AA",
    ];
    let mut visitor = Visitor::who_accepts(&gateway);
    for text in planted {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        visitor.get(&format!("/plant/{encoded}?q={encoded}&page={encoded}&utm_source={encoded}&utm_term={encoded}"));
        let mut referred = Visitor::who_accepts(&gateway);
        referred.fields.push(("Referer".into(), format!("https://search.example/{encoded}?q={encoded}")));
        referred.get("/error");
        let events = json!({"v": 1, "events": [
            {"n": "page_loaded", "u": format!("/plant/{encoded}"), "ti": text, "tz": text, "lang": text, "pl": [text], "h": format!("/{encoded}"),
             "r": format!("https://x.example/{encoded}"), "nt": "consent", "login": text, "screen": text, "net": text, "vp": text},
            {"n": "click", "u": "/plant", "l": text, "el": text, "to": format!("https://x.example/{encoded}?{encoded}")},
            {"n": "script_error", "u": "/plant", "k": text, "to": format!("https://x.example/{encoded}.js")},
            {"n": "Comment", "u": "/plant", "props": {"comment": format!("it is {text} really")}},
            {"n": "engagement", "u": "/plant", "x": text, "xt": text, "e": 1},
        ]});
        let answer = visitor.post("/_privacy/events", "application/json", events.to_string().as_bytes());
        assert_eq!(answer.status, 204, "{}", answer.text());
        // Refused, and not remembered.
        let refused = json!({"v": 1, "events": [{"n": "Typed", "u": "/plant", "props": {"name": text}}]});
        assert_eq!(visitor.post("/_privacy/events", "application/json", refused.to_string().as_bytes()).status, 400);
    }
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0));
    // What is in the table, value by value, since its files are compressed; then every byte on disk.
    let rows = folder.query("select * from consentry.events");
    assert!(rows.len() >= planted.len() * 6, "{}", rows.len());
    for row in rows {
        let row = row.to_string();
        for text in planted {
            assert!(!row.contains(text), "{text} in {row}");
        }
    }
    for (file, bytes) in files(folder.path()) {
        for text in planted {
            assert!(!holds(&bytes, text.as_bytes()), "{text} in {}", file.display());
        }
    }
}
