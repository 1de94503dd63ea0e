//! What stands on the wire.

use bytes::Bytes;
use http_body_util::Empty;

use super::super::{Forward, Overrides, Scheme, UpstreamError};
use super::site::{act, failure, forward, request, run, send, site};
use crate::pseudonym::RawIp;

/// What the site receives as the head of this request.
fn sent(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    sent_with(method, target, headers, |_| {})
}

fn sent_with(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    change: impl FnOnce(&mut super::super::Forward<'_>),
) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    let site = site([act(move |talk| {
        tell.send(talk.read_head()).unwrap();
        talk.write(b"HTTP/1.1 204 No Content\r\n\r\n");
    })]);
    run(async {
        let client = RawIp::new([203, 0, 113, 7].into());
        let id = super::site::id();
        let mut forward = forward(&client, &id);
        change(&mut forward);
        let parts = request(method, target, headers);
        site.upstream().send(&parts, forward, None::<Empty<Bytes>>).await.unwrap();
    });
    site.end();
    told.recv().unwrap()
}

const OURS: &str = "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: example.org\r\n\
    x-request-id: 0f0f0f0f0f0f0f0f\r\n\r\n";

#[test]
fn a_request_is_written_in_origin_form_with_its_fields_in_order() {
    let head = sent(
        "GET",
        "/a%20b//c/../d?q=1&q=%00",
        &[("user-agent", "Test/1"), ("accept", "text/html"), ("accept", "*/*"), ("x-own", "caf\u{e9}")],
    );
    let expected = "GET /a%20b//c/../d?q=1&q=%00 HTTP/1.1\r\nhost: example.org\r\nuser-agent: Test/1\r\n\
                    accept: text/html\r\naccept: */*\r\nx-own: caf\u{e9}\r\n";
    assert_eq!(head, format!("{expected}{OURS}"));
}

#[test]
fn an_absolute_target_becomes_a_path_and_its_host_is_not_repeated() {
    assert!(
        sent("GET", "http://elsewhere.test/a?b", &[("host", "elsewhere.test")]).starts_with("GET /a?b HTTP/1.1\r\n")
    );
    assert!(sent("GET", "http://elsewhere.test?b", &[]).starts_with("GET /?b HTTP/1.1\r\n"));
    assert!(sent("GET", "http://elsewhere.test", &[]).starts_with("GET / HTTP/1.1\r\nhost: example.org\r\n"));
    assert!(sent("OPTIONS", "*", &[]).starts_with("OPTIONS * HTTP/1.1\r\n"));
}

#[test]
fn names_of_all_connection_lines_end_here() {
    let head = sent(
        "GET",
        "/",
        &[
            ("connection", "keep-alive, X-First"),
            ("x-first", "1"),
            ("Connection", "x-second ,, close"),
            ("x-second", "2"),
            ("x-third", "3"),
        ],
    );
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\nx-third: 3\r\n{OURS}"));
}

