//! The deadline for a request's head, made cheap. hyper sets it anew for every request and lets it go when the head is
//! there, which with a timer of the runtime's means two visits to its wheel for each. Here the connection has one timer that
//! stays where it is set: it is moved on when it fires too early, about once in a deadline.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

use crate::upstream::Deadline;

/// The timer of one connection; whoever sets it takes it from who had set it before.
#[derive(Clone)]
pub struct Alarm(Arc<Mutex<Deadline>>);

impl Alarm {
    /// For a new connection; within a runtime.
    pub fn new() -> Alarm {
        Alarm(Arc::new(Mutex::new(Deadline::over())))
    }

    fn set(&self, at: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set(at.into());
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

/// Ready when the time is over that was set last.
struct Ringing(Alarm);

impl Future for Ringing {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).poll_over(cx)
    }
}

impl Sleep for Ringing {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn it_rings_when_the_time_is_over_that_was_set_last() {
        let (alarm, began) = (Alarm::new(), Instant::now());
        let after = |milliseconds| began + Duration::from_millis(milliseconds);
        drop(alarm.sleep_until(after(5)));
        let mut sleep = alarm.sleep_until(after(60));
        assert!(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await);
        alarm.reset(&mut sleep, after(80));
        sleep.await;
        assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
        alarm.sleep_until(after(100)).await;
        assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn it_rings_earlier_where_it_is_set_to_an_earlier_time() {
        let (alarm, began) = (Alarm::new(), Instant::now());
        let mut sleep = alarm.sleep_until(began + Duration::from_secs(600));
        assert!(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await);
        alarm.reset(&mut sleep, began + Duration::from_millis(10));
        sleep.await;
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
