//! How a visitor takes its answers: since when it owes it to take one, and how much of them waits in memory meanwhile.
//!
//! h2 bounds what waits on one stream and not on a hundred. So a connection has a budget, and the thread has one above it
//! ([`Waiting`]). Where either is used up, a stream may still have one piece on its way: each gets on as its visitor takes what it
//! has, whatever the others do, and none waits for another.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::{Instant, sleep_until};

use crate::upstream::Waiting;

/// What may wait to be sent on all streams of a connection, in bytes, before each has but one piece on its way. As much as sixteen
/// streams may have.
const BUDGET: usize = 1 << 20;

/// How long a visitor may take nothing where the ways to the site are scarce: each stream holds one that others wait for.
const SCARCE: Duration = Duration::from_secs(5);

/// What waits to be sent on a connection.
#[derive(Default)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    fn has_room(&self) -> bool {
        self.0.get() < BUDGET && !Waiting::is_plenty()
    }
}

/// How one stream is taken.
#[derive(Default)]
pub(super) struct StreamPace {
    /// Since when the visitor has not taken what it asked for.
    pub owed: Cell<Option<Instant>>,
    /// Bytes that were handed over and are not sent.
    on_the_way: Cell<usize>,
    budget: Rc<Budget>,
    /// Who waits for room.
    waits: RefCell<Option<Waker>>,
}

impl StreamPace {
    /// For a stream of the connection with this budget.
    pub fn within(budget: Rc<Budget>) -> StreamPace {
        StreamPace { budget, ..StreamPace::default() }
    }

    /// Waits until another piece may be on its way; then the visitor owes nothing. Where it may not, one is, so that whoever waits
    /// is always told.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.has_room() {
            *self.waits.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.owed.set(None);
        Poll::Ready(())
    }

    fn has_room(&self) -> bool {
        self.on_the_way.get() == 0 || self.budget.has_room()
    }

    /// Ends when nothing was taken for `patience`, or for [`SCARCE`] while that is true of the ways to the site.
    pub fn stalled(
        self: &Rc<Self>,
        patience: Duration,
        is_scarce: impl Fn() -> bool + 'static,
    ) -> impl Future<Output = ()> + 'static {
        let (pace, look) = (self.clone(), patience.min(SCARCE));
        async move {
            loop {
                let now = Instant::now();
                let owed = pace.owed.get().map_or(Duration::ZERO, |owed| now.duration_since(owed));
                if owed >= patience || owed >= look && is_scarce() {
                    return;
                }
                let left = patience - owed;
                sleep_until(now + if owed < look { look - owed } else { left.min(look) }).await;
            }
        }
    }

    fn add(&self, bytes: usize) {
        self.on_the_way.set(self.on_the_way.get() + bytes);
        self.budget.0.set(self.budget.0.get() + bytes);
    }

    fn taken(&self, bytes: usize) {
        self.on_the_way.set(self.on_the_way.get() - bytes);
        self.budget.0.set(self.budget.0.get() - bytes);
        let mut waits = self.waits.borrow_mut();
        if waits.is_some() {
            self.owed.set(Some(Instant::now()));
        }
        if self.has_room()
            && let Some(waits) = waits.take()
        {
            waits.wake();
        }
    }
}

/// A piece on its way: h2 drops it once it is sent, or with its stream.
pub(super) struct Piece {
    bytes: Bytes,
    length: usize,
    pace: Rc<StreamPace>,
    waiting: Waiting,
}

impl Piece {
    /// From now on it is on its way.
    pub fn new(bytes: Bytes, pace: &Rc<StreamPace>) -> Piece {
        let length = bytes.len();
        pace.add(length);
        Piece { bytes, length, pace: pace.clone(), waiting: Waiting::of(length) }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // First, so that the next one finds room.
        self.waiting.set(0);
        self.pace.taken(self.length);
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.bytes.copy_to_bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Told(AtomicUsize);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn piece(pace: &Rc<StreamPace>, bytes: usize) -> Piece {
        Piece::new(Bytes::from(vec![0; bytes]), pace)
    }

    #[test]
    fn beyond_the_budget_each_stream_has_one_piece_on_its_way_and_none_waits_for_another() {
        let budget = Rc::new(Budget::default());
        let [greedy, other] = [0; 2].map(|_| Rc::new(StreamPace::within(budget.clone())));
        let told = Arc::new(Told::default());
        let waker = Waker::from(told.clone());
        let mut cx = Context::from_waker(&waker);
        let mut pieces = Vec::new();
        while greedy.poll_room(&mut cx).is_ready() {
            pieces.push(piece(&greedy, 16 << 10));
        }
        assert_eq!(pieces.len(), BUDGET / (16 << 10));
        // Another stream begins, and goes on as its own piece is taken, while nothing of the greedy one is.
        for _ in 0..3 {
            assert!(other.poll_room(&mut cx).is_ready());
            let own = piece(&other, 16 << 10);
            assert!(other.poll_room(&mut cx).is_pending());
            let before = told.0.load(Ordering::Relaxed);
            drop(own);
            assert_eq!(told.0.load(Ordering::Relaxed), before + 1, "who waits is told");
        }
        // The greedy one is told when there is room, and what its visitor owes counts from what was taken last.
        greedy.owed.set(None);
        let before = told.0.load(Ordering::Relaxed);
        pieces.pop();
        assert_eq!(told.0.load(Ordering::Relaxed), before + 1);
        assert!(greedy.owed.get().is_some() && greedy.poll_room(&mut cx).is_ready() && greedy.owed.get().is_none());
        drop(pieces);
        assert_eq!((budget.0.get(), greedy.on_the_way.get(), Waiting::is_plenty()), (0, 0, false));
    }

    #[test]
    fn what_waits_on_a_whole_thread_has_a_bound_too() {
        let paces: Vec<Rc<StreamPace>> = (0..400).map(|_| Rc::default()).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut pieces = Vec::new();
        // Each is a connection of its own.
        for _ in 0..64 {
            for pace in &paces {
                if pace.poll_room(&mut cx).is_ready() {
                    pieces.push(piece(pace, 16 << 10));
                }
            }
        }
        let waiting = pieces.len() * (16 << 10);
        assert!((32 << 20..40 << 20).contains(&waiting), "{waiting}");
        assert!(paces.iter().all(|pace| pace.on_the_way.get() > 0), "each has its piece");
        drop(pieces);
        assert!(!Waiting::is_plenty() && paces[0].poll_room(&mut cx).is_ready());
    }
}
