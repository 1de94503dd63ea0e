//! Who is calling. Nothing is trusted by default: the connection's peer is the visitor. Where the peer is a listed proxy, the
//! header it writes is read from the right up to the first address that is not a listed proxy; what stands left of that anyone
//! could have written, and in any bytes. A hop that cannot be read ends the search: nothing left of it is believed.
//!
//! Where both `X-Forwarded-For` and `Forwarded` (RFC 7239) are there, the configured one counts and the other is not read: it may
//! be the visitor's own. Only where the configured one says nothing at all is the other read; `X-Forwarded-Proto` alone says
//! the scheme, and leaves the visitor to `Forwarded`.

mod forwarded;

use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::check::is_host;
use crate::config::ForwardedHeader;
use crate::pseudonym::RawIp;
use forwarded::Hop;

static FORWARDED: HeaderName = http::header::FORWARDED;
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who has connected.
#[derive(Clone, Copy)]
pub struct Peer {
    /// The address, as a listed load balancer says where there is one. For a Unix socket this machine's own.
    pub ip: IpAddr,
    /// Whether TLS is spoken with it: by us, or by the load balancer that says who it is.
    pub https: bool,
    /// Whether it came through a Unix socket.
    pub through_unix: bool,
    /// Whether a trusted proxy has said who it is, by the PROXY protocol.
    pub spoken_for: bool,
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
    /// Whether they say which host the visitor asked for.
    pub host: bool,
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
    /// Whether the address is one visitor's, as far as can be known: not that of a listed proxy, or of this machine, which
    /// many come through.
    pub is_one: bool,
    /// The trusted proxies in between, the visitor's side first.
    pub proxies: Vec<IpAddr>,
}

/// Finds the visitor behind `peer`.
pub fn client(peer: &Peer, headers: &HeaderMap, trusted: &TrustedProxies) -> Client {
    let ip = peer.ip.to_canonical();
    let said = || {
        let (by_x, by_rfc) = (|| x_forwarded(ip, headers, trusted), || rfc_7239(ip, headers, trusted));
        match trusted.header {
            ForwardedHeader::XForwardedFor => by_x().or_else(by_rfc),
            ForwardedHeader::Forwarded => by_rfc().or_else(by_x),
        }
    };
    if !trusted.includes(peer) {
        // What else such a proxy passes on may be the visitor's own.
        let https = peer.https || peer.spoken_for && said().https == Some(true);
        let (ip, proxies) = (RawIp::new(ip), Vec::new());
        return Client { ip, https, through_proxy: false, is_one: !peer.through_unix, proxies };
    }
    let mut said = said();
    let visitor = said.hops.pop().unwrap_or(ip);
    let is_one = visitor != ip && !trusted.is_listed(visitor);
    said.hops.reverse();
    let https = said.https.unwrap_or(peer.https);
    Client { ip: RawIp::new(visitor), https, through_proxy: true, is_one, proxies: said.hops }
}

/// The host the visitor asked for, where a trusted proxy that asks for another says it and is believed in that.
pub fn asked_host<'h>(peer: &Peer, headers: &'h HeaderMap, trusted: &TrustedProxies) -> Option<&'h str> {
    if !trusted.host || !(peer.spoken_for || trusted.includes(peer)) {
        return None;
    }
    let line = headers.get_all(&FORWARDED_HOST).iter().next_back()?;
    let host = line.as_bytes().rsplit(|&byte| byte == b',').next()?;
    std::str::from_utf8(host.trim_ascii()).ok().filter(|host| is_host(host))
}

/// What the nearest proxy says in `X-Forwarded-Proto`.
fn said_proto(headers: &HeaderMap) -> Option<bool> {
    let line = headers.get_all(&FORWARDED_PROTO).iter().next_back()?;
    let last = line.as_bytes().rsplit(|&byte| byte == b',').next()?;
    Some(last.trim_ascii().eq_ignore_ascii_case(b"https"))
}

/// What one of the headers says.
#[derive(Default)]
struct Said {
    /// Who has called whom, the gateway's side first, as far as it is known: the last one is the visitor. None where the header
    /// is not there, whatever stands in it.
    hops: Vec<IpAddr>,
    /// Nothing where it says nothing of it.
    https: Option<bool>,
}

impl Said {
    /// The header is there.
    fn begins_with(&mut self, peer: IpAddr) {
        if self.hops.is_empty() {
            self.hops.push(peer);
        }
    }

    /// What is said by the configured header, or by the other one where that one is not there.
    fn or_else(self, other: impl FnOnce() -> Said) -> Said {
        if !self.hops.is_empty() {
            return self;
        }
        let other = other();
        Said { hops: other.hops, https: self.https.or(other.https) }
    }
}

/// `X-Forwarded-For` and `X-Forwarded-Proto`.
fn x_forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Said {
    let mut said = Said { hops: Vec::new(), https: said_proto(headers) };
    for line in headers.get_all(&FORWARDED_FOR).iter().rev() {
        said.begins_with(peer);
        for hop in line.as_bytes().rsplit(|&byte| byte == b',') {
            let Some(address) = address(hop.trim_ascii()) else { return said };
            said.hops.push(address);
            if !trusted.is_listed(address) {
                return said;
            }
        }
    }
    said
}

/// `Forwarded`.
fn rfc_7239(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Said {
    let mut said = Said::default();
    for line in headers.get_all(&FORWARDED).iter().rev() {
        said.begins_with(peer);
        for hop in forwarded::hops_from_right(line.as_bytes()) {
            let Some(Hop { node, https }) = hop else { return said };
            // How the hop was reached is told by the proxy that wrote it, known or not where from.
            said.https = https.or(said.https);
            let Some(address) = node.and_then(address) else { return said };
            said.hops.push(address);
            if !trusted.is_listed(address) {
                return said;
            }
        }
    }
    said
}

/// An address as proxies write it: bare, in brackets, with or without a port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    bare.or_else(with_port).or_else(bracketed).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests;
