//! Who has said to be under 16 has said so until they take it back (C11).

use serde_json::json;

use super::signals::ledger_rows;
use crate::support::gateway::{Gateway, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

fn with_cookies_of(gateway: &Gateway, visitor: &Visitor) -> Visitor {
    let mut same = Visitor::new(gateway);
    same.cookies = visitor.cookies.clone();
    same
}

#[test]
fn rule_c11_a_declaration_counts_also_where_the_answer_to_a_later_choice_got_lost() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[observe]\ndecision_header = true\n");
    let mut child = Visitor::new(&gateway);
    let declared = child.post("/_privacy/consent", "application/json", br#"{"under_16":true}"#).json();
    let child = child;
    let stays = |gateway: &Gateway| {
        // The browser keeps what it had: the answer does not reach it.
        let accepted = with_cookies_of(gateway, &child).choose("accept");
        assert_eq!(accepted.status, 303, "{}", accepted.head);
        let mut same = with_cookies_of(gateway, &child);
        let page = same.get("/child");
        assert!(page.head.contains("analytics=denied;reason=under-16"), "{}", page.head);
        assert!(!page.text().contains("id=\"consentry-banner\""), "there is nothing to ask");
        let all = same.post("/_privacy/consent", "application/json", br#"{"choice":"accept"}"#).json();
        assert_eq!((&all["under_16"], &all["granted"]), (&json!(true), &json!(["necessary"])));
    };
    stays(&gateway);
    stays(&gateway);
    let rows = ledger_rows(&gateway);
    assert_eq!(rows.len(), 5);
    for row in &rows[1..] {
        assert_eq!((&row["under_16"], &row["granted"]), (&json!(true), &json!([])), "{row}");
        assert_eq!((&row["action"], &row["previous"]), (&json!("change"), &declared["receipt"]), "{row}");
    }
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    stays(&gateway);
    let older = br#"{"granted":["analytics"],"under_16":false}"#;
    let older = with_cookies_of(&gateway, &child).post("/_privacy/consent", "application/json", older).json();
    assert_eq!((&older["under_16"], &older["granted"]), (&json!(false), &json!(["necessary", "analytics"])));
}

#[test]
fn rule_c11_a_declaration_counts_also_where_its_own_answer_got_lost() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[observe]\ndecision_header = true\n");
    let visitor = Visitor::who_accepts(&gateway);
    // The browser keeps the acceptance: the answer does not reach it.
    let lost = br#"{"under_16":true}"#;
    let declared = with_cookies_of(&gateway, &visitor).post("/_privacy/consent", "application/json", lost).json();
    let counts = |gateway: &Gateway| {
        let mut same = with_cookies_of(gateway, &visitor);
        let page = same.get("/child");
        assert!(page.head.contains("analytics=denied;reason=under-16"), "{}", page.head);
        assert!(!page.text().contains("id=\"consentry-banner\"") && !page.text().contains("collector.js"));
        assert_eq!(same.beacon("/child").status, 403);
        let stands = same.fetch("GET", "/_privacy/consent").json();
        assert_eq!((&stands["under_16"], &stands["receipt"]), (&json!(true), &declared["receipt"]));
        assert_eq!(same.choose("accept").status, 303);
        let row = ledger_rows(gateway).pop().expect("it has a row");
        assert_eq!((&row["under_16"], &row["granted"]), (&json!(true), &json!([])), "{row}");
        assert_eq!(row["previous"], declared["receipt"]);
        same
    };
    counts(&gateway);
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    counts(&gateway);
    let older = br#"{"granted":["analytics"],"under_16":false}"#;
    let answer = with_cookies_of(&gateway, &visitor).post("/_privacy/consent", "application/json", older);
    assert_eq!(answer.json()["granted"], json!(["necessary", "analytics"]));
}
