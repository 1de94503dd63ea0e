//! The workers: one thread, one runtime, listeners of its own each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, mpsc};

use super::LifeError;
use super::secured::Secured;
use crate::capture;
use crate::front::current::Current;
use crate::front::ending::Ending;
use crate::front::gateway::{Gateway, Site};
use crate::front::listen::{self, Connections, Door, Room, Shared};
use crate::observe::latency::Latencies;
use crate::upstream::{Sites, Upstream};

/// What a worker's gateway is made of.
#[derive(Clone)]
pub struct Making {
    /// What all workers know of the site.
    pub site: Arc<Site>,
    /// What capturing needs.
    pub capture: Arc<capture::Shared>,
    /// Where the site is.
    pub sites: Arc<Sites>,
    /// What they share where visitors come in.
    pub shared: Arc<Shared>,
    /// TLS to visitors.
    pub secured: Option<Secured>,
}

impl Making {
    /// For one worker.
    fn room(&self, latencies: Arc<Latencies>) -> Room {
        let upstream = Upstream::new(self.sites.clone());
        Room::new(Gateway::new(self.site.clone(), self.capture.clone(), upstream, latencies), self.shared.clone())
    }
}

/// Another gateway for a worker, and who waits for it to be taken.
struct Change {
    making: Making,
    taken: mpsc::Sender<()>,
}

/// Threads that serve visitors.
pub struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    failures: Mutex<mpsc::Receiver<String>>,
    changes: Vec<mpsc::Sender<Change>>,
    connections: Arc<Connections>,
}

impl Workers {
    /// Starts one for each set of listeners. They serve until they are told to end. Once there is one of them, what goes wrong comes
    /// out of [`failed`](Workers::failed).
    pub fn start(doors: Vec<Vec<Door>>, making: &Making, ending: Ending) -> Workers {
        let (tell, failures) = mpsc::channel(doors.len().max(1));
        let mut threads = Vec::with_capacity(doors.len());
        let mut changes = Vec::with_capacity(doors.len());
        for (number, doors) in doors.into_iter().enumerate() {
            let making = making.clone();
            let latencies = making.site.metrics.worker(number);
            let (change, changed) = mpsc::channel(1);
            let (ending, tell) = (ending.clone(), tell.clone());
            let serve = move || -> Result<(), String> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let current = Current::new(making.room(latencies.clone()));
                drop(making);
                let work = listen::work(doors, current.clone(), ending);
                let work = async {
                    tokio::select! {
                        ended = work => ended,
                        () = take(&current, latencies, changed) => unreachable!("changes are waited for without end"),
                    }
                };
                runtime.and_then(|runtime| runtime.block_on(work)).map_err(|e| e.to_string())
            };
            // The channel has a place for each worker. Where nobody listens any more the process is ending.
            let not_started = tell.clone();
            let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                if let Err(failure) = told(serve) {
                    let _ = tell.try_send(failure);
                }
            });
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => drop(not_started.try_send(format!("the system gave it no thread: {error}"))),
            }
            changes.push(change);
        }
        Workers { threads, failures: Mutex::new(failures), changes, connections: making.shared.connections() }
    }

    /// From now on requests are answered by gateways of another making; resolves when every worker has taken it.
    pub async fn change(&self, making: &Making) {
        let (taken, mut all) = mpsc::channel(self.changes.len().max(1));
        for worker in &self.changes {
            // A worker that is gone has said so itself.
            let _ = worker.send(Change { making: making.clone(), taken: taken.clone() }).await;
        }
        drop(taken);
        while all.recv().await.is_some() {}
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// The connections that are open.
    pub fn connections(&self) -> Arc<Connections> {
        self.connections.clone()
    }

    /// Resolves when a worker fails; never while all are well.
    pub async fn failed(&self) -> LifeError {
        match self.failures.lock().await.recv().await {
            Some(failure) => LifeError::Worker(failure),
            None => std::future::pending().await,
        }
    }

    /// Waits until all have ended.
    pub async fn join(self) {
        let joined = tokio::task::spawn_blocking(move || {
            for thread in self.threads {
                // How it ended it has said itself.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

/// Takes each gateway that is made for this worker in the place of the one it has.
async fn take(current: &Current, latencies: Arc<Latencies>, mut changed: mpsc::Receiver<Change>) {
    while let Some(Change { making, taken }) = changed.recv().await {
        current.replace(making.room(latencies.clone()));
        let _ = taken.send(()).await;
    }
    std::future::pending().await
}

/// A panic within an exchange ends that exchange alone; one that comes up to here must be told like any other failure, or
/// the process would live on and serve nobody.
fn told(serve: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    // Nothing the worker held is used after it.
    let ended = catch_unwind(AssertUnwindSafe(serve));
    ended.unwrap_or_else(|_| Err("it panicked; the lines above say where".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_panics_is_a_worker_that_failed() {
        assert_eq!(told(|| Ok(())), Ok(()));
        assert_eq!(told(|| Err("no listener".to_owned())), Err("no listener".to_owned()));
        assert!(told(|| panic!("for the test")).is_err_and(|failure| failure.contains("panicked")));
    }
}
