//! Who a load balancer says has connected: believed of listed ones, required of them, and read from nobody else.

use std::time::{Duration, Instant};

use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::http::Connection;
use crate::support::site::Site;

const BALANCER: &str = "127.0.0.3";
const REFUSED: &str = "consentry_proxy_headers_refused_total";

fn start(site: &Site, more: &str) -> (Gateway, Nobody) {
    without_database(site.address, &format!("proxy_protocol_from = [\"{BALANCER}\"]\n{more}"))
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").into_bytes()
}

fn from_balancer(gateway: &Gateway) -> Connection {
    Connection::open_from(BALANCER.parse().unwrap(), gateway.address)
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length, rest].concat()
}

#[test]
fn the_site_is_told_who_has_connected_to_the_balancer() {
    let site = Site::start();
    let (gateway, _nobody) = start(&site, "");
    let four = [203, 0, 113, 7, 198, 51, 100, 1, 0, 1, 0, 2];
    let six = [&"2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets()[..], &[0; 20]].concat();
    let extended = [&four[..], &[0x20, 0, 3, 1, 2, 3]].concat();
    for (number, (header, visitor)) in [
        (b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n".to_vec(), "203.0.113.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n".to_vec(), "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), BALANCER),
        (version_2(0x21, 0x11, &four), "203.0.113.7"),
        (version_2(0x21, 0x11, &extended), "203.0.113.7"),
        (version_2(0x21, 0x21, &six), "2001:db8::7"),
        (version_2(0x20, 0x00, &[]), BALANCER),
        (version_2(0x20, 0x11, &four), BALANCER),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/proxied/{number}");
        // With the request in the same piece, and byte by byte.
        let mut at_once = from_balancer(&gateway);
        assert_eq!(at_once.send([&header[..], &get(&path)].concat()).answer().status, 200);
        let mut slow = from_balancer(&gateway);
        for byte in &header {
            slow.send([*byte]);
        }
        assert_eq!(slow.send(get(&path)).answer().status, 200);
        for request in site.requests(&path) {
            assert_eq!(request.all("x-forwarded-for"), [visitor], "{number}");
        }
        assert_eq!(site.requests(&path).len(), 2);
    }
    assert_eq!(gateway.metric(REFUSED), 0);
}

#[test]
fn a_header_is_required_of_a_balancer_and_read_from_nobody_else() {
    let site = Site::start();
    let (gateway, _nobody) = start(&site, "[gateway.limits]\nproxy_protocol_timeout = \"300ms\"\n");
    let forged = [b"PROXY TCP4 203.0.113.7 198.51.100.1 1 2\r\n", &get("/forged")[..]].concat();
    assert_eq!(Connection::open(gateway.address).send(&forged).answer().status, 400);
    assert_eq!(Connection::open(gateway.address).send(get("/direct")).answer().status, 200);
    assert_eq!(site.request("/direct").all("x-forwarded-for"), ["127.0.0.1"]);

    let wrong = [
        get("/forged"),
        b"PROXY TCP4 203.0.113.7\r\n".to_vec(),
        [version_2(0x21, 0x11, &[0; 11]), get("/forged")].concat(),
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &get("/forged")].concat(),
        [version_2(0x21, 0x12, &[0; 12]), get("/forged")].concat(),
        [b"PROXY TCP4 203.0.113.7 198.51.100.1 1 2\n".to_vec(), get("/forged")].concat(),
    ];
    for bytes in &wrong {
        assert_eq!(from_balancer(&gateway).send(bytes).rest(), b"", "{:?}", String::from_utf8_lossy(bytes));
    }
    // Nothing at all, and half of one.
    let began = Instant::now();
    for bytes in [&b""[..], b"PROXY TCP4 203", b"\r\n\r\n\0\r\nQUIT\n\x21"] {
        assert_eq!(from_balancer(&gateway).send(bytes).rest(), b"");
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(site.requests("/forged").is_empty());
    assert_eq!(gateway.metric(REFUSED), wrong.len() as u64 + 3);
}

/// What the balancer says counts like an address that has connected: it is believed about others only where it is listed.
#[test]
fn an_address_that_was_announced_is_held_to_what_any_address_is() {
    let site = Site::start();
    let more = "trusted_proxies = [\"203.0.113.7\"]\n[gateway.limits]\nmax_connections_per_address = 2\n";
    let (gateway, _nobody) = start(&site, more);
    let ask = |path: &str, source: &str| {
        let claim = "GET PATH HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n".replace("PATH", path);
        let mut connection = from_balancer(&gateway);
        connection.send(format!("PROXY TCP4 {source} 198.51.100.1 1 2\r\n{claim}"));
        connection
    };
    assert_eq!(ask("/announced/proxy", "203.0.113.7").answer().status, 200);
    assert_eq!(site.request("/announced/proxy").all("x-forwarded-for"), ["192.0.2.1, 203.0.113.7"]);
    let mut open: Vec<Connection> = (0..2).map(|_| ask("/announced/visitor", "203.0.113.8")).collect();
    for connection in &mut open {
        assert_eq!(connection.answer().status, 200);
    }
    assert_eq!(site.requests("/announced/visitor")[0].all("x-forwarded-for"), ["203.0.113.8"]);
    assert_eq!(ask("/announced/third", "203.0.113.8").rest(), b"");
    assert_eq!(ask("/announced/other", "203.0.113.9").answer().status, 200);
    assert_eq!(gateway.metric("consentry_connections_refused_by_address_total"), 1);
}

/// Where TLS ends at the balancer, the visitor came by TLS: as the header's extension says, or the balancer by a field of HTTP
/// where it is a trusted proxy.
#[test]
fn tls_that_ended_at_the_balancer_is_tls() {
    let site = Site::start();
    let four = [203, 0, 113, 7, 198, 51, 100, 1, 0, 1, 0, 2];
    let by_tls = version_2(0x21, 0x11, &[&four[..], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat());
    let plain = version_2(0x21, 0x11, &four);
    for (trusted, header, proto, told) in [
        (false, &by_tls, "http", "https"),
        (false, &plain, "https", "http"),
        (true, &by_tls, "http", "https"),
        (true, &plain, "https", "https"),
        (true, &plain, "http", "http"),
    ] {
        let more = if trusted { format!("trusted_proxies = [\"{BALANCER}\"]\n") } else { String::new() };
        let (gateway, _nobody) = start(&site, &more);
        let path = format!("/tls/{trusted}/{}/{proto}", header.len());
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: {proto}\r\nX-Forwarded-For: 6.6.6.6\r\n\
             CF-Connecting-IP: 6.6.6.6\r\n\r\n"
        );
        let mut connection = from_balancer(&gateway);
        assert_eq!(connection.send([&header[..], request.as_bytes()].concat()).answer().status, 200);
        let seen = site.request(&path);
        assert_eq!(seen.all("x-forwarded-proto"), [told], "{path}");
        assert_eq!(seen.all("x-forwarded-for"), ["203.0.113.7"], "{path}");
        assert!(seen.all("cf-connecting-ip").is_empty(), "{path}");
    }
}
