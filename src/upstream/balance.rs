//! Which of several servers is asked: the one with the fewest exchanges under way, or the same one for the same key.
//!
//! The ring: each server owns many points of a circle, a key belongs to the server whose point comes next. A server that is
//! out gives its keys to its neighbours, point by point, and takes them back when it returns; all other keys stay where
//! they are. The points follow from the servers' names alone, so every worker, and every gateway of a fleet, has the same.

use http::HeaderName;

/// Points of one server: with so many the largest share is about a quarter above the mean.
const POINTS: u64 = 160;

/// How a route chooses.
pub(super) enum Balancer {
    Least,
    Ring {
        ring: Ring,
        /// What makes a key; the visitor's address where it is absent.
        header: Option<HeaderName>,
    },
}

/// The points of all servers.
pub(super) struct Ring(Vec<(u64, usize)>);

impl Ring {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Ring {
        let of = |(server, name): (usize, &'a str)| {
            let seed = hash(name.as_bytes());
            (0..POINTS).map(move |point| (mix(seed.wrapping_add(point.wrapping_mul(GOLDEN))), server))
        };
        let mut points: Vec<(u64, usize)> = names.enumerate().flat_map(of).collect();
        points.sort_unstable();
        Ring(points)
    }

    /// The server that owns `key`, or the nearest one for which `is_up` holds.
    pub(super) fn owner(&self, key: u64, is_up: impl Fn(usize) -> bool) -> Option<usize> {
        let key = mix(key);
        let first = self.0.partition_point(|(point, _)| *point < key);
        let from_there = self.0[first..].iter().chain(&self.0[..first]);
        from_there.map(|(_, server)| *server).find(|server| is_up(*server))
    }
}

/// The one with the least `load` for which `is_up` holds, counted from `first` on so that equals take turns.
pub(super) fn least(
    servers: usize,
    first: usize,
    is_up: impl Fn(usize) -> bool,
    load: impl Fn(usize) -> usize,
) -> Option<usize> {
    (0..servers).map(|step| (first + step) % servers).filter(|server| is_up(*server)).min_by_key(|server| load(*server))
}

/// 2^64 divided by the golden ratio: steps of it spread evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a, the same on every machine and in every version, finished so that short keys spread.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// The finish of SplitMix64: every bit of the input moves half the bits of the output.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 5] =
        ["http://10.0.0.1:80", "http://10.0.0.2:80", "http://10.0.0.3:80", "http://a:1", "unix:/b"];

    #[test]
    fn shares_of_a_ring_are_alike() {
        let ring = Ring::new(NAMES.into_iter());
        let mut shares = [0; NAMES.len()];
        for key in 0..100_000 {
            shares[ring.owner(key, |_| true).unwrap()] += 1;
        }
        assert!(shares.iter().all(|share| (14_000..27_000).contains(share)), "{shares:?}");
    }

    #[test]
    fn a_ring_is_the_same_everywhere() {
        let ring = Ring::new(NAMES.into_iter());
        let owners: Vec<usize> = (0..8).map(|key| ring.owner(hash(&[key]), |_| true).unwrap()).collect();
        let again = Ring::new(NAMES.into_iter());
        assert_eq!(owners, (0..8).map(|key| again.owner(hash(&[key]), |_| true).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_is_chosen_where_nobody_is_up() {
        assert_eq!(Ring::new(NAMES.into_iter()).owner(1, |_| false), None);
        assert_eq!(least(3, 1, |_| false, |_| 0), None);
    }

    #[test]
    fn the_fewest_exchanges_win_and_equals_take_turns() {
        assert_eq!(least(3, 0, |_| true, |server| [2, 1, 3][server]), Some(1));
        assert_eq!(least(3, 0, |server| server != 1, |server| [2, 1, 3][server]), Some(0));
        let turns: Vec<_> = (0..4).map(|first| least(3, first, |_| true, |_| 7)).collect();
        assert_eq!(turns, [Some(0), Some(1), Some(2), Some(0)]);
    }

    proptest! {
        #[test]
        fn a_server_that_goes_moves_its_own_keys_alone(key: u64, gone in 0..NAMES.len()) {
            let ring = Ring::new(NAMES.into_iter());
            let before = ring.owner(key, |_| true).unwrap();
            let after = ring.owner(key, |server| server != gone).unwrap();
            prop_assert!(after != gone);
            prop_assert!(before == gone || before == after);
        }

        #[test]
        fn a_server_that_is_taken_out_of_the_list_moves_its_own_keys_alone(key: u64, gone in 0..NAMES.len()) {
            let left: Vec<&str> = NAMES.iter().enumerate().filter(|(place, _)| *place != gone).map(|(_, n)| *n).collect();
            let before = NAMES[Ring::new(NAMES.into_iter()).owner(key, |_| true).unwrap()];
            let after = left[Ring::new(left.iter().copied()).owner(key, |_| true).unwrap()];
            prop_assert!(before == NAMES[gone] || before == after);
        }
    }
}
