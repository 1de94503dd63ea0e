use proptest::prelude::*;

use super::super::http2;
use super::*;

/// The head as HTTP/1.1 and as HTTP/2 have it.
fn written(
    method: &str,
    target: &str,
    headers: &[(String, Vec<u8>)],
    overrides: Overrides,
) -> Option<(Vec<u8>, Option<Parts>)> {
    let mut request = http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name.as_str(), &value[..]);
    }
    let parts = request.body(()).ok()?.into_parts().0;
    let client = RawIp::new([203, 0, 113, 7].into());
    let request_id = RequestId::new();
    let forward = Forward {
        client: &client,
        has_share: true,
        trusted_proxies: &[],
        by_proxy: false,
        scheme: Scheme::Http,
        host: b"example.org",
        asked_host: b"example.org",
        cookie: Some(b"a=1"),
        overrides,
        request_id: &request_id,
        websocket: false,
    };
    let mut out = BytesMut::new();
    write_head(&mut out, &parts, &forward, RequestFraming::Length(3), false, "").ok()?;
    let by_http2 = http2::request_head(&parts, &forward, RequestFraming::Length(3), "", http::uri::Scheme::HTTP);
    Some((out.to_vec(), by_http2.ok()))
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "host",
            "Cookie",
            "Connection",
            "te",
            "Transfer-Encoding",
            "Content-Length",
            "X-Forwarded-For",
            "Forwarded",
            "x-real-ip",
            "upgrade",
            "Expect",
            "X_Forwarded_For",
            "sec-gpc",
            "range",
            "accept-encoding",
            "user-agent",
            "keep-alive",
            "trailer",
            "proxy",
            "x-one",
            "x-two",
        ])
        .prop_map(str::to_owned),
        "[a-zA-Z_-]{1,10}",
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "x-one, X-TWO",
            "close",
            "keep-alive",
            "chunked",
            "trailers",
            "sec-gpc",
            "1",
            "host"
        ])
        .prop_map(|value| value.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_the_site_reads_one_request_with_our_words_only(
        method in prop::sample::select(vec!["GET", "POST", "OPTIONS", "PROPFIND", "get"]),
        target in prop_oneof!["/[ -~]{0,20}", "https?://[a-z]{1,5}(:[0-9]{1,4})?[/?]?[!-~]{0,9}", Just("*".to_owned())],
        headers in prop::collection::vec((name(), value()), 0..12),
        identity: bool,
        whole: bool,
    ) {
        let Some((bytes, by_http2)) = written(method, &target, &headers, Overrides { identity, whole }) else { return Ok(()) };
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut slots);
        prop_assert_eq!(request.parse(&bytes), Ok(httparse::Status::Complete(bytes.len())), "one head and nothing after it");
        prop_assert_eq!(request.method, Some(method));
        prop_assert!(request.path.is_some_and(|path| path.starts_with('/') || path == "*"));
        let all = |name: &str| -> Vec<&[u8]> {
            request.headers.iter().filter(|header| header.name == name).map(|header| header.value).collect()
        };
        prop_assert_eq!(all("host"), vec![&b"example.org"[..]]);
        prop_assert_eq!(all("cookie"), vec![&b"a=1"[..]]);
        prop_assert_eq!(all("content-length"), vec![&b"3"[..]]);
        prop_assert_eq!(all("x-forwarded-for"), vec![&b"203.0.113.7"[..]]);
        prop_assert_eq!(all("x-forwarded-proto"), vec![&b"http"[..]]);
        prop_assert_eq!(all("x-forwarded-host"), vec![&b"example.org"[..]]);
        for name in ["transfer-encoding", "upgrade", "expect", "forwarded", "x-real-ip", "keep-alive", "trailer", "proxy"] {
            prop_assert!(all(name).is_empty(), "{name}");
        }
        prop_assert!(request.headers.iter().all(|header| !header.name.contains('_')));
        prop_assert!(all("te").is_empty() || (all("te") == [b"trailers"] && all("connection") == [b"te"]));
        prop_assert!(!whole || all("range").is_empty());
        prop_assert!(!identity || all("accept-encoding") == [b"identity"]);
        let signals = headers.iter().filter(|(name, _)| name == "sec-gpc").count();
        prop_assert_eq!(all("sec-gpc").len(), signals, "C8");
        let nominated = |name: &str| headers.iter().any(|(header, value)| {
            header.eq_ignore_ascii_case("connection") && tokens(value).any(|token| token.eq_ignore_ascii_case(name.as_bytes()))
        });
        for name in ["x-one", "x-two", "user-agent"] {
            prop_assert!(!nominated(name) || all(name).is_empty());
        }
        if let Some(by_http2) = by_http2 {
            prop_assert_eq!(by_http2.uri.path_and_query().map(|target| target.as_str()), request.path);
            let mut one: Vec<(&str, &[u8])> = request
                .headers
                .iter()
                .map(|header| (header.name, header.value))
                .filter(|(name, _)| !["host", "connection"].contains(name))
                .collect();
            let mut other: Vec<(&str, &[u8])> =
                by_http2.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes().trim_ascii())).collect();
            one.sort_unstable();
            other.sort_unstable();
            prop_assert_eq!(one, other, "a site sees the same by either version");
        }
    }
}

