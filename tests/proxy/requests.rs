//! What could be read in two ways is refused; what belongs to one connection does not pass to the next.

use super::get;
use crate::support::gateway::{TRUSTED_PROXY, shared};
use crate::support::http::{Connection, exchange};

#[test]
fn what_belongs_to_the_visitors_connection_ends_at_the_gateway() {
    let (gateway, site) = shared();
    let more = "Connection: keep-alive, X-One\r\nConnection: x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\nKeep-Alive: timeout=5\r\n\
                Proxy-Connection: close\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\nUpgrade: h2c\r\nForwarded: for=1.2.3.4\r\n\
                X-Forwarded-Host: evil.example\r\nX_Forwarded_For: 1.2.3.4\r\nProxy: http://evil.example\r\n";
    get(gateway, "/hop/page", more);
    let request = site.request("/hop/page");
    for name in [
        "x-one",
        "x-two",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "upgrade",
        "forwarded",
        "proxy",
    ] {
        assert_eq!(request.all(name), [""; 0], "{}", request.head);
    }
    assert_eq!(request.all("x-three"), ["3"]);
    assert_eq!(
        (request.all("host"), request.all("x-forwarded-host")),
        (vec!["www.example.org"], vec!["www.example.org"])
    );
    assert!(!request.head.contains('_'), "{}", request.head);
}

#[test]
fn nobody_but_a_listed_proxy_says_who_calls() {
    let (gateway, site) = shared();
    let forged = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-For: 203.0.113.8\r\nX-Real-IP: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n";
    get(gateway, "/forwarded/by-anyone", forged);
    let request = site.request("/forwarded/by-anyone");
    assert_eq!((request.all("x-forwarded-for"), request.all("x-forwarded-proto")), (vec!["127.0.0.1"], vec!["http"]));
    assert_eq!(request.all("x-real-ip"), [""; 0]);
    let proxy = TRUSTED_PROXY.parse().expect("is an address");
    let ask = "GET /forwarded/by-proxy HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n";
    assert_eq!(Connection::open_from(proxy, gateway.address).send(ask).answer().status, 200);
    let request = site.request("/forwarded/by-proxy");
    assert_eq!(request.all("x-forwarded-for"), [format!("203.0.113.7, {TRUSTED_PROXY}")]);
    assert_eq!(request.all("x-forwarded-proto"), ["https"]);
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_refused() {
    let (gateway, site) = shared();
    let host = "Host: a.example\r\n";
    for (request, status) in [
        ("GET /twice/x HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}Host: b.example\r\n\r\n"), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}{host}\r\n"), 400),
        ("GET /twice/x HTTP/1.1\r\nHost: a.example/@b\r\n\r\n".to_owned(), 400),
        (format!("GET http://b.example/twice/x HTTP/1.1\r\n{host}\r\n"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Content-Length: +1\r\n\r\na"), 400),
        (format!("POST /twice/x HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501),
        (
            format!(
                "POST /twice/x HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        (format!("GET /twice/x HTTP/1.1\r\n{host} folded: 1\r\n\r\n"), 400),
        (format!("GET /twice/x HTTP/1.1\r\n{host}A : 1\r\n\r\n"), 400),
        (format!("CONNECT a.example:443 HTTP/1.1\r\n{host}\r\n"), 405),
        (format!("GET /twice/x HTTP/1.1\r\n{host}X: {}\r\n\r\n", "a".repeat(35_000)), 431),
    ] {
        let shown = &request[..request.len().min(120)];
        let answer = exchange(gateway.address, &request);
        assert_eq!(answer.status, status, "{shown:?}\n{}", answer.head);
    }
    assert!(site.requests("/twice/x").is_empty());
}

/// RFC 9112 §6.1: a length beside `chunked` is smuggling or a mistake. hyper reads it as chunked and closes; what stands
/// behind it is no request to anybody.
#[test]
fn a_request_with_two_lengths_smuggles_nothing() {
    let (gateway, site) = shared();
    let (length, chunked) = ("Content-Length: 5", "Transfer-Encoding: chunked");
    for (path, first, second) in [("/smuggle/a", length, chunked), ("/smuggle/b", chunked, length)] {
        let hidden = "GET /smuggled HTTP/1.1\r\nHost: a.example\r\n\r\n";
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: a.example\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}");
        let mut connection = Connection::open(gateway.address);
        let answer = connection.send(request).answer();
        assert!(answer.status == 400 || answer.field("connection") == Some("close"), "{}", answer.head);
        assert_eq!(connection.rest(), b"");
        for request in site.requests(path) {
            let framing = [request.all("content-length"), request.all("transfer-encoding")].concat();
            assert!(framing.len() == 1 && request.body.is_empty(), "{}", request.head);
        }
    }
    assert!(site.requests("/smuggled").is_empty());
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let (gateway, site) = shared();
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nAccept: image/*\r\n\r\n");
    let paths: Vec<String> = (0..20).map(|number| format!("/pipeline/{number}")).collect();
    for path in &paths {
        site.answers(path, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()));
    }
    let mut connection = Connection::open(gateway.address);
    connection.send(paths.iter().map(|path| ask(path)).collect::<String>());
    for path in &paths {
        assert_eq!(connection.answer().text(), *path);
    }
}
