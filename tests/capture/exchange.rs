//! What needs no script: the proxied exchange, from its first byte to its last.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::gateway::{Gateway, Nobody, shared};
use crate::support::http::Connection;
use crate::support::site::{Behaviour, PAGE, Site};
use crate::support::visitor::Visitor;

fn rows(gateway: &Gateway, count: usize, path: &str) -> Vec<Value> {
    let columns =
        "name, kind, status, outcome, bytes, response_ms <= total_ms as in_order, page_view_id != 0 as has_page";
    gateway.rows(count, &format!("select {columns} from consentry.events where path = '{path}' order by ts"))
}

#[test]
fn a_page_view_knows_its_status_its_bytes_and_that_it_was_complete() {
    let (gateway, site) = shared();
    let missing =
        format!("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len());
    site.answers("/whole/missing", missing);
    let mut visitor = Visitor::who_accepts(gateway);
    for (path, status) in [("/whole/page", 200), ("/whole/missing", 404)] {
        let answer = visitor.get(path);
        let row = &rows(gateway, 1, path)[0];
        assert_eq!(row["bytes"].to_string().trim_matches('"'), answer.body.len().to_string(), "{row}");
        assert_eq!(
            (&row["name"], &row["status"], &row["outcome"]),
            (&json!("pageview"), &json!(status), &json!("complete"))
        );
        assert_eq!((&row["in_order"], &row["has_page"]), (&json!(1), &json!(1)));
    }
}

#[test]
fn a_file_is_a_transfer_and_so_is_what_a_page_did_not_get() {
    let (gateway, site) = shared();
    site.answers(
        "/files/leaflet.PDF",
        "HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nContent-Length: 4\r\n\r\n%PDF",
    );
    let attached = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a\r\n\
                    Content-Length: 2\r\n\r\nhi";
    site.answers("/files/attached", attached);
    site.answers("/files/gone.png", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    site.answers("/files/there.png", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\npng");
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/files/page");
    visitor.get("/files/leaflet.PDF");
    visitor.get("/files/attached");
    for path in ["/files/gone.png", "/files/there.png"] {
        let answer = visitor.fetch("GET", path);
        assert!(answer.field("set-cookie").is_none(), "what may be cached sets no cookie: {}", answer.head);
    }
    visitor.get("/files/settled");
    for (path, kind, status) in [
        ("/files/leaflet.PDF", "download", 200),
        ("/files/attached", "download", 200),
        ("/files/gone.png", "resource", 404),
    ] {
        let row = &rows(gateway, 1, path)[0];
        let told = [&row["name"], &row["kind"], &row["status"], &row["outcome"]];
        assert_eq!(told, [&json!("transfer"), &json!(kind), &json!(status), &json!("complete")], "{path}");
    }
    rows(gateway, 1, "/files/settled");
    assert!(gateway.query("select 1 from consentry.events where path = '/files/there.png'").is_empty());
}

#[test]
fn a_download_that_the_visitor_breaks_off_was_aborted() {
    let (gateway, site) = shared();
    let mut large = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: 30000000\r\n\r\n".to_vec();
    large.resize(large.len() + 30_000_000, b'z');
    site.answers("/abort/large.zip", large);
    let mut visitor = Visitor::who_accepts(gateway);
    visitor.get("/abort/page");
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut connection = Connection::open(gateway.address);
    connection.send(format!(
        "GET /abort/large.zip HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nCookie: {}\r\n\r\n",
        gateway.address,
        crate::support::visitor::AGENT,
        cookies.join("; ")
    ));
    assert_eq!(connection.exactly(100_000).len(), 100_000);
    drop(connection);
    let row = &rows(gateway, 1, "/abort/large.zip")[0];
    assert_eq!((&row["outcome"], &row["kind"]), (&json!("aborted"), &json!("download")));
    let bytes: u64 = row["bytes"].to_string().trim_matches('"').parse().expect("a number");
    assert!((100_000..30_000_000).contains(&bytes), "{bytes}");
}

#[test]
fn a_page_that_the_site_breaks_off_is_broken() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            let answer = match request[..read].starts_with(b"GET /half") {
                true => format!("{head}Content-Length: 5000\r\n\r\n<html><body>half of it"),
                false => format!("{head}Content-Length: {}\r\n\r\n{PAGE}", PAGE.len()),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let gateway = Gateway::start(address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/first");
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut connection = Connection::open(gateway.address);
    connection.send(format!(
        "GET /half HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: text/html\r\nCookie: {}\r\n\r\n",
        gateway.address,
        crate::support::visitor::AGENT,
        cookies.join("; ")
    ));
    connection.rest();
    assert_eq!(rows(&gateway, 1, "/half")[0]["outcome"], "broken");
}

#[test]
fn a_site_that_does_not_answer_is_a_row_of_a_visitor_who_is_known() {
    let nobody = Nobody::new();
    let gateway = Gateway::start(nobody.address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.cookies.insert("consentry_visitor".into(), "AAAAAAAAAAAAAAAAAAAAAA".into());
    assert_eq!(visitor.get("/nobody").status, 503);
    let row = &rows(&gateway, 1, "/nobody")[0];
    let told = [&row["name"], &row["kind"], &row["status"], &row["outcome"]];
    assert_eq!(told, [&json!("transfer"), &json!("page"), &json!(503), &json!("broken")]);
}

#[test]
fn without_consent_no_exchange_is_a_row() {
    let (gateway, site) = shared();
    site.on("/silent/a.pdf", Behaviour::Answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_vec()));
    site.answers("/silent/moved", "HTTP/1.1 302 Found\r\nLocation: /silent/x\r\nContent-Length: 0\r\n\r\n");
    for mut visitor in [Visitor::new(gateway), Visitor::who_refuses(gateway)] {
        for path in ["/silent/page", "/silent/a.pdf", "/silent/moved", "/silent/gone"] {
            assert!(visitor.get(path).field("accept-ch").is_none());
        }
    }
    let mut witness = Visitor::who_accepts(gateway);
    assert!(witness.get("/silent/witness").field("accept-ch").is_some_and(|hints| hints.contains("Sec-CH-UA")));
    gateway.rows(1, "select path from consentry.events where startsWith(path, '/silent/')");
}

#[test]
fn who_is_logged_in_is_a_pseudonym_and_the_header_never_reaches_the_visitor() {
    let site = Site::start();
    let page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-User-Id: jane-needle-77\r\nContent-Length: {}\r\n\r\n{PAGE}",
        PAGE.len()
    );
    site.answers("/login/one", page.clone());
    site.answers("/login/two", page);
    let more = "[capture]\nlogin_header = \"X-User-Id\"\ncollect = [\"login\"]\n";
    let gateway = Gateway::start(site.address, more);
    let mut visitor = Visitor::who_accepts(&gateway);
    for path in ["/login/one", "/login/two", "/login/out"] {
        assert!(visitor.get(path).field("x-user-id").is_none());
    }
    assert!(Visitor::new(&gateway).get("/login/one").field("x-user-id").is_none());
    // A script in the page cannot say so in the site's stead.
    let forged = br#"{"v":1,"events":[{"n":"Forged","u":"/login/zzz","login":"jane-needle-77"}]}"#;
    assert_eq!(visitor.post("/_privacy/events", "application/json", forged).status, 204);
    let sql = "select path, toString(login_id) as login, login_key from consentry.events order by path";
    let rows = gateway.rows(4, sql);
    assert_eq!(rows[3]["login"], "0", "{rows:?}");
    assert_eq!((&rows[1]["login"], &rows[1]["login_key"]), (&json!("0"), &json!(0)), "{rows:?}");
    assert_eq!((&rows[0]["login"], rows[0]["login_key"] != 0), (&rows[2]["login"], true));
    assert_ne!(rows[0]["login"], "0");
    let (_, folder) = gateway.end("TERM");
    for (file, bytes) in crate::support::files(folder.path()) {
        assert!(!crate::support::holds(&bytes, b"jane-needle"), "{}", file.display());
    }
}
