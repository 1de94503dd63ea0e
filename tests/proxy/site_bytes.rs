//! What a site may answer, byte by byte, and what a visitor sees of it: all of it, or an error, never half of it as a whole.

use crate::support::gateway::shared;
use crate::support::http::{Connection, exchange};
use crate::support::site::Behaviour;

fn ask(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n{more}\r\n")
}

/// Each: a name, and what the site sends before it closes. None of it is an answer.
#[test]
fn what_can_be_read_in_two_ways_or_not_at_all_is_a_502() {
    let (gateway, site) = shared();
    let ok = |fields: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}").into_bytes();
    let many = "X-Line: 1\r\n".repeat(101);
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("cl-te", ok("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("te-cl", ok("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")),
        ("cl-cl-other", ok("Content-Length: 5\r\nContent-Length: 6", "hello!")),
        ("cl-cl-same", ok("Content-Length: 5\r\nContent-Length: 5", "hello")),
        ("cl-list", ok("Content-Length: 5, 5", "hello")),
        ("cl-plus", ok("Content-Length: +5", "hello")),
        ("cl-hex", ok("Content-Length: 0x5", "hello")),
        ("cl-blank", ok("Content-Length: ", "hello")),
        ("cl-space-before-colon", ok("Content-Length : 5", "hello")),
        ("te-list", ok("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")),
        ("te-list-turned", ok("Transfer-Encoding: chunked, gzip", "0\r\n\r\n")),
        ("te-twice", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("te-identity", ok("Transfer-Encoding: identity", "hello")),
        ("te-x", ok("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("te-http10", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
        ("obs-fold", ok("X-A: 1\r\n 2\r\nContent-Length: 0", "")),
        ("nul", ok("X-A: a\0b\r\nContent-Length: 0", "")),
        ("bare-cr", ok("X-A: a\rb\r\nContent-Length: 0", "")),
        ("no-name", ok(": 1\r\nContent-Length: 0", "")),
        ("name-with-blank", ok("X A: 1\r\nContent-Length: 0", "")),
        ("no-colon", ok("Strange\r\nContent-Length: 0", "")),
        ("many-lines", ok(&format!("{many}Content-Length: 0"), "")),
        ("huge-head", ok(&format!("X: {}\r\nContent-Length: 0", "a".repeat(66_000)), "")),
        ("cut-head", b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        ("no-status", b"HTTP/1.1\r\n\r\n".to_vec()),
        ("status-2-digits", b"HTTP/1.1 20 OK\r\n\r\n".to_vec()),
        ("http2", b"HTTP/2 200\r\n\r\n".to_vec()),
        ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()),
        (
            "upgrade-unasked",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec(),
        ),
        ("only-interim", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
    ];
    for (name, sent) in rows {
        let path = format!("/bytes/bad/{name}");
        site.on(&path, Behaviour::AnswersAndCloses(sent));
        let answer = exchange(gateway.address, ask("GET", &path, ""));
        assert_eq!(answer.status, 502, "{name}");
        assert!(!answer.text().contains("hello"), "{name}");
        let id = answer.field("x-request-id").expect("an answer of ours has an id");
        assert!(answer.text().contains(id), "{name}: nobody can quote it");
    }
}

/// Each: a name, and an answer that breaks off. The visitor's connection must end without a proper end.
#[test]
fn an_answer_that_breaks_off_ends_the_visitors_connection_and_never_looks_whole() {
    let (gateway, site) = shared();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n";
    let rows: Vec<(&str, String)> = vec![
        ("length", format!("{head}Content-Length: 100\r\n\r\nonly this")),
        ("chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n10\r\nhalf")),
        ("between-chunks", format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")),
        ("last-chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n")),
        ("chunk-bare-lf", format!("{head}Transfer-Encoding: chunked\r\n\r\n4\nhalf\r\n0\r\n\r\n")),
        ("chunk-size-signed", format!("{head}Transfer-Encoding: chunked\r\n\r\n+4\r\nhalf\r\n0\r\n\r\n")),
        ("chunk-size-huge", format!("{head}Transfer-Encoding: chunked\r\n\r\n{}\r\nhalf", "f".repeat(17))),
        ("chunk-too-long", format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf-and-more\r\n0\r\n\r\n")),
        ("chunk-nul", format!("{head}Transfer-Encoding: chunked\r\n\r\n4;a=\0\r\nhalf\r\n0\r\n\r\n")),
        ("trailer-bare-lf", format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX: 1\n\r\n")),
    ];
    for (name, sent) in rows {
        let path = format!("/bytes/cut/{name}");
        site.on(&path, Behaviour::AnswersAndCloses(sent.into_bytes()));
        let all = Connection::open(gateway.address).send(ask("GET", &path, "")).rest();
        let text = String::from_utf8_lossy(&all).into_owned();
        // Who got nothing at all would ask again, whatever it was that was asked.
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {text}");
        let (seen, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let announced = seen.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        match announced {
            Some(length) => assert!(body.len() < length, "{name}: {text}"),
            // Chunks without the last one.
            None => assert!(!body.ends_with("0\r\n\r\n"), "{name}: {text}"),
        }
    }
}

/// Each: what the site sends, and the status and body a visitor gets.
#[test]
fn answers_of_every_kind_pass() {
    let (gateway, site) = shared();
    for (name, sent, status, body) in [
        ("lf-head", "HTTP/1.1 200 OK\nContent-Length: 2\nX-A: 1\n\nok", 200, "ok"),
        ("reason-empty", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
        ("status-unknown", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", 299, "ok"),
        (
            "interim",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            200,
            "ok",
        ),
        (
            "partial",
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nok",
            206,
            "ok",
        ),
        (
            "unsatisfiable",
            "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */5\r\nContent-Length: 0\r\n\r\n",
            416,
            "",
        ),
        (
            "chunks-with-trailers",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nContent-Length: 9\r\n\r\n",
            200,
            "ok",
        ),
        ("until-close", "HTTP/1.0 200 OK\r\n\r\nok", 200, "ok"),
        ("error", "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno", 503, "no"),
    ] {
        let path = format!("/bytes/good/{name}");
        site.on(&path, Behaviour::AnswersAndCloses(sent.as_bytes().to_vec()));
        let answer = exchange(gateway.address, ask("GET", &path, "Range: bytes=0-1\r\n"));
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{name}");
        assert_eq!(
            answer.field("content-length").is_some(),
            sent.contains("\nContent-Length: ") && name != "chunks-with-trailers"
        );
    }
    assert_eq!(exchange(gateway.address, ask("GET", "/bytes/good/lf-head", "")).field("x-a"), Some("1"));
    assert_eq!(site.request("/bytes/good/partial").all("range"), ["bytes=0-1"]);
}

#[test]
fn names_of_all_connection_lines_of_the_site_end_here() {
    let (gateway, site) = shared();
    site.answers(
        "/bytes/hop",
        "HTTP/1.1 200 OK\r\nConnection: x-one, keep-alive\r\nX-One: 1\r\nConnection: X-Two\r\nX-Two: 2\r\nKeep-Alive: timeout=9\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: x\r\nX-Kept: 3\r\nContent-Length: 0\r\n\r\n",
    );
    let answer = exchange(gateway.address, ask("GET", "/bytes/hop", ""));
    for gone in ["x-one", "x-two", "keep-alive", "proxy-authenticate", "upgrade", "trailer"] {
        assert_eq!(answer.all(gone).len(), 0, "{gone}: {}", answer.head);
    }
    assert_eq!(answer.field("x-kept"), Some("3"));
}

#[test]
fn an_answer_may_come_before_the_request_is_whole() {
    // The test's site reads a whole request before it answers, so this one is played by hand.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = listener.local_addr().expect("it is bound");
    let (gateway, _nobody) = crate::support::gateway::without_database(address, "");
    let played = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("the gateway connects");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head comes");
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").expect("it is taken");
        // Half-closed: nothing more will come from here.
        stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let mut visitor = Connection::open(gateway.address);
    visitor.send("POST /early HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\nnot all");
    let answer = visitor.answer();
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    // What is left of the body is never taken for another request.
    assert_eq!(visitor.rest(), b"");
    played.join().expect("the site played its part");
}

#[test]
fn a_head_is_answered_by_a_head() {
    let (gateway, site) = shared();
    site.answers("/bytes/head", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    site.answers("/bytes/none", "HTTP/1.1 204 No Content\r\n\r\n");
    site.answers("/bytes/same", "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"1\"\r\n\r\n");
    let mut visitor = Connection::open(gateway.address);
    for (method, path, status, length) in [
        ("HEAD", "/bytes/head", 200, Some("500")),
        ("GET", "/bytes/none", 204, None),
        ("GET", "/bytes/same", 304, None),
        ("HEAD", "/bytes/head", 200, Some("500")),
    ] {
        let answer = visitor.send(ask(method, path, "")).answer_to(method);
        assert_eq!((answer.status, answer.field("content-length")), (status, length), "{method} {path}");
    }
}

#[test]
fn an_upgrade_needs_the_sites_word_for_the_same_protocol_and_no_body() {
    let (gateway, site) = shared();
    let asking = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    for (name, sent, status) in [
        ("other", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 502),
        ("unnamed", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n", 502),
        ("refused", "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 426),
    ] {
        let path = format!("/bytes/upgrade/{name}");
        site.on(&path, Behaviour::AnswersAndCloses(sent.as_bytes().to_vec()));
        assert_eq!(exchange(gateway.address, ask("GET", &path, asking)).status, status, "{name}");
    }
    site.on("/bytes/upgrade/body", Behaviour::Echoes);
    let with_body = format!("{asking}Content-Length: 3\r\n");
    let answer = exchange(gateway.address, format!("{}abc", ask("GET", "/bytes/upgrade/body", &with_body)));
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    assert_eq!(site.request("/bytes/upgrade/body").all("upgrade").len(), 0);
}
