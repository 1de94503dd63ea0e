//! What happens while something is under way: a browser that goes before it is answered, a withdrawal before the end of a beacon
//! or of a page.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use crate::dashboard;
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, Nobody, without_database};
use crate::support::http::Connection;
use crate::support::shim::Shim;
use crate::support::site::{Site, page};
use crate::support::visitor::{AGENT, Visitor};

/// One thread that serves, so that what was asked first is over first, and batches that wait to be looked at.
const ONE_WORKER: &str = "workers = 1\n[spool]\nbatch_age = \"60s\"";

/// A gateway on a disk that can hang, whose database is away.
fn on_a_disk_that_hangs(site: &Site, shim: &Shim, more: &str) -> (Gateway, Nobody) {
    let nobody = Nobody::new();
    let more = format!("{ONE_WORKER}\n[clickhouse]\nurl = \"http://{}\"\n{more}", nobody.address);
    (shim.under(Folder::new(site.address, &more)).serve(), nobody)
}

/// The head of a request of the visitor's own page, without the empty line.
fn head(visitor: &Visitor, line: &str, more: &str) -> String {
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (host, cookies) = (&visitor.host, cookies.join("; "));
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\nCookie: {cookies}\r\n{more}")
}

fn post(visitor: &Visitor, path: &str, kind: &str, body: &str) -> String {
    let (host, length) = (&visitor.host, body.len());
    let more = format!(
        "Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
    );
    head(visitor, &format!("POST {path}"), &more) + "\r\n" + body
}

fn beacon(path: &str) -> String {
    let event = serde_json::json!({"n": "engagement", "u": path, "i": "00c0ffee00c0ffee", "e": 1200, "sd": 50});
    serde_json::json!({"v": 1, "events": [event]}).to_string()
}

/// A request whose browser goes as soon as `gone` says so; returns when the gateway has noticed.
fn given_up(gateway: &Gateway, request: &str, gone: impl FnOnce()) {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(gateway.address).expect("the listener takes connections");
    stream.write_all(request.as_bytes()).expect("the gateway reads");
    gone();
    let browser = stream.local_addr().expect("it is connected");
    drop(stream);
    eventually("the gateway closes its end", || (!holds_its_end(gateway.address, browser)).then_some(()));
}

/// Whether the gateway still has its end of a connection.
fn holds_its_end(gateway: SocketAddr, browser: SocketAddr) -> bool {
    let end = |address: SocketAddr| format!("0100007F:{:04X}", address.port());
    let ends = format!("{} {}", end(gateway), end(browser));
    fs::read_to_string("/proc/net/tcp").expect("the system tells").lines().any(|line| line.contains(&ends))
}

fn metric(gateway: &Gateway, name: &str) -> u64 {
    let metrics = dashboard::get(gateway, "/metrics").text();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("consentry_{name} ")));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// The paths of the events that would get into the table.
