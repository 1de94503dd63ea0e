//! Ranges of addresses from which only programs come, as the operator configures them.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::pseudonym::RawIp;

/// A set of ranges; a look-up is a binary search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BotNetworks(Vec<(u128, u128)>);

impl BotNetworks {
    /// Of ranges in any order; they may overlap.
    pub fn new(networks: Vec<IpNet>) -> BotNetworks {
        let mut ranges: Vec<(u128, u128)> =
            networks.iter().map(|net| (number(net.network()), number(net.broadcast()))).collect();
        ranges.sort_unstable();
        let mut joined: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => joined.push((first, last)),
            }
        }
        BotNetworks(joined)
    }

    /// Whether the address is in one of them.
    pub fn contains(&self, ip: &RawIp) -> bool {
        let ip = number(ip.open());
        let after = self.0.partition_point(|(first, _)| *first <= ip);
        after > 0 && ip <= self.0[after - 1].1
    }
}

/// An address as a number; IPv4 stands where IPv6 has its mapped addresses.
fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}
