//! What comes back: answers pass as they are, without what belongs to the site's connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::recorder::Manner;
use super::{ADDED, FORWARDED, Table, VISITOR, whole};
use crate::support::PATIENCE;
use crate::support::gateway::shared;

/// An answer of the site and what the visitor gets of it: the head without `Date`, and the body without its framing.
struct Answer {
    method: &'static str,
    site: &'static str,
    visitor: &'static str,
    body: &'static str,
}

const fn get(site: &'static str, visitor: &'static str, body: &'static str) -> Answer {
    Answer { method: "GET", site, visitor, body }
}

const ANSWERS: &[Answer] = &[
    get("200 OK\r\nX-Odd:  a  b \r\nContent-Length: 2\r\n\r\nab", "200 OK\r\nx-odd: a  b\r\ncontent-length: 2", "ab"),
    get(
        "200 Whatever it says\r\nA: 1\r\nA: 2\r\nContent-Length: 0\r\n\r\n",
        "200 OK\r\na: 1\r\na: 2\r\ncontent-length: 0",
        "",
    ),
    get(
        "206 Partial Content\r\nContent-Range: bytes 1-2/9\r\nAccept-Ranges: bytes\r\nContent-Length: 2\r\n\r\nbc",
        "206 Partial Content\r\ncontent-range: bytes 1-2/9\r\naccept-ranges: bytes\r\ncontent-length: 2",
        "bc",
    ),
    get(
        "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x\r\nContent-Length: 9\r\n\r\n--x\r\n\r\nab",
        "206 Partial Content\r\ncontent-type: multipart/byteranges; boundary=x\r\ncontent-length: 9",
        "--x\r\n\r\nab",
    ),
    get(
        "416 Range Not Satisfiable\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n",
        "416 Range Not Satisfiable\r\ncontent-range: bytes */9\r\ncontent-length: 0",
        "",
    ),
    get("204 No Content\r\nX: 1\r\n\r\n", "204 No Content\r\nx: 1", ""),
    get("304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 7\r\n\r\n", "304 Not Modified\r\netag: \"x\"", ""),
    Answer {
        method: "HEAD",
        site: "200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n",
        visitor: "200 OK\r\ncontent-type: image/png\r\ncontent-length: 12345",
        body: "",
    },
    // Interim answers are not the answer.
    get(
        "100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
        "200 OK\r\ncontent-length: 2",
        "ab",
    ),
    // Chunks and trailers of the site's connection end here.
    get(
        "200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n2;e=1\r\nab\r\n1\r\nc\r\n0\r\nX: 1\r\nSet-Cookie: ad=1\r\n\r\n",
        "200 OK\r\ntransfer-encoding: chunked",
        "abc",
    ),
    get(
        "200 OK\r\nConnection: X-One\r\nConnection: keep-alive, x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        "200 OK\r\nx-three: 3\r\ncontent-length: 0",
        "",
    ),
];

/// What is no clear answer: 502, and nothing of it reaches the visitor.
const REFUSED: &[&str] = &[
    "200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab",
    "200 OK\r\nContent-Length: 2, 2\r\n\r\nab",
    "200 OK\r\nContent-Length: +2\r\n\r\nab",
    "200 OK\r\nContent-Length: 0x2\r\n\r\nab",
    "200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "200 OK\r\nTransfer-Encoding: identity\r\n\r\nab",
    "200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    "200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n",
    "200 OK\r\nX: a\u{0}\r\nContent-Length: 0\r\n\r\n",
    "200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n",
    "2000 OK\r\nContent-Length: 0\r\n\r\n",
    "099 OK\r\nContent-Length: 0\r\n\r\n",
    "101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
];

#[test]
fn an_answer_passes_without_what_is_the_connections() {
    let table = Table::laid();
    for Answer { method, site, visitor, body } in ANSWERS {
        let answer = format!("HTTP/1.1 {site}").into_bytes();
        table.site.answers(Manner { answer, ..Manner::default() });
        let sent = format!("{method} /a HTTP/1.1\r\n{VISITOR}\r\n");
        let seen = format!("{method} /a HTTP/1.1\r\n{FORWARDED}{ADDED}");
        let answers =
            table.exchange(sent.as_bytes(), 1, true, &seen).unwrap_or_else(|wrong| panic!("{site:?}: {wrong}"));
        let lines = answers[0].head.lines().filter(|line| !line.starts_with("date:"));
        let head = lines.collect::<Vec<_>>().join("\r\n");
        let expected = format!("HTTP/1.1 {visitor}");
        assert_eq!((head.as_str(), answers[0].text().as_str()), (expected.as_str(), *body), "{site:?}");
    }
}

