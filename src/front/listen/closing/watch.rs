//! A visitor who may have gone, looked at now and then.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::front::turn::Turn;

/// Of one connection, while nobody else would notice that its visitor goes.
pub(super) struct Watch {
    next: Pin<Box<Sleep>>,
    every: Duration,
    /// For how long nothing has moved, as far as was looked.
    still: Duration,
    /// What was seen at the last look: whose turn it was, and whether somebody waited for more of the request.
    was_ours: bool,
    was_wanted: bool,
    is_starved: bool,
}

impl Watch {
    pub(super) fn begin(turn: &Turn, every: Duration) -> Watch {
        Watch {
            next: Box::pin(sleep(every)),
            every,
            still: Duration::ZERO,
            was_ours: turn.is_ours(),
            was_wanted: turn.is_wanted(),
            is_starved: false,
        }
    }

    /// Looks where it is time, and says whether it was; `here` is a visitor of whose going nothing is known, `moved` whether
    /// anything has, which it forgets.
    pub(super) fn poll_look(&mut self, cx: &mut Context<'_>, turn: &Turn, here: bool, moved: &mut bool) -> bool {
        let mut looked = false;
        while let Poll::Ready(()) = self.next.as_mut().poll(cx) {
            self.next.as_mut().reset(Instant::now() + self.every);
            self.look(turn, here, std::mem::take(moved));
            looked = true;
        }
        looked
    }

    fn look(&mut self, turn: &Turn, here: bool, moved: bool) {
        let (ours, wanted) = (turn.is_ours(), turn.is_wanted());
        let is_still = !moved && !here && ours == self.was_ours;
        self.still = if is_still { self.still + self.every } else { Duration::ZERO };
        self.is_starved = is_still && !ours && wanted && self.was_wanted;
        (self.was_ours, self.was_wanted) = (ours, wanted);
    }

    /// For how long nothing has moved either way, and the turn has not changed.
    pub(super) fn still(&self) -> Duration {
        self.still
    }

    /// Whether somebody has waited between two looks for more of a request that does not come.
    pub(super) fn is_starved(&self) -> bool {
        self.is_starved
    }
}
