//! What a browser says by itself (C8), and what the gateway says of its decision.

use serde_json::{Value, json};

use crate::support::gateway::{Folder, Gateway, Nobody, shared, without_database};
use crate::support::http::Connection;
use crate::support::site::Site;
use crate::support::visitor::{AGENT, Visitor};
use crate::support::{files, holds};

const NO_CHOICE: &str =
    "analytics=denied;reason=no-choice, preferences=denied;reason=no-choice, marketing=denied;reason=no-choice";

#[test]
fn rule_c8_the_support_of_the_signal_is_stated() {
    let (gateway, site) = shared();
    let answer = Visitor::new(gateway).fetch("GET", "/.well-known/gpc.json");
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json()["gpc"], true);
    assert!(answer.json()["lastUpdate"].as_str().is_some_and(|date| date.len() == 10));
    assert_eq!(Visitor::new(gateway).fetch("HEAD", "/.well-known/gpc.json").status, 200);
    assert_eq!(Visitor::new(gateway).fetch("DELETE", "/.well-known/gpc.json").status, 405);
    assert!(site.requests("/.well-known/gpc.json").is_empty(), "it is ours to state");
}

#[test]
fn rule_c8_only_a_header_that_is_exactly_1_is_a_signal() {
    let site = Site::start();
    let (gateway, _nobody) =
        without_database(site.address, "[observe]\ndecision_header = true\n[consent]\nhonour_dnt = true\n");
    let reason = |fields: &str| {
        let head = format!("GET /signal HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\n{fields}\r\n", gateway.address);
        let answer = Connection::open(gateway.address).send(head.into_bytes()).answer_to("GET");
        let said = answer.field("consentry-decision").expect("it was asked for").to_owned();
        said.rsplit_once("marketing=denied;reason=").expect("marketing is asked about").1.to_owned()
    };
    assert_eq!(reason(""), "no-choice");
    // White space around a value is no part of it (RFC 9110 §5.5).
    for on in [
        "Sec-GPC: 1\r\n",
        "sec-gpc:1\r\n",
        "Sec-GPC:  1 \r\n",
        "Sec-GPC: 0\r\nSec-GPC: 1\r\n",
        "Sec-GPC: 1\r\nSec-GPC: 1\r\n",
    ] {
        assert_eq!(reason(on), "gpc", "{on:?}");
    }
    for off in ["0", "true", "1, 1", "11", "", "\"1\"", "?1", "01", "1;a", "yes"] {
        assert_eq!(reason(&format!("Sec-GPC: {off}\r\n")), "no-choice", "{off:?}");
    }
    assert_eq!(reason("DNT: 1\r\n"), "dnt");
    assert_eq!(reason("DNT: 0\r\n"), "no-choice");
    assert_eq!(reason("DNT: 1\r\nSec-GPC: 1\r\n"), "gpc");
}

/// Rows of the ledger's files, in the order they were appended.
pub fn ledger_rows(gateway: &Gateway) -> Vec<Value> {
    let month = jiff::Timestamp::now().strftime("%Y-%m.jsonl").to_string();
    let text = std::fs::read_to_string(gateway.folder.data().join("ledger").join(month)).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is a value"));
    lines.filter(|row| row.get("action").is_some()).collect()
}

