//! Events that came already: a beacon that was sent again, because its answer was lost or by somebody who recorded it. Known are
//! the last hundred thousand events or more, those of an earlier process as far as its spool still has them; a visitor's event
//! id is drawn at random, so two events never share one by chance.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::hashed::Hashed;
use crate::pseudonym::VisitorId;

/// Ids remembered before the older half is forgotten.
const CAPACITY: usize = 100_000;

/// Ids of events that were kept.
#[derive(Default)]
pub struct Repeats(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashSet<u64, Hashed>,
    old: HashSet<u64, Hashed>,
}

/// One number for a visitor's event. The pseudonym is a MAC, which nobody outside knows, so nobody can make two events that
/// have the same; by chance two of the last two hundred thousand have with a probability of one in a billion.
fn of(visitor: VisitorId, id: u64) -> u64 {
    let (low, high) = (visitor.0 as u64, (visitor.0 >> 64) as u64);
    // An odd multiplier loses nothing; folding the product lets every bit reach every other.
    let product = u128::from(id ^ low) * u128::from(high | 1);
    (product as u64) ^ ((product >> 64) as u64) ^ low.rotate_left(32)
}

impl Repeats {
    /// Whether a visitor's event is seen for the first time; it is remembered.
    pub fn admit(&self, visitor: VisitorId, id: u64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = of(visitor, id);
        if seen.old.contains(&event) || !seen.young.insert(event) {
            return false;
        }
        if seen.young.len() >= CAPACITY {
            seen.old = std::mem::take(&mut seen.young);
        }
        true
    }

    /// Whether a visitor's event was seen before.
    pub fn knows(&self, visitor: VisitorId, id: u64) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = of(visitor, id);
        seen.old.contains(&event) || seen.young.contains(&event)
    }

    /// Forgets an event that could not be kept, so that it may be sent again.
    pub fn forget(&self, visitor: VisitorId, id: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let event = of(visitor, id);
        seen.young.remove(&event);
        seen.old.remove(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_admitted_once_for_each_visitor_and_again_after_it_could_not_be_kept() {
        let repeats = Repeats::default();
        let (one, two) = (VisitorId(1), VisitorId(2));
        assert!(repeats.admit(one, 7) && !repeats.admit(one, 7) && repeats.admit(two, 7));
        repeats.forget(one, 7);
        assert!(!repeats.knows(one, 7) && repeats.knows(two, 7));
        assert!(repeats.admit(one, 7) && !repeats.admit(two, 7));
    }

    #[test]
    fn memory_stays_bounded_and_the_last_ones_are_known() {
        let repeats = Repeats::default();
        let all = 3 * CAPACITY as u64;
        assert!((0..all).all(|id| repeats.admit(VisitorId(1), id)));
        assert!((all - CAPACITY as u64..all).all(|id| !repeats.admit(VisitorId(1), id)));
        let seen = repeats.0.lock().unwrap();
        assert!(seen.young.len() + seen.old.len() <= 2 * CAPACITY);
    }
}
