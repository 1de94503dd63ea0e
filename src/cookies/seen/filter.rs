//! What was noticed before, as a Bloom filter: most requests bring nothing that the one before did not, and finding that out
//! takes two reads and no lock. It never says that something is new which is not; about one thing in a hundred that is new
//! it takes for known, and learns when it comes with something else.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Bits, a power of two; 64 KiB.
const BITS: u64 = 1 << 19;
/// What it holds before it forgets everything and begins anew: with more, too much that is new would be taken for known.
const MOST: u32 = 1 << 15;

/// The filter.
#[derive(Debug)]
pub(super) struct Filter {
    words: Box<[AtomicU64]>,
    held: AtomicU32,
}

impl Default for Filter {
    fn default() -> Self {
        let words = (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        Filter { words, held: AtomicU32::new(0) }
    }
}

impl Filter {
    /// Whether what `hash` stands for is new; it is not from now on. Of two threads at once both may be told so.
    pub(super) fn is_new(&self, hash: u64) -> bool {
        let places = [hash, hash >> 32].map(|bits| bits & (BITS - 1));
        if places.iter().all(|place| self.word(*place).load(Relaxed) & mask(*place) != 0) {
            return false;
        }
        if self.held.fetch_add(1, Relaxed) >= MOST {
            self.held.store(1, Relaxed);
            self.words.iter().for_each(|word| word.store(0, Relaxed));
        }
        for place in places {
            self.word(place).fetch_or(mask(place), Relaxed);
        }
        true
    }

    fn word(&self, place: u64) -> &AtomicU64 {
        &self.words[(place / 64) as usize]
    }
}

fn mask(place: u64) -> u64 {
    1 << (place % 64)
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn nothing_is_new_twice_and_little_that_is_new_is_missed() {
        let (filter, keys) = (Filter::default(), foldhash::fast::FixedState::with_seed(7));
        let hashes: Vec<u64> = (0..MOST).map(|i| keys.hash_one(i)).collect();
        let new = hashes.iter().filter(|hash| filter.is_new(**hash)).count();
        assert!(new > MOST as usize * 98 / 100, "{new}");
        assert!(hashes.iter().all(|hash| !filter.is_new(*hash)));
        let after: usize = (MOST..3 * MOST).filter(|i| filter.is_new(keys.hash_one(*i))).count();
        assert!(after > 2 * MOST as usize * 98 / 100, "it begins anew before it is full: {after}");
    }
}