fn kept(gateway: &Gateway) -> Vec<String> {
    let exported = gateway.folder.run(&["spool", "export", "--format", "jsonl"]);
    let rows = String::from_utf8(exported.stdout).expect("JSON is UTF-8");
    let rows = rows.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).expect("each line is JSON"));
    rows.map(|row| row["path"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_beacon_given_up_by_its_browser_is_kept_once_when_it_comes_again_whatever_became_of_the_first() {
    for refuses in [true, false] {
        let (site, shim) = (Site::start(), Shim::new());
        let (gateway, _nobody) = on_a_disk_that_hangs(&site, &shim, "");
        let mut visitor = Visitor::who_accepts(&gateway);
        assert_eq!(visitor.get("/before").status, 200);
        eventually("it is written", || (kept(&gateway) == ["/before"]).then_some(()));
        let request = post(&visitor, "/_privacy/events", "application/json", &beacon("/given-up"));
        shim.hang(".segment");
        given_up(&gateway, &request, || eventually("the disk hangs", || (shim.did("hang") > 0).then_some(())));
        if refuses {
            shim.fill_disk(".segment");
        }
        shim.answer();
        if refuses {
            eventually("it is lost", || (metric(&gateway, "spool_lost_rows_total") == 1).then_some(()));
            assert_eq!(kept(&gateway), ["/before"]);
            shim.free_disk();
        }
        eventually("it is taken", || {
            let again = Connection::open(gateway.address).send(&request).answer();
            (again.status == 204).then_some(())
        });
        assert_eq!(kept(&gateway), ["/before", "/given-up"], "refused at first: {refuses}");
        gateway.end("KILL");
    }
}

/// Gives up a withdrawal while files with this in their path wait for the disk; it counts all the same.
fn a_withdrawal_given_up_counts(gateway: &Gateway, shim: &Shim, mut visitor: Visitor, awaited: &str) {
    assert_eq!(visitor.get("/before").status, 200);
    eventually("it is written", || (kept(gateway) == ["/before"]).then_some(()));
    let form = "application/x-www-form-urlencoded";
    let withdrawal = post(&visitor, "/_privacy/consent", form, "source=preferences&choice=reject");
    shim.hang(awaited);
    given_up(gateway, &withdrawal, || eventually("the disk hangs", || (shim.did("hang") > 0).then_some(())));
    shim.answer();
    // The cookies are the ones of before: the answer that was to end them never came.
    eventually("what it permitted ends", || (visitor.beacon("/after").status == 403).then_some(()));
    eventually("what waits goes no further", || (!kept(gateway).contains(&"/before".to_owned())).then_some(()));
}

#[test]
fn rule_c6_a_withdrawal_whose_browser_goes_before_the_ledger_has_answered_is_completed() {
    let (site, shim) = (Site::start(), Shim::new());
    let (gateway, _nobody) = on_a_disk_that_hangs(&site, &shim, "");
    let visitor = Visitor::who_accepts(&gateway);
    a_withdrawal_given_up_counts(&gateway, &shim, visitor, ".jsonl");
    gateway.end("KILL");
}

/// The first choice after a banner about a part of the purposes was shown waits until its text is kept (P5).
#[test]
fn rule_c6_a_withdrawal_whose_browser_goes_before_the_text_of_a_banner_is_kept_is_completed() {
    let (site, shim) = (Site::start(), Shim::new());
    let (gateway, _nobody) = on_a_disk_that_hangs(&site, &shim, "[[purpose]]\nid = \"analytics\"\n");
    let accepted = Visitor::who_accepts(&gateway);
    // From now on there is another purpose, about which nobody was asked.
    let (_, folder) = gateway.end("KILL");
    let before = fs::read_to_string(folder.path().join("consentry.toml")).expect("it was written");
    let health = "[[purpose]]\nid = \"health\"\ntitle = \"Health\"\ndescription = \"What you read about.\"\n";
    folder.write("consentry.toml", &format!("{before}{health}"));
    let gateway = folder.serve();
    let mut visitor = Visitor::new(&gateway);
    visitor.cookies = accepted.cookies;
    a_withdrawal_given_up_counts(&gateway, &shim, visitor, "/texts/");
    gateway.end("KILL");
}

#[test]
fn rule_c6_what_is_withdrawn_while_a_beacon_comes_is_withdrawn_for_it() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, ONE_WORKER);
    let mut visitor = Visitor::who_accepts(&gateway);
    let request = post(&visitor, "/_privacy/events", "application/json", &beacon("/under-way"));
    let (head, body) = request.split_once("\r\n\r\n").expect("it has a body");
    let mut connection = Connection::open(gateway.address);
    // Asked for the body, its sender knows that what is permitted was looked up.
    connection.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n"));
    assert!(connection.exactly(25).starts_with(b"HTTP/1.1 100"));
    assert_eq!(visitor.choose("reject").status, 303);
    let answer = connection.send(body).answer();
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("not-permitted"), "{}", answer.text());
    assert_eq!(kept(&gateway), [""; 0]);
    gateway.end("KILL");
}

#[test]
fn rule_c6_what_is_withdrawn_while_a_page_is_on_its_way_is_withdrawn_for_it() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, ONE_WORKER);
    // More than all the buffers on the way hold.
    let body = format!("<!doctype html><title>A page</title><p>{}", "x".repeat(24 << 20));
    site.answers("/withdraws", page(&[], &body));
    site.answers("/stays", page(&[], &body));
    let fields =
        "Accept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n";
    for path in ["/withdraws", "/stays"] {
        let mut visitor = Visitor::who_accepts(&gateway);
        let mut connection = Connection::open(gateway.address);
        connection.send(head(&visitor, &format!("GET {path}"), &format!("{fields}Connection: close\r\n\r\n")));
        assert!(connection.exactly(12).ends_with(b"200"));
        if path == "/withdraws" {
            assert_eq!(visitor.choose("reject").status, 303);
        }
        assert!(connection.rest().len() > body.len());
    }
    // One after the other on one thread: when the second is kept, the first is over.
    eventually("the other is kept", || (!kept(&gateway).is_empty()).then_some(()));
    assert_eq!(kept(&gateway), ["/stays"]);
    gateway.end("KILL");
}
