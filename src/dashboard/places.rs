//! How many connections the dashboard has. Health checks and metrics come in by the same door as people, and must never find it
//! taken: where there is no place left, the connection that has asked for nothing for longest gives up its own. An address takes
//! from itself first, and this machine, where probes are, is the last from which others take.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::attempts::place_of;

/// Connections at once; a handful of people and a few probes.
const MOST: usize = 128;
/// Those of one address (IPv6: network of 64 bits).
const MOST_OF_ONE: usize = 32;

/// The connections that are open.
#[derive(Default)]
pub(super) struct Places {
    open: Mutex<Vec<Arc<Seat>>>,
    /// Counts requests, to tell which connection has asked last.
    asked: AtomicU64,
}

struct Seat {
    from: IpAddr,
    asked: AtomicU64,
    end: Notify,
}

/// One connection's place; given up when it is dropped.
pub(super) struct Place {
    seat: Arc<Seat>,
    places: Arc<Places>,
}

impl Places {
    /// A place, if need be somebody else's.
    pub fn take(self: &Arc<Self>, from: IpAddr) -> Place {
        let seat = Arc::new(Seat { from: place_of(from), asked: AtomicU64::new(0), end: Notify::new() });
        let place = Place { seat: seat.clone(), places: self.clone() };
        place.asks();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let longest_quiet = |of: &dyn Fn(&Seat) -> bool| {
            let those = open.iter().enumerate().filter(|(_, other)| of(other));
            those.min_by_key(|(_, other)| other.asked.load(Relaxed)).map(|(index, _)| index)
        };
        let of_the_same = open.iter().filter(|other| other.from == seat.from).count();
        let given_up = if of_the_same >= MOST_OF_ONE {
            longest_quiet(&|other| other.from == seat.from)
        } else if open.len() >= MOST {
            longest_quiet(&|other| !other.from.is_loopback()).or_else(|| longest_quiet(&|_| true))
        } else {
            None
        };
        if let Some(index) = given_up {
            // Whoever is not waiting for it yet finds it when it does.
            open.swap_remove(index).end.notify_one();
        }
        open.push(seat);
        place
    }
}

impl Place {
    /// The connection has asked for something.
    pub fn asks(&self) {
        self.seat.asked.store(self.places.asked.fetch_add(1, Relaxed), Relaxed);
    }

    /// Resolves once the place was given to somebody else.
    pub async fn given_up(&self) {
        self.seat.end.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.places.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_given_up(place: &Place) -> bool {
        pin!(place.given_up()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn an_address_takes_from_itself_the_connection_that_was_quiet_for_longest() {
        let places = Arc::new(Places::default());
        let address = Ipv4Addr::new(192, 0, 2, 1).into();
        let other = places.take(Ipv4Addr::new(192, 0, 2, 2).into());
        let own: Vec<Place> = (0..MOST_OF_ONE).map(|_| places.take(address)).collect();
        own[0].asks();
        let _new = places.take(address);
        assert!(is_given_up(&own[1]));
        assert!(!is_given_up(&own[0]) && !is_given_up(&own[2]) && !is_given_up(&other));
        drop(own);
        assert_eq!(places.open.lock().unwrap().len(), 2);
    }

    #[test]
    fn however_many_come_from_elsewhere_this_machine_keeps_its_places() {
        let places = Arc::new(Places::default());
        let probe = places.take(Ipv4Addr::LOCALHOST.into());
        let others: Vec<Place> =
            (0..2 * MOST as u32).map(|at| places.take(Ipv4Addr::from_bits(0x0a00_0000 + at).into())).collect();
        assert!(!is_given_up(&probe) && places.open.lock().unwrap().len() == MOST);
        assert_eq!(others.iter().filter(|other| is_given_up(other)).count(), MOST + 1);
        let second = places.take(Ipv4Addr::LOCALHOST.into());
        assert!(!is_given_up(&second));
    }
}
