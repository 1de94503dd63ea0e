//! What each address has of the ways to the site: at most half of them, so that others find one whatever one visitor does.
//!
//! Exchanges are counted from before a connection is made for them until the last byte of the answer is there or nobody wants it
//! any more; a tunnel until it ends. One by HTTP/1.1 takes a connection, one by HTTP/2 as much of a connection as it is of the
//! exchanges that go over one. Who it is that an address belongs to is never known here
//! ([`RawIp::bucket`](crate::pseudonym::RawIp::bucket)).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::places::Places;

/// A connection, in the parts that are counted.
const WHOLE: usize = 10_000;

/// Addresses are spread over so many locks, so that workers seldom meet at one.
const LOCKS: usize = 16;

/// What each address has of all servers of the process, whatever configurations it has had.
static OF_ALL: LazyLock<Held> = LazyLock::new(Held::default);

/// Parts of connections by address; there is an entry only where there are some, and room is kept for those who come again.
#[derive(Default)]
pub(super) struct Held([Mutex<HashMap<u64, usize>>; LOCKS]);

impl Held {
    /// An address has `to` instead of `from`, unless all that it has would be more than `bound`. One exchange it may
    /// always have.
    fn change(&self, bucket: u64, from: usize, to: usize, bound: usize) -> bool {
        let lock = &self.0[(bucket >> 32) as usize % LOCKS];
        let mut held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entry = match held.entry(bucket) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                entry.insert(to);
                return true;
            }
        };
        let others = entry.get().saturating_sub(from);
        let total = others + to;
        if to > from && others > 0 && total > bound {
            return false;
        }
        match total {
            0 => drop(entry.remove()),
            total => *entry.get_mut() = total,
        }
        true
    }
}

/// What an exchange goes over.
#[derive(Clone, Copy)]
pub(super) enum Over {
    /// A connection of its own.
    Http1,
    /// One of so many connections that carry so many exchanges each.
    Http2 { lanes: usize, streams: usize },
}

/// One exchange's part, for as long as it is open.
pub(super) struct Share {
    places: Arc<Places>,
    bucket: u64,
    /// Of the connections to the server, and of those that carry many.
    parts: Parts,
}

/// Parts of connections: of any, and of those that carry many.
type Parts = (usize, usize);

impl Share {
    /// For an exchange of an address, unless that has half of what there may be.
    pub(super) fn take(places: &Arc<Places>, bucket: u64, over: Over) -> Option<Share> {
        let mut share = Share { places: places.clone(), bucket, parts: (0, 0) };
        share.goes(over).then_some(share)
    }

    /// It goes this way now, unless it would be too much of it.
    pub(super) fn goes(&mut self, over: Over) -> bool {
        let (parts, lanes) = match over {
            Over::Http1 => ((WHOLE, 0), 0),
            Over::Http2 { lanes, streams } => {
                let part = WHOLE.div_ceil(streams.max(1));
                ((part, part), lanes)
            }
        };
        self.becomes(parts, lanes)
    }

