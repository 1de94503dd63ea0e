//! Every choice leaves a row that proves it (P1, P2, C6), or is none.

use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::signals::ledger_rows;
use crate::support::gateway::{Folder, Gateway, Nobody, shared, without_database};
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;
use crate::support::{eventually, files, holds};

/// The rows of the visitor's receipts, the oldest first, once there are `count`.
fn rows(gateway: &Gateway, host: &str, count: usize) -> Vec<Value> {
    let columns =
        "receipt, previous, action, policy_version, granted, denied, source, language, host, gpc, under_16, text_hash";
    gateway.rows(count, &format!("select {columns} from consentry.consents where host = '{host}' order by seq"))
}

fn visitor_of(gateway: &Gateway, host: &str) -> Visitor {
    let mut visitor = Visitor::new(gateway);
    visitor.host = host.to_owned();
    visitor
}

#[test]
fn rule_p1_every_choice_is_a_row_that_names_the_one_before() {
    let (gateway, _) = shared();
    let mut visitor = visitor_of(gateway, "p1.example");
    let receipt = |visitor: &mut Visitor| visitor.fetch("GET", "/_privacy/consent").json()["receipt"].clone();
    visitor.choose("accept");
    let first = receipt(&mut visitor);
    visitor.post("/_privacy/consent", "application/json", br#"{"granted":["preferences"]}"#);
    let second = receipt(&mut visitor);
    visitor.post("/_privacy/consent", "application/x-www-form-urlencoded", b"choice=reject&source=withdrawal");
    let third = receipt(&mut visitor);
    let mut refuser = visitor_of(gateway, "p1.example");
    refuser.choose("reject");

    let rows = rows(gateway, "p1.example", 4);
    let of = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("action"), ["accept", "change", "withdrawal", "refuse"]);
    assert_eq!(of("source"), ["banner", "api", "withdrawal", "banner"]);
    assert_eq!(of("receipt")[..3], [first.clone(), second.clone(), third]);
    assert_eq!(of("previous")[1..3], [first, second]);
    assert_eq!(rows[0]["granted"], json!(["preferences", "analytics", "marketing"]));
    assert_eq!(
        (&rows[1]["granted"], &rows[1]["denied"]),
        (&json!(["preferences"]), &json!(["analytics", "marketing"]))
    );
    assert_eq!(rows[2]["granted"], json!([]));
    assert_eq!(rows[3]["denied"], json!(["preferences", "analytics", "marketing"]));
}

#[test]
fn rule_c8_signal_and_later_choice_are_both_in_the_ledger() {
    let (gateway, _) = shared();
    let mut visitor = visitor_of(gateway, "c8.example").saying("Sec-GPC", "1");
    visitor.get("/c8/before");
    visitor.choose("accept");
    let rows = rows(gateway, "c8.example", 2);
    assert_eq!((&rows[0]["action"], &rows[0]["source"]), (&json!("objection"), &json!("gpc")));
    assert_eq!((&rows[0]["granted"], &rows[0]["denied"]), (&json!([]), &json!(["marketing"])));
    assert_eq!((&rows[1]["action"], &rows[1]["previous"]), (&json!("accept"), &rows[0]["receipt"]));
    assert_eq!(rows[1]["granted"], json!(["preferences", "analytics", "marketing"]), "the explicit choice wins");
}

#[test]
fn rule_p2_a_row_says_nothing_of_who_and_where() {
    let (gateway, _) = shared();
    let columns = gateway.query("select name from system.columns where database = 'consentry' and table = 'consents'");
    let names: Vec<&str> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
    assert!(!names.is_empty());
    for name in names {
        let words: Vec<&str> = name.split('_').collect();
        for word in ["ip", "agent", "path", "url", "referrer", "visitor", "country"] {
            assert!(!words.contains(&word), "{name}");
        }
    }
}

