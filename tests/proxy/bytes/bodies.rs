//! Where a request's body ends.

use super::recorder::{LAST_BODY, Manner};
use super::{ADDED, FORWARDED, LAST, LAST_SEEN, Row, Table, VISITOR, closed, kept, whole};

const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a.example\r\n\r\n";

/// RFC 9112 §6: one length, or `chunked` and nothing else.
const LENGTHS: &[Row] = &[
    kept(
        "POST /a HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nab",
        &[200],
        "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    kept("POST /a HTTP/1.1\r\n{H}Content-Length: 0\r\n\r\n", &[200], "POST /a HTTP/1.1\r\n{h}content-length: 0\r\n{f}"),
    kept("POST /a HTTP/1.1\r\n{H}\r\n", &[200], "POST /a HTTP/1.1\r\n{h}content-length: 0\r\n{f}"),
    kept(
        "GET /a HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nab",
        &[200],
        "GET /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    kept(
        "DELETE /a HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nab",
        &[200],
        "DELETE /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    kept(
        "POST /a HTTP/1.1\r\n{H}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        &[200],
        "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    kept(
        "POST /a HTTP/1.1\r\n{H}Content-Length: 002\r\n\r\nab",
        &[200],
        "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 2, 2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 1, 2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: +2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: -2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 0x2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 2 2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 2a\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length:\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length : 2\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length: 18446744073709551618\r\n\r\nab", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Content-Length:\r\n 2\r\n\r\nab", &[400], ""),
    kept("POST /a HTTP/1.1\r\n{H}Content_Length: 2\r\n\r\n", &[200], "POST /a HTTP/1.1\r\n{h}content-length: 0\r\n{f}"),
];

const CODINGS: &[Row] = &[
    kept(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\n",
    ),
    kept(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: CHUNKED\r\n\r\n2;a=\"b\"\r\nab\r\n000\r\n\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\n",
    ),
    // Trailers end here, whatever they are called, and so does the connection: what stands behind a bare LF among them is no request.
    closed(
        "POST /a HTTP/1.1\r\n{H}Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: 1\r\nContent-Length: 3\r\n\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\n",
    ),
    closed(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\nPOST /b HTTP/1.1\r\n{H}Content-Length: 48\r\n\r\nGET /hidden HTTP/1.1\r\n{H}\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}0\r\n\r\n",
    ),
    closed(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\nPOST /b HTTP/1.1\r\n{H}Content-Length: 48\r\n\r\nGET /hidden HTTP/1.1\r\n{H}\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}0\r\n\r\n",
    ),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[501], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", &[501], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", &[501], ""),
    closed(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
        "",
    ),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        &[400],
        "",
    ),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: identity\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding:\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.0\r\n{H}Transfer-Encoding: identity, chunked\r\nContent-Length: 2\r\n\r\nab", &[400], ""),
    kept(
        "POST /a HTTP/1.1\r\n{H}Transfer_Encoding: chunked\r\n\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}content-length: 0\r\n{f}",
    ),
    // A length beside `chunked` is gone by the time we look (RFC 9112 §6.1 leaves the choice): read as chunked, and closed.
    closed(
        "POST /a HTTP/1.1\r\n{H}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n{H}\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}0\r\n\r\n",
    ),
    closed(
        "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n{H}\r\n",
        &[200],
        "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}0\r\n\r\n",
    ),
];

/// Chunks that are none. What stands before the fault may have gone out; it never looks whole to the site.
const CHUNKS: &[Row] = &[
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n;a\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\nab\r\n0\r\n\r\n", &[400], ""),
    closed("POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nz\r\n", &[400], ""),
];

#[test]
fn a_body_has_one_length_or_the_site_never_hears_of_it() {
    Table::laid().plays(LENGTHS);
}

#[test]
fn a_body_is_chunked_and_nothing_else_or_the_site_never_hears_of_it() {
    Table::laid().plays(CODINGS);
}

#[test]
fn a_chunk_that_is_none_is_refused() {
    Table::laid().plays(CHUNKS);
}

