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
    /// Whether the address is one visitor's, as far as can be known: not that of a listed proxy, or of this machine, which
    /// many come through.
    pub is_one: bool,
}

/// Finds the visitor behind `peer`.
pub fn client(peer: &Peer, headers: &HeaderMap, trusted: &TrustedProxies) -> Client {
    let ip = peer.ip.to_canonical();
    if !trusted.includes(peer) {
        return Client { ip: RawIp::new(ip), https: peer.https, through_proxy: false, is_one: !peer.through_unix };
    }
    let by_x = || x_forwarded(ip, headers, trusted);
    let by_rfc = || rfc_7239(ip, headers, trusted);
    let said = match trusted.header {
        ForwardedHeader::XForwardedFor => by_x().or_else(by_rfc),
        ForwardedHeader::Forwarded => by_rfc().or_else(by_x),
    };
    let is_one = said.ip.is_some_and(|said| said != ip && !trusted.is_listed(said));
    let (said_ip, https) = (said.ip.unwrap_or(ip), said.https.unwrap_or(peer.https));
    Client { ip: RawIp::new(said_ip), https, through_proxy: true, is_one }
}

/// What one of the headers says.
#[derive(Clone, Copy, Default)]
struct Said {
    /// Who the visitor is, as far as it is known; nothing where the header is not there, whatever stands in it.
    ip: Option<IpAddr>,
    /// Nothing where it says nothing of it.
    https: Option<bool>,
}

impl Said {
    /// What is said by the configured header, or by the other one where that one is not there.
    fn or_else(self, other: impl FnOnce() -> Said) -> Said {
        if self.ip.is_some() {
            return self;
        }
        let other = other();
        Said { ip: other.ip, https: self.https.or(other.https) }
    }
}

/// `X-Forwarded-For` and `X-Forwarded-Proto`.
fn x_forwarded(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Said {
    let proto = headers.get_all(&FORWARDED_PROTO).iter().next_back();
    let https = proto.map(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https"));
    let mut said = Said { ip: None, https };
    for line in headers.get_all(&FORWARDED_FOR).iter().rev() {
        said.ip.get_or_insert(peer);
        for hop in line.as_bytes().rsplit(|&byte| byte == b',') {
            let Some(address) = address(hop.trim_ascii()) else { return said };
            said.ip = Some(address);
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
        said.ip.get_or_insert(peer);
        for hop in forwarded::hops_from_right(line.as_bytes()) {
            let Some(Hop { node, https }) = hop else { return said };
            // How the hop was reached is told by the proxy that wrote it, known or not where from.
            said.https = https.or(said.https);
            let Some(address) = node.and_then(address) else { return said };
            said.ip = Some(address);
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
