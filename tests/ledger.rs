//! P1-P5: what was chosen can be proven, with the real engine: a changed, removed or inserted row is found and named, in the
//! files and in the table, and a receipt is verified offline.

mod whole;

use std::path::Path;
use std::sync::Arc;

use consentry::keys::KeyRing;
use consentry::ledger::receipt::{Controller, Purpose, Receipt};
use consentry::ledger::{Action, Entry, Ledger, public_keys};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// 1 July 2026, midnight; in milliseconds since 1970.
const AT: i64 = 1_782_864_000_000;

/// What visitors were shown.
const ASKED: &[u8] = b"<main>Cookies</main>";
const BANNER: &[u8] = b"<aside>Cookies?</aside>";

fn entry(receipt: u64) -> Entry {
    Entry {
        receipt,
        previous: None,
        at_ms: AT + receipt as i64,
        action: if receipt.is_multiple_of(2) { Action::Refuse } else { Action::Accept },
        policy_version: 1,
        text_hash: Sha256::digest(ASKED).into(),
        banner_version: "1".into(),
        banner_hash: Sha256::digest(BANNER).into(),
        granted: vec!["necessary".into()],
        denied: vec!["analytics".into(), "marketing".into()],
        source: "banner".into(),
        language: "en".into(),
        host: "www.example.com".into(),
        gpc: false,
        dnt: false,
        under_16: false,
    }
}

fn ring(folder: &Folder) -> Arc<KeyRing> {
    let ring = KeyRing::open_or_create(&folder.data().join("keys.json"), 1, 1).expect("the folder is ours");
    Arc::new(ring)
}

