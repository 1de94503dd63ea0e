//! Addresses told apart without being known: for bounds on how often something may be asked.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;

use super::RawIp;

impl RawIp {
    /// A hash of the address, under a key that was drawn when the process started and that nobody else has. An IPv6 address
    /// stands for its /64: whoever has one has all of it.
    pub fn bucket(&self) -> u64 {
        static KEY: OnceLock<RandomState> = OnceLock::new();
        let key = KEY.get_or_init(RandomState::new);
        match self.open() {
            IpAddr::V4(v4) => key.hash_one(v4.octets()),
            IpAddr::V6(v6) => key.hash_one(&v6.octets()[..8]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_subscriber_are_one_and_others_are_not() {
        let bucket = |ip: &str| RawIp::new(ip.parse().unwrap()).bucket();
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_ne!(bucket("203.0.113.7"), bucket("203.0.113.8"));
        assert_eq!(bucket("203.0.113.7"), bucket("::ffff:203.0.113.7"));
    }
}
