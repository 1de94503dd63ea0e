//! Who waits for a turn of the writer. All of a turn learn of its end together, and of those who wait on one thread only one is
//! woken by the writer: it wakes the others from there. Waking a thread is a system call and takes the processor away from the
//! writer, which for many small beacons costs more than writing them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use super::{Partition, SpoolError};

/// Records of a partition that could not be written in a turn: from this number on, all of them.
pub(super) struct Failed {
    pub(super) partition: Partition,
    pub(super) from: u32,
    pub(super) kind: io::ErrorKind,
}

/// A turn that is to come, or is over.
#[derive(Default)]
struct Turn(Mutex<State>);

#[derive(Default)]
struct State {
    end: Option<End>,
    /// Who waits, by thread; nothing where somebody stopped waiting.
    waiting: Vec<(ThreadId, Vec<Option<Waker>>)>,
}

enum End {
    /// It was written, but for what failed.
    Written(Vec<Failed>),
    /// The writer is gone.
    Gone,
}

/// The writer's hold on a turn: should it be let go of without having ended, those who wait are told.
pub(super) struct Promise(Arc<Turn>);

impl Promise {
    pub(super) fn new() -> Promise {
        Promise(Arc::default())
    }

    /// Somebody waits for a record, or where none is named for all of the turn.
    pub(super) fn acknowledgement(&self, record: Option<(Partition, u32)>) -> Acknowledgement {
        Acknowledgement { turn: Arc::clone(&self.0), record, place: None }
    }

    /// The turn is over.
    pub(super) fn keep(self, failed: Vec<Failed>) {
        self.0.end(End::Written(failed));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.end(End::Gone);
    }
}

impl Turn {
    /// Ends the turn, if it has not ended, and wakes one for each thread.
    fn end(&self, end: End) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        state.end = Some(end);
        let first = |wakers: &mut Vec<Option<Waker>>| wakers.iter_mut().find_map(Option::take);
        let leaders: Vec<Waker> = state.waiting.iter_mut().filter_map(|(_, wakers)| first(wakers)).collect();
        drop(state);
        leaders.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Those who wait on a thread and were not woken yet.
    fn take(&mut self, thread: ThreadId) -> Vec<Option<Waker>> {
        let found = self.waiting.iter_mut().find(|(other, _)| *other == thread);
        found.map(|(_, wakers)| std::mem::take(wakers)).unwrap_or_default()
    }
}

/// Resolves when a record is as durable as it is to be; see [`Spool::append_acknowledged`](super::Spool::append_acknowledged).
#[must_use = "the record is only known to be kept when this has resolved"]
pub struct Acknowledgement {
    turn: Arc<Turn>,
    record: Option<(Partition, u32)>,
    /// Where its waker is among those who wait.
    place: Option<(ThreadId, usize)>,
}

impl Acknowledgement {
    /// What the turn's end says of it, where it has ended.
    fn outcome(&self, state: &State) -> Option<Result<(), SpoolError>> {
        let failed = match state.end.as_ref()? {
            End::Gone => return Some(Err(SpoolError::Closed)),
            End::Written(failed) => failed,
        };
        let is_its = |failed: &&Failed| match self.record {
            Some((partition, record)) => failed.partition == partition && failed.from <= record,
            None => true,
        };
        Some(failed.iter().find(is_its).map_or(Ok(()), |failed| Err(SpoolError::NotWritten(failed.kind))))
    }

    /// The answer so far, for who does not wait.
    #[cfg(test)]
    pub(super) fn answer(&self) -> Option<Result<(), SpoolError>> {
        self.outcome(&self.turn.lock())
    }
}