/// Appends rows while no gateway has the ledger, as one would have.
fn append(folder: &Folder, receipts: std::ops::RangeInclusive<u64>) {
    let (ledger, _) = Ledger::open(&folder.data().join("ledger"), ring(folder), 1, AT).expect("nobody has it");
    for text in [ASKED, BANNER] {
        ledger.keep_text(text).expect("the disk is well");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for receipt in receipts {
        runtime.block_on(ledger.append(entry(receipt))).expect("the disk is well");
    }
}

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn ledger(folder: &Folder, arguments: &[&str]) -> Said {
    let output = folder.run(&[&["ledger"][..], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

fn verified(folder: &Folder) -> Value {
    verified_with(folder, &[])
}

fn verified_files(folder: &Folder) -> Value {
    verified_with(folder, &["--files-only"])
}

fn verified_with(folder: &Folder, more: &[&str]) -> Value {
    let said = ledger(folder, &[&["verify", "--json"][..], more].concat());
    let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}{}", said.out, said.err));
    assert_eq!(said.code, Some(if report["ok"] == true { 0 } else { 1 }), "{report}");
    report
}

/// What was found: where, kind, number, receipt.
fn found(report: &Value) -> Vec<(String, String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let findings = report["findings"].as_array().expect("a list");
    let row = |f: &Value| (text(&f["where"]), text(&f["kind"]), f["seq"].as_u64().unwrap_or(0), text(&f["receipt"]));
    findings.iter().map(row).collect()
}

fn finding(place: &str, kind: &str, seq: u64, receipt: &str) -> (String, String, u64, String) {
    (place.into(), kind.into(), seq, receipt.into())
}

fn folder(site: &Site) -> Folder {
    Folder::new(site.address, "")
}

fn all_shipped(gateway: &Gateway, rows: u64) {
    eventually("the rows are in the table", || {
        let report = verified(&gateway.folder);
        assert_eq!(report["findings"], json!([]), "{report}");
        (report["table"]["rows"] == rows && report["table"]["waiting"] == 0).then_some(())
    });
}

#[test]
fn rule_p3_a_changed_removed_or_inserted_row_in_the_table_is_found_and_named() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=6);
    let gateway = folder.serve();
    all_shipped(&gateway, 6);
    let rows = gateway
        .query("select distinct site_id, receipt, action, granted, toDate(at) as day from consents where seq = 2");
    assert_eq!(
        rows,
        [
            json!({"site_id": 1, "receipt": "0000000000000002", "action": "refuse", "granted": ["necessary"], "day": "2026-07-01"})
        ]
    );
    let tamper = |sql: &str| drop(gateway.query(&format!("{sql} settings mutations_sync = 1")));
    tamper("alter table consentry.consents update granted = ['necessary', 'marketing'] where seq = 2");
    let report = verified(&gateway.folder);
    assert_eq!(found(&report), [finding("table", "changed", 2, "0000000000000002")], "{report}");
    tamper("alter table consentry.consents delete where seq = 4");
    let report = verified(&gateway.folder);
    assert_eq!(
        found(&report),
        [finding("table", "changed", 2, "0000000000000002"), finding("table", "removed", 4, "0000000000000004")]
    );
    gateway.query(
        "insert into consentry.consents select * replace('00000000000000ff' as receipt, 9 as seq) from (select * from consentry.consents where seq = 5)",
    );
    let said = ledger(&gateway.folder, &["verify"]);
    assert_eq!(said.code, Some(1));
    for words in [
        "NOT whole",
        "row 2, receipt 0000000000000002",
        "row 4, receipt 0000000000000004",
        "row 9, receipt 00000000000000ff",
    ] {
        assert!(said.out.contains(words), "{words} in {}", said.out);
    }
    // A copy of a row, which proves itself, is one too many.
    gateway.query("insert into consentry.consents select * from consentry.consents where seq = 1");
    assert!(found(&verified(&gateway.folder)).contains(&finding("table", "inserted", 1, "0000000000000001")));
    // The last one.
    tamper("alter table consentry.consents delete where seq in (6, 9)");
    let report = verified(&gateway.folder);
    assert!(found(&report).contains(&finding("table", "removed", 6, "0000000000000006")), "{report}");
    // The files are as they were, and stay provable without the gateway; that both agree is not said then.
    let (_, folder) = gateway.end("TERM");
    let report = verified(&folder);
    assert_eq!((found(&report), &report["table"]["checked"]), (vec![], &json!(false)), "{report}");
    assert_eq!(report["ok"], false, "{report}");
    let said = ledger(&folder, &["verify"]);
    assert!(
        said.code == Some(1) && said.out.contains("NOT checked: the embedded ClickHouse is not running"),
        "{}",
        said.out
    );
    assert!(said.out.contains("--files-only"), "{}", said.out);
    let report = verified_files(&folder);
    assert_eq!((&report["ok"], &report["table"]["checked"]), (&json!(true), &json!(false)), "{report}");
    let said = ledger(&folder, &["verify", "--files-only"]);
    assert!(said.code == Some(0) && said.out.contains("6 rows, whole"), "{}", said.out);
}

/// What was found, in words.
fn words(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().map(|finding| finding["what"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The rows of a ledger elsewhere, as another gateway would ship them.
fn ship(gateway: &Gateway, ledger: &Path) {
    let text = std::fs::read_to_string(ledger.join("2026-07.jsonl")).expect("there are rows");
    gateway.query(&format!(
        "insert into consentry.consents select site as site_id, reinterpretAsUInt64(reverse(unhex(chain))) as chain, \
         seq, receipt, ifNull(previous, ''), fromUnixTimestamp64Milli(at_ms, 'UTC'), action, policy_version, \
         text_hash, banner_version, banner_hash, granted, denied, source, language, host, gpc, dnt, under_16, \
         prev_hash, hash, key, signature, toDate('2032-07-01') from format(JSONEachRow, 'chain String, seq UInt64, \
         site UInt32, receipt String, previous Nullable(String), at_ms Int64, action String, policy_version UInt16, \
         text_hash String, banner_version String, banner_hash String, granted Array(String), denied Array(String), \
         source String, language String, host String, gpc Bool, dnt Bool, under_16 Bool, prev_hash String, key UInt32, \
         hash String, signature String', $$ {text} $$)"
    ));
}

#[test]
fn rule_p3_the_rows_of_every_gateway_are_verified_in_the_table() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=3);
    let gateway = folder.serve();
    all_shipped(&gateway, 3);
    let other = gateway.folder.path().join("other");
    let chain = {
        let (ledger, _) = Ledger::open(&other, ring(&gateway.folder), 1, AT).expect("nobody has it");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for receipt in 21..=24 {
            runtime.block_on(ledger.append(entry(receipt))).expect("the disk is well");
        }
        ledger.chain().to_string()
    };
    ship(&gateway, &other);
    let report = verified(&gateway.folder);
    assert_eq!(found(&report), [], "{report}");
    // A second gateway is seen.
    let chains = report["table"]["chains"].as_array().expect("a list");
    let here: Vec<_> = chains.iter().map(|one| (one["here"] == true, one["rows"].as_u64())).collect();
    assert!(chains.len() == 2 && here.contains(&(true, Some(3))) && here.contains(&(false, Some(4))), "{report}");
    let theirs = format!(
        "chain {chain}: 4 rows, 2026-07-01T00:00:00Z to 2026-07-01T00:00:00Z; of another gateway, or of a folder that is gone"
    );
    let said = ledger(&gateway.folder, &["verify"]);
    assert!(said.code == Some(0) && said.out.contains(&theirs), "{}", said.out);
    let number = u64::from_str_radix(&chain, 16).expect("a number");
    gateway.query(&format!(
        "alter table consentry.consents update host = 'evil.example' where chain = {number} and seq = 1 settings mutations_sync = 1"
    ));
    gateway.query(&format!(
        "alter table consentry.consents delete where chain = {number} and seq = 3 settings mutations_sync = 1"
    ));
    let report = verified(&gateway.folder);
    assert_eq!(
        found(&report),
        [finding("table", "changed", 1, "0000000000000015"), finding("table", "removed", 3, "-")],
        "{report}"
    );
    assert!(report["findings"].as_array().is_some_and(|all| all.iter().all(|one| one["chain"] == chain.as_str())));
    let said = ledger(&gateway.folder, &["export", "--format", "csv", "--table"]);
    assert_eq!(said.out.lines().count(), 1 + 3 + 3, "{}", said.out);
    // It begins with 1 as long as none of its rows is about to expire.
    gateway.query(&format!(
        "alter table consentry.consents delete where chain = {number} and seq = 1 settings mutations_sync = 1"
    ));
    let report = verified(&gateway.folder);
    assert_eq!(found(&report), [finding("table", "removed", 1, "-"), finding("table", "removed", 3, "-")], "{report}");
}

fn edit(folder: &Folder, change: impl FnOnce(&mut Vec<String>)) {
    let path = folder.data().join("ledger/2026-07.jsonl");
    let text = std::fs::read_to_string(&path).expect("there are rows");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    change(&mut lines);
    std::fs::write(&path, lines.join("\n") + "\n").expect("the folder is ours");
}

#[test]
fn rule_p3_a_changed_removed_or_inserted_row_in_the_files_is_found_and_named() {
    let site = Site::start();
    let gateway = {
        let folder = folder(&site);
        append(&folder, 1..=6);
        folder.serve()
    };
    all_shipped(&gateway, 6);
    let whole = std::fs::read(gateway.folder.data().join("ledger/2026-07.jsonl")).expect("there are rows");
    let folder = &gateway.folder;
    let restore = || std::fs::write(folder.data().join("ledger/2026-07.jsonl"), &whole).expect("the folder is ours");
    let report = |expected: &[(String, String, u64, String)]| {
        let report = verified(folder);
        assert_eq!(found(&report), expected, "{report}");
        restore();
    };

    edit(folder, |lines| {
        lines[2] = lines[2].replace("\"granted\":[\"necessary\"]", "\"granted\":[\"necessary\",\"marketing\"]")
    });
    report(&[finding("files", "changed", 3, "0000000000000003")]);
    edit(folder, |lines| drop(lines.remove(2)));
    report(&[finding("files", "removed", 3, "0000000000000003")]);
    // The last one: the table still has it.
    edit(folder, |lines| drop(lines.pop()));
    report(&[finding("files", "removed", 6, "0000000000000006")]);
    // And all that says so beside it.
    edit(folder, |lines| drop(lines.pop()));
    let notes = ["head", "shipped"].map(|name| folder.data().join("ledger").join(name));
    let kept = notes.each_ref().map(|note| std::fs::read(note).expect("a note"));
    notes.iter().for_each(|note| std::fs::remove_file(note).expect("the folder is ours"));
    report(&[finding("files", "removed", 6, "0000000000000006"), finding("files", "removed", 0, "-")]);
    notes.iter().zip(&kept).for_each(|(note, bytes)| std::fs::write(note, bytes).expect("the folder is ours"));
    edit(folder, |lines| lines.insert(2, lines[4].clone()));
    let both =
        [finding("files", "inserted", 5, "0000000000000005"), finding("files", "reordered", 3, "0000000000000003")];
    let found_both = found(&verified(folder));
    assert!(both.iter().any(|one| found_both.contains(one)), "{found_both:?}");
    restore();
    edit(folder, |lines| lines.swap(0, 5));
    let swapped = found(&verified(folder));
    assert!(swapped.contains(&finding("files", "reordered", 1, "0000000000000001")), "{swapped:?}");
    restore();
    edit(folder, |lines| lines[3] = "nothing".into());
    report(&[finding("files", "unreadable", 0, "-"), finding("files", "removed", 4, "0000000000000004")]);
    report(&[]);

    // Who has the public keys needs no ring.
    write(&folder.path().join("keys.json"), &public_keys(&ring(folder)));
    std::fs::rename(folder.data().join("keys.json"), folder.path().join("ring")).expect("the folder is ours");
    let said = ledger(folder, &["verify", "--keys", "keys.json"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    std::fs::rename(folder.path().join("ring"), folder.data().join("keys.json")).expect("the folder is ours");
}

#[test]
fn what_was_appended_after_a_restart_follows_and_comes_into_the_table_once() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=3);
    let gateway = folder.serve();
    all_shipped(&gateway, 3);
    let (_, folder) = gateway.end("KILL");
    append(&folder, 4..=5);
    // Half a row, as a crash leaves it.
    let path = folder.data().join("ledger/2026-07.jsonl");
    let mut bytes = std::fs::read(&path).expect("there are rows");
    bytes.extend_from_slice(b"{\"chain\":\"00");
    std::fs::write(&path, bytes).expect("the folder is ours");
    assert_eq!(found(&verified(&folder)), []);
    let gateway = folder.serve();
    all_shipped(&gateway, 5);
    let log = gateway.folder.log();
    assert!(log.contains("the ledger ended in half a row") && log.contains("torn_bytes=12"), "{log}");
}

#[test]
fn files_that_were_set_back_are_another_history_and_every_row_of_it_is_named() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=3);
    let backup: Vec<_> = crate::support::files(&folder.data().join("ledger"));
    append(&folder, 4..=5);
    let gateway = folder.serve();
    all_shipped(&gateway, 5);
    let (_, folder) = gateway.end("TERM");
    for (path, bytes) in backup {
        std::fs::write(path, bytes).expect("the folder is ours");
    }
    std::fs::remove_file(folder.data().join("ledger/shipped")).expect("it was noted");
    append(&folder, 14..=14);
    let gateway = folder.serve();
    let expected =
        [finding("files", "removed", 5, "0000000000000005"), finding("table", "changed", 4, "0000000000000004")];
    assert_eq!(found(&verified(&gateway.folder)), expected);
    eventually("the log says so", || gateway.folder.log().contains("not this ledger's").then_some(()));
}

