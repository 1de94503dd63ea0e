//! Who is calling. Nothing is trusted by default: the connection's peer is the visitor. Where the peer is a listed proxy, the
//! header it writes is read from the right up to the first address that is not a listed proxy; what stands left of that anyone
//! could have written. Where both `X-Forwarded-For` and `Forwarded` (RFC 7239) are there, the configured one counts: the other
//! may be the visitor's own, and can only take trust away.

mod forwarded;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::config::ForwardedHeader;
use crate::pseudonym::RawIp;
use forwarded::Hop;

static FORWARDED: HeaderName = http::header::FORWARDED;
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Who has connected.
#[derive(Clone, Copy)]
pub struct Peer {
    /// The address, as a listed load balancer says where there is one. For a Unix socket this machine's own.
    pub ip: IpAddr,
    /// Whether TLS is spoken with it.
    pub https: bool,
    /// Whether it came through a Unix socket.
    pub through_unix: bool,
}

/// Who is believed about others.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// By address.
    pub networks: Vec<IpNet>,
    /// Whether those who come through a Unix socket are, too.
    pub unix: bool,
    /// Which header counts where both are there.
    pub header: ForwardedHeader,
}

impl TrustedProxies {
    /// Whether a peer is one.
    pub fn includes(&self, peer: &Peer) -> bool {
        if peer.through_unix { self.unix } else { self.is_listed(peer.ip.to_canonical()) }
    }

    fn is_listed(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|net| net.contains(&ip))
    }
}

/// The visitor, and how the visitor's side of the connection looks.
pub struct Client {
    /// The one address used for place, pseudonym and limits.
    pub ip: RawIp,
    /// Whether the visitor's connection is encrypted: by us, or as far as a listed proxy says so.
    pub https: bool,
    /// Whether the peer is a listed proxy.
    pub through_proxy: bool,
}

/// Finds the visitor behind `peer`.
pub fn client(peer: &Peer, headers: &HeaderMap, trusted: &TrustedProxies) -> Client {
    let ip = peer.ip.to_canonical();
    if !trusted.includes(peer) {
        return Client { ip: RawIp::new(ip), https: peer.https, through_proxy: false };
    }
    let by_x = x_forwarded(ip, headers, trusted);
    let by_rfc = rfc_7239(ip, headers, trusted);
    let (first, second) = match trusted.header {
        ForwardedHeader::XForwardedFor => (by_x, by_rfc),
        ForwardedHeader::Forwarded => (by_rfc, by_x),
    };
    // One that names nobody gives way to one that does.
    let (said, other) = match (first, second) {
        (Some(first), Some(second)) if second.names && !first.names => (second, Some(first)),
        (Some(first), second) => (first, second),
        (None, Some(second)) => (second, None),
        (None, None) => return Client { ip: RawIp::new(ip), https: peer.https, through_proxy: true },
    };
    let contradicted = other.is_some_and(|other| other.https == Some(false));
    let https = said.https.unwrap_or(peer.https) && !contradicted;
    Client { ip: RawIp::new(said.ip), https, through_proxy: true }
}

/// What one of the headers says.
struct Said {
    ip: IpAddr,
    /// Whether it has any word of who the visitor is.
    names: bool,
    /// Nothing where it says nothing of it.
    https: Option<bool>,
}

/// `X-Forwarded-For` and `X-Forwarded-Proto`; nothing where neither is there.
fn x_forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Option<Said> {
    let lines = headers.get_all(&FORWARDED_FOR);
    let proto = headers.get_all(&FORWARDED_PROTO).iter().next_back();
    if proto.is_none() && lines.iter().next().is_none() {
        return None;
    }
    let (mut ip, mut names) = (peer, false);
    let readable = lines.iter().rev().filter_map(|line| line.to_str().ok());
    for hop in readable.inspect(|_| names = true).flat_map(|line| line.rsplit(',')) {
        let Some(address) = address(hop.trim()) else { break };
        ip = address;
        if !trusted.is_listed(address) {
            break;
        }
    }
    Some(Said { ip, names, https: proto.map(|v| v.as_bytes().eq_ignore_ascii_case(b"https")) })
}

/// `Forwarded`; nothing where it is not there. What cannot be read ends the search, as an unknown address does.
fn rfc_7239(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Option<Said> {
    if !headers.contains_key(&FORWARDED) {
        return None;
    }
    let lines: Vec<_> = headers.get_all(&FORWARDED).iter().map(|v| v.to_str().ok().and_then(forwarded::hops)).collect();
    let mut said = Said { ip: peer, names: true, https: None };
    for line in lines.into_iter().rev() {
        let Some(hops) = line else { break };
        for Hop { node, https } in hops.into_iter().rev() {
            // How the hop was reached is told by the proxy that wrote it, known or not where from.
            said.https = https.or(said.https);
            let Some(address) = node.as_deref().and_then(address) else { return Some(said) };
            said.ip = address;
            if !trusted.is_listed(address) {
                return Some(said);
            }
        }
    }
    Some(said)
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare.or_else(with_port).or_else(bracketed).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests;
