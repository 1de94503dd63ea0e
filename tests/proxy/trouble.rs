//! What goes wrong, on either side, is said in plain words and bounded.

use super::get;
use crate::support::gateway::{Nobody, without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::{Behaviour, Site};

#[test]
fn a_site_that_is_away_or_slow_is_an_error_page_without_internals() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[gateway.limits]\nanswer_timeout = \"300ms\"");
    site.on("/silent", Behaviour::IsSilent);
    site.on("/closes", Behaviour::AnswersAndCloses(Vec::new()));
    site.on("/garbage", Behaviour::AnswersAndCloses(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()));
    site.answers("/ambiguous", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
    let away = Nobody::new();
    let (gateway_away, _nobody) = without_database(away.address, "");
    let internals = [site.address, away.address].map(|address| format!(":{}", address.port()));
    for (gateway, path, status) in [
        (&gateway, "/silent", 504),
        (&gateway, "/closes", 502),
        (&gateway, "/garbage", 502),
        (&gateway, "/ambiguous", 502),
        (&gateway_away, "/any", 503),
    ] {
        let answer = get(gateway, path, "Accept: text/html\r\n");
        assert_eq!(answer.status, status, "{path}");
        let text = answer.text();
        assert!(text.contains("The website is not answering at the moment"), "{text}");
        for internal in internals.iter().map(String::as_str).chain(["upstream", "error", "os ", "panick", "127.0.0.1"])
        {
            assert!(!text.to_lowercase().contains(internal), "{internal} in {text}");
        }
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    // It is well again at once.
    assert_eq!(get(&gateway, "/well", "").status, 200);
}

#[test]
fn a_visitor_who_never_finishes_asking_is_let_go() {
    let site = Site::start();
    let limits = "[gateway.limits]\nhead_timeout = \"300ms\"\nkeep_alive = \"300ms\"\nidle_timeout = \"300ms\"";
    let (gateway, _nobody) = without_database(site.address, limits);
    let mut slow_head = Connection::open(gateway.address);
    slow_head.send("GET /slow/head HTTP/1.1\r\nHost: a.example\r\nX-");
    assert!(!String::from_utf8_lossy(&slow_head.rest()).contains(" 200 "));
    let mut idle = Connection::open(gateway.address);
    assert_eq!(idle.send("GET /slow/idle HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n\r\n").answer().status, 200);
    assert_eq!(idle.rest(), b"");
    let mut slow_body = Connection::open(gateway.address);
    slow_body.send("POST /slow/body HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(slow_body.answer().status, 408);
    let mut slow_beacon = Connection::open(gateway.address);
    slow_beacon.send("POST /_privacy/events HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(slow_beacon.answer().status, 408);
}

#[test]
fn an_upload_longer_than_the_site_allows_is_413() {
    let site = Site::start();
    site.on("/large", Behaviour::Echoes);
    let (gateway, _nobody) = without_database(site.address, "[gateway.limits]\nmax_body_bytes = \"64 KiB\"");
    let post = |framing: &str, body: &[u8]| {
        let head = format!("POST /large HTTP/1.1\r\nHost: a.example\r\n{framing}\r\n\r\n");
        exchange(gateway.address, [head.as_bytes(), body].concat()).status
    };
    assert_eq!(post("Content-Length: 65536", &[b'a'; 65536]), 200);
    assert_eq!(post("Content-Length: 65537", b""), 413);
    let chunk = [format!("{:x}\r\n", 65536).into_bytes(), vec![b'a'; 65536], b"\r\n".to_vec()].concat();
    assert_eq!(post("Transfer-Encoding: chunked", &[&chunk[..], b"0\r\n\r\n"].concat()), 200);
    assert_eq!(post("Transfer-Encoding: chunked", &[&chunk[..], b"1\r\na\r\n0\r\n\r\n"].concat()), 413);
}
