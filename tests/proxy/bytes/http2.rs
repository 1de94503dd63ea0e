//! Requests of HTTP/2 and the bytes of HTTP/1.1 that become of them: nothing that is a part of one there may become a line, a
//! length or a second request here.

use super::Table;
use crate::support::h2::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, Raw, block};

/// What is sent beside an ordinary visitor's fields; one of a pseudo-header's name stands in its place.
struct Row {
    fields: &'static [(&'static str, &'static [u8])],
    body: Option<&'static [u8]>,
    /// What the site is sent; nothing where the request is refused.
    seen: &'static str,
}

const fn row(fields: &'static [(&'static str, &'static [u8])], seen: &'static str) -> Row {
    Row { fields, body: None, seen }
}

const fn post(fields: &'static [(&'static str, &'static [u8])], body: &'static [u8], seen: &'static str) -> Row {
    Row { fields, body: Some(body), seen }
}

/// The value of a field that is not there.
const ABSENT: &[u8] = b"\0absent";

const ROWS: &[Row] = &[
    row(&[], "GET /a HTTP/1.1\r\n{h}{f}"),
    row(&[("x-a", b"1"), ("x-a", b"2")], "GET /a HTTP/1.1\r\n{h}x-a: 1\r\nx-a: 2\r\n{f}"),
    row(&[("host", b"a.example")], "GET /a HTTP/1.1\r\n{h}{f}"),
    row(&[("x_a", b"1")], "GET /a HTTP/1.1\r\n{h}{f}"),
    row(&[("te", b"trailers")], "GET /a HTTP/1.1\r\n{h}connection: te\r\nte: trailers\r\n{f}"),
    row(
        &[("cookie", b"session=1"), ("cookie", b"ad=2"), ("cookie", b"session=3")],
        "GET /a HTTP/1.1\r\n{h}cookie: session=1; session=3\r\n{f}",
    ),
    row(&[("x-forwarded-for", b"1.2.3.4"), ("forwarded", b"for=1.2.3.4")], "GET /a HTTP/1.1\r\n{h}{f}"),
    post(&[], b"ab", "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\n"),
    post(&[("content-length", b"2")], b"ab", "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab"),
    // Who the request is for is said once, and rightly; proxies that carry a request of HTTP/1.1 say it as that does.
    row(&[(":authority", ABSENT), ("host", b"a.example")], "GET /a HTTP/1.1\r\n{h}{f}"),
    row(&[(":authority", ABSENT)], ""),
    row(&[(":authority", ABSENT), ("host", b"")], ""),
    row(&[(":authority", ABSENT), ("host", b"u@a.example")], ""),
    row(&[(":authority", ABSENT), ("host", b"a.example"), ("host", b"a.example")], ""),
    row(&[("host", b"b.example")], ""),
    row(&[("host", b"a.example"), ("host", b"a.example")], ""),
    row(&[(":authority", b"u@a.example")], ""),
    row(&[(":authority", b"a.example/b")], ""),
    row(&[(":authority", b"a.example\r\nX: y")], ""),
    row(&[(":authority", b"")], ""),
    // The line is one line.
    row(&[(":path", b"/a b")], ""),
    row(&[(":path", b"/a HTTP/1.1\r\nX: y")], ""),
    row(&[(":path", b"/a\nb")], ""),
    row(&[(":path", b"a")], ""),
    row(&[(":path", b"")], ""),
    row(&[(":path", b"*")], ""),
    row(&[(":method", b"GET /b HTTP/1.1\r\nX: y\r\n\r\nGET")], ""),
    row(&[(":method", b"CONNECT")], ""),
    row(&[(":method", b"TRACE")], ""),
    row(&[(":scheme", b"http\r\nX: y")], ""),
    row(&[(":scheme", b"ftp")], ""),
    // A field is one field.
    row(&[("x-a", b"1\r\nX-B: 2")], ""),
    row(&[("x-a", b"1\nX-B: 2")], ""),
    row(&[("x-a", b"1\rX-B: 2")], ""),
    row(&[("x-a", b"1\x002")], ""),
    row(&[("x-a", b" 1")], ""),
    row(&[("x-a", b"1\t")], ""),
    row(&[("x-a\r\nx-b", b"1")], ""),
    row(&[("x-a: 1\r\nx-b", b"1")], ""),
    row(&[("X-A", b"1")], ""),
    row(&[("x a", b"1")], ""),
    row(&[("", b"1")], ""),
    row(&[(":x-a", b"1")], ""),
    // What belongs to a connection of HTTP/1.1 has no place here.
    row(&[("connection", b"x-a")], ""),
    row(&[("keep-alive", b"timeout=5")], ""),
    row(&[("proxy-connection", b"close")], ""),
    row(&[("upgrade", b"websocket")], ""),
    row(&[("te", b"gzip")], ""),
    row(&[("expect", b"200-ok")], ""),
    post(&[("transfer-encoding", b"chunked")], b"0\r\n\r\n", ""),
    post(&[("content-length", b"2"), ("content-length", b"3")], b"ab", ""),
    post(&[("content-length", b"+2")], b"ab", ""),
    post(&[("content-length", b"2, 2")], b"ab", ""),
];