#[test]
fn rule_p1_an_objection_has_a_row_from_the_first_page_on_and_only_one() {
    let site = Site::start();
    let more = "[observe]\ndecision_header = true\n[consent]\nhonour_dnt = true\n";
    let (gateway, _nobody) = without_database(site.address, more);
    for (name, source) in [("Sec-GPC", "gpc"), ("DNT", "dnt")] {
        let before = ledger_rows(&gateway).len();
        let mut visitor = Visitor::new(&gateway).saying(name, "1");
        let first = visitor.get("/objects");
        let set = first.all("set-cookie");
        assert!(set.len() == 1 && set[0].starts_with("consentry=v2~") && set[0].contains("; HttpOnly"), "{set:?}");
        assert!(first.field("cache-control").is_some_and(|control| control.contains("private")), "{}", first.head);
        let rows = ledger_rows(&gateway);
        assert_eq!(rows.len(), before + 1, "{rows:?}");
        let row = &rows[before];
        assert_eq!((&row["action"], &row["source"]), (&json!("objection"), &json!(source)));
        assert_eq!((&row["granted"], &row["denied"]), (&json!([]), &json!(["marketing"])));
        // It is no choice: it is asked, nothing is captured, and there is not a second row.
        for page in ["/objects", "/objects/again"] {
            let page = visitor.get(page);
            assert_eq!(page.all("set-cookie").len(), 0, "{}", page.head);
            assert!(page.text().contains("id=\"consentry-banner\"") && !page.text().contains("collector.js"));
            assert!(page.head.contains(&format!("marketing=denied;reason={source}")), "{}", page.head);
        }
        assert_eq!(visitor.beacon("/objects").status, 403);
        assert_eq!(visitor.fetch("GET", "/_privacy/consent").json()["chosen"], false);
        assert_eq!(ledger_rows(&gateway).len(), before + 1);
        // Without the signal it stands.
        visitor.fields.clear();
        let page = visitor.get("/objects/later");
        assert!(page.head.contains("marketing=denied;reason=objection"), "{}", page.head);
        // An explicit later choice wins, and names it.
        assert_eq!(visitor.choose("accept").status, 303);
        assert!(visitor.get("/objects").head.contains("marketing=granted;reason=choice"));
        let rows = ledger_rows(&gateway);
        assert_eq!((rows.len(), &rows[before + 1]["previous"]), (before + 2, &rows[before]["receipt"]));
    }
    let verified = gateway.folder.run(&["ledger", "verify", "--files-only"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn an_objection_is_written_only_where_somebody_looks_and_nothing_was_chosen() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let ask = |method: &str, fields: &str| {
        let head = format!("{method} /looks HTTP/1.1\r\nHost: {}\r\nSec-GPC: 1\r\n{fields}\r\n", gateway.address);
        Connection::open(gateway.address).send(head.into_bytes()).answer_to(method)
    };
    let browser = format!("User-Agent: {AGENT}\r\nAccept: text/html\r\nSec-Fetch-Dest: ");
    for (method, fields) in [
        ("HEAD", format!("{browser}document\r\n")),
        ("GET", format!("{browser}image\r\n")),
        ("GET", format!("{browser}iframe\r\n")),
        ("GET", format!("{browser}empty\r\n")),
        ("GET", format!("{browser}document\r\nSec-Purpose: prefetch\r\n")),
        ("GET", "User-Agent: Googlebot/2.1\r\nAccept: text/html\r\n".to_owned()),
    ] {
        let answer = ask(method, &fields);
        assert_eq!((answer.status, answer.all("set-cookie").len()), (200, 0), "{method} {fields}");
    }
    let chosen = Visitor::who_refuses(&gateway).saying("Sec-GPC", "1").get("/looks");
    assert_eq!(chosen.all("set-cookie").len(), 0, "{}", chosen.head);
    assert_eq!(ledger_rows(&gateway).iter().filter(|row| row["action"] == "objection").count(), 0);
}

#[test]
fn an_objection_that_cannot_be_written_counts_and_the_page_is_served() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[observe]\ndecision_header = true\n");
    let month = jiff::Timestamp::now().strftime("%Y-%m.jsonl").to_string();
    let in_the_way = gateway.folder.data().join("ledger").join(month);
    std::fs::create_dir(&in_the_way).expect("nobody has objected yet");
    let mut visitor = Visitor::new(&gateway).saying("Sec-GPC", "1");
    let page = visitor.get("/served");
    assert_eq!((page.status, page.all("set-cookie").len()), (200, 0), "{}", page.head);
    assert!(page.head.contains("marketing=denied;reason=gpc"), "{}", page.head);
    std::fs::remove_dir(&in_the_way).expect("it is empty");
    assert_eq!(visitor.get("/served").all("set-cookie").len(), 1, "the next page tries again");
    assert_eq!(ledger_rows(&gateway).len(), 1);
}

#[test]
fn the_decision_is_said_only_where_it_is_asked_for() {
    let site = Site::start();
    let (quiet, _nobody) = without_database(site.address, "");
    assert_eq!(Visitor::new(&quiet).get("/quiet").field("consentry-decision"), None);
    let (debug, _nobody) = without_database(site.address, "[observe]\nlog = \"debug\"\n");
    let mut visitor = Visitor::new(&debug);
    assert_eq!(visitor.get("/said").field("consentry-decision"), Some(NO_CHOICE));
    assert_eq!(visitor.fetch("GET", "/_privacy/consent").field("consentry-decision"), Some(NO_CHOICE));
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    let said = "analytics=granted;reason=choice, preferences=denied;reason=choice, marketing=denied;reason=choice";
    assert_eq!(visitor.get("/said").field("consentry-decision"), Some(said));
    visitor.cookies.insert("consentry".into(), "v2~forged".into());
    let said = visitor.get("/said");
    assert!(
        said.field("consentry-decision").is_some_and(|said| said.starts_with("analytics=denied;reason=invalid-choice"))
    );
    visitor.cookies.clear();
    visitor.post("/_privacy/consent", "application/json", br#"{"under_16":true}"#);
    let said = visitor.get("/said");
    assert!(said.field("consentry-decision").is_some_and(|said| said.starts_with("analytics=denied;reason=under-16")));
    assert!(!said.text().contains("id=\"consentry-banner\""), "there is nothing to ask");
}

#[test]
fn rule_c7_another_provider_asks_again_about_that_purpose_alone() {
    let site = Site::start();
    let nobody = Nobody::new();
    let cookies = |provider: &str| {
        format!(
            "[observe]\ndecision_header = true\n[clickhouse]\nurl = \"http://{}\"\n[[cookie]]\nname = \"_ga\"\npurpose = \"analytics\"\n\
             provider = \"{provider}\"\n[[cookie]]\nname = \"ad\"\npurpose = \"marketing\"\nprovider = \"Ads\"\n",
            nobody.address
        )
    };
    let gateway = Folder::new(site.address, &cookies("Old")).serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    let head = visitor.get("/c7").head;
    assert!(head.contains("analytics=granted;reason=choice"), "{head}");
    let (_, folder) = gateway.end("TERM");
    let before = std::fs::read_to_string(folder.path().join("consentry.toml")).expect("is there");
    folder.write("consentry.toml", &before.replace("\"Old\"", "\"New\""));
    let gateway = folder.serve();
    let mut again = Visitor::new(&gateway);
    again.cookies = visitor.cookies;
    let page = again.get("/c7");
    assert!(page.head.contains("analytics=denied;reason=not-asked"), "{}", page.head);
    assert!(page.head.contains("marketing=granted;reason=choice"), "{}", page.head);
    assert!(page.text().contains("id=\"consentry-banner\""), "{}", page.text());
}

#[test]
fn rule_c3_pages_with_a_purpose_of_their_own_are_captured_only_with_it() {
    let site = Site::start();
    let more = "[observe]\ndecision_header = true\n[[purpose]]\nid = \"analytics\"\n[[purpose]]\nid = \"health\"\n\
                title = \"Health\"\ndescription = \"What you read about conditions.\"\n[[path_class]]\n\
                pattern = \"/conditions/**\"\nclass = \"condition\"\npurpose = \"health\"\n";
    let (gateway, _nobody) = without_database(site.address, more);
    let queued =
        |needle: &[u8]| files(&gateway.folder.data().join("spool")).iter().any(|(_, bytes)| holds(bytes, needle));
    let mut visitor = Visitor::new(&gateway);
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    let page = visitor.get("/Conditions/asthma");
    assert!(page.head.contains("analytics=denied;reason=path, health=denied;reason=choice"), "{}", page.head);
    assert!(!page.text().contains("collector.js"), "nothing there would report it");
    // A single-page site's collector came with another page.
    assert!(visitor.get("/other/page").text().contains("collector.js"));
    assert_eq!(visitor.beacon("/conditions/asthma").status, 204, "it may go on reporting other pages");
    assert_eq!(visitor.beacon("/other/beacon").status, 204);
    assert!(queued(b"/other/page") && queued(b"/other/beacon") && !queued(b"[condition]"));
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["analytics","health"]}"#);
    assert!(visitor.get("/conditions/asthma").text().contains("collector.js"));
    assert_eq!(visitor.beacon("/conditions/asthma").status, 204);
    assert!(queued(b"[condition]") && !queued(b"asthma"));
}