#[test]
fn who_calls_is_said_by_trusted_proxies_only_under_whatever_name() {
    const FORGED: [&str; 8] = [
        "client-ip",
        "true-client-ip",
        "x-cluster-client-ip",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "fastly-client-ip",
        "x-forwarded",
        "x-original-forwarded-for",
    ];
    let mut request = http::Request::builder().uri("/");
    for name in
        FORGED.into_iter().chain(["x-ship", "referer", "upgrade-insecure-requests", "x-real-ip", "x-forwarded-port"])
    {
        request = request.header(name, "6.6.6.6");
    }
    let parts = request.body(()).unwrap().into_parts().0;
    let (client, request_id) = (RawIp::new([203, 0, 113, 7].into()), RequestId::new());
    let proxies = [IpAddr::from([10, 0, 0, 1])];
    for trusted_proxies in [&[][..], &proxies] {
        let forward = Forward {
            client: &client,
            has_share: true,
            trusted_proxies,
            by_proxy: !trusted_proxies.is_empty(),
            scheme: Scheme::Http,
            host: b"example.org",
            asked_host: b"example.org",
            cookie: None,
            overrides: Overrides::default(),
            request_id: &request_id,
            websocket: false,
        };
        let mut out = BytesMut::new();
        write_head(&mut out, &parts, &forward, RequestFraming::None, false, "").unwrap();
        let text = String::from_utf8(out.to_vec()).unwrap();
        let has = |name: &&str| text.contains(&format!("\r\n{name}: 6.6.6.6\r\n"));
        assert!(FORGED.iter().all(|name| has(name) != trusted_proxies.is_empty()), "{text}");
        assert_eq!(has(&"x-forwarded-port"), !trusted_proxies.is_empty());
        assert!(["x-ship", "referer", "upgrade-insecure-requests"].iter().all(has) && !has(&"x-real-ip"), "{text}");
    }
}

#[test]
fn numbers_are_written_as_they_are_read() {
    for number in [0, 7, 10, 255, u64::MAX] {
        let mut out = BytesMut::new();
        write_decimal(&mut out, number);
        assert_eq!(out, number.to_string().as_bytes());
    }
}

#[test]
fn addresses_are_written_as_everybody_writes_them() {
    for address in ["0.0.0.0", "1.20.255.9", "10.0.100.99", "255.255.255.255", "100.10.1.0"] {
        let mut out = BytesMut::new();
        write_ipv4(&mut out, address.parse().unwrap());
        assert_eq!(out, address.as_bytes());
    }
}
