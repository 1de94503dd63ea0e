//! How often a password may be tried from one place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Tries at once.
const BURST: u64 = 10;
/// Seconds after which another try is free.
const REFILL: u64 = 6;
/// Places that are remembered.
const MOST_PLACES: usize = 4096;

/// For each address (IPv6: network of 64 bits) the moment at which all its tries are free again, in seconds since
/// 1970. In memory only; an address is forgotten at that moment.
#[derive(Default)]
pub struct Attempts(Mutex<HashMap<IpAddr, u64>>);

impl Attempts {
    /// Takes one try, or says how many seconds to wait.
    pub fn take(&self, from: IpAddr, now: u64) -> Result<(), u64> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = place_of(from);
        if places.len() >= MOST_PLACES && !places.contains_key(&place) {
            places.retain(|_, free| *free > now);
            // Still full: someone tries from thousands of places at once, and everyone unknown waits.
            if places.len() >= MOST_PLACES {
                return Err(REFILL);
            }
        }
        let free = places.entry(place).or_insert(now);
        let next = (*free).max(now) + REFILL;
        if next > now + BURST * REFILL {
            return Err(next - (now + BURST * REFILL));
        }
        *free = next;
        Ok(())
    }

    /// The password was right: what was tried before does not count any more.
    pub fn forget(&self, from: IpAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&place_of(from));
    }
}

/// An address as far as it is told apart: of IPv6 the network of 64 bits.
pub(super) fn place_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_run_out_and_come_back() {
        let attempts = Attempts::default();
        let (here, there): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..BURST {
            assert_eq!(attempts.take(here, 1000), Ok(()));
        }
        assert_eq!(attempts.take(here, 1000), Err(REFILL));
        assert_eq!(attempts.take(here, 1000 + REFILL - 1), Err(1));
        assert_eq!(attempts.take(there, 1000), Ok(()), "others are not locked out");
        assert_eq!(attempts.take(here, 1000 + REFILL), Ok(()));
        assert!(attempts.take(here, 1000 + REFILL).is_err());
        attempts.forget(here);
        assert_eq!(attempts.take(here, 1000 + REFILL), Ok(()));
    }

    #[test]
    fn one_network_of_addresses_is_one_place_and_places_are_bounded() {
        let attempts = Attempts::default();
        for host in 0..BURST {
            attempts.take(format!("2001:db8::{host:x}").parse().unwrap(), 1000).unwrap();
        }
        assert!(attempts.take("2001:db8::ffff".parse().unwrap(), 1000).is_err());
        for host in 0..2 * MOST_PLACES as u32 {
            let _ = attempts.take(IpAddr::V4(host.into()), 1000);
        }
        assert!(attempts.0.lock().unwrap().len() <= MOST_PLACES);
        assert_eq!(attempts.take("203.0.113.9".parse().unwrap(), 2000), Ok(()), "they are forgotten with time");
    }
}
