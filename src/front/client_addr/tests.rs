//! Who is taken for the visitor, and who cannot be forged.

use std::sync::Arc;

use super::*;
use crate::keys::KeyRing;
use crate::pseudonym::{IpPrefixes, Pseudonymiser};

/// Raw addresses cannot be compared, so their pseudonyms are.
fn is(client: &Client, expected: &str) -> bool {
    let keyed = Pseudonymiser::new(Arc::new(KeyRing::ephemeral()), IpPrefixes::default(), 1);
    keyed.ip(&client.ip) == keyed.ip(&RawIp::new(expected.parse().unwrap()))
}

fn peer(ip: &str) -> Peer {
    Peer { ip: ip.parse().unwrap(), https: false, through_unix: false, spoken_for: false }
}

fn trust(networks: &[&str], header: ForwardedHeader) -> TrustedProxies {
    TrustedProxies { networks: networks.iter().map(|t| t.parse().unwrap()).collect(), unix: false, header, host: false }
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn seen(from: &str, forwarded: &[&str], proto: Option<&str>, trusted: &[&str]) -> Client {
    let mut map = HeaderMap::new();
    for line in forwarded {
        map.append("x-forwarded-for", line.parse().unwrap());
    }
    if let Some(proto) = proto {
        map.append("x-forwarded-proto", proto.parse().unwrap());
    }
    client(&peer(from), &map, &trust(trusted, ForwardedHeader::XForwardedFor))
}

#[test]
fn nobody_is_believed_by_default() {
    let client = seen("203.0.113.9", &["198.51.100.1"], Some("https"), &[]);
    assert!(is(&client, "203.0.113.9") && !client.https && client.is_one);
}

#[test]
fn the_rightmost_address_that_is_no_listed_proxy_is_the_visitor() {
    let table: &[(&[&str], &str)] = &[
        (&["198.51.100.1"], "198.51.100.1"),
        (&["6.6.6.6, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        (&["6.6.6.6", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
        (&["198.51.100.1:4711"], "198.51.100.1"),
        (&["[2001:db8::1]:4711"], "2001:db8::1"),
        (&["::ffff:198.51.100.1"], "198.51.100.1"),
        (&["198.51.100.1, unknown"], "10.0.0.1"),
        (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (&[], "10.0.0.1"),
    ];
    for (forwarded, expected) in table {
        let client = seen("10.0.0.1", forwarded, Some("https"), &["10.0.0.0/8"]);
        assert!(is(&client, expected), "{forwarded:?}");
        assert_eq!(client.is_one, !expected.starts_with("10."), "{forwarded:?}");
        assert!(client.https);
    }
}

#[test]
fn forwarded_is_read_from_the_right_too() {
    let trusted = trust(&["10.0.0.0/8"], ForwardedHeader::Forwarded);
    let table: &[(&[&str], &str, bool)] = &[
        (&["for=198.51.100.1;proto=https"], "198.51.100.1", true),
        (&["for=6.6.6.6;proto=http, for=198.51.100.1;proto=https, for=10.0.0.2;proto=http"], "198.51.100.1", true),
        (&["for=6.6.6.6", "for=\"[2001:db8::1]:4711\";proto=HTTPS", "for=10.0.0.2"], "2001:db8::1", true),
        (&["for=198.51.100.1, for=unknown"], "10.0.0.1", false),
        (&["for=198.51.100.1, for=_hidden;proto=https"], "10.0.0.1", true),
        (&["for=198.51.100.1;proto=https, for=10.0.0.2;for=10.0.0.3"], "10.0.0.1", false),
        (&["for=198.51.100.1;proto=https,"], "10.0.0.1", false),
        (&["for=\"6.6.6.6, for=198.51.100.1\""], "10.0.0.1", false),
        (&["proto=https"], "10.0.0.1", true),
    ];
    for (lines, expected, https) in table {
        let lines: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
        let found = client(&peer("10.0.0.1"), &headers(&lines), &trusted);
        assert!(is(&found, expected), "{lines:?}");
        assert_eq!(found.https, *https, "{lines:?}");
        let stranger = client(&peer("203.0.113.9"), &headers(&lines), &trusted);
        assert!(is(&stranger, "203.0.113.9") && !stranger.https, "{lines:?}");
    }
}

#[test]
fn where_both_headers_are_there_only_the_configured_one_counts() {
    let both = |x: &str, proto: &str, rfc: &str| {
        headers(&[("x-forwarded-for", x), ("x-forwarded-proto", proto), ("forwarded", rfc)])
    };
    let seen = |map: &HeaderMap, header| client(&peer("10.0.0.1"), map, &trust(&["10.0.0.0/8"], header));
    use ForwardedHeader::{Forwarded, XForwardedFor};
    for (proto, rfc, by_x, by_rfc) in [
        ("https", "for=6.6.6.6;proto=https", true, true),
        ("https", "for=6.6.6.6;proto=http", true, false),
        ("http", "for=6.6.6.6;proto=https", false, true),
        ("https", "for=6.6.6.6", true, false),
    ] {
        let map = both("198.51.100.1", proto, rfc);
        let (x, other) = (seen(&map, XForwardedFor), seen(&map, Forwarded));
        assert!(is(&x, "198.51.100.1") && is(&other, "6.6.6.6"));
        assert_eq!((x.https, other.https), (by_x, by_rfc), "{proto} {rfc}");
    }
    // The only one that is there is read, whichever is configured.
    assert!(is(&seen(&headers(&[("forwarded", "for=198.51.100.1")]), XForwardedFor), "198.51.100.1"));
    assert!(is(&seen(&headers(&[("x-forwarded-for", "198.51.100.1")]), Forwarded), "198.51.100.1"));
    for (proto, rfc, https) in [("http", "https", false), ("https", "http", true)] {
        let rfc = format!("for=198.51.100.1;proto={rfc}");
        let found = seen(&headers(&[("x-forwarded-proto", proto), ("forwarded", &rfc)]), XForwardedFor);
        assert!(is(&found, "198.51.100.1") && found.https == https);
    }
    // Nor where the configured one does not say how the visitor came.
    let said = |proto| headers(&[("x-forwarded-for", "198.51.100.1"), ("forwarded", proto)]);
    assert!(!seen(&said("proto=https"), XForwardedFor).https);
    let through_tls = Peer { https: true, ..peer("10.0.0.1") };
    assert!(client(&through_tls, &said("proto=http"), &trust(&["10.0.0.0/8"], XForwardedFor)).https);
}

#[test]
fn whatever_bytes_a_visitor_writes_the_proxys_own_word_counts() {
    let trusted = |header| trust(&["10.0.0.0/8"], header);
    let line = |bytes: &[u8]| http::HeaderValue::from_bytes(bytes).unwrap();
    use ForwardedHeader::{Forwarded, XForwardedFor};
    for (lines, expected) in [
        (&[&b"\xff, 203.0.113.9"[..]][..], "203.0.113.9"),
        (&[b"\xff", b"203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        // What cannot be read is passed over by nobody.
        (&[b"6.6.6.6", b"\xff"], "10.0.0.1"),
        (&[b"6.6.6.6, \xff, 10.0.0.2"], "10.0.0.2"),
        (&[b"6.6.6.6", b""], "10.0.0.1"),
        (&[b"\xff"], "10.0.0.1"),
    ] {
        let mut map = headers(&[("forwarded", "for=6.6.6.6;proto=https")]);
        for bytes in lines {
            map.append("x-forwarded-for", line(bytes));
        }
        let found = client(&peer("10.0.0.1"), &map, &trusted(XForwardedFor));
        assert!(is(&found, expected) && !found.https, "{lines:?}");
    }
    for (lines, expected) in [
        (&[&b"\xff, for=203.0.113.9"[..]][..], "203.0.113.9"),
        (&[b"for=\", for=203.0.113.9, for=\"10.0.0.2\""], "203.0.113.9"),
        (&[b"for=6.6.6.6", b"for=\xff"], "10.0.0.1"),
        (&[b"for=6.6.6.6", b"\xff, for=10.0.0.2"], "10.0.0.2"),
    ] {
        let mut map = headers(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", "https")]);
        for bytes in lines {
            map.append("forwarded", line(bytes));
        }
        let found = client(&peer("10.0.0.1"), &map, &trusted(Forwarded));
        assert!(is(&found, expected) && !found.https, "{lines:?}");
    }
}

#[test]
fn whoever_comes_through_a_unix_socket_is_believed_only_where_that_is_configured() {
    let local = Peer { ip: "127.0.0.1".parse().unwrap(), https: false, through_unix: true, spoken_for: false };
    let map = headers(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]);
    let mut trusted = trust(&["127.0.0.0/8"], ForwardedHeader::XForwardedFor);
    let unknown = client(&local, &map, &trusted);
    assert!(is(&unknown, "127.0.0.1") && !unknown.is_one, "its address is not what was listed");
    trusted.unix = true;
    let found = client(&local, &map, &trusted);
    assert!(is(&found, "198.51.100.1") && found.https && found.through_proxy && found.is_one);
}

#[test]
fn our_own_tls_is_https_and_a_proxy_says_how_its_visitor_came() {
    let peer = |ip: &str| Peer { https: true, ..peer(ip) };
    let trusted = trust(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
    assert!(client(&peer("203.0.113.9"), &headers(&[("x-forwarded-proto", "http")]), &trusted).https);
    assert!(client(&peer("10.0.0.1"), &HeaderMap::new(), &trusted).https);
    assert!(client(&peer("10.0.0.1"), &headers(&[("x-forwarded-for", "6.6.6.6")]), &trusted).https);
    assert!(!client(&peer("10.0.0.1"), &headers(&[("x-forwarded-proto", "http")]), &trusted).https);
}

#[test]
fn the_proxies_in_between_are_told_on_each_once() {
    let proxies = |lines: &[&str]| {
        let client = seen("10.0.0.1", lines, None, &["10.0.0.0/8"]);
        client.proxies.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(proxies(&["198.51.100.1"]), ["10.0.0.1"]);
    assert_eq!(proxies(&["6.6.6.6, 198.51.100.1, 10.0.0.3", "10.0.0.2"]), ["10.0.0.3", "10.0.0.2", "10.0.0.1"]);
    assert_eq!(proxies(&["10.0.0.3, 10.0.0.2"]), ["10.0.0.2", "10.0.0.1"]);
    // The proxy's own request.
    assert!(proxies(&[]).is_empty() && proxies(&["unknown"]).is_empty());
    assert!(seen("203.0.113.9", &["198.51.100.1"], None, &["10.0.0.0/8"]).proxies.is_empty());
}

#[test]
fn a_proxy_may_say_the_scheme_more_than_once_and_its_last_word_counts() {
    for (proto, https) in [("https,https", true), ("http, https", true), ("https,http", false), ("https, ", false)] {
        assert_eq!(seen("10.0.0.1", &["198.51.100.1"], Some(proto), &["10.0.0.0/8"]).https, https, "{proto}");
    }
}

#[test]
fn who_is_spoken_for_by_a_trusted_proxy_came_as_that_says_and_nothing_else_of_it_is_believed() {
    let map = |proto: &str| headers(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-proto", proto)]);
    let trusted = trust(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
    let visitor = Peer { spoken_for: true, ..peer("203.0.113.9") };
    for (by_tls, proto, https) in [(false, "https", true), (false, "http", false), (true, "http", true)] {
        let found = client(&Peer { https: by_tls, ..visitor }, &map(proto), &trusted);
        assert!(is(&found, "203.0.113.9") && found.is_one && !found.through_proxy && found.proxies.is_empty());
        assert_eq!(found.https, https, "{by_tls} {proto}");
    }
    let rfc = headers(&[("x-forwarded-proto", "http"), ("forwarded", "for=6.6.6.6;proto=https")]);
    assert!(client(&visitor, &rfc, &trust(&["10.0.0.0/8"], ForwardedHeader::Forwarded)).https);
    // By one that is not listed as trusted, or by none.
    assert!(!client(&peer("203.0.113.9"), &map("https"), &trusted).https);
}

#[test]
fn the_host_a_visitor_asked_for_is_believed_of_trusted_proxies_where_that_is_configured() {
    let listed = trust(&["10.0.0.0/8"], ForwardedHeader::XForwardedFor);
    let believed = TrustedProxies { host: true, ..listed.clone() };
    let map = headers(&[("host", "inner:8080"), ("x-forwarded-host", "forged.example, www.example.org")]);
    assert_eq!(asked_host(&peer("10.0.0.1"), &map, &believed), Some("www.example.org"));
    let spoken_for = Peer { spoken_for: true, ..peer("203.0.113.9") };
    assert_eq!(asked_host(&spoken_for, &map, &believed), Some("www.example.org"));
    assert_eq!(asked_host(&peer("10.0.0.1"), &map, &listed), None);
    assert_eq!(asked_host(&peer("203.0.113.9"), &map, &believed), None);
    for wrong in ["", "a b", "user@a.example", "a.example/", "www.example.org,"] {
        assert_eq!(asked_host(&peer("10.0.0.1"), &headers(&[("x-forwarded-host", wrong)]), &believed), None, "{wrong}");
    }
}
