//! The end of a life: how the process drains, for good or for another process that takes its place.

use tokio::sync::{mpsc, oneshot, watch};

use super::super::control::{Asked, Outcome};
use super::super::database::Database;
use super::super::upgrade::{Next, UpgradeError};
use super::super::{Ended, LifeError};
use super::{ENDING, House, Preparing, Serving, UNDER_WAY, Why, refused};
use crate::ledger::Ledger;
use crate::spool::Spool;

impl Serving {
    /// Drains: no new visitors, open exchanges to their end, what was captured to disk and as far as it goes into the
    /// database, then the database itself.
    pub async fn end(
        mut self,
        house: House,
        database: Option<Database>,
        why: Result<Why, LifeError>,
        close: watch::Sender<bool>,
    ) -> Result<Ended, LifeError> {
        let calling_off = self.preparing.take().map(|Preparing { call_off, answer, .. }| {
            if let Some(answer) = answer {
                let _ = answer.send(refused(ENDING));
            }
            tokio::task::spawn_blocking(move || call_off.carry_out())
        });
        let turned_away = match why {
            Ok(Why::HandOver(..)) => UNDER_WAY,
            _ => ENDING,
        };
        // Nobody has to look into the log for that.
        let asked = std::mem::replace(&mut self.asked, mpsc::channel(1).1);
        tokio::spawn(turn_away(asked, turned_away));
        let (database, why) = match (database, why) {
            (Some(database), Ok(Why::HandOver(next, answer))) => {
                return self.hand_over(house, database, next, answer, close).await;
            }
            (database, why) => (database, why.map(drop)),
        };
        let House { workers, reloader, spool, ledger, stop, metrics, manager, sockets } = house;
        manager.stopping();
        metrics.draining.set(1);
        // First of all nobody is let in any more.
        drop(sockets);
        stop.all();
        let hurried = self.unless_hurried(workers.join()).await.is_none();
        reloader.flush_logs().await;
        drop(reloader);
        seal(spool, ledger).await;
        close.send_replace(true);
        let stopped = async {
            if let Some(database) = database {
                database.stop().await;
            }
        };
        let hurried = hurried || self.unless_hurried(stopped).await.is_none();
        // Within a second, however much of a hurry there is: it would hold the sockets of the next start.
        if let Some(calling_off) = calling_off {
            let _ = calling_off.await;
        }
        if let Some(control) = self.control.take() {
            control.end(false).await;
        }
        why?;
        if hurried { Err(LifeError::Hurried) } else { Ok(Ended::Done) }
    }

    /// Gives way to a process that is prepared.
    async fn hand_over(
        mut self,
        house: House,
        mut database: Database,
        mut next: Next,
        answer: Option<oneshot::Sender<Outcome>>,
        close: watch::Sender<bool>,
    ) -> Result<Ended, LifeError> {
        // Visitors are let in all the while, so this is no time to say that none are (`draining`).
        tracing::info!(process = next.id(), "the new process is prepared; this one gives way");
        let House { workers, reloader, spool, ledger, stop, manager, sockets, .. } = house;
        let finished = async {
            // What is long has its time while others are still served, and so has what is on its way into the database. Who
            // comes from then on waits for what is short.
            let drain = reloader.in_effect().config.gateway.drain;
            let older = tokio::time::timeout(drain, stop.older(workers.count()));
            let _ = tokio::join!(older, database.stop_shipping());
            stop.all();
            workers.join().await;
        };
        let hurried = self.unless_hurried(finished).await.is_none();
        reloader.flush_logs().await;
        drop(reloader);
        database.stop_watching().await;
        seal(spool, ledger).await;
        if hurried {
            next.end();
            return Err(LifeError::Hurried);
        }
        // Who asked for the end meanwhile did not mean another process to go on.
        if self.is_asked_to_end() {
            next.end();
            manager.stopping();
            drop(sockets);
            if let Some(answer) = answer {
                let _ = answer.send(refused("the gateway was asked to end, and has"));
            }
            close.send_replace(true);
            let hurried = self.unless_hurried(database.stop()).await.is_none();
            if let Some(control) = self.control.take() {
                control.end(false).await;
            }
            return if hurried { Err(LifeError::Hurried) } else { Ok(Ended::Done) };
        }
        // Now nobody holds them.
        next.go();
        let (id, farewell) = (next.id(), next.farewell());
        let serves = tokio::task::spawn_blocking(move || next.serves());
        close.send_replace(true);
        database.stop().await;
        if let Ok(farewell) = farewell {
            farewell.say();
        }
        let serves = serves.await.unwrap_or_else(|_| Err(UpgradeError::Ended("cannot be heard".into())));
        let is_asked_to_end = self.is_asked_to_end();
        let outcome = match &serves {
            Ok(()) => {
                sockets.gateway.leave_files();
                manager.main_process(id);
                tracing::info!(process = id, "the new process serves; this one ends");
                let said = format!("process {id} serves now");
                Outcome { done: true, said, process: id, ..Outcome::default() }
            }
            Err(error) => {
                tracing::error!(%error, "the new process did not take over");
                refused(&error.to_string())
            }
        };
        if let Some(answer) = answer {
            let _ = answer.send(outcome);
        }
        if let Some(control) = self.control.take() {
            control.end(true).await;
        }
        match serves {
            Ok(()) => Ok(Ended::Done),
            Err(_) if is_asked_to_end => Ok(Ended::Done),
            Err(_) => Ok(Ended::Stays(sockets)),
        }
    }

    /// What is waited for, unless somebody does not want to wait.
    async fn unless_hurried<T>(&mut self, waited_for: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = waited_for => Some(done),
            _ = self.hurry.wait_for(|hurry| *hurry) => None,
        }
    }
}

/// Answers whatever is asked while nothing can be done any more.
async fn turn_away(mut asked: mpsc::Receiver<Asked>, said: &str) {
    while let Some(Asked { answer, .. }) = asked.recv().await {
        let _ = answer.send(refused(said));
    }
}

/// What was captured and chosen is on disk, and nobody here holds the files any more.
async fn seal(spool: Spool, ledger: Ledger) {
    let sealed = tokio::task::spawn_blocking(move || {
        ledger.close();
        spool.close()
    });
    if let Ok(Err(error)) = sealed.await {
        tracing::error!(%error, "the spool was not closed cleanly; the next start recovers it");
    }
}
