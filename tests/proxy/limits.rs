//! Whoever takes more than a visitor needs is held to a bound, and nobody else notices.

use std::process::Command;
use std::time::{Duration, Instant};

use super::get;
use crate::support::eventually;
use crate::support::gateway::{Gateway, TRUSTED_PROXY, without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::{Behaviour, Site};

fn from(gateway: &Gateway, address: &str) -> Connection {
    Connection::open_from(address.parse().unwrap(), gateway.address)
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

#[test]
fn a_connection_that_sends_no_head_is_closed_in_time() {
    let site = Site::start();
    let limits = "[gateway.limits]\nhead_timeout = \"300ms\"\nkeep_alive = \"300ms\"\n";
    let (gateway, _nobody) = without_database(site.address, limits);
    let began = Instant::now();
    for sent in ["", "GET", "GET / HTTP/1.1\r\nHost: a.example\r\n"] {
        let rest = Connection::open(gateway.address).send(sent).rest();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&rest));
    }
    // One that has asked once and asks no more is closed, too.
    let mut idle = Connection::open(gateway.address);
    assert_eq!(idle.send(ask("/idle")).answer().status, 200);
    assert_eq!(idle.rest(), b"");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_connection_is_kept_between_two_requests_for_longer_than_a_head_may_take() {
    let site = Site::start();
    let limits = "[gateway.limits]\nhead_timeout = \"300ms\"\n";
    let (gateway, _nobody) = without_database(site.address, limits);
    let mut kept = Connection::open(gateway.address);
    for _ in 0..2 {
        assert_eq!(kept.send(ask("/kept")).answer().status, 200);
        std::thread::sleep(Duration::from_millis(900));
    }
    let upload = "POST /kept HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\n";
    kept.send(upload).send("body").answer();
    std::thread::sleep(Duration::from_millis(900));
    // Its next head has no more time than any other, whenever it begins.
    let began = Instant::now();
    kept.send("GET /kept HTTP/1.1\r\n");
    let rest = kept.rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&rest));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn where_connections_are_scarce_those_that_wait_longest_are_not_kept() {
    let site = Site::start();
    let limits = "[gateway.limits]\nhead_timeout = \"1s\"\nmax_connections = 4\n";
    let (gateway, _nobody) = without_database(site.address, limits);
    let mut kept: Vec<Connection> = (0..4).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut kept {
        assert_eq!(connection.send(ask("/scarce/kept")).answer().status, 200);
    }
    let rest = Connection::open(gateway.address).send("GET / HTTP/1.0\r\n\r\n").rest();
    assert!(rest.is_empty(), "all are taken");
    eventually("there is a place again", || {
        let rest = Connection::open(gateway.address).send("GET / HTTP/1.0\r\n\r\n").rest();
        rest.starts_with(b"HTTP/1.0 200").then_some(())
    });
}

#[test]
fn an_address_has_its_connections_and_a_proxy_has_more() {
    let site = Site::start();
    let limits = "[gateway.limits]\nmax_connections_per_address = 3\n";
    let (gateway, _nobody) =
        without_database(site.address, &format!("workers = 2\ntrusted_proxies = [\"{TRUSTED_PROXY}\"]\n{limits}"));
    let mut open: Vec<Connection> = (0..3).map(|_| from(&gateway, "127.0.0.4")).collect();
    for connection in &mut open {
        assert_eq!(connection.send(ask("/seats")).answer().status, 200);
    }
    assert_eq!(from(&gateway, "127.0.0.4").rest(), b"", "the fourth is closed at once");
    assert_eq!(from(&gateway, "127.0.0.5").send(ask("/seats")).answer().status, 200);
    let many: Vec<Connection> = (0..10)
        .map(|_| {
            let mut connection = from(&gateway, TRUSTED_PROXY);
            assert_eq!(connection.send(ask("/seats")).answer().status, 200);
            connection
        })
        .collect();
    assert_eq!(gateway.metric("consentry_connections_refused_by_address_total"), 1);
    drop((open, many));
    eventually("a place is free again", || {
        let rest = from(&gateway, "127.0.0.4").send("GET / HTTP/1.0\r\n\r\n").rest();
        rest.starts_with(b"HTTP/1.0 200").then_some(())
    });
}

