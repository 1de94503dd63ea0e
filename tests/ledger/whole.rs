//! P3 and P5: what makes a ledger whole beside its rows: the notes, the kept texts, the days of expiry, and that every row has
//! a place.

use consentry::ledger::Ledger;
use sha2::{Digest as _, Sha256};

use super::{
    ASKED, AT, BANNER, all_shipped, append, edit, finding, folder, found, ledger, ring, verified, verified_files, words,
};
use crate::support::gateway::{Gateway, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

#[test]
fn rule_p3_an_end_that_was_cut_off_is_not_hidden_by_the_note_of_the_last_row() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=6);
    let at = |name: &str| folder.data().join("ledger").join(name);
    let (rows, head) = (std::fs::read(at("2026-07.jsonl")).expect("rows"), std::fs::read(at("head")).expect("a note"));
    assert_eq!(words(&verified_files(&folder)), [""; 0]);
    // Cut off, with the last row that is left in the place of the note.
    edit(&folder, |lines| lines.truncate(4));
    let lines = std::fs::read_to_string(at("2026-07.jsonl")).expect("rows");
    std::fs::write(at("head"), lines.lines().last().expect("a row")).expect("ours");
    assert!(words(&verified_files(&folder))[0].contains("(`head`) is not signed"));
    std::fs::write(at("head"), &head).expect("ours");
    assert_eq!(found(&verified_files(&folder)), [finding("files", "removed", 5, "-")]);
    // The row and the note of it together: `shipped` knows better.
    edit(&folder, |lines| lines.truncate(4));
    std::fs::remove_file(at("head")).expect("ours");
    let chain = std::fs::read_to_string(at("chain")).expect("a note");
    std::fs::write(at("shipped"), format!("{} 6\n", chain.trim_end())).expect("ours");
    let report = verified_files(&folder);
    assert!(found(&report).contains(&finding("files", "removed", 5, "-")), "{report}");
    assert!(words(&report).iter().any(|what| what.contains("(`head`) is missing")), "{report}");
    std::fs::remove_file(at("shipped")).expect("ours");
    // The note alone: missing, no note, another row's.
    std::fs::write(at("2026-07.jsonl"), &rows).expect("ours");
    assert!(words(&verified_files(&folder))[0].contains("(`head`) is missing"));
    std::fs::write(at("head"), "junk").expect("ours");
    assert!(words(&verified_files(&folder))[0].contains("(`head`) is not signed"));
    std::fs::write(at("head"), &head).expect("ours");
    append(&folder, 7..=7);
    assert_eq!(words(&verified_files(&folder)), [""; 0]);
    std::fs::write(at("head"), &head).expect("ours");
    assert!(words(&verified_files(&folder))[0].contains("(`head`) names another row, 6"));
    // A start that finds the last row notes it again.
    drop(Ledger::open(&folder.data().join("ledger"), ring(&folder), 1, AT).expect("nobody has it"));
    assert_eq!(words(&verified_files(&folder)), [""; 0]);
    // The chain's own note.
    for note in [None, Some("junk")] {
        match note {
            None => std::fs::remove_file(at("chain")).expect("ours"),
            Some(junk) => std::fs::write(at("chain"), junk).expect("ours"),
        }
        let report = verified_files(&folder);
        assert_eq!(words(&report), ["the note of the chain's id (`chain`) is missing or is none"], "{report}");
    }
    std::fs::remove_file(at("head")).expect("ours");
    assert_eq!(words(&verified_files(&folder)).len(), 2);
}

#[test]
fn rule_p5_a_text_that_is_missing_or_was_changed_is_found_and_named_with_the_row_that_names_it() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=3);
    let at = |text: &[u8]| {
        let digits: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        folder.data().join("ledger/texts").join(digits)
    };
    assert_eq!(words(&verified_files(&folder)), [""; 0]);
    std::fs::write(at(BANNER), "<aside>No cookies</aside>").expect("ours");
    let report = verified_files(&folder);
    assert_eq!(found(&report), [finding("files", "changed", 1, "0000000000000001")], "{report}");
    assert!(words(&report)[0].starts_with("the banner, texts/"), "{report}");
    std::fs::write(at(BANNER), BANNER).expect("ours");
    std::fs::remove_file(at(ASKED)).expect("ours");
    let report = verified_files(&folder);
    assert_eq!(found(&report), [finding("files", "removed", 1, "0000000000000001")], "{report}");
    assert!(words(&report)[0].starts_with("what was asked, texts/"), "{report}");
}

