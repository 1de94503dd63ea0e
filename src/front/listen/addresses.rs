//! How many connections each address has, and how fast it asks. Addresses are known by a hash under a key drawn at the start
//! ([`RawIp::bucket`](crate::pseudonym::RawIp::bucket)), an IPv6 one by its /64, since whoever has one has all of it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config;
use crate::pseudonym::RawIp;

/// Addresses whose pace is remembered before the older half is forgotten, and with it how much they asked.
const CAPACITY: usize = 50_000;

/// Open connections by address; there is an entry only where there is one.
#[derive(Default)]
pub struct Addresses(Mutex<HashMap<u64, usize>>);

/// One connection of an address, for as long as it lives.
pub struct Seat {
    addresses: Arc<Addresses>,
    bucket: u64,
}

impl Addresses {
    /// A connection more, unless the address has `bound` of them.
    pub fn take(self: &Arc<Self>, address: IpAddr, bound: usize) -> Option<Seat> {
        let bucket = RawIp::new(address).bucket();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(bucket).or_insert(0);
        if *count >= bound {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: self.clone(), bucket })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.bucket) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// How fast each address may ask (a generic cell rate): a bucket for each that empties with time.
pub struct Pace {
    /// What one request adds.
    cost: Duration,
    /// How full a bucket may be.
    depth: Duration,
    began: Instant,
    buckets: Mutex<Generations>,
}

/// When each bucket is empty again if nothing is added, since `began`.
#[derive(Default)]
struct Generations {
    young: HashMap<u64, Duration>,
    old: HashMap<u64, Duration>,
}

impl Pace {
    /// With everybody's bucket empty.
    pub fn new(pace: config::RequestPace) -> Pace {
        let cost = Duration::from_secs(1) / pace.per_second.max(1);
        Pace { cost, depth: cost * pace.burst.max(1), began: Instant::now(), buckets: Mutex::default() }
    }

    /// Takes one request of an address; where it is one too many, the whole seconds until another is taken.
    pub fn take(&self, bucket: u64, now: Instant) -> Result<(), u64> {
        let now = now.saturating_duration_since(self.began);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let known = buckets.young.get(&bucket).or_else(|| buckets.old.get(&bucket)).copied();
        let empty_at = known.map_or(now, |empty_at| empty_at.max(now)) + self.cost;
        if let Some(over) = empty_at.checked_sub(now + self.depth).filter(|over| !over.is_zero()) {
            return Err(over.as_secs() + u64::from(over.subsec_nanos() > 0));
        }
        if buckets.young.len() >= CAPACITY {
            buckets.old = std::mem::take(&mut buckets.young);
        }
        buckets.young.insert(bucket, empty_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_connections_and_others_are_not_held_to_it() {
        let addresses = Arc::new(Addresses::default());
        let take = |address: &str| addresses.take(address.parse().unwrap(), 2);
        let seats = [take("192.0.2.1"), take("::ffff:192.0.2.1")];
        assert!(seats.iter().all(Option::is_some) && take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(seats);
        assert!(take("192.0.2.1").is_some());
        let _first = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(take("2001:db8::3").is_none(), "an IPv6 network is one address");
        assert!(take("2001:db8:0:1::1").is_some());
        drop(_first);
        assert!(addresses.0.lock().unwrap().is_empty(), "nobody is remembered who is not there");
    }

    #[test]
    fn an_address_asks_at_its_pace_and_is_told_when_to_come_again() {
        let pace = Pace::new(config::RequestPace { per_second: 2, burst: 4 });
        let at = |seconds: f64| pace.began + Duration::from_secs_f64(seconds);
        assert_eq!((0..10).filter(|_| pace.take(1, at(0.0)).is_ok()).count(), 4);
        assert_eq!(pace.take(1, at(0.0)), Err(1));
        assert_eq!(pace.take(2, at(0.0)), Ok(()));
        assert_eq!(pace.take(1, at(0.5)), Ok(()));
        assert!(pace.take(1, at(0.6)).is_err());
        assert_eq!((0..10).filter(|_| pace.take(1, at(60.0)).is_ok()).count(), 4);
        let slow = Pace::new(config::RequestPace { per_second: 1, burst: 1 });
        assert_eq!((slow.take(1, at(0.0)), slow.take(1, at(0.0))), (Ok(()), Err(1)));
    }

    #[test]
    fn memory_stays_bounded() {
        let pace = Pace::new(config::RequestPace { per_second: 1, burst: 1 });
        let now = Instant::now();
        for address in 0..4 * CAPACITY as u64 {
            let _ = pace.take(address, now);
        }
        let buckets = pace.buckets.lock().unwrap();
        assert!(buckets.young.len() + buckets.old.len() <= 2 * CAPACITY);
    }
}
