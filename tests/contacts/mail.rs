//! The picture in a mail.

use serde_json::json;

use super::{ask, fed, gateway, text};
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, shared};
use crate::support::http::Answer;
use crate::support::visitor::Visitor;

const READER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.2\r\n";

/// A recipient's token, made by the command.
pub fn token(folder: &Folder, campaign: &str, address: &str) -> String {
    token_with(folder, &["--campaign", campaign], address)
}

fn token_with(folder: &Folder, arguments: &[&str], address: &str) -> String {
    let output = fed(folder, &[&["mail", "token"][..], arguments].concat(), &format!("{address}\n"));
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{complained}");
    let (named, token) = said.trim_end().split_once('\t').unwrap_or_else(|| panic!("{said:?} {complained}"));
    assert_eq!(named, address);
    token.to_owned()
}

/// Fetches the picture, which is the same whatever is asked.
pub fn open(gateway: &Gateway, query: &str, fields: &str) -> Answer {
    let answer = ask(gateway, "GET", &format!("/_privacy/open.gif{query}"), &format!("{READER}{fields}"), b"");
    let said = (answer.status, answer.field("content-type"), answer.field("cache-control"), answer.body.len());
    assert_eq!(said, (200, Some("image/gif"), Some("no-store"), 43));
    assert!(answer.field("set-cookie").is_none() && answer.body.starts_with(b"GIF89a"));
    answer
}