impl Future for Acknowledgement {
    type Output = Result<(), SpoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let turn = Arc::clone(&self.turn);
        let mut state = turn.lock();
        if let Some(outcome) = self.outcome(&state) {
            let thread = self.place.take().map_or_else(|| thread::current().id(), |(thread, _)| thread);
            let others = state.take(thread);
            drop(state);
            others.into_iter().flatten().for_each(Waker::wake);
            return Poll::Ready(outcome);
        }
        let wakers = |state: &mut State, thread: ThreadId| match state.waiting.iter().position(|(t, _)| *t == thread) {
            Some(at) => at,
            None => {
                state.waiting.push((thread, Vec::new()));
                state.waiting.len() - 1
            }
        };
        let (thread, at) = self.place.unwrap_or_else(|| {
            let thread = thread::current().id();
            let group = wakers(&mut state, thread);
            state.waiting[group].1.push(None);
            (thread, state.waiting[group].1.len() - 1)
        });
        self.place = Some((thread, at));
        let group = wakers(&mut state, thread);
        match &mut state.waiting[group].1[at] {
            Some(waker) => waker.clone_from(context.waker()),
            empty => *empty = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Acknowledgement {
    /// Whoever stops waiting must not be the one that was to wake the others.
    fn drop(&mut self) {
        let Some((thread, at)) = self.place else { return };
        let mut state = self.turn.lock();
        if state.end.is_none() {
            let group = state.waiting.iter_mut().find(|(other, _)| *other == thread);
            if let Some(waker) = group.and_then(|(_, wakers)| wakers.get_mut(at)) {
                *waker = None;
            }
            return;
        }
        let others = state.take(thread);
        drop(state);
        others.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    const JULY: Partition = Partition { month: 202507, retention_days: 90 };

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Waits {
        acknowledgement: Pin<Box<Acknowledgement>>,
        woken: Arc<Woken>,
    }

    impl Waits {
        fn on(promise: &Promise, record: u32) -> Waits {
            let acknowledgement = Box::pin(promise.acknowledgement(Some((JULY, record))));
            let mut waits = Waits { acknowledgement, woken: Arc::default() };
            assert!(waits.poll().is_pending());
            waits
        }

        fn poll(&mut self) -> Poll<Result<(), SpoolError>> {
            let waker = Waker::from(Arc::clone(&self.woken));
            self.acknowledgement.as_mut().poll(&mut Context::from_waker(&waker))
        }

        fn woken(&self) -> u32 {
            self.woken.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn of_those_who_wait_on_a_thread_one_is_woken_and_wakes_the_others() {
        let promise = Promise::new();
        let mut all = [0, 1, 2].map(|record| Waits::on(&promise, record));
        let elsewhere = thread::scope(|scope| scope.spawn(|| Waits::on(&promise, 3)).join().unwrap());
        assert!(all[1].poll().is_pending(), "asked again in between");
        promise.keep(Vec::new());
        assert_eq!(all.each_ref().map(Waits::woken), [1, 0, 0]);
        assert_eq!(elsewhere.woken(), 1);
        assert!(matches!(all[0].poll(), Poll::Ready(Ok(()))));
        assert_eq!(all.each_ref().map(Waits::woken), [1, 1, 1]);
        assert!(all[1..].iter_mut().all(|waits| waits.poll().is_ready()));
    }

    #[test]
    fn who_stops_waiting_leaves_nobody_asleep() {
        let promise = Promise::new();
        let [first, second, mut third] = [0, 1, 2].map(|record| Waits::on(&promise, record));
        drop(first);
        promise.keep(Vec::new());
        assert_eq!((second.woken(), third.woken()), (1, 0));
        // It was woken, and ends before it is asked.
        drop(second);
        assert_eq!(third.woken(), 1);
        assert!(third.poll().is_ready());
    }

    #[test]
    fn everybody_learns_what_became_of_their_own_record() {
        let promise = Promise::new();
        let all = [(JULY, 3), (JULY, 4), (Partition { month: 202508, ..JULY }, 9)];
        let all = all.map(|record| promise.acknowledgement(Some(record)));
        let whole = promise.acknowledgement(None);
        assert!(all[0].answer().is_none());
        promise.keep(vec![Failed { partition: JULY, from: 4, kind: io::ErrorKind::StorageFull }]);
        assert!(matches!(all[0].answer(), Some(Ok(()))) && matches!(all[2].answer(), Some(Ok(()))));
        for failed in [&all[1], &whole] {
            assert!(matches!(failed.answer(), Some(Err(SpoolError::NotWritten(io::ErrorKind::StorageFull)))));
        }
        let promise = Promise::new();
        let mut waits = Waits::on(&promise, 0);
        drop(promise);
        assert_eq!(waits.woken(), 1);
        assert!(matches!(waits.poll(), Poll::Ready(Err(SpoolError::Closed))));
    }
}
