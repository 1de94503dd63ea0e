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
    Peer { ip: ip.parse().unwrap(), https: false, through_unix: false }
}

fn trust(networks: &[&str], header: ForwardedHeader) -> TrustedProxies {
    TrustedProxies { networks: networks.iter().map(|t| t.parse().unwrap()).collect(), unix: false, header }
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
    assert!(is(&client, "203.0.113.9") && !client.https);
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
fn where_both_headers_are_there_the_configured_one_counts_and_the_other_gives_no_trust() {
    let both = |x: &str, proto: &str, rfc: &str| {
        headers(&[("x-forwarded-for", x), ("x-forwarded-proto", proto), ("forwarded", rfc)])
    };
    let seen = |map: &HeaderMap, header| client(&peer("10.0.0.1"), map, &trust(&["10.0.0.0/8"], header));
    use ForwardedHeader::{Forwarded, XForwardedFor};
    let map = both("198.51.100.1", "https", "for=6.6.6.6;proto=https");
    assert!(is(&seen(&map, XForwardedFor), "198.51.100.1") && is(&seen(&map, Forwarded), "6.6.6.6"));
    assert!(seen(&map, XForwardedFor).https);
    for (proto, rfc) in [("https", "for=6.6.6.6;proto=http"), ("http", "for=6.6.6.6;proto=https")] {
        let map = both("198.51.100.1", proto, rfc);
        assert!(!seen(&map, XForwardedFor).https && !seen(&map, Forwarded).https, "{proto} {rfc}");
    }
    // The only one that is there is read, whichever is configured.
    assert!(is(&seen(&headers(&[("forwarded", "for=198.51.100.1")]), XForwardedFor), "198.51.100.1"));
    assert!(is(&seen(&headers(&[("x-forwarded-for", "198.51.100.1")]), Forwarded), "198.51.100.1"));
    let map = headers(&[("x-forwarded-proto", "http"), ("forwarded", "for=198.51.100.1;proto=https")]);
    let found = seen(&map, XForwardedFor);
    assert!(is(&found, "198.51.100.1") && !found.https);
}

#[test]
fn whoever_comes_through_a_unix_socket_is_believed_only_where_that_is_configured() {
    let local = Peer { ip: "127.0.0.1".parse().unwrap(), https: false, through_unix: true };
    let map = headers(&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")]);
    let mut trusted = trust(&["127.0.0.0/8"], ForwardedHeader::XForwardedFor);
    assert!(is(&client(&local, &map, &trusted), "127.0.0.1"), "its address is not what was listed");
    trusted.unix = true;
    let found = client(&local, &map, &trusted);
    assert!(is(&found, "198.51.100.1") && found.https && found.through_proxy);
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
