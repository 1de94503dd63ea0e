//! What stood in signed values whose signature was right, so that a value that comes again need not be verified again: a
//! visitor's browser sends the same cookies with every request. One thread's own; nobody waits for it.
//!
//! It changes no answer. A value is found by all of its bytes and by what it is bound to (a host, a visitor), compared in
//! constant time as a MAC is, and only while the ring holds the very keys it was verified under: what a destroyed key had
//! signed is not found. Values that were refused are not remembered, so nobody fills it without a key.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::hint::black_box;

use foldhash::fast::RandomState;

use super::KeyRing;

/// Places a value may be in: two in each of so many sets. A newer value takes the place of the older of the two.
const SETS: usize = 1024;

/// Values that were verified, and what they said.
pub struct Remembered<T> {
    sets: RefCell<Box<[Set<T>]>>,
    /// Under a key of its own, so that nobody can choose values that push each other out.
    hash: RandomState,
}

/// The newer first.
type Set<T> = [Option<Box<Entry<T>>>; 2];

struct Entry<T> {
    generation: u64,
    bound: Box<[u8]>,
    value: Box<[u8]>,
    said: T,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        let sets = std::iter::repeat_with(|| [None, None]).take(SETS).collect();
        Remembered { sets: RefCell::new(sets), hash: RandomState::default() }
    }
}

impl<T: Clone> Remembered<T> {
    /// What `value`, which is bound to `bound`, says: as it is remembered, else as `verify` finds under the ring's keys. Nothing
    /// where that finds nothing.
    pub fn or_verify(
        &self,
        ring: &KeyRing,
        bound: &[u8],
        value: &[u8],
        verify: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        // Before the keys are used: what is verified while they change is remembered for those of before, and so never found.
        let generation = ring.generation();
        let set = self.hash.hash_one((bound, value)) as usize % SETS;
        let is_it = |entry: &Entry<T>| {
            entry.generation == generation && is_same(&entry.bound, bound) && is_same(&entry.value, value)
        };
        if let Some(entry) = self.sets.borrow()[set].iter().flatten().find(|entry| is_it(entry)) {
            return Some(entry.said.clone());
        }
        let said = verify()?;
        let entry = Entry { generation, bound: bound.into(), value: value.into(), said: said.clone() };
        let places = &mut self.sets.borrow_mut()[set];
        places.swap(0, 1);
        places[0] = Some(Box::new(entry));
        Some(said)
    }
}

/// Whether two texts are the same; how long that takes says only whether they are as long.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::keys::{KeyPurpose, Windows};

    /// How often something was verified.
    #[derive(Default)]
    struct Counted {
        remembered: Remembered<u32>,
        verified: Cell<u32>,
    }

    impl Counted {
        fn ask(&self, ring: &KeyRing, bound: &str, value: &str, said: Option<u32>) -> Option<u32> {
            self.remembered.or_verify(ring, bound.as_bytes(), value.as_bytes(), || {
                self.verified.set(self.verified.get() + 1);
                said
            })
        }
    }

    #[test]
    fn a_value_is_verified_once_and_only_for_what_it_is_bound_to() {
        let (ring, counted) = (KeyRing::ephemeral(), Counted::default());
        assert_eq!(counted.ask(&ring, "a.example", "v", Some(1)), Some(1));
        assert_eq!(counted.ask(&ring, "a.example", "v", None), Some(1));
        assert_eq!(counted.verified.get(), 1);
        for (bound, value) in [("b.example", "v"), ("a.example", "w"), ("a.examplev", ""), ("", "a.examplev")] {
            assert_eq!(counted.ask(&ring, bound, value, None), None, "{bound} {value}");
        }
        assert_eq!(counted.verified.get(), 5);
    }

    #[test]
    fn what_was_refused_is_verified_again() {
        let (ring, counted) = (KeyRing::ephemeral(), Counted::default());
        assert_eq!(counted.ask(&ring, "", "v", None), None);
        assert_eq!(counted.ask(&ring, "", "v", Some(2)), Some(2));
        assert_eq!(counted.verified.get(), 2);
    }

    #[test]
    fn memory_stays_bounded_and_the_last_value_is_found() {
        let (ring, counted) = (KeyRing::ephemeral(), Counted::default());
        for number in 0..5000 {
            let value = number.to_string();
            assert_eq!(counted.ask(&ring, "", &value, Some(number)), Some(number));
            assert_eq!(counted.ask(&ring, "", &value, None), Some(number));
        }
        assert!(counted.remembered.sets.borrow().iter().flatten().flatten().count() <= 2 * SETS);
    }

    /// Each key is replaced after a day, and destroyed.
    struct Daily;

    impl Windows for Daily {
        fn replaced_on(&self, _: KeyPurpose, created: u16) -> Option<u16> {
            Some(created + 1)
        }

        fn destroyed_on(&self, _: KeyPurpose, retired: u16) -> Option<u16> {
            Some(retired)
        }
    }

    #[test]
    fn rule_d2_what_a_key_had_signed_is_not_found_once_the_ring_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let ring = KeyRing::open_or_create(&folder.path().join("keys.json"), 1, 1000).unwrap();
        let counted = Counted::default();
        assert_eq!(counted.ask(&ring, "", "v", Some(1)), Some(1));
        assert!(!ring.tend(900_000_000, &Daily).unwrap().is_empty());
        assert_eq!(counted.ask(&ring, "", "v", None), None);
    }
}