/// The row's request, sent; the status of the answer, or nothing where the stream or the connection was ended.
fn play(table: &Table, Row { fields, body, .. }: &Row) -> Option<u16> {
    let method: &[u8] = if body.is_some() { b"POST" } else { b"GET" };
    let usual: [(&str, &[u8]); 5] = [
        (":method", method),
        (":scheme", b"http"),
        (":authority", b"a.example"),
        (":path", b"/a"),
        ("sec-fetch-dest", b"image"),
    ];
    let instead = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    let mut all: Vec<(&str, &[u8])> = usual.map(|(name, value)| (name, instead(name).unwrap_or(value))).into();
    all.extend(fields.iter().filter(|(name, _)| !usual.iter().any(|(usual, _)| usual == name)));
    all.retain(|(_, value)| *value != ABSENT);
    let mut raw = Raw::open(table.gateway.address, &[]);
    let end = if body.is_some() { 0 } else { END_STREAM };
    raw.send(HEADERS, END_HEADERS | end, 1, &block(&all));
    if let Some(body) = body {
        raw.send(DATA, END_STREAM, 1, body);
    }
    let frame = raw.next(&[HEADERS, RST_STREAM, GOAWAY]).filter(|frame| frame.kind == HEADERS);
    frame.map(|frame| frame.status())
}

#[test]
fn a_request_of_http2_becomes_one_request_or_none() {
    let table = Table::laid_for_http2();
    let mut wrong = Vec::new();
    for row in ROWS {
        let status = play(&table, row);
        table.last();
        let seen = table.site.seen_with(&super::whole(super::LAST_SEEN));
        if seen != super::whole(row.seen) || (status == Some(200)) == row.seen.is_empty() {
            wrong.push(format!("{:?}\n  was answered with {status:?}, the site saw {seen:?}", row.fields));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

/// RFC 9113 §8.1.1: fewer or more bytes than were announced are no body, and the site never takes them for one.
#[test]
fn a_body_of_http2_that_is_not_as_long_as_it_says_never_looks_whole() {
    let table = Table::laid_for_http2();
    for (length, body) in [("5", &b"ab"[..]), ("1", b"ab"), ("0", b"ab")] {
        let row = [("content-length", length.as_bytes())];
        let usual: [(&str, &[u8]); 4] =
            [(":method", b"POST"), (":scheme", b"http"), (":authority", b"a.example"), (":path", b"/a")];
        let mut raw = Raw::open(table.gateway.address, &[]);
        raw.send(HEADERS, END_HEADERS, 1, &block(&[&usual[..], &row[..]].concat()));
        raw.send(DATA, END_STREAM, 1, body);
        let ended = raw.next(&[HEADERS, RST_STREAM, GOAWAY]);
        assert!(ended.is_none_or(|frame| frame.kind != HEADERS || frame.status() != 200), "{length}");
        table.last();
        let seen = table.site.seen_with(&super::whole(super::LAST_SEEN));
        let body_seen = seen.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body_seen.len() < length.parse().unwrap() || body_seen.is_empty(), "{length}: {seen:?}");
    }
}

/// Trailers end here, pseudo-headers among them.
#[test]
fn trailers_of_http2_reach_nobody() {
    let table = Table::laid_for_http2();
    for trailer in [("x-a", &b"1"[..]), (":path", b"/b"), ("content-length", b"7")] {
        let usual: [(&str, &[u8]); 5] = [
            (":method", b"POST"),
            (":scheme", b"http"),
            (":authority", b"a.example"),
            (":path", b"/a"),
            ("sec-fetch-dest", b"image"),
        ];
        let mut raw = Raw::open(table.gateway.address, &[]);
        raw.send(HEADERS, END_HEADERS, 1, &block(&usual));
        raw.send(DATA, 0, 1, b"ab");
        raw.send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[trailer]));
        let ended = raw.next(&[HEADERS, RST_STREAM, GOAWAY]).expect("there is a word on it");
        table.last();
        let seen = table.site.seen_with(&super::whole(super::LAST_SEEN));
        let whole = super::whole("POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\n");
        assert!(seen == whole || ended.kind != HEADERS && whole.starts_with(&seen), "{trailer:?}: {seen:?}");
    }
}
