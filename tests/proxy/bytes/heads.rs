//! Request lines, hosts and fields.

use super::{Row, Table, closed, kept};

/// RFC 9112 §3.2: exactly one valid `Host`, which an absolute target agrees with.
const HOSTS: &[Row] = &[
    kept("GET /a HTTP/1.1\r\n{H}\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    kept("GET /a HTTP/1.1\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost:\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\n{H}Host: a.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\n{H}Host: b.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a b/c\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a.example/@b\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: u@a.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a.example:x\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a.example:65536\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a\u{e9}.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a%00.example\r\n\r\n", &[400], ""),
    kept("GET /a HTTP/1.1\r\nHost: a.example#b\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\nHost : a.example\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n Host: a.example\r\n\r\n", &[400], ""),
    kept("GET http://a.example/a?b=c HTTP/1.1\r\n{H}\r\n", &[200], "GET /a?b=c HTTP/1.1\r\n{h}{f}"),
    kept("GET http://A.Example/a HTTP/1.1\r\n{H}\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    kept("GET http://a.example HTTP/1.1\r\n{H}\r\n", &[200], "GET / HTTP/1.1\r\n{h}{f}"),
    kept("GET http://a.example?b HTTP/1.1\r\n{H}\r\n", &[200], "GET /?b HTTP/1.1\r\n{h}{f}"),
    kept("GET http://b.example/a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("GET http://a.example:81/a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("GET http://u@a.example/a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("GET http://a.example/a HTTP/1.1\r\n\r\n", &[400], ""),
    kept("GET ftp://a.example/a HTTP/1.1\r\n{H}\r\n", &[400], ""),
];

/// What stands in the request line.
const LINES: &[Row] = &[
    kept("CONNECT a.example:443 HTTP/1.1\r\n{H}\r\n", &[405], ""),
    kept("TRACE /a HTTP/1.1\r\n{H}\r\n", &[405], ""),
    kept("OPTIONS * HTTP/1.1\r\n{H}\r\n", &[200], "OPTIONS * HTTP/1.1\r\n{h}{f}"),
    kept("GET * HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("GET a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("GET a.example:80 HTTP/1.1\r\n{H}\r\n", &[400], ""),
    // The fragment is no part of what is asked for, and nobody is sent it.
    kept("GET /a?b#c HTTP/1.1\r\n{H}\r\n", &[200], "GET /a?b HTTP/1.1\r\n{h}{f}"),
    kept("GET /%2e%2E/%00//b HTTP/1.1\r\n{H}\r\n", &[200], "GET /%2e%2E/%00//b HTTP/1.1\r\n{h}{f}"),
    kept("GET //b.example/a HTTP/1.1\r\n{H}\r\n", &[200], "GET //b.example/a HTTP/1.1\r\n{h}{f}"),
    kept("GET /\u{e9}|{}?^\\ HTTP/1.1\r\n{H}\r\n", &[200], "GET /\u{e9}|{}?^\\ HTTP/1.1\r\n{h}{f}"),
    closed("GET /a?\" HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /<a> HTTP/1.1\r\n{H}\r\n", &[400], ""),
    kept("get /a HTTP/1.1\r\n{H}\r\n", &[200], "get /a HTTP/1.1\r\n{h}{f}"),
    kept("PURGE /a HTTP/1.1\r\n{H}\r\n", &[200], "PURGE /a HTTP/1.1\r\n{h}{f}"),
    closed("GET  /a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a b HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a\u{0}b HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a\tb HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a\r HTTP/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a HTTP/1.2\r\n{H}\r\n", &[400], ""),
    closed("GET /a HTTP/2.0\r\n{H}\r\n", &[400], ""),
    closed("GET /a HTTP/0.9\r\n{H}\r\n", &[400], ""),
    closed("GET /a http/1.1\r\n{H}\r\n", &[400], ""),
    closed("GET /a\r\n\r\n", &[400], ""),
    closed("G<T /a HTTP/1.1\r\n{H}\r\n", &[400], ""),
    // Empty lines before a request are passed over (RFC 9112 §2.2).
    kept("\r\n\r\nGET /a HTTP/1.1\r\n{H}\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    closed("GET /a HTTP/1.0\r\n{H}\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    kept("GET /a HTTP/1.0\r\n{H}Connection: keep-alive\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    closed("GET /a HTTP/1.1\r\n{H}Connection: close\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    closed(
        "GET /a HTTP/1.0\r\nSec-Fetch-Dest: image\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\nhost: localhost\r\nsec-fetch-dest: image\r\nx-forwarded-for: 127.0.0.1\r\n\
         x-forwarded-proto: http\r\nx-forwarded-host: localhost\r\nx-request-id: ID\r\n\r\n",
    ),
];

/// Fields that pass, that do not, and that are none.
const FIELDS: &[Row] = &[
    kept("GET /a HTTP/1.1\r\n{H}X: a  b \t\r\nX:c\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}x: a  b\r\nx: c\r\n{f}"),
    kept("GET /a HTTP/1.1\r\n{H}X: \u{e9}\r\nY:\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}x: \u{e9}\r\ny: \r\n{f}"),
    kept("GET /a HTTP/1.1\r\n{H}X_Forwarded_For: 1\r\nA_b: 1\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    // Bare LF as the end of a line cannot be told from CRLF any more; every line is written anew.
    kept("GET /a HTTP/1.1\nHost: a.example\nSec-Fetch-Dest: image\n\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    closed("GET /a HTTP/1.1\r\n{H}X: a\r\n folded\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\r\n\tfolded\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\rb\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\r\rY: b\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\u{0}b\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\u{1}b\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X: a\u{7f}b\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X : a\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X\t: a\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}: a\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}no field\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X\u{e9}: a\r\n\r\n", &[400], ""),
    closed("GET /a HTTP/1.1\r\n{H}X(a): a\r\n\r\n", &[400], ""),
    kept(
        "GET /a HTTP/1.1\r\n{H}Cookie: session=1; _ga=2\r\nCookie: x=3\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}cookie: session=1\r\n{f}",
    ),
    kept(
        "GET /a HTTP/1.1\r\n{H}Range: bytes=0-1\r\nIf-Range: \"x\"\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}range: bytes=0-1\r\nif-range: \"x\"\r\n{f}",
    ),
];

/// RFC 9110 §7.6.1: what belongs to the visitor's connection ends here, whatever other lines it names, and what the
/// gateway itself says cannot be named away.
const CONNECTIONS: &[Row] = &[
    kept(
        "GET /a HTTP/1.1\r\n{H}Connection: x-one, X-Two\r\nconnection: X-THREE\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n\
         X-Four: 4\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}x-four: 4\r\n{f}",
    ),
    kept("GET /a HTTP/1.1\r\n{H}Connection: x-forwarded-for, host\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    kept(
        "GET /a HTTP/1.1\r\n{H}Connection: cookie, x-forwarded-proto\r\nCookie: session=1\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}cookie: session=1\r\n{f}",
    ),
    kept(
        "POST /a HTTP/1.1\r\n{H}Connection: content-length, x-forwarded-host\r\nContent-Length: 2\r\n\r\nab",
        &[200],
        "POST /a HTTP/1.1\r\n{h}content-length: 2\r\n{f}ab",
    ),
    kept(
        "GET /a HTTP/1.1\r\n{H}Connection: Sec-GPC\r\nSec-GPC: 1\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}sec-gpc: 1\r\n{f}",
    ),
    kept(
        "GET /a HTTP/1.1\r\n{H}Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: x\r\nTrailer: x\r\n\
         Proxy: x\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}{f}",
    ),
    kept(
        "GET /a HTTP/1.1\r\n{H}TE: trailers, gzip\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}connection: te\r\nte: trailers\r\n{f}",
    ),
    kept("GET /a HTTP/1.1\r\n{H}TE: gzip\r\n\r\n", &[200], "GET /a HTTP/1.1\r\n{h}{f}"),
    kept(
        "GET /a HTTP/1.1\r\n{H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        &[200],
        "GET /a HTTP/1.1\r\n{h}{f}",
    ),
];

#[test]
fn a_request_names_one_host_or_the_site_never_hears_of_it() {
    Table::laid().plays(HOSTS);
}

#[test]
fn a_request_line_is_a_method_a_path_and_a_version() {
    Table::laid().plays(LINES);
}

#[test]
fn a_field_passes_as_it_is_or_the_request_is_refused() {
    Table::laid().plays(FIELDS);
}

#[test]
fn what_is_named_in_any_connection_line_ends_here_and_what_we_say_stays() {
    Table::laid().plays(CONNECTIONS);
}