#[test]
fn a_ledger_that_cannot_be_opened_is_said_at_the_start_with_what_to_do() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=1);
    std::fs::remove_dir_all(folder.data().join("ledger")).expect("the folder is ours");
    std::fs::write(folder.data().join("ledger"), "in the way").expect("the folder is ours");
    let output = folder.run(&["serve"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("data/ledger") && stderr.contains("ledger cannot be kept"), "{stderr}");
}

#[test]
fn a_ledger_that_takes_no_choice_is_an_alarm_until_it_takes_one() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let is_alarm = || {
        let alarms = crate::dashboard::get(&gateway, "/readyz").json()["alarms"].clone();
        let gauge = gateway.metric("consentry_ledger_failing");
        (alarms.as_array().is_some_and(|all| all.contains(&json!("ledger-failing"))), gauge)
    };
    let mut visitor = Visitor::new(&gateway);
    assert_eq!((visitor.choose("accept").status, is_alarm()), (303, (false, 0)));
    let (at, away) = (gateway.folder.data().join("ledger"), gateway.folder.data().join("away"));
    std::fs::rename(&at, &away).expect("the folder is ours");
    assert_eq!((visitor.choose("reject").status, is_alarm()), (503, (true, 1)));
    std::fs::rename(&away, &at).expect("the folder is ours");
    assert_eq!((visitor.choose("reject").status, is_alarm()), (303, (false, 0)));
}

