//! The deadline for a request's head, made cheap. hyper sets it anew for every request and lets it go when the head is
//! there, which with a timer of the runtime's means two visits to its wheel for each. Here the connection has one timer that
//! stays where it is set: it is moved on when it fires too early, about once in a deadline.
//!
//! To hyper the time between two requests is the next head's. Here a connection that waits is [kept](Keeping) for longer, and
//! the time for a head begins with its first byte.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use super::listen::Keeping;
use super::turn::Turn;
use crate::upstream::Deadline;

/// The timer of one connection; whoever sets it takes it from who had set it before.
#[derive(Clone)]
pub struct Alarm(Arc<Mutex<Wait>>);

/// What a connection waits for.
struct Wait {
    deadline: Deadline,
    keeping: Keeping,
    turn: Turn,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing yet.
    New,
    /// A head's end: its time runs.
    Head,
    /// The next request, since then.
    Between(tokio::time::Instant),
}

impl Alarm {
    /// For a new connection and the turn of its requests; within a runtime.
    pub fn new(keeping: Keeping, turn: Turn) -> Alarm {
        Alarm(Arc::new(Mutex::new(Wait { deadline: Deadline::over(), keeping, turn, state: State::New })))
    }

    /// hyper begins to wait for a head that may take until `at`.
    fn set(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set(at.into());
    }
}

impl Wait {
    fn set(&mut self, at: tokio::time::Instant) {
        let Some(since) = at.checked_sub(self.keeping.head).filter(|_| self.state != State::New) else {
            self.state = State::Head;
            return self.deadline.set(at);
        };
        self.state = State::Between(since);
        self.deadline.set(self.keeping.look(since, since).unwrap_or(since));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.state, State::Between(_)) && self.turn.has_begun() {
            self.state = State::Head;
            self.deadline.set(tokio::time::Instant::now() + self.keeping.head);
        }
        loop {
            ready!(self.deadline.poll_over(cx));
            let State::Between(since) = self.state else { return Poll::Ready(()) };
            match self.keeping.look(since, tokio::time::Instant::now()) {
                Some(next) => self.deadline.set(next),
                None => return Poll::Ready(()),
            }
        }
    }
}

impl Timer for Alarm {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.set(deadline);
        Box::pin(Ringing(self.clone()))
    }

    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        self.set(new_deadline);
    }
}

/// Ready when what the connection waits for has taken too long.
struct Ringing(Alarm);

impl Future for Ringing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).poll(cx)
    }
}

impl Sleep for Ringing {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const HEAD: Duration = Duration::from_millis(60);

    fn alarm(between: Duration) -> (Alarm, Turn) {
        let turn = Turn::default();
        (Alarm::new(Keeping { head: HEAD, between, crowd: None }, turn.clone()), turn)
    }

    async fn pends(sleep: &mut Pin<Box<dyn Sleep>>) -> bool {
        poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn the_first_head_has_its_time_from_the_beginning_and_no_more() {
        let (alarm, _) = alarm(HEAD * 100);
        let began = Instant::now();
        alarm.sleep(HEAD).await;
        assert!((HEAD..HEAD * 50).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_connection_is_kept_between_two_requests_and_then_is_not() {
        let (alarm, _) = alarm(HEAD * 4);
        drop(alarm.sleep(HEAD));
        for _ in 0..2 {
            let began = Instant::now();
            alarm.sleep(HEAD).await;
            assert!((HEAD * 4..HEAD * 50).contains(&began.elapsed()), "{:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn a_head_that_has_begun_has_its_time_from_its_first_byte() {
        let (alarm, turn) = alarm(HEAD * 1000);
        drop(alarm.sleep(HEAD));
        let mut sleep = alarm.sleep(HEAD);
        assert!(pends(&mut sleep).await);
        tokio::time::sleep(HEAD * 2).await;
        assert!(pends(&mut sleep).await, "it is kept");
        let began = Instant::now();
        turn.read();
        assert!(pends(&mut sleep).await);
        // More of it gives it no more time.
        turn.read();
        sleep.await;
        assert!((HEAD..HEAD * 50).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn one_that_is_kept_for_less_than_a_head_may_take_has_all_its_time_for_a_head() {
        let (alarm, turn) = alarm(HEAD / 6);
        drop(alarm.sleep(HEAD));
        let mut sleep = alarm.sleep(HEAD);
        turn.read();
        let began = Instant::now();
        assert!(pends(&mut sleep).await);
        sleep.await;
        assert!(began.elapsed() >= HEAD, "{:?}", began.elapsed());
    }
}