    fn becomes(&mut self, parts: Parts, lanes: usize) -> bool {
        let (most, was) = (self.places.most(), self.parts);
        let all: Option<&Held> = if self.places.are_of_all() { Some(&OF_ALL) } else { None };
        let bounds = [
            (Some(self.places.held()), was.0, parts.0, most.each),
            (Some(self.places.held_of_lanes()), was.1, parts.1, lanes),
            (all, was.0, parts.0, most.all),
        ];
        // Where nothing changes no lock is taken.
        let changes = |held: Option<&'_ Held>, from, to, bound| {
            held.filter(|_| from != to).is_none_or(|held| held.change(self.bucket, from, to, bound))
        };
        for (done, &(held, from, to, connections)) in bounds.iter().enumerate() {
            if !changes(held, from, to, connections.saturating_mul(WHOLE / 2)) {
                for &(held, from, to, _) in &bounds[..done] {
                    changes(held, to, from, usize::MAX);
                }
                return false;
            }
        }
        self.parts = parts;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Less is never too much.
        self.becomes((0, 0), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Most;
    use super::*;

    fn places(each: usize, all: usize, servers: usize) -> Arc<Places> {
        Arc::new(Places::of(Most { each, all }, servers))
    }

    fn is_empty(held: &Held, bucket: u64) -> bool {
        held.0.iter().all(|lock| !lock.lock().unwrap().contains_key(&bucket))
    }

    #[test]
    fn an_address_has_half_of_a_servers_connections_and_others_are_not_held_to_it() {
        let places = places(9, usize::MAX, 1);
        let mut shares: Vec<Share> = (0..9).filter_map(|_| Share::take(&places, 1, Over::Http1)).collect();
        assert_eq!(shares.len(), 4);
        assert!(Share::take(&places, 2, Over::Http1).is_some());
        shares.pop();
        shares.extend(Share::take(&places, 1, Over::Http1));
        assert_eq!(shares.len(), 4, "one that ends makes room");
        drop(shares);
        assert!(is_empty(places.held(), 1) && is_empty(places.held(), 2), "nobody is remembered who is not there");
    }

    #[test]
    fn one_exchange_is_everybodys() {
        let places = places(1, usize::MAX, 1);
        let first = Share::take(&places, 1, Over::Http1);
        assert!(first.is_some() && Share::take(&places, 1, Over::Http1).is_none());
        assert!(Share::take(&places, 2, Over::Http1).is_some());
    }

    #[test]
    fn an_address_has_half_of_the_exchanges_that_go_over_the_lanes_there_may_be() {
        let of = |each, streams| {
            let places = places(each, usize::MAX, 1);
            let over = Over::Http2 { lanes: 16, streams };
            let shares: Vec<Share> = (0..2_000).map_while(|_| Share::take(&places, 1, over)).collect();
            shares.len()
        };
        assert_eq!((of(10_000, 100), of(10_000, 10), of(3, 100), of(1, 100)), (800, 80, 150, 50));
        assert!((230..=240).contains(&of(10_000, 30)));
    }

    #[test]
    fn what_an_exchange_takes_is_seen_anew_when_its_way_is_known() {
        let places = places(10_000, usize::MAX, 1);
        let over = |streams| Over::Http2 { lanes: 16, streams };
        let mut shares: Vec<Share> = (0..900).map_while(|_| Share::take(&places, 1, over(100))).collect();
        assert_eq!(shares.len(), 800);
        shares.retain_mut(|share| share.goes(over(10)));
        assert_eq!(shares.len(), 80, "the server allows fewer than was thought");
        assert!(shares.iter_mut().all(|share| share.goes(Over::Http1)), "or speaks no HTTP/2 at all");
        drop(shares);
        assert!(is_empty(places.held(), 1));
    }

    #[test]
    fn tunnels_beside_take_nothing_of_the_lanes_and_all_of_it_is_half_at_most() {
        let take =
            |places: &Arc<Places>, over| (0..2_000).map_while(|_| Share::take(places, 1, over)).collect::<Vec<_>>();
        let over = Over::Http2 { lanes: 16, streams: 100 };
        let many = places(100, usize::MAX, 1);
        let _tunnels = take(&many, Over::Http1).split_off(20);
        assert_eq!((_tunnels.len(), take(&many, over).len()), (30, 800));
        let few = places(10, usize::MAX, 1);
        let _tunnels = take(&few, Over::Http1).split_off(2);
        assert_eq!((_tunnels.len(), take(&few, over).len()), (3, 200));
    }

    #[test]
    fn an_address_has_half_of_the_connections_to_all_servers_together() {
        // Its own: other tests take from the same.
        let bucket = 0x5a5a_0000_0001;
        let (one, other) = (places(10, 12, 2), places(10, 12, 2));
        let mut shares: Vec<Share> = (0..10).filter_map(|_| Share::take(&one, bucket, Over::Http1)).collect();
        assert_eq!(shares.len(), 5);
        shares.extend((0..10).filter_map(|_| Share::take(&other, bucket, Over::Http1)));
        assert_eq!(shares.len(), 6);
        drop(shares);
        assert!(is_empty(&OF_ALL, bucket) && is_empty(other.held(), bucket));
    }
}
