//! The pages that tell visitors what is collected and what their browser carries (R2, R6), asked of the gateway that does it.

use serde_json::json;

use crate::support::gateway::shared;
use crate::support::visitor::Visitor;

#[test]
fn rule_r2_the_reference_a_visitor_reads_is_the_one_in_the_table() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    let before = visitor.get("/_privacy/data");
    assert_eq!((before.status, before.field("cache-control")), (200, Some("no-store")));
    assert!(before.text().contains("Your browser carries nothing of ours"), "{}", before.text());
    visitor.choose("accept");
    let asked = visitor.fetch("GET", "/_privacy/data?format=json").json();
    assert_eq!((&asked["recorded"], &asked["references"]), (&json!(true), &json!([])), "no page was opened yet");

    visitor.get("/pages/reference");
    let data = visitor.fetch("GET", "/_privacy/data?format=json").json();
    assert_eq!(data["visit"]["pages"], 1);
    let columns =
        "toString(visitor_id) as visitor_id, visitor_key as key, lower(leftPad(hex(consent_ref), 16, '0')) as receipt";
    let sql = format!("select {columns} from consentry.events where path = '/pages/reference' and name = 'pageview'");
    let row = &gateway.rows(1, &sql)[0];
    assert_eq!(data["references"], json!([{ "visitor_id": row["visitor_id"], "key": row["key"] }]));
    assert_eq!(data["choice"]["receipt"], row["receipt"]);
    let page = visitor.get("/_privacy/data").text();
    let id = row["visitor_id"].as_str().expect("it was made a text");
    assert!(page.contains(&format!("<code>{id}</code>")), "{page}");
    let csv = visitor.fetch("GET", "/_privacy/data?format=csv").text();
    assert!(csv.contains(&format!("\"references.1.visitor_id\",\"{id}\"")), "{csv}");

    visitor.choose("reject");
    let after = visitor.fetch("GET", "/_privacy/data?format=json").json();
    assert_eq!((&after["recorded"], &after["references"]), (&json!(false), &json!([])));
    assert_eq!(after["cookies"]["consentry_visitor"], json!(false));
}

#[test]
fn rule_r6_the_notice_is_made_of_what_runs_and_its_version_is_kept() {
    let (gateway, _) = shared();
    let mut visitor = Visitor::new(gateway);
    let said = visitor.fetch("GET", "/_privacy/notice?format=json").json();
    let page = visitor.get("/_privacy/notice");
    let version = said["version"].as_str().expect("it has one");
    assert!(page.text().contains(&format!("<code>{version}</code>")), "{}", page.text());
    let items: Vec<&str> = said["recorded"]["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["id"].as_str().expect("a name"))
        .collect();
    assert!(items.contains(&"clicks") && items.contains(&"pages") && !items.contains(&"hover"), "{items:?}");
    assert!(said["since"].as_str().is_some_and(|since| since.starts_with("20")), "{said}");
    let kept = gateway.folder.run(&["ledger", "text", version]);
    assert!(kept.status.success(), "{}", String::from_utf8_lossy(&kept.stderr));
    let kept = String::from_utf8(kept.stdout).expect("a page is text");
    assert!(kept.contains("What we record about your visits") && !kept.contains(version), "{kept}");
    assert!(visitor.get("/_privacy/").text().contains("href=\"/_privacy/notice\""));
}
