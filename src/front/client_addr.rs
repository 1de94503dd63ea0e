//! Who is calling. Nothing is trusted by default: the connection's peer is the visitor. Where the peer is a listed proxy, its
//! `X-Forwarded-For` is read from the right up to the first address that is not a listed proxy; what stands left of that
//! anyone could have written.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::pseudonym::RawIp;

static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The visitor, and how the visitor's side of the connection looks.
pub struct Client {
    /// The one address used for place, pseudonym and limits.
    pub ip: RawIp,
    /// Whether the visitor's connection is encrypted, as far as a listed proxy says so.
    pub https: bool,
    /// Whether the peer is a listed proxy.
    pub through_proxy: bool,
}

/// Finds the visitor behind `peer`.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return Client { ip: RawIp::new(peer), https: false, through_proxy: false };
    }
    let lines: Vec<&str> = headers.get_all(&FORWARDED_FOR).iter().filter_map(|v| v.to_str().ok()).collect();
    let mut ip = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Some(address) = address(hop.trim()) else { break };
        ip = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    let proto = headers.get_all(&FORWARDED_PROTO).iter().next_back();
    let https = proto.is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"https"));
    Client { ip: RawIp::new(ip), https, through_proxy: true }
}

fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&ip))
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare.or_else(with_port).or_else(bracketed).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyRing;
    use crate::pseudonym::{IpPrefixes, Pseudonymiser};
    use std::sync::Arc;

    /// Raw addresses cannot be compared, so their pseudonyms are.
    fn is(client: &Client, expected: &str) -> bool {
        let keyed = Pseudonymiser::new(Arc::new(KeyRing::ephemeral()), IpPrefixes::default(), 1);
        keyed.ip(&client.ip) == keyed.ip(&RawIp::new(expected.parse().unwrap()))
    }

    fn seen(peer: &str, forwarded: &[&str], proto: Option<&str>, trusted: &[&str]) -> Client {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        if let Some(proto) = proto {
            headers.append("x-forwarded-proto", proto.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|t| t.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &trusted)
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
}
