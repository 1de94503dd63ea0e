//! How many connections to the site there may be: to each server, so that one that is slow does not hold the whole gateway, and to
//! all of them, so that descriptors are left for visitors, for their choices and for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::settings::Most;
use super::share::Held;

/// To all servers of the process: it has its descriptors once, whatever configurations it has had.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The connections to one server, over all workers.
#[derive(Default)]
pub(super) struct Places {
    most: Most,
    open: AtomicUsize,
    /// What each address has of them; outlives a configuration in which the server stays what it is.
    held: Arc<Held>,
    /// The same of those that carry many exchanges.
    held_of_lanes: Arc<Held>,
    /// Whether all servers together may have fewer than the sum of what each may have.
    of_all: bool,
}

/// One connection's place, for as long as it is open.
pub(super) struct Place(Arc<Places>);

impl Places {
    /// For one of so many servers.
    pub(super) fn of(most: Most, servers: usize) -> Places {
        let of_all = most.each.saturating_mul(servers) > most.all;
        Places { most, open: AtomicUsize::new(0), held: Arc::default(), held_of_lanes: Arc::default(), of_all }
    }

    /// The same, with what each address has had of them `before`.
    pub(super) fn held_as(&self, before: &Places) -> Places {
        let Places { most, of_all, .. } = *self;
        let (held, held_of_lanes) = (before.held.clone(), before.held_of_lanes.clone());
        Places { most, open: AtomicUsize::new(0), held, held_of_lanes, of_all }
    }

    pub(super) fn most(&self) -> Most {
        self.most
    }

    /// What each address has.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }

    /// What each address has of those that carry many exchanges.
    pub(super) fn held_of_lanes(&self) -> &Held {
        &self.held_of_lanes
    }

    /// Whether what each address has of all servers is to be bounded apart.
    pub(super) fn are_of_all(&self) -> bool {
        self.of_all
    }

    /// Whether so few are left that nobody should hold one without use.
    pub(super) fn are_scarce(&self) -> bool {
        let Most { each, all } = self.most;
        self.open.load(Relaxed) > each - each / 4 || OPEN.load(Relaxed) > all - all / 4
    }

    /// How many are taken.
    pub(super) fn in_use(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// A place, unless there is none left.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let (open, all) = (self.open.fetch_add(1, Relaxed), OPEN.fetch_add(1, Relaxed));
        // Given back where it is not to be had.
        let place = Place(self.clone());
        (open < self.most.each && all < self.most.all).then_some(place)
    }
}

impl Place {
    /// Whether so few are left that a connection nobody uses should not hold one.
    pub(super) fn is_scarce(&self) -> bool {
        self.0.are_scarce()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
        OPEN.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_its_connections_and_one_that_ends_makes_room() {
        let places = Arc::new(Places::of(Most { each: 4, all: usize::MAX }, 1));
        let other = Arc::new(Places::default());
        let mut taken: Vec<Place> = (0..4).filter_map(|_| places.take()).collect();
        assert_eq!(taken.len(), 4);
        assert!(places.take().is_none() && places.take().is_none() && other.take().is_some());
        assert!(taken[0].is_scarce());
        taken.truncate(3);
        assert!(!taken[0].is_scarce());
        assert!(places.take().is_some());
        drop(taken);
        assert_eq!(places.open.load(Relaxed), 0);
    }
}