#[test]
fn rule_d1_a_host_that_could_be_somebodys_is_written_down_nowhere() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[observe]\naccess_log = \"access.log\"\n");
    let hosts = [
        ("203.0.113.77", "[address]"),
        ("127.0.0.1:8080", "[address]"),
        ("[2001:db8::77]:8080", "[address]"),
        ("07700900456", "[address]"),
        ("7700900457.example", "[phone].example"),
        ("9434765919.test", "[nhs-number].test"),
        ("localhost:8080", "localhost"),
        ("Shop.Example", "shop.example"),
    ];
    for (host, written) in hosts {
        let mut visitor = visitor_of(&gateway, host);
        assert_eq!(visitor.choose("accept").status, 303, "{host}");
        assert!(visitor.get("/hosted").text().contains("collector.js"), "the choice counts at {host}");
        let receipt = visitor.fetch("GET", "/_privacy/receipt?format=json");
        assert!(receipt.text().contains(&format!("\"{written}\"")), "{}", receipt.text());
    }
    let of = |rows: Vec<Value>| rows.iter().map(|row| row["host"].clone()).collect::<Vec<_>>();
    assert_eq!(of(ledger_rows(&gateway)), hosts.map(|(_, written)| written));
    let path = gateway.folder.path().join("access.log");
    let logged = eventually("every request has its line", || {
        let text = std::fs::read_to_string(&path).ok()?;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.len() == 3 * hosts.len()).then_some(lines)
    });
    assert_eq!(of(logged.into_iter().step_by(3).collect()), hosts.map(|(_, written)| written));
    for (file, bytes) in files(gateway.folder.path()) {
        for needle in ["203.0.113.77", "2001:db8::77", "07700900456", "7700900457", "9434765919"] {
            assert!(!holds(&bytes, needle.as_bytes()), "{needle} in {}", file.display());
        }
    }
    let verified = gateway.folder.run(&["ledger", "verify", "--files-only"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn rule_c6_a_ledger_that_cannot_be_written_means_that_nothing_changes() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    // Where the month's file has to be is a folder, so the first row finds no place.
    let month = jiff::Timestamp::now().strftime("%Y-%m.jsonl").to_string();
    let in_the_way = gateway.folder.data().join("ledger").join(month);
    std::fs::create_dir(&in_the_way).expect("nobody has chosen yet");
    let mut visitor = Visitor::new(&gateway);
    let refused = visitor.choose("accept");
    assert_eq!((refused.status, refused.all("set-cookie").len()), (503, 0), "{}", refused.head);
    assert!(refused.text().contains("nothing has changed"), "{}", refused.text());
    let json = visitor.post("/_privacy/consent", "application/json", br#"{"choice":"reject"}"#);
    assert_eq!((json.status, json.all("set-cookie").len()), (503, 0));
    assert!(json.json()["error"].is_string());
    assert!(visitor.get("/after").text().contains("id=\"consentry-banner\""), "the site is served all the same");
    std::fs::remove_dir(&in_the_way).expect("it is empty");
    assert_eq!(visitor.choose("accept").status, 303, "and goes on when it can be written again");
    assert!(visitor.get("/later").text().contains("collector.js"));
}

#[test]
fn rule_c1_a_copy_of_an_earlier_choice_counts_no_more_not_even_after_a_restart() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[observe]\ndecision_header = true\n");
    let mut visitor = Visitor::who_accepts(&gateway);
    let copy = visitor.cookies.clone();
    visitor.choose("reject");
    let replayed = |gateway: &Gateway| {
        let mut replayer = Visitor::new(gateway);
        replayer.cookies = copy.clone();
        let page = replayer.get("/replayed");
        assert!(page.head.contains("analytics=denied;reason=replaced-choice"), "{}", page.head);
        assert!(page.text().contains("id=\"consentry-banner\"") && !page.text().contains("collector.js"));
        assert_eq!(replayer.beacon("/replayed").status, 403);
    };
    replayed(&gateway);
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    replayed(&gateway);
    let mut again = Visitor::new(&gateway);
    again.cookies = visitor.cookies;
    assert!(again.get("/kept").head.contains("analytics=denied;reason=choice"), "what replaced it counts");
}

#[test]
fn rule_c6_what_is_withdrawn_while_the_site_thinks_is_withdrawn_for_that_answer_too() {
    let site = Site::start();
    let cookie = "[[cookie]]\nname = \"_ga\"\npurpose = \"analytics\"\n";
    let (gateway, _nobody) = without_database(site.address, cookie);
    let thinking = Arc::new(Mutex::new(()));
    let answer = page(&[("Set-Cookie", "_ga=1; Path=/")], PAGE);
    site.on("/thinks", Behaviour::AnswersAfter(thinking.clone(), answer.clone()));
    site.answers("/at-once", answer);
    let mut visitor = Visitor::who_accepts(&gateway);
    let before = visitor.get("/at-once");
    assert!(before.all("set-cookie").iter().any(|line| line.starts_with("_ga=1")), "{}", before.head);
    let held = thinking.lock().expect("nobody else has it");
    let mut other_tab = Visitor::new(&gateway);
    other_tab.cookies = visitor.cookies.clone();
    let late = thread::spawn(move || other_tab.get("/thinks"));
    eventually("the site is asked", || (!site.requests("/thinks").is_empty()).then_some(()));
    assert_eq!(visitor.choose("reject").status, 303);
    drop(held);
    let late = late.join().expect("it is answered");
    assert_eq!(late.status, 200);
    let set = late.all("set-cookie");
    assert!(set.iter().all(|line| line.to_ascii_lowercase().contains("max-age=0")), "{set:?}");
    assert!(!late.text().contains("collector.js"), "{}", late.text());
    let queue = files(&gateway.folder.data().join("spool"));
    assert!(queue.iter().any(|(_, bytes)| holds(bytes, b"/at-once")), "what was permitted is there");
    assert!(!queue.iter().any(|(_, bytes)| holds(bytes, b"/thinks")));
}

#[test]
fn more_choices_than_one_address_may_make_change_nothing_and_a_withdrawal_is_always_taken() {
    let site = Site::start();
    let nobody = Nobody::new();
    let more = format!("[clickhouse]\nurl = \"http://{}\"\n", nobody.address);
    let gateway = Folder::new(site.address, &more).with("CONSENTRY__CONSENT__CHOICES_PER_MINUTE", "2").serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    assert_eq!(Visitor::new(&gateway).choose("accept").status, 303);
    let refused = Visitor::new(&gateway).choose("accept");
    assert_eq!((refused.status, refused.all("set-cookie").len()), (429, 0), "{}", refused.head);
    assert!(refused.field("retry-after").is_some(), "{}", refused.head);
    assert_eq!(visitor.choose("reject").status, 303, "who has something to take back may");
}
