//! How workers are told to end: all at once, or first the connections that are there, while others are still let in, so that a
//! process that gives way to another finishes what is long without keeping anybody waiting at the door.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::until::until;

/// How often the connections that are left are counted.
const LOOK: Duration = Duration::from_millis(20);

/// Longer than whoever goes on asking waits from one answer to the next question.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// The same while others are let in, so that nobody waits for it.
const LAST_WORDS_WHILE_OTHERS_COME: Duration = Duration::from_secs(1);

/// The side that tells.
pub struct Ender {
    older: watch::Sender<bool>,
    all: watch::Sender<bool>,
    /// Held by every connection that was there before any was asked to end.
    held: Arc<()>,
}

/// A worker's side.
#[derive(Clone)]
pub struct Ending {
    older: watch::Receiver<bool>,
    all: watch::Receiver<bool>,
    held: Arc<()>,
}

/// A connection's side.
pub struct Ends {
    /// Says when it is to finish its exchange and close.
    pub stop: Stop,
    older: Option<Arc<()>>,
}

/// How a connection learns that it is to finish.
#[derive(Clone)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    all: watch::Receiver<bool>,
}

impl Stop {
    /// Waits until it is to finish its exchange and close.
    pub async fn asked(&mut self) {
        let _ = self.asked.wait_for(|asked| *asked).await;
    }

    /// What turns when it is to finish, to be looked at.
    pub fn flag(&self) -> &watch::Receiver<bool> {
        &self.asked
    }

    /// Waits until nobody is let in any more, either.
    pub async fn everybody(&mut self) {
        let _ = self.all.wait_for(|all| *all).await;
    }

    /// How long a connection on which nothing is asked for is kept once it was [asked](Stop::asked) to finish: whoever goes on
    /// asking is answered meanwhile and told that the connection closes, instead of finding it closed (RFC 9112 §9.6).
    pub async fn last_words(&mut self) {
        tokio::select! {
            biased;
            // Somebody may be waiting at the door.
            () = self.everybody() => tokio::time::sleep(LAST_WORDS).await,
            () = tokio::time::sleep(LAST_WORDS_WHILE_OTHERS_COME) => {}
        }
    }
}

impl Ender {
    /// With a side for each worker.
    pub fn new() -> (Ender, Ending) {
        let (older, all, held) = (watch::Sender::new(false), watch::Sender::new(false), Arc::new(()));
        let ending = Ending { older: older.subscribe(), all: all.subscribe(), held: held.clone() };
        (Ender { older, all, held }, ending)
    }

    /// The connections that are there finish; others are let in as before. Resolves when those are gone.
    pub async fn older(&self, workers: usize) {
        self.older.send_replace(true);
        // Each worker holds it too, and so does this.
        while Arc::strong_count(&self.held) > workers + 1 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Nobody is let in any more, and all finish. Those that were asked to before have had their time and are cut.
    pub fn all(&self) {
        self.all.send_replace(true);
        self.older.send_replace(true);
    }
}

impl Ending {
    /// Waits until nobody is to be let in any more.
    pub async fn all(&self) {
        let _ = self.all.clone().wait_for(|all| *all).await;
    }

    /// For a connection that is let in now.
    pub fn connection(&self) -> Ends {
        let is_younger = *self.older.borrow();
        Ends {
            stop: Stop { asked: if is_younger { self.all.clone() } else { self.older.clone() }, all: self.all.clone() },
            older: (!is_younger).then(|| self.held.clone()),
        }
    }
}

impl Ends {
    /// Serves a connection, to its end or until it has had its time.
    pub async fn serve(self, connection: Pin<&mut impl Future<Output = ()>>) {
        let Ends { mut stop, older } = self;
        let looked_at = stop.clone();
        let cut = async {
            if older.is_none() {
                return std::future::pending().await;
            }
            stop.asked().await;
            if *stop.all.borrow() {
                // Everybody was asked at once, and the drain has a bound of its own.
                return std::future::pending().await;
            }
            stop.everybody().await;
        };
        until(connection, &[&looked_at.asked, &looked_at.all], cut).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    async fn serve_for_ever(ends: Ends) {
        ends.serve(pin!(std::future::pending())).await;
    }

    #[tokio::test]
    async fn who_is_there_first_finishes_first_and_nobody_waits_for_them_twice() {
        let (ender, ending) = Ender::new();
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let old = ending.connection();
        let mut old_stop = old.stop.clone();
        let old = tokio::spawn(async move { old.serve(pin!(async { drop(finished.await) })).await });
        let endless = tokio::spawn(serve_for_ever(ending.connection()));
        let older = tokio::spawn(async move {
            ender.older(1).await;
            ender
        });
        old_stop.asked().await;
        let young = ending.connection();
        assert!(!*young.stop.asked.borrow(), "who comes now is served");
        finish.send(()).unwrap();
        old.await.unwrap();
        assert!(!older.is_finished(), "one is left");
        endless.abort();
        let ender = older.await.unwrap();
        ender.all();
        ending.all().await;
        assert!(*young.stop.asked.borrow());
    }

    #[tokio::test]
    async fn who_has_had_their_time_is_cut_and_who_was_asked_with_everybody_is_not() {
        let (ender, ending) = Ender::new();
        let endless = tokio::spawn(serve_for_ever(ending.connection()));
        let _ = tokio::time::timeout(LOOK, ender.older(1)).await;
        assert!(!endless.is_finished());
        // The cut waits for what it has not seen yet.
        tokio::task::yield_now().await;
        ender.all();
        endless.await.unwrap();

        let (ender, ending) = Ender::new();
        let asked = tokio::spawn(serve_for_ever(ending.connection()));
        ender.all();
        assert!(tokio::time::timeout(LOOK * 3, asked).await.is_err(), "the drain's bound ends it");
    }
}
