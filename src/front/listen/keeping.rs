//! How long a connection is kept that waits: for its first request, for the rest of a head, for its next request.
//!
//! Load balancers keep connections of their own and send the next request over whichever is there. One that is closed in that
//! moment costs a request that cannot be sent twice, so ours are to be kept for longer than theirs. Who waits costs little,
//! but a place: where those are scarce, it is kept no longer than somebody who has asked for nothing yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::work::Connections;

/// How often a connection that waits is looked at, beyond the time a head has.
const LOOK: Duration = Duration::from_secs(10);

/// What connections are held to.
#[derive(Clone)]
pub struct Keeping {
    /// For a head, from a connection's first moment or from the head's first byte.
    pub head: Duration,
    /// Between two requests.
    pub between: Duration,
    /// Who is there, and how many there may be.
    pub crowd: Option<(Arc<Connections>, usize)>,
}

impl Keeping {
    /// When a connection is to be looked at again that has waited for its next request since then; nothing where it has waited
    /// for long enough.
    pub fn look(&self, since: Instant, now: Instant) -> Option<Instant> {
        let waited = now.saturating_duration_since(since);
        if waited >= self.between || waited >= self.head && self.is_scarce() {
            return None;
        }
        let next = if waited < self.head { self.head } else { waited + LOOK };
        Some(since + next.min(self.between))
    }

    /// Whether three quarters of the places are taken.
    fn is_scarce(&self) -> bool {
        self.crowd.as_ref().is_some_and(|(open, most)| open.count() >= most - most / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Duration = Duration::from_secs(30);
    const BETWEEN: Duration = Duration::from_secs(75);

    fn keeping(crowd: Option<(Arc<Connections>, usize)>) -> Keeping {
        Keeping { head: HEAD, between: BETWEEN, crowd }
    }

    /// After how many seconds it is looked at, and let go last.
    fn looks(keeping: &Keeping) -> Vec<u64> {
        let since = Instant::now();
        let (mut looks, mut now) = (Vec::new(), since);
        while let Some(next) = keeping.look(since, now) {
            assert!(next > now);
            now = next;
            looks.push((now - since).as_secs());
        }
        looks
    }

    #[test]
    fn who_waits_is_kept_for_the_whole_time_unless_places_are_scarce() {
        let open = Arc::new(Connections::default());
        let _places: Vec<_> = (0..3).map(|_| open.take(4)).collect();
        assert_eq!(looks(&keeping(None)), [30, 40, 50, 60, 70, 75]);
        assert_eq!(looks(&keeping(Some((open.clone(), 5)))), [30, 40, 50, 60, 70, 75]);
        assert_eq!(looks(&keeping(Some((open, 4)))), [30]);
    }

    #[test]
    fn who_is_to_be_kept_for_less_than_a_head_may_take_is_not_kept_for_longer() {
        let keeping = Keeping { head: HEAD, between: Duration::from_secs(5), crowd: None };
        assert_eq!(looks(&keeping), [5]);
    }
}