#[test]
fn an_answer_that_can_be_read_in_two_ways_reaches_nobody() {
    let table = Table::laid();
    for site in REFUSED {
        let answer = format!("HTTP/1.1 {site}").into_bytes();
        table.site.answers(Manner { answer, closes: true, ..Manner::default() });
        let sent = format!("GET /a HTTP/1.1\r\n{VISITOR}\r\n");
        let seen = format!("GET /a HTTP/1.1\r\n{FORWARDED}{ADDED}");
        let answers =
            table.exchange(sent.as_bytes(), 1, true, &seen).unwrap_or_else(|wrong| panic!("{site:?}: {wrong}"));
        assert_eq!(answers[0].status, 502, "{site:?}: {}", answers[0].head);
    }
}

/// What stands behind an answer would be taken for the answer to somebody else.
#[test]
fn more_than_an_answer_is_nobodys_answer() {
    let table = Table::laid();
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_vec();
    table.site.answers(Manner { answer, ..Manner::default() });
    let sent = format!("GET /a HTTP/1.1\r\n{VISITOR}\r\n");
    let seen = format!("GET /a HTTP/1.1\r\n{FORWARDED}{ADDED}");
    let answers = table.exchange(sent.as_bytes(), 1, true, &seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    assert_eq!(answers[0].text(), "ab");
}

/// RFC 9112 §6.1: who speaks HTTP/1.0 is not sent chunks; the end of the connection is the end of the body.
#[test]
fn a_visitor_of_http_1_0_gets_no_chunks() {
    let table = Table::laid();
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n".to_vec();
    table.site.answers(Manner { answer, ..Manner::default() });
    let mut connection = table.connects();
    let got = connection.send(format!("GET /a HTTP/1.0\r\n{VISITOR}\r\n")).rest();
    let got = String::from_utf8_lossy(&got).into_owned();
    let (head, body) = got.split_once("\r\n\r\n").expect("there is a head");
    assert!(head.starts_with("HTTP/1.0 200 OK") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, "abc");
}

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n";

#[test]
fn a_connection_is_a_tunnel_only_once_the_site_has_said_so() {
    let table = Table::laid();
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
    let seen = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\n{FORWARDED}sec-websocket-version: 13\r\nsec-websocket-key: x\r\n\
             connection: upgrade\r\nupgrade: websocket\r\n{ADDED}"
        )
    };
    // Whoever talks before the site has agreed, and it does not, has only asked for two things.
    let both = format!("GET /a HTTP/1.1\r\n{VISITOR}{UPGRADE}\r\nGET /b HTTP/1.1\r\n{VISITOR}\r\n");
    let all = format!("{}GET /b HTTP/1.1\r\n{FORWARDED}{ADDED}", seen("/a"));
    table.exchange(both.as_bytes(), 2, true, &all).unwrap_or_else(|wrong| panic!("{wrong}"));
    // With a body, by another method or in HTTP/1.0 nothing is asked for but an answer.
    for (begin, body, framing) in [
        ("GET /a HTTP/1.1", "Content-Length: 2\r\n\r\nab", "content-length: 2\r\n"),
        ("GET /a HTTP/1.1", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "transfer-encoding: chunked\r\n"),
        ("POST /a HTTP/1.1", "\r\n", "content-length: 0\r\n"),
    ] {
        let sent = format!("{begin}\r\n{VISITOR}{UPGRADE}{body}");
        let body = body.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let fields = "sec-websocket-version: 13\r\nsec-websocket-key: x\r\n";
        let seen = format!("{begin}\r\n{FORWARDED}{fields}{framing}{ADDED}{body}");
        table.exchange(sent.as_bytes(), 1, true, &seen).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    // A site that switches unasked is not believed.
    table.site.answers(Manner { answer: switched.clone(), closes: true, ..Manner::default() });
    let sent = format!("POST /a HTTP/1.1\r\n{VISITOR}{UPGRADE}Content-Length: 2\r\n\r\nab");
    let answer = table.connects().send(sent).answer();
    assert_eq!(answer.status, 502);
    // One that was asked is.
    table.site.answers(Manner { answer: switched, ..Manner::default() });
    table.site.take();
    let mut tunnel = table.connects();
    assert_eq!(tunnel.send(format!("GET /c HTTP/1.1\r\n{VISITOR}{UPGRADE}\r\n")).answer().status, 101);
    let inside = "GET /last HTTP/1.1\r\n\r\n";
    assert_eq!(tunnel.send(inside).exactly(inside.len()), inside.as_bytes());
    drop(tunnel);
    let last = table.connects().send(whole(super::LAST)).answer();
    assert_eq!(last.text(), super::recorder::LAST_BODY);
    assert_eq!(table.site.seen_with(&whole(super::LAST_SEEN)), format!("{}{inside}", seen("/c")));
}

