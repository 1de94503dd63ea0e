//! Keyed identifiers and the types of what must never be stored as it came.
//!
//! Raw personal data lives in [`RawIp`], [`RawUserAgent`] and [`RawUrl`]: no `Debug`, no `Display`, no `Serialize`, so a log
//! line or a row with one in it does not compile. They are opened in four places, each named in the test at the bottom:
//! here (to key or scrub), in [`enrich`](crate::enrich) (to look up), and where the request is passed on to the site.
//! This room holds no clock, does no I/O and knows nothing of HTTP.

mod raw;
pub mod scrub;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::keys::{KeyPurpose, KeyRing};
pub use raw::{RawIp, RawUrl, RawUserAgent};

/// A visitor as the tables know one: a keyed MAC of the random token in that visitor's cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VisitorId(pub u128);

/// What is kept of a client address: the network it is in and a keyed tag (D1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPseudonym {
    /// The network's first address; IPv4 as an IPv4-mapped IPv6 address; `::` where no prefix is kept.
    pub net: Ipv6Addr,
    /// 64 bits of a keyed MAC over the whole address; 0 where there is no address.
    pub tag: u64,
}

/// How many leading bits of an address are kept; 0 keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPrefixes {
    /// For IPv4: 24, 16 or 0.
    pub v4: u8,
    /// For IPv6: 48, 32 or 0.
    pub v6: u8,
}

impl Default for IpPrefixes {
    fn default() -> Self {
        IpPrefixes { v4: 24, v6: 48 }
    }
}

/// Makes pseudonyms under the site's keys.
#[derive(Clone)]
pub struct Pseudonymiser {
    ring: Arc<KeyRing>,
    prefixes: IpPrefixes,
    site: [u8; 4],
}

impl Pseudonymiser {
    /// For one site; the site's id is part of every message, so that two sites never share a pseudonym.
    pub fn new(ring: Arc<KeyRing>, prefixes: IpPrefixes, site_id: u32) -> Self {
        Pseudonymiser { ring, prefixes, site: site_id.to_le_bytes() }
    }

    /// The pseudonym of the visitor who holds `token`.
    pub fn visitor(&self, token: &[u8; 16]) -> VisitorId {
        let mac = self.ring.mac(KeyPurpose::Visitor, &[&self.site, token]);
        VisitorId(u128::from_le_bytes(mac[..16].try_into().expect("a MAC has 32 bytes")))
    }

    /// What may be kept of an address.
    pub fn ip(&self, ip: &RawIp) -> IpPseudonym {
        let (net, mac) = match ip.open() {
            IpAddr::V4(v4) => {
                let net = u32::from(v4) & prefix_mask(self.prefixes.v4.into(), 32) as u32;
                let net = if self.prefixes.v4 == 0 {
                    Ipv6Addr::UNSPECIFIED
                } else {
                    std::net::Ipv4Addr::from(net).to_ipv6_mapped()
                };
                (net, self.ring.mac(KeyPurpose::Ip, &[&self.site, &v4.octets()]))
            }
            IpAddr::V6(v6) => {
                let net = u128::from(v6) & prefix_mask(self.prefixes.v6.into(), 128);
                (Ipv6Addr::from(net), self.ring.mac(KeyPurpose::Ip, &[&self.site, &v6.octets()]))
            }
        };
        IpPseudonym { net, tag: u64::from_le_bytes(mac[..8].try_into().expect("a MAC has 32 bytes")) }
    }
}

/// The `keep` highest of `width` bits.
fn prefix_mask(keep: u32, width: u32) -> u128 {
    if keep == 0 { 0 } else { (u128::MAX >> (128 - keep)) << (width - keep) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonymiser(site: u32, ring: &Arc<KeyRing>) -> Pseudonymiser {
        Pseudonymiser::new(ring.clone(), IpPrefixes::default(), site)
    }

    #[test]
    fn rule_d1_an_address_is_cut_to_its_network() {
        let ring = Arc::new(KeyRing::ephemeral());
        let net = |s: &str| pseudonymiser(1, &ring).ip(&RawIp::new(s.parse().unwrap())).net.to_string();
        assert_eq!(net("203.0.113.77"), "::ffff:203.0.113.0");
        assert_eq!(net("2001:db8:1234:5678::9"), "2001:db8:1234::");
        assert_eq!(
            net("::ffff:203.0.113.77"),
            "::ffff:203.0.113.0",
            "a mapped address is the IPv4 address it stands for"
        );
        let none = Pseudonymiser::new(ring.clone(), IpPrefixes { v4: 0, v6: 0 }, 1);
        assert_eq!(none.ip(&RawIp::new("203.0.113.77".parse().unwrap())).net, Ipv6Addr::UNSPECIFIED);
    }

    #[test]
    fn rule_d2_two_sites_share_no_pseudonym() {
        let ring = Arc::new(KeyRing::ephemeral());
        let (one, two) = (pseudonymiser(1, &ring), pseudonymiser(2, &ring));
        assert_ne!(one.visitor(&[7; 16]), two.visitor(&[7; 16]));
        let ip = RawIp::new("203.0.113.77".parse().unwrap());
        assert_ne!(one.ip(&ip).tag, two.ip(&ip).tag);
        assert_eq!(one.ip(&ip), one.ip(&ip));
    }

    /// Rust cannot say "these modules only", so this test does.
    #[test]
    fn rule_d1_raw_values_are_opened_only_where_they_are_keyed_looked_up_or_passed_on() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if std::fs::read_to_string(&entry).unwrap().contains(".open()") {
                    found.push(entry.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.retain(|f| !(f.starts_with("pseudonym") || f.starts_with("enrich") || f == "upstream/forward.rs"));
        assert!(found.is_empty(), "raw personal data is opened in {found:?}");
    }
}
