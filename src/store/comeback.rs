//! When ClickHouse answers again. Of the embedded engine its supervisor knows; of a server elsewhere nobody does, and it is
//! asked after pauses alone ([`backoff`](super::backoff)). The engine's own pauses between two starts grow with each death, and
//! so do those of whoever asks it in vain: a pause is not waited out once there is somebody who answers. Called by the shippers
//! and by the writers of counts.

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::child::State;

/// Tells when the embedded engine answers again; of a server elsewhere, never ([`default`](Comeback::default)).
#[derive(Clone, Default)]
pub struct Comeback(Option<watch::Receiver<State>>);

impl Comeback {
    /// As the engine's supervisor tells it.
    pub fn of(state: watch::Receiver<State>) -> Comeback {
        Comeback(Some(state))
    }

    /// An attempt begins: only an engine that comes back later than this is news. So one that dies and is there again before
    /// its death was noticed here is news too.
    pub fn note(&mut self) {
        if let Some(state) = &mut self.0 {
            state.mark_unchanged();
        }
    }

    /// Waits so long, or until the engine answers again; says whether it does. Then pauses are to begin anew, since what made
    /// them grow is over.
    pub async fn within(&mut self, pause: Duration) -> bool {
        timeout(pause, self.again()).await.is_ok()
    }

    async fn again(&mut self) {
        let Some(state) = &mut self.0 else { return pending().await };
        while state.changed().await.is_ok() {
            if *state.borrow_and_update() == State::Up {
                return;
            }
        }
        // Nobody starts it any more.
        pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn an_engine_that_comes_back_ends_the_pause_and_nothing_else_does() {
        let (tell, state) = watch::channel(State::Up);
        let mut comeback = Comeback::of(state);
        comeback.note();
        assert!(!comeback.within(SHORT).await, "it was there all the time");
        tell.send_replace(State::Down);
        assert!(!comeback.within(SHORT).await, "it is away");
        tell.send_replace(State::Up);
        assert!(comeback.within(LONG).await);
        // It died and came back before anybody here knew of its death.
        comeback.note();
        tell.send_replace(State::Down);
        tell.send_replace(State::Up);
        assert!(comeback.within(LONG).await);
        assert!(!comeback.within(SHORT).await, "once for each time");
        tell.send_replace(State::Stopped);
        drop(tell);
        assert!(!comeback.within(SHORT).await, "nobody starts it any more");
    }

    #[tokio::test]
    async fn of_a_server_elsewhere_nothing_is_known_and_pauses_are_waited_out() {
        let pause = Duration::from_millis(30);
        let mut comeback = Comeback::default();
        comeback.note();
        let began = std::time::Instant::now();
        assert!(!comeback.within(pause).await);
        assert!(began.elapsed() >= pause);
    }
}