/// Whoever has closed its half of the connection after a whole request has nothing more to ask, and gets every answer; whoever closes
/// it within a request has broken off, and the site is asked for nothing in its name.
#[test]
fn a_visitor_who_closes_its_half_after_its_request_gets_its_answer() {
    let (gateway, site) = shared();
    let much = "m".repeat(3 << 20);
    site.answers("/half/closed", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    site.answers("/half/much", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{much}", much.len()));
    let ask = |bytes: String| {
        let mut stream = TcpStream::connect(gateway.address).expect("the listener takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        stream.write_all(bytes.as_bytes()).expect("the other side reads");
        stream.shutdown(Shutdown::Write).expect("it is open");
        let (mut got, began) = (String::new(), Instant::now());
        stream.read_to_string(&mut got).expect("it is closed in order");
        assert!(began.elapsed() < Duration::from_secs(5), "closed once it is answered: {:?}", began.elapsed());
        got
    };
    let get = format!("GET /half/closed HTTP/1.1\r\n{VISITOR}\r\n");
    let post = format!("POST /half/closed HTTP/1.1\r\n{VISITOR}Content-Length: 3\r\n\r\nabc");
    let chunks =
        format!("POST /half/closed HTTP/1.1\r\n{VISITOR}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    for request in [&get, &post, &chunks] {
        let got = ask(request.clone());
        assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with("\r\n\r\nok"), "{request}: {got}");
    }
    let got = ask([get.as_str(), &post, &get].concat());
    assert_eq!(got.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{got}");
    let got = ask(format!("GET /half/much HTTP/1.1\r\n{VISITOR}\r\n"));
    assert!(got.starts_with("HTTP/1.1 200 OK\r\n") && got.ends_with(&much), "{} bytes", got.len());
    let own = ask(format!("GET /_privacy/consent HTTP/1.1\r\n{VISITOR}\r\n"));
    assert!(own.starts_with("HTTP/1.1 200 OK\r\n"), "{own}");

    // Broken off.
    for request in [&post[..post.len() - 1], &chunks[..chunks.len() - 2], &get[..get.len() - 2]] {
        let got = ask(request.to_owned());
        assert!(!got.starts_with("HTTP/1.1 200"), "{request}: {got}");
    }
}

/// Whoever is refused while it still sends gets to read why: the connection is not reset under what is on its way.
#[test]
fn a_visitor_who_is_refused_within_its_request_can_send_on_and_reads_why() {
    let (gateway, _) = shared();
    for (head, status) in [
        ("Content-Length: 99999999999", "413"),
        ("Content-Length: 2000000\r\nExpect: 200-fine", "417"),
        ("Content-Length: 2000000\r\nHost: other.example", "400"),
        ("Content-Length: 2000000\r\nNo field", "400"),
    ] {
        let mut stream = TcpStream::connect(gateway.address).expect("the listener takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
        let request = format!("POST /refused HTTP/1.1\r\n{VISITOR}{head}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the other side reads");
        for _ in 0..20 {
            stream.write_all(&[b'x'; 50_000]).expect("it is not reset");
            std::thread::sleep(Duration::from_millis(10));
        }
        let (mut got, began) = (String::new(), Instant::now());
        stream.shutdown(Shutdown::Write).expect("it is open");
        stream.read_to_string(&mut got).expect("it is closed in order");
        assert!(got.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {got}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