/// The first chunk is the site's already when the second one turns out to be none.
#[test]
fn a_body_that_breaks_off_never_looks_whole_and_its_connection_is_not_used_again() {
    let rows = [
        ("2\r\nab\r\n0x1\r\nc\r\n0\r\n\r\n", "2\r\nab"),
        ("2\r\nabc\r\n0\r\n\r\n", "2\r\nab"),
        ("2\r\nab\n0\r\n\r\n", "2\r\nab"),
        ("2\r\nab\r\n0\n\n", "2\r\nab"),
    ];
    for (number, (rest, sees)) in rows.into_iter().enumerate() {
        // Each has a path of its own: what broke off may be noted at the site after what came later.
        let head = format!("POST /a{number} HTTP/1.1\r\n{VISITOR}Transfer-Encoding: chunked\r\n\r\n");
        let table = Table::laid();
        let mut sent = table.connects();
        let answer = sent.send(format!("{head}{rest}{HIDDEN}")).answer();
        assert_eq!(answer.status, 400, "{rest:?}");
        assert_eq!(sent.rest(), b"");
        let last = whole(LAST);
        assert_eq!(table.connects().send(last).answer().text(), LAST_BODY);
        let seen = table.site.seen_with(&whole(LAST_SEEN));
        let seen = seen.find(&format!("POST /a{number} ")).map_or("", |at| &seen[at..]);
        let begun = format!("POST /a{number} HTTP/1.1\r\n{FORWARDED}transfer-encoding: chunked\r\n{ADDED}");
        assert!(seen.is_empty() || seen == begun || seen == format!("{begun}{sees}"), "{rest:?}: {seen:?}");
    }
}

#[test]
fn requests_behind_each_other_stay_apart() {
    const ROWS: &[Row] = &[
        kept(
            "GET /a HTTP/1.1\r\n{H}\r\nGET /b HTTP/1.1\r\n{H}\r\nGET /c HTTP/1.1\r\n{H}\r\n",
            &[200, 200, 200],
            "GET /a HTTP/1.1\r\n{h}{f}GET /b HTTP/1.1\r\n{h}{f}GET /c HTTP/1.1\r\n{h}{f}",
        ),
        kept(
            "POST /a HTTP/1.1\r\n{H}Content-Length: 2\r\n\r\nabGET /b HTTP/1.1\r\n{H}\r\n",
            &[200, 200],
            "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}abGET /b HTTP/1.1\r\n{h}{f}",
        ),
        kept(
            "POST /a HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET /b HTTP/1.1\r\n{H}\r\n",
            &[200, 200],
            "POST /a HTTP/1.1\r\n{h}transfer-encoding: chunked\r\n{f}2\r\nab\r\n0\r\n\r\nGET /b HTTP/1.1\r\n{h}{f}",
        ),
        // One that is refused without a body is over, and so is the next one.
        kept("GET * HTTP/1.1\r\n{H}\r\nGET /b HTTP/1.1\r\n{H}\r\n", &[400, 200], "GET /b HTTP/1.1\r\n{h}{f}"),
        closed(
            "GET /a HTTP/1.1\r\n{H}Connection: close\r\n\r\nGET /b HTTP/1.1\r\n{H}\r\n",
            &[200],
            "GET /a HTTP/1.1\r\n{h}{f}",
        ),
        // What stands behind a refused head is no request.
        closed("GET /a HTTP/1.1\r\n{H}X : a\r\n\r\nGET /b HTTP/1.1\r\n{H}\r\n", &[400], ""),
    ];
    Table::laid().plays(ROWS);
}

#[test]
fn an_expectation_is_met_here_or_refused() {
    const ROWS: &[Row] = &[
        kept(
            "POST /a HTTP/1.1\r\n{H}Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nab",
            &[200],
            "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
        ),
        kept("GET /a HTTP/1.1\r\n{H}Expect: 100-continue\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
        kept("GET /a HTTP/1.1\r\n{H}Expect: 200-ok\r\n\r\n", &[417], ""),
        kept("GET /a HTTP/1.1\r\n{H}Expect: 100-continue, x\r\n\r\n", &[417], ""),
        kept("GET /a HTTP/1.1\r\n{H}Expect: 100-continue\r\nExpect: x\r\n\r\n", &[417], ""),
        kept("GET /a HTTP/1.1\r\n{H}Expect:\r\n\r\n", &[417], ""),
    ];
    Table::laid().plays(ROWS);
}

/// The site says no before it has the whole body: the visitor hears it, and nothing that follows is taken for a request.
#[test]
fn an_answer_that_comes_early_reaches_the_visitor() {
    let table = Table::laid();
    let answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!".to_vec();
    table.site.answers(Manner { answer, early: true, ..Manner::default() });
    let mut connection = table.connects();
    connection.send(format!("POST /a HTTP/1.1\r\n{VISITOR}Content-Length: 1000000\r\n\r\nbegun"));
    let answer = connection.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no!"));
    // Others are served, and what was begun was not gone on with.
    let last = table.connects().send(whole(LAST)).answer();
    assert_eq!(last.text(), LAST_BODY);
    let seen = table.site.seen_with(&whole(LAST_SEEN));
    assert_eq!(seen, format!("POST /a HTTP/1.1\r\n{FORWARDED}content-length: 1000000\r\n{ADDED}begun"));
}
