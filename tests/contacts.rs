//! Openings of e-mails and telephone calls: kept with the consent of the one who was written to or who called, and not
//! without; and neither address nor number is anywhere.

mod calls;
mod mail;

use std::process::{Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::gateway::{Folder, Gateway};
use crate::support::http::{Answer, exchange};
use crate::support::site::Site;
use crate::support::{files, holds};

/// What the telephone system knows.
const TOKEN: &str = "5c1f0e9d7b3a2468ace013579bdf2468";

/// A gateway that records openings and takes calls.
fn gateway() -> &'static (Gateway, Site) {
    static SHARED: OnceLock<(Gateway, Site)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let site = Site::start();
        (folder(&site, "").serve(), site)
    })
}

fn folder(site: &Site, more: &str) -> Folder {
    let capture = "[capture]\nmail_opens = true\ncalls_token_file = \"token\"\n[observe]\nlog = \"debug\"\n";
    let folder = Folder::new(site.address, &format!("{capture}{more}"));
    folder.write("token", &format!("{TOKEN}\n"));
    private(&folder, 0o600);
    folder
}

fn private(folder: &Folder, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path().join("token"), permissions).expect("the file is ours");
}

/// Runs the program in a folder, with something to read.
fn fed(folder: &Folder, arguments: &[&str], input: &str) -> Output {
    use std::io::Write;
    let mut command = folder.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("is piped").write_all(input.as_bytes()).expect("the program reads");
    child.wait_with_output().expect("the program ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One of our endpoints, asked with these fields.
fn ask(gateway: &Gateway, method: &str, target: &str, fields: &str, body: &[u8]) -> Answer {
    let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{fields}{length}\r\n", gateway.address);
    exchange(gateway.address, [head.as_bytes(), body].concat())
}

/// Everything a row has, of all rows.
fn rows(gateway: &Gateway) -> String {
    let all = gateway.query("select * from consentry.events");
    all.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn rule_d1_no_address_and_no_number_is_anywhere() {
    let site = Site::start();
    let gateway = folder(&site, "").serve();
    let token = mail::token(&gateway.folder, "planted", "Planted.Person@mail.example");
    mail::open(&gateway, &format!("?t={token}"), "");
    let call = |id: &str, from: &str, consent: &str| {
        format!(
            r#"{{"id":"{id}","at":"{}","from":"{from}","to":"+44 800 555 0199","duration_s":9,"consent":{consent}}}"#,
            calls::an_hour_ago()
        )
    };
    let body = format!(
        "{{\"calls\":[{},{},{}]}}",
        call("planted-1", "+44 7700 900457", "true"),
        call("planted-2", "07700 900458", "false"),
        call("planted-3", "+44 12", "true")
    );
    assert_eq!(calls::post(&gateway, &body).json()["accepted"], 1);
    let cut = format!("{}\"from\":\"07700900459", &body[..40]);
    assert_eq!(calls::post(&gateway, &cut).status, 400);
    gateway.rows(2, "select name from consentry.events order by name");
    fed(&gateway.folder, &["mail", "withdraw"], "planted.person@mail.example\nno address 07700900460\n");
    mail::open(&gateway, &format!("?t={token}"), "");

    let planted = [
        "lanted.person",
        "lanted.Person",
        "mail.example",
        "7700900457",
        "7700 900457",
        "7700900458",
        "7700 900458",
        "7700900459",
        "7700900460",
        "8005550199",
        "800 555 0199",
        "planted-1",
        TOKEN,
        &token,
    ];
    let shown = rows(&gateway);
    assert!(shown.contains("\"planted\"") && shown.contains("call"), "{shown}");
    let (_, folder) = gateway.end("TERM");
    for needle in planted {
        assert!(!holds(shown.as_bytes(), needle.as_bytes()), "{needle} stands in a row");
        assert!(!holds(folder.log().as_bytes(), needle.as_bytes()), "{needle} stands in the log");
        for (path, bytes) in files(&folder.data()) {
            assert!(!holds(&bytes, needle.as_bytes()), "{needle} stands in {}", path.display());
        }
    }
}
