//! Bytes pass as they are, in both directions, however their end is said.

use super::{bytes, get};
use crate::support::gateway::shared;
use crate::support::http::{Connection, exchange};
use crate::support::site::{Behaviour, PAGE, page};

#[test]
fn a_body_of_known_length_passes_byte_for_byte() {
    let (gateway, site) = shared();
    let body = bytes(300_000);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 300000\r\nETag: \"x\"\r\nX-Odd:  two  words \r\n\r\n";
    site.answers("/length/file.png", [head.as_bytes(), &body].concat());
    let answer = get(gateway, "/length/file.png", "");
    assert_eq!((answer.field("content-length"), answer.field("etag")), (Some("300000"), Some("\"x\"")));
    assert_eq!(answer.field("x-odd"), Some("two  words"));
    assert!(answer.body == body);
}

#[test]
fn a_chunked_body_passes_byte_for_byte() {
    let (gateway, site) = shared();
    let body = bytes(200_000);
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(7777) {
        answer.extend(format!("{:x};ext=1\r\n", piece.len()).into_bytes());
        answer.extend([piece, b"\r\n"].concat());
    }
    answer.extend(b"0\r\n\r\n");
    site.answers("/chunked/film.mp4", answer);
    assert!(get(gateway, "/chunked/film.mp4", "").body == body);
}

#[test]
fn a_body_that_ends_with_the_connection_passes_whole() {
    let (gateway, site) = shared();
    let body = bytes(100_000);
    let head = b"HTTP/1.0 200 OK\r\nContent-Type: application/zip\r\n\r\n";
    site.on("/closed/file.zip", Behaviour::AnswersAndCloses([&head[..], &body].concat()));
    assert!(get(gateway, "/closed/file.zip", "").body == body);
}

#[test]
fn answers_without_a_body_stay_without_one() {
    let (gateway, site) = shared();
    site.answers("/bare/204", "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n");
    site.answers("/bare/304", "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nContent-Length: 77\r\n\r\n");
    site.answers("/bare/head", "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 12345\r\n\r\n");
    site.answers("/bare/after", page(&[], PAGE));
    let mut connection = Connection::open(gateway.address);
    let mut ask = |method: &str, path: &str, more: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n{more}\r\n");
        connection.send(head).answer_to(method)
    };
    assert_eq!(ask("GET", "/bare/204", "").status, 204);
    let unchanged = ask("GET", "/bare/304", "If-None-Match: \"v1\"\r\n");
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some("\"v1\"")));
    assert_eq!(site.request("/bare/304").all("if-none-match"), ["\"v1\""]);
    assert_eq!(ask("HEAD", "/bare/head", "").field("content-length"), Some("12345"));
    // The connection was not put out of step by any of them.
    assert_eq!(ask("GET", "/bare/after", "").body, PAGE.as_bytes());
}

#[test]
fn a_download_can_be_resumed() {
    let (gateway, site) = shared();
    let answer = "HTTP/1.1 206 Partial Content\r\nContent-Type: application/pdf\r\nContent-Range: bytes 2-5/10\r\n\
                  Content-Disposition: attachment\r\nContent-Length: 4\r\n\r\n2345";
    site.answers("/range/report.pdf", answer);
    let part = get(gateway, "/range/report.pdf", "Range: bytes=2-5\r\nIf-Range: \"x\"\r\n");
    assert_eq!((part.status, part.field("content-range"), &part.body[..]), (206, Some("bytes 2-5/10"), &b"2345"[..]));
    let request = site.request("/range/report.pdf");
    assert_eq!((request.all("range"), request.all("if-range")), (vec!["bytes=2-5"], vec!["\"x\""]));
}

#[test]
fn an_upload_of_5_mb_comes_back_as_it_went() {
    let (gateway, site) = shared();
    site.on("/upload/echo", Behaviour::Echoes);
    let body = bytes(5_000_000);
    let head = format!("POST /upload/echo HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", body.len());
    assert!(exchange(gateway.address, [head.as_bytes(), &body].concat()).body == body);
    let mut chunked = b"POST /upload/echo HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for piece in body.chunks(99_999) {
        chunked.extend(format!("{:X}\r\n", piece.len()).into_bytes());
        chunked.extend([piece, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    assert!(exchange(gateway.address, chunked).body == body);
}

#[test]
fn a_websocket_passes_both_ways() {
    let (gateway, site) = shared();
    site.on("/socket", Behaviour::Tunnels);
    let mut connection = Connection::open(gateway.address);
    let ask = "GET /socket HTTP/1.1\r\nHost: a.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
               Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: ad=1; session=2\r\n\r\n";
    let answer = connection.send(ask).answer();
    assert_eq!((answer.status, answer.field("upgrade")), (101, Some("websocket")));
    assert_eq!(site.request("/socket").all("cookie"), ["session=2"]);
    let frames = bytes(50_000);
    connection.send(&frames);
    assert!(connection.exactly(frames.len()) == frames);
    connection.send(b"bye");
    assert_eq!(connection.exactly(3), b"bye");
}

#[test]
fn an_answer_that_breaks_off_does_not_look_whole() {
    let (gateway, site) = shared();
    let cut = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nonly this".to_vec();
    site.on("/cut/length", Behaviour::AnswersAndCloses(cut));
    let cut =
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n".to_vec();
    site.on("/cut/chunked", Behaviour::AnswersAndCloses(cut));
    for path in ["/cut/length", "/cut/chunked"] {
        let ask = format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n\r\n");
        let all = Connection::open(gateway.address).send(ask).rest();
        let all = String::from_utf8_lossy(&all).into_owned();
        // Nothing at all, or less than was announced.
        assert!(all.is_empty() || all.starts_with("HTTP/1.1 200") && !all.ends_with("0\r\n\r\n"), "{all}");
        assert!(all.len() < 350, "{all}");
    }
}

#[test]
fn a_visitor_who_asks_first_is_told_to_go_on() {
    let (gateway, site) = shared();
    site.on("/expect/echo", Behaviour::Echoes);
    let mut connection = Connection::open(gateway.address);
    connection
        .send("POST /expect/echo HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert!(connection.exactly(25).starts_with(b"HTTP/1.1 100 Continue\r\n"));
    assert_eq!(connection.send("abc").answer().body, b"abc");
    assert_eq!(site.request("/expect/echo").all("expect"), [""; 0]);
}