#[test]
fn an_opening_is_kept_with_its_recipients_own_token_and_not_without() {
    let (gateway, _) = gateway();
    let folder = &gateway.folder;
    let good = token(folder, "ways-good", "jane@example.com");
    assert!(good.len() <= 200 && good.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{good}");
    let kept = open(gateway, &format!("?t={good}"), "");
    // The recipient's own token is an explicit choice, which wins over a signal (C8).
    open(gateway, &format!("?t={good}"), "Sec-GPC: 1\r\n");

    // None of these is kept, and none can be told from the one that is.
    let (first, last) = good.split_at(good.len() - 1);
    let forged = format!("{first}{}", if last == "A" { "B" } else { "A" });
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(3);
    let short = ["--campaign", "ways-expired", "--expires", &ends.to_string()];
    let short = token_with(folder, &short, "jane@example.com");
    folder
        .write("next.toml", "data_dir = \"data\"\n[gateway]\nupstream = \"http://a\"\n[consent]\npolicy_version = 2\n");
    let old = ["--campaign", "ways-policy", "--config", "next.toml"];
    let other_policy = token_with(folder, &old, "jane@example.com");
    eventually("the short consent ends", || (jiff::Timestamp::now() >= ends).then_some(()));
    for query in [
        "".to_owned(),
        "?".to_owned(),
        "?t=".to_owned(),
        format!("?t={forged}"),
        format!("?x={good}"),
        format!("?t={short}"),
        format!("?t={other_policy}"),
        "?t=%ff%00".to_owned(),
        format!("?t={}", "A".repeat(5000)),
    ] {
        assert_eq!(open(gateway, &query, "").body, kept.body, "{query}");
    }
    let prefetched = open(gateway, &format!("?t={good}"), "Purpose: prefetch\r\n");
    assert_eq!(prefetched.body, kept.body);
    let head = ask(gateway, "HEAD", &format!("/_privacy/open.gif?t={good}"), READER, b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    // A visitor who allows everything is no recipient who does: no cookie counts here.
    let mut visitor = Visitor::who_accepts(gateway);
    let answer = visitor.fetch("GET", "/_privacy/open.gif");
    assert!(answer.body == kept.body && answer.field("set-cookie").is_none());

    open(gateway, &format!("?t={}", token(folder, "ways-last", "joe@example.com")), "");
    let sql = "select utm_campaign, name, contact_id != 0 as who, contact_key != 0 as known, \
               visitor_id = 0 and session_id = 0 and ip_hash = 0 as nobody, toString(ip_net) as net, \
               browser || os || device || country || hostname || path || language as beside, is_bot, \
               consent_ref != 0 as receipt, consent_version, expires_at > today() as ends \
               from consentry.events where startsWith(utm_campaign, 'ways-') order by utm_campaign, ts";
    let row = |campaign: &str| {
        json!({
            "utm_campaign": campaign, "name": "mail_open", "who": 1, "known": 1, "nobody": 1, "net": "::", "beside": "",
            "is_bot": 0, "receipt": 1, "consent_version": 1, "ends": 1,
        })
    };
    assert_eq!(gateway.rows(3, sql), [row("ways-good"), row("ways-good"), row("ways-last")]);
}

#[test]
fn an_opening_by_a_mail_providers_server_is_marked_as_one() {
    let (gateway, _) = gateway();
    let token = token(&gateway.folder, "proxied", "jane@example.com");
    let agent =
        "User-Agent: Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)\r\n";
    ask(gateway, "GET", &format!("/_privacy/open.gif?t={token}"), agent, b"");
    let sql = "select is_bot, bot_reason from consentry.events where utm_campaign = 'proxied'";
    assert_eq!(gateway.rows(1, sql)[0], json!({"is_bot": 1, "bot_reason": "mail-proxy"}));
}

#[test]
fn who_has_withdrawn_is_left_alone_from_the_very_next_request_on() {
    let (gateway, _) = gateway();
    let folder = &gateway.folder;
    let [ann, bob] = ["ann@example.com", "bob@example.com"].map(|address| token(folder, "leave", address));
    open(gateway, &format!("?t={ann}"), "");
    let output = fed(folder, &["mail", "withdraw"], " Ann@Example.com \n\n");
    assert!(output.status.success() && text(&output.stderr).contains("1 recipient"), "{}", text(&output.stderr));
    open(gateway, &format!("?t={ann}"), "");
    open(gateway, &format!("?t={bob}"), "");
    // Nor is there a new token for her, until she agrees anew.
    let again = fed(folder, &["mail", "token", "--campaign", "leave"], "ann@example.com\n");
    assert!(again.status.success() && again.stdout.is_empty() && text(&again.stderr).contains("has withdrawn"));
    assert_eq!(gateway.rows(2, "select 1 from consentry.events where utm_campaign = 'leave'").len(), 2);

    use std::os::unix::fs::PermissionsExt;
    let list = folder.data().join("mail-suppressed");
    assert_eq!(std::fs::metadata(list).expect("is there").permissions().mode() & 0o777, 0o600);
    assert!(fed(folder, &["mail", "withdraw", "--undo"], "ann@example.com\n").status.success());
    open(gateway, &format!("?t={ann}"), "");
    let sql = "select uniq(contact_id) as people, count() as n from consentry.events where utm_campaign = 'leave' having n = 3";
    assert_eq!(gateway.rows(1, sql)[0]["people"].to_string().trim_matches('"'), "2");
}

#[test]
fn a_withdrawal_beside_another_key_ring_is_none_and_says_so() {
    let folder = Folder::empty();
    folder.write("consentry.toml", "[gateway]\nupstream = \"http://a\"\n");
    let output = fed(&folder, &["mail", "withdraw"], "ann@example.com\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("there is no key ring at"), "{}", text(&output.stderr));
    assert!(!folder.path().join("consentry-data").exists());
}

#[test]
fn nothing_is_kept_where_openings_are_switched_off() {
    let (gateway, _) = shared();
    let output = fed(&gateway.folder, &["mail", "token", "--campaign", "off"], "jane@example.com\n");
    assert!(text(&output.stderr).contains("mail_opens = true"), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    open(gateway, &format!("?t={}", said.trim_end().split('\t').nth(1).expect("a token all the same")), "");
    // What comes after it is in the table, and it is not.
    Visitor::who_accepts(gateway).get("/after/the/picture");
    gateway.rows(1, "select 1 from consentry.events where path = '/after/the/picture'");
    assert!(gateway.query("select 1 from consentry.events where name = 'mail_open'").is_empty());
}

#[test]
fn tokens_are_written_for_a_mail_merge_and_for_machines() {
    let (gateway, _) = gateway();
    let folder = &gateway.folder;
    let people = "a@example.com\n\nno address\nb@example.com\n";
    let arguments =
        ["mail", "token", "--campaign", "merge", "--granted", "2026-11-01", "--url", "https://www.example.com/"];
    let output = fed(folder, &arguments, people);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("line 3 is no e-mail address") && !text(&output.stderr).contains("no address\n")
    );
    let said = text(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    for (line, address) in lines.iter().zip(["a@example.com", "b@example.com"]) {
        let url = format!("{address}\thttps://www.example.com/_privacy/open.gif?t=");
        assert!(line.starts_with(&url) && line.len() <= url.len() + 200, "{line}");
        assert!(!line[address.len()..].contains("example.com%") && !line[address.len() + 1..].contains('@'));
    }
    let output = fed(folder, &[&arguments[..], &["--json"]].concat(), "a@example.com\n");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object a line");
    assert_eq!((&object["address"], &object["granted"]), (&json!("a@example.com"), &json!("2026-11-01T00:00:00Z")));
    assert_eq!(object["expires"], "2027-05-02T00:00:00Z");
    assert_eq!(object["receipt"].as_str().map(str::len), Some(16));

    for wrong in [
        &["mail", "token"][..],
        &["mail", "token", "--campaign", "jane@example.com"],
        &["mail", "token", "--campaign", "a", "--granted", "soon"],
        &["mail", "token", "--campaign", "a", "--granted", "2100-01-01"],
        &["mail", "token", "--campaign", "a", "--expires", "2026-01-01"],
        &["mail", "token", "--campaign", "a", "jane@example.com"],
        &["mail"],
    ] {
        let output = fed(folder, wrong, "");
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{wrong:?}");
    }
}