#[test]
fn every_row_is_exported_with_the_field_names_of_the_standard() {
    let site = Site::start();
    let folder = folder(&site);
    append(&folder, 1..=2);
    let said = ledger(&folder, &["export", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let records: Vec<Value> = serde_json::from_str(&said.out).expect("a list");
    assert_eq!((records.len(), &records[1]["record_id"]), (2, &json!("0000000000000002")));
    assert_eq!(records[0]["event_time"], "2026-07-01T00:00:00.001Z");
    assert_eq!(records[0]["purposes"][1]["events"][0]["event_state"], "refused");
    let csv = ledger(&folder, &["export", "--format", "csv"]);
    let lines: Vec<&str> = csv.out.split("\r\n").collect();
    assert_eq!(lines.len(), 4, "{}", csv.out);
    assert!(lines[0].starts_with("record_id,previous_record_id,event_time,event_type,purposes_given"), "{}", lines[0]);
    assert!(
        lines[2].starts_with(
            "0000000000000002,,2026-07-01T00:00:00.002Z,refuse,necessary,analytics marketing,refused,banner"
        )
    );
    assert_eq!(ledger(&folder, &["export", "--format", "xml"]).code, Some(2));
    let empty = Folder::empty();
    let said = ledger(&empty, &["export", "--format", "csv"]);
    assert!(said.code == Some(1) && said.err.contains("--data-dir"), "{}", said.err);
    let said = ledger(&empty, &["verify"]);
    assert!(said.code == Some(1) && said.err.contains("consentry keys init"), "{}", said.err);
    let nothing = Folder::new(site.address, "");
    assert_eq!(nothing.run(&["keys", "init"]).status.code(), Some(0));
    let said = ledger(&nothing, &["verify"]);
    assert!(said.code == Some(1) && said.err.contains("nothing could be checked"), "{}", said.err);
}

fn receipt(ring: &KeyRing) -> Value {
    let receipt = Receipt {
        id: 0xAB,
        previous: None,
        at_ms: AT,
        valid_until_ms: AT + 182 * 86_400_000,
        policy_version: 1,
        text_hash: vec![3; 32],
        ledger_hash: vec![5; 16],
        language: "en".into(),
        source: "banner".into(),
        host: "www.example.com".into(),
        controller: Controller { name: "Example".into(), contact: "privacy@example.com".into() },
        notice_url: None,
        purposes: vec![Purpose {
            id: "analytics".into(),
            title: "Analytics".into(),
            description: "Shows which pages are used.".into(),
            legal_basis: "consent".into(),
            granted: false,
            retention: "6 years".into(),
            storage: String::new(),
            recipients: vec![],
            cookies: vec![],
        }],
        under_16: false,
        gpc: false,
    };
    receipt.sign(ring)
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).expect("the folder is ours");
}

#[test]
fn rule_p4_a_receipt_is_verified_offline_by_command() {
    let site = Site::start();
    let folder = folder(&site);
    let ring = ring(&folder);
    let signed = receipt(&ring);
    let at = |name: &str| folder.path().join(name);
    write(&at("receipt.json"), &signed);
    write(&at("keys.json"), &public_keys(&ring));
    // Where there is no configuration, no ring and no network: the visitor's own machine.
    let elsewhere = Folder::empty();
    let (file, keys) = (at("receipt.json"), at("keys.json"));
    let (file, keys) = (file.to_str().expect("UTF-8"), keys.to_str().expect("UTF-8"));
    let said = ledger(&elsewhere, &["verify-receipt", file, "--keys", keys]);
    assert!(said.code == Some(0) && said.out.contains("00000000000000ab is genuine"), "{}{}", said.out, said.err);
    let own = ledger(&folder, &["verify-receipt", "receipt.json", "--json"]);
    assert!(own.code == Some(0) && own.out.contains("\"valid\": true"), "{}{}", own.out, own.err);

    let mut changed = signed.clone();
    changed["purposes"][0]["events"][0]["event_state"] = json!("given");
    write(&at("receipt.json"), &changed);
    let said = ledger(&elsewhere, &["verify-receipt", file, "--keys", keys]);
    assert!(said.code == Some(1) && said.err.contains("changed after it was signed"), "{}", said.err);
    write(&at("receipt.json"), &signed);
    write(&at("keys.json"), &public_keys(&KeyRing::ephemeral()));
    let said = ledger(&elsewhere, &["verify-receipt", file, "--keys", keys, "--json"]);
    assert!(said.code == Some(1) && said.out.contains("\"valid\": false"), "{}", said.out);
}

#[test]
fn rule_p5_a_kept_text_is_printed_by_its_hash() {
    let site = Site::start();
    let folder = folder(&site);
    let hash = {
        let (ledger, _) = Ledger::open(&folder.data().join("ledger"), ring(&folder), 1, AT).expect("nobody has it");
        let hash = ledger.keep_text(b"<aside>Cookies?</aside>\n").expect("the disk is well");
        hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    for digits in [&hash[..], &hash[..16], &hash.to_uppercase()] {
        let said = ledger(&folder, &["text", digits]);
        assert_eq!((said.code, said.out.as_str()), (Some(0), "<aside>Cookies?</aside>\n"), "{}", said.err);
    }
    assert_eq!(ledger(&folder, &["text", &hash[..7]]).code, Some(2));
    let said = ledger(&folder, &["text", "0123456789"]);
    assert!(said.code == Some(1) && said.err.contains("0123456789"), "{}", said.err);
}
