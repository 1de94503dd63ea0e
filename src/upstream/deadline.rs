//! The time limits of one exchange.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::UpstreamError;

/// Longer than any exchange: where only its end counts.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// A time limit that costs next to nothing to move: the runtime's timer stays where it is set and is moved on only
/// when it fires too early, about once in a time-out instead of twice in an exchange.
pub struct Deadline {
    at: Instant,
    /// When the whole exchange must be over, whatever goes on.
    end: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// One that is over.
    pub fn over() -> Self {
        let at = Instant::now();
        Deadline { at, end: None, timer: Box::pin(sleep_until(at)) }
    }

    /// From now on nothing takes longer than until `end`.
    pub(super) fn end_at(&mut self, end: Option<Instant>) {
        self.end = end;
    }

    /// Whether the whole exchange has taken too long.
    pub(super) fn is_past_end(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// This long from `now`, but not beyond the end.
    pub fn restart(&mut self, now: Instant, period: Duration) {
        let at = now + period;
        self.set(self.end.map_or(at, |end| at.min(end)));
    }

    /// At a given time.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
        if self.at < self.timer.deadline() {
            self.timer.as_mut().reset(self.at);
        }
    }

    /// Ready when a pause in a body has taken too long; `None` may be for ever. `paused` says whether its time is running.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>, idle: Option<Duration>, paused: &mut bool) -> Poll<()> {
        let idle = match (idle, self.end) {
            (Some(idle), _) => idle,
            (None, Some(_)) => FOREVER,
            (None, None) => return Poll::Pending,
        };
        if !*paused {
            *paused = true;
            self.restart(Instant::now(), idle);
        }
        self.poll_over(cx)
    }

    /// What such a pause is called.
    pub(super) fn pause_error(&self) -> UpstreamError {
        if self.is_past_end() { UpstreamError::TotalTimeout } else { UpstreamError::IdleTimeout }
    }

    /// Ready when the time is over.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.at);
        }
    }
}