#[test]
fn fields_of_the_visitors_connection_end_here() {
    let head = sent(
        "GET",
        "/",
        &[
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic x"),
            ("te", "gzip"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("upgrade", "h2c"),
            ("http2-settings", "kept"),
            ("expect", "100-continue"),
            ("proxy", "http://attacker.test"),
        ],
    );
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\nhttp2-settings: kept\r\n{OURS}"));
}

#[test]
fn a_visitor_cannot_say_where_it_comes_from() {
    let head = sent(
        "GET",
        "/",
        &[
            ("x-forwarded-for", "198.51.100.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-user", "admin"),
            ("forwarded", "for=198.51.100.1"),
            ("x-real-ip", "198.51.100.1"),
            ("x_forwarded_for", "198.51.100.1"),
            ("x-forwarded_for", "198.51.100.1"),
            ("content_length", "5"),
            ("connection", "x-forwarded-for, host, x-forwarded-proto"),
        ],
    );
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\n{OURS}"));
}

#[test]
fn rule_c8_the_privacy_signal_always_reaches_the_site() {
    let head = sent("GET", "/", &[("connection", "Sec-GPC"), ("sec-gpc", "1")]);
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\nsec-gpc: 1\r\n{OURS}"));
}

#[test]
fn rule_k3_only_the_cookies_handed_in_are_sent() {
    let cookies = [("cookie", "theme=dark; tracker=1"), ("cookie", "other=2")];
    assert_eq!(sent("GET", "/", &cookies), format!("GET / HTTP/1.1\r\nhost: example.org\r\n{OURS}"));
    let head = sent_with("GET", "/", &cookies, |forward| forward.cookie = Some(b"theme=dark"));
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\ncookie: theme=dark\r\n{OURS}"));
    let head = sent_with("GET", "/", &cookies, |forward| forward.cookie = Some(b""));
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: example.org\r\n{OURS}"));
}

#[test]
fn a_page_that_will_be_rewritten_is_asked_for_whole_and_uncompressed() {
    let headers = [
        ("accept-encoding", "br, gzip"),
        ("if-none-match", "\"1\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-range", "\"1\""),
        ("range", "bytes=0-9"),
        ("if-match", "\"1\""),
    ];
    let head = sent_with("GET", "/", &headers, |forward| {
        forward.overrides = Overrides { identity: true, whole: true };
    });
    let expected = "GET / HTTP/1.1\r\nhost: example.org\r\nif-match: \"1\"\r\naccept-encoding: identity\r\n";
    assert_eq!(head, format!("{expected}{OURS}"));
    let head = sent("GET", "/", &headers);
    assert!(head.contains("range: bytes=0-9\r\n") && head.contains("accept-encoding: br, gzip\r\n"));
}

#[test]
fn trusted_proxies_follow_the_client_and_ipv6_has_no_brackets() {
    let client = RawIp::new("2001:db8::9".parse().unwrap());
    let (tell, told) = std::sync::mpsc::channel();
    let site = site([act(move |talk| {
        tell.send(talk.read_head()).unwrap();
        talk.write(b"HTTP/1.1 204 No Content\r\n\r\n");
    })]);
    run(async {
        let id = super::site::id();
        let mut forward = forward(&client, &id);
        let proxies = ["198.51.100.255".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        forward.trusted_proxies = &proxies;
        forward.scheme = Scheme::Http;
        site.upstream().send(&request("GET", "/", &[]), forward, None::<Empty<Bytes>>).await.unwrap();
    });
    let head = told.recv().unwrap();
    assert!(head.contains("x-forwarded-for: 2001:db8::9, 198.51.100.255, 10.0.0.1\r\nx-forwarded-proto: http\r\n"));
}

#[test]
fn trailers_are_asked_for_only_where_the_visitor_asks() {
    let expected = "GET / HTTP/1.1\r\nhost: example.org\r\nconnection: te\r\nte: trailers\r\n";
    assert_eq!(sent("GET", "/", &[("te", "gzip;q=0.5, Trailers")]), format!("{expected}{OURS}"));
}

#[test]
fn a_method_that_expects_a_body_says_when_there_is_none() {
    assert!(sent("POST", "/", &[]).contains("\r\ncontent-length: 0\r\n"));
    assert!(sent("PUT", "/", &[("content-length", "7")]).contains("\r\ncontent-length: 0\r\n"));
    assert!(!sent("DELETE", "/", &[]).contains("content-length"));
}

#[test]
fn what_cannot_be_a_request_is_refused_before_it_is_sent() {
    let site = site([act(|talk| assert_eq!(talk.read_to_end(), b"", "nothing may be sent"))]);
    run(async {
        let upstream = site.upstream();
        let client = RawIp::new([203, 0, 113, 7].into());
        let id = super::site::id();
        const EVIL: &[u8] = b"example.org\r\nx-evil: 1";
        let usual = forward(&client, &id);
        for forward in [Forward { host: EVIL, ..usual }, Forward { asked_host: EVIL, ..usual }] {
            let failed = upstream.send(&request("GET", "/", &[]), forward, None::<Empty<Bytes>>).await;
            assert!(matches!(failure(failed), UpstreamError::Unforwardable(_)));
        }
    });
    site.end();
    for (method, target) in [("CONNECT", "example.org:443"), ("GET", "*")] {
        let site = super::site::site([act(|talk| assert_eq!(talk.read_to_end(), b""))]);
        run(async {
            let failed = failure(send(&site.upstream(), &request(method, target, &[]), None::<Empty<Bytes>>).await);
            assert_eq!(failed.status(), 400);
        });
        site.end();
    }
}

#[test]
fn an_answer_that_is_an_error_of_the_sites_is_passed_on_and_counted() {
    for (status, failed) in [("404 Not Found", 0), ("500 Internal Server Error", 1), ("503 Service Unavailable", 1)] {
        let site = site([act(move |talk| {
            talk.read_head();
            talk.write(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        })]);
        run(async {
            let upstream = site.upstream();
            let (client, id) = (RawIp::new([203, 0, 113, 7].into()), super::site::id());
            let asked = request("GET", "/", &[]);
            let answer = upstream.send(&asked, forward(&client, &id), None::<Empty<Bytes>>).await.unwrap();
            assert!(status.starts_with(answer.status().as_str()));
            assert_eq!(upstream.counts().failed, failed, "{status}");
        });
    }
}