#[test]
fn whoever_asks_too_fast_is_told_when_to_come_again() {
    let site = Site::start();
    let limits = "[gateway.limits]\nrequests_per_second_per_address = 1\nrequest_burst_per_address = 5\n";
    let (gateway, _nobody) =
        without_database(site.address, &format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n{limits}"));
    let mut connection = from(&gateway, "127.0.0.6");
    let statuses: Vec<u16> = (0..20).map(|_| connection.send(ask("/paced")).answer().status).collect();
    assert_eq!(statuses[..5], [200; 5]);
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(refused >= 13, "{statuses:?}");
    let answer = connection.send(ask("/paced")).answer();
    assert_eq!((answer.status, answer.field("retry-after")), (429, Some("1")));
    // C6: a withdrawal is always taken.
    let withdrawal = "POST /_privacy/consent HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n";
    assert_ne!(connection.send(withdrawal).answer().status, 429);
    assert_eq!(from(&gateway, "127.0.0.7").send(ask("/paced")).answer().status, 200);
    // Through a proxy it is the visitor that counts.
    let through = |visitor: &str| {
        let ask = ask("/paced").replace("\r\n\r\n", &format!("\r\nX-Forwarded-For: {visitor}\r\n\r\n"));
        from(&gateway, TRUSTED_PROXY).send(ask).answer().status
    };
    let one: Vec<u16> = (0..8).map(|_| through("203.0.113.1")).collect();
    assert!(one.contains(&429), "{one:?}");
    assert_eq!(through("203.0.113.2"), 200);
    assert!(gateway.metric("consentry_requests_paced_total") >= 14);
}

#[test]
fn a_trusted_proxys_own_requests_are_no_visitors() {
    let site = Site::start();
    let limits = "[gateway.limits]\nrequests_per_second_per_address = 1\nrequest_burst_per_address = 2\n";
    let (gateway, _nobody) =
        without_database(site.address, &format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n{limits}"));
    let mut proxy = from(&gateway, TRUSTED_PROXY);
    // Its health checks come without a word on whom they are for.
    for number in 0..20 {
        assert_eq!(proxy.send(ask("/own")).answer().status, 200, "{number}");
    }
    let visitors = ask("/own").replace("\r\n\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    let statuses: Vec<u16> = (0..5).map(|_| proxy.send(&visitors).answer().status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[gateway.limits]\nidle_timeout = \"300ms\"\n");
    site.on("/slow", Behaviour::Echoes);
    let began = Instant::now();
    let head = "POST /slow HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1000\r\n\r\nbegin";
    let rest = Connection::open(gateway.address).send(head).rest();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4") || rest.starts_with(b"HTTP/1.1 5"));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(get(&gateway, "/after", "").status, 200);
}

#[test]
fn a_body_that_trickles_is_told_so_and_one_that_only_pauses_is_taken() {
    let site = Site::start();
    let (gateway, _nobody) =
        without_database(site.address, "[gateway.limits]\nmin_body_rate = \"1 KiB/s\"\nbody_grace = \"500ms\"\n");
    site.on("/trickle", Behaviour::Echoes);
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        // Never a pause that is too long, and never an end.
        let head = format!("POST /trickle HTTP/1.1\r\nHost: a.example\r\n{framing}\r\n\r\n");
        let piece = if framing.starts_with('C') { "x" } else { "1\r\nx\r\n" };
        let mut slow = Connection::trickle(gateway.address, &head, piece, Duration::from_millis(300));
        let answer = slow.answer();
        assert_eq!((answer.status, answer.field("connection")), (408, Some("close")), "{framing}");
        assert!(answer.field("x-request-id").is_some());
        assert_eq!(slow.rest(), b"", "the connection is closed");
    }
    assert!(site.requests("/trickle").is_empty(), "the site has none of them whole");
    assert_eq!(gateway.metric("consentry_request_bodies_too_slow_total"), 2);
    // The time the visitor pauses is made up for by what comes then.
    let mut pausing = Connection::open(gateway.address);
    pausing.send("POST /trickle HTTP/1.1\r\nHost: a.example\r\nContent-Length: 20000\r\n\r\n");
    std::thread::sleep(Duration::from_secs(1));
    let body = super::bytes(20_000);
    assert_eq!(pausing.send(&body).answer().body, body);
}

#[test]
fn an_answer_that_is_taken_a_little_at_a_time_is_not_sent_for_ever() {
    let site = Site::start();
    let (gateway, _nobody) =
        without_database(site.address, "[gateway.limits]\nmin_body_rate = \"1 MiB/s\"\nbody_grace = \"300ms\"\n");
    let (length, part) = (64 << 20, 16 << 10);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n");
    site.answers("/large", [head.into_bytes(), vec![b'x'; length]].concat());
    let (began, mut slow, mut got) = (Instant::now(), Connection::open(gateway.address), 0);
    slow.send(ask("/large"));
    while let Some(more) = slow.some(part) {
        got += more;
        assert!(began.elapsed() < Duration::from_secs(25), "{got} bytes, and still more");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(got < length, "it was cut");
    // Whoever takes it as it comes has all of it.
    assert_eq!(exchange(gateway.address, ask("/large")).body.len(), length);
}

#[test]
fn a_system_without_descriptors_harms_nobody_who_is_there_and_is_well_again_by_itself() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "workers = 1\n");
    let mut before = Connection::open(gateway.address);
    assert_eq!(before.send(ask("/scarce/before")).answer().status, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", gateway.process.id())).unwrap().count();
    let limit = |count: &str| {
        let pid = gateway.process.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={count}")]).status();
        assert!(set.is_ok_and(|status| status.success()));
    };
    limit(&format!("{}:", open + 4));
    let mut waiting: Vec<Connection> = (0..12).map(|_| Connection::open(gateway.address)).collect();
    for connection in &mut waiting {
        connection.send(ask("/scarce/waits"));
    }
    eventually("nobody is accepted any more", || {
        let log = gateway.folder.log();
        log.contains("no connection can be accepted").then_some(())
    });
    // What needs no new way to the site is there for whoever is there.
    assert_eq!(before.send(ask("/.well-known/gpc.json")).answer().status, 200);
    limit("4096:");
    let served = waiting.iter_mut().map(|connection| connection.answer().status);
    let served: Vec<u16> = served.collect();
    // Those for whom there was no descriptor to reach the site may have been told so; nobody was forgotten.
    assert!(served.iter().all(|status| [200, 502, 503].contains(status)), "{served:?}");
    assert!(gateway.metric("consentry_accepts_failed_total") >= 1);
    let answer =
        exchange(gateway.address, "GET /scarce/after HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.status, 200);
    assert!(gateway.folder.log().contains("connections are accepted again"), "{}", gateway.folder.log());
}