#[test]
fn rule_p3_rows_in_a_file_of_another_month_or_of_none_are_found_and_named() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=3);
    let at = |name: &str| folder.data().join("ledger").join(name);
    std::fs::copy(at("2026-07.jsonl"), at("2026-13.jsonl")).expect("ours");
    let report = verified_files(&folder);
    assert!(words(&report)[0].starts_with("2026-13.jsonl is named like"), "{report}");
    std::fs::remove_file(at("2026-13.jsonl")).expect("ours");
    std::fs::rename(at("2026-07.jsonl"), at("2026-06.jsonl")).expect("ours");
    let report = verified_files(&folder);
    let misplaced = |seq| finding("files", "reordered", seq, &format!("{seq:016x}"));
    assert_eq!(found(&report), [misplaced(1), misplaced(2), misplaced(3)], "{report}");
    assert!(words(&report)[0].contains("it stands in 2026-06.jsonl, and belongs in 2026-07.jsonl"), "{report}");
}

#[test]
fn rule_p3_a_day_of_expiry_that_was_changed_in_the_table_is_found_and_named() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=5);
    let gateway = folder.serve();
    all_shipped(&gateway, 5);
    let expires = |seq: u64, date: &str| {
        let sql = format!("update expires_at = '{date}' where seq = {seq} settings mutations_sync = 1");
        drop(gateway.query(&format!("alter table consentry.consents {sql}")));
    };
    for date in ["2031-07-01", "2148-01-01"] {
        expires(4, date);
        let report = verified(&gateway.folder);
        assert_eq!(found(&report), [finding("table", "changed", 4, "0000000000000004")], "{report}");
        assert!(words(&report)[0].contains(date), "{report}");
    }
    expires(4, "2032-07-01");
    assert_eq!(found(&verified(&gateway.folder)), []);
}

#[test]
fn rule_p3_a_folder_that_was_deleted_leaves_its_rows_in_the_table_and_verify_says_so() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=4);
    let gateway = folder.serve();
    all_shipped(&gateway, 4);
    let (_, folder) = gateway.end("TERM");
    std::fs::remove_dir_all(folder.data().join("ledger")).expect("ours");
    append(&folder, 5..=5);
    let gateway = folder.serve();
    all_shipped(&gateway, 5);
    let said = ledger(&gateway.folder, &["verify"]);
    assert!(said.out.contains("5 rows of 2 gateways"), "{}", said.out);
    assert!(said.out.contains(": 4 rows, "), "{}", said.out);
    assert!(said.out.contains("of another gateway, or of a folder that is gone"), "{}", said.out);
    assert!(said.out.contains(": 1 row, ") && said.out.contains("; of this folder"), "{}", said.out);
}

#[test]
fn what_visitors_choose_is_whole_with_every_text_they_were_shown() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    for language in ["en", "de"] {
        let mut visitor = Visitor::new(&gateway);
        visitor.fetch("GET", "/a");
        visitor.choose("accept");
        visitor.post("/_privacy/consent", "application/json", br#"{"granted":["preferences"]}"#);
        visitor.post(
            &format!("/_privacy/consent?lang={language}"),
            "application/x-www-form-urlencoded",
            b"choice=reject&source=withdrawal",
        );
    }
    all_shipped(&gateway, 6);
    let (_, folder) = gateway.end("TERM");
    assert_eq!(verified_files(&folder)["ok"], true);
}

#[test]
fn rule_p3_nobody_is_told_that_a_choice_counts_whose_row_has_no_place() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let mut visitor = Visitor::new(&gateway);
    assert_eq!(visitor.choose("accept").status, 303);
    let (ledger, away) = (gateway.folder.data().join("ledger"), gateway.folder.path().join("away"));
    // The folder: an error until it is back, without a restart.
    std::fs::rename(&ledger, &away).expect("the folder is ours");
    for _ in 0..2 {
        assert_eq!(visitor.choose("reject").status, 503);
    }
    assert!(!ledger.exists(), "no ledger is made in its place");
    std::fs::rename(&away, &ledger).expect("the folder is ours");
    assert_eq!(visitor.choose("reject").status, 303);
    assert_eq!(verified_files(&gateway.folder)["ok"], true);
    // The month's file: made anew, and what is missing is named.
    let month = ledger.join(jiff::Timestamp::now().strftime("%Y-%m.jsonl").to_string());
    std::fs::remove_file(&month).expect("there are rows");
    assert_eq!(visitor.choose("accept").status, 503);
    assert_eq!(visitor.choose("accept").status, 303);
    let report = verified_files(&gateway.folder);
    assert_eq!(found(&report), [finding("files", "removed", 1, "-")], "{report}");
    assert_eq!(words(&report), ["rows 1 to 2 are missing, 2 of them"]);
    let log = gateway.folder.log();
    assert!(
        log.contains("the ledger's folder is gone") && log.contains("the file of the month's rows is gone"),
        "{log}"
    );
}
