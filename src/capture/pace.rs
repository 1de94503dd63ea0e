//! How many beacons one address may send. A bucket for each address that fills by the minute; addresses are known by a hash
//! under a key drawn at the start ([`RawIp::bucket`](crate::pseudonym::RawIp::bucket)), an IPv6 one by its /64, since
//! whoever has one has all of it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::hashed::Hashed;

/// Addresses remembered before the older half is forgotten, and with it how much they sent.
const CAPACITY: usize = 50_000;

/// Everyone's bucket.
pub struct Pace {
    per_minute: u32,
    buckets: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<u64, Bucket, Hashed>,
    old: HashMap<u64, Bucket, Hashed>,
}

/// When the bucket will be empty again if nothing is added, in milliseconds since 1970 (a generic cell rate).
#[derive(Clone, Copy)]
struct Bucket {
    empty_at_ms: i64,
}

impl Pace {
    /// With everybody's bucket empty.
    pub fn new(per_minute: u32) -> Pace {
        Pace { per_minute: per_minute.max(1), buckets: Mutex::default() }
    }

    /// Takes one beacon of an address; where it is one too many, the seconds until another is taken.
    pub fn take(&self, address: u64, now_ms: i64) -> Result<(), u64> {
        let cost_ms = 60_000 / i64::from(self.per_minute).min(60_000);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let known = buckets.young.get(&address).or_else(|| buckets.old.get(&address)).copied();
        // No bucket is fuller than a minute: the clock jumped back, which must not lock anybody out.
        let known = known.filter(|bucket| bucket.empty_at_ms <= now_ms + 60_000);
        let level = known.map_or(now_ms, |bucket| bucket.empty_at_ms.max(now_ms));
        let empty_at_ms = level + cost_ms;
        if empty_at_ms > now_ms + 60_000 {
            return Err(((empty_at_ms - now_ms - 60_000) as u64).div_ceil(1000));
        }
        if buckets.young.len() >= CAPACITY {
            buckets.old = std::mem::take(&mut buckets.young);
        }
        buckets.young.insert(address, Bucket { empty_at_ms });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_790_000_000_000;

    #[test]
    fn an_address_may_send_so_many_in_a_minute_and_others_are_not_held_to_it() {
        let pace = Pace::new(120);
        assert_eq!((0..200).filter(|_| pace.take(1, NOON).is_ok()).count(), 120);
        assert_eq!(pace.take(1, NOON), Err(1));
        assert_eq!(pace.take(2, NOON), Ok(()));
        assert_eq!(pace.take(1, NOON + 1000), Ok(()));
        assert_eq!((0..200).filter(|_| pace.take(1, NOON + 61_000).is_ok()).count(), 120);
    }

    #[test]
    fn a_clock_that_jumps_back_locks_nobody_out() {
        let pace = Pace::new(1);
        assert_eq!(pace.take(1, NOON), Ok(()));
        assert_eq!(pace.take(1, NOON - 7_200_000), Ok(()));
        assert_eq!(pace.take(1, NOON - 7_200_000), Err(60));
    }

    #[test]
    fn memory_stays_bounded() {
        let pace = Pace::new(1);
        for address in 0..4 * CAPACITY as u64 {
            let _ = pace.take(address, NOON);
        }
        let buckets = pace.buckets.lock().unwrap();
        assert!(buckets.young.len() + buckets.old.len() <= 2 * CAPACITY);
    }
}
