//! The workers: one thread, one runtime, one listener each.

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, mpsc};

use super::LifeError;
use crate::capture;
use crate::config::Gateway as Configured;
use crate::front::current::Current;
use crate::front::ending::Ending;
use crate::front::gateway::{Gateway, Site};
use crate::front::listen::{self, Connections};
use crate::observe::latency::Latencies;
use crate::upstream::{Address, Bounds, Upstream, UpstreamSetupError};

/// What a worker's gateway is made of.
#[derive(Clone)]
pub struct Making {
    /// What all workers know of the site.
    pub site: Arc<Site>,
    /// What capturing needs.
    pub capture: Arc<capture::Shared>,
    /// Where the site is.
    pub gateway: Configured,
}

impl Making {
    /// What is wrong with the way to the site, or with the system's certificates, comes out here, not in a thread.
    pub fn check(config: &Configured) -> Result<(), UpstreamSetupError> {
        way_to_the_site(config).map(drop)
    }

    fn gateway(&self, latencies: Arc<Latencies>) -> Result<Gateway, String> {
        let upstream = way_to_the_site(&self.gateway).map_err(|e| e.to_string())?;
        Ok(Gateway::new(self.site.clone(), self.capture.clone(), upstream, latencies))
    }
}

/// Another gateway for a worker, and who waits for it to be taken.
struct Change {
    making: Making,
    taken: mpsc::Sender<Result<(), String>>,
}

/// Threads that serve visitors.
pub struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    failures: Mutex<mpsc::Receiver<String>>,
    changes: Vec<mpsc::Sender<Change>>,
    connections: Arc<Connections>,
}

impl Workers {
    /// Starts one for each listener. They serve until they are told to end. Once there is one of them, what goes wrong comes
    /// out of [`failed`](Workers::failed).
    pub fn start(listeners: Vec<TcpListener>, making: &Making, ending: Ending) -> Result<Workers, LifeError> {
        Making::check(&making.gateway)?;
        let all = Arc::new(Connections::default());
        let (tell, failures) = mpsc::channel(listeners.len().max(1));
        let mut threads = Vec::with_capacity(listeners.len());
        let mut changes = Vec::with_capacity(listeners.len());
        for (number, listener) in listeners.into_iter().enumerate() {
            let making = making.clone();
            let latencies = making.site.metrics.worker(number);
            let (change, changed) = mpsc::channel(1);
            let (connections, ending, tell) = (all.clone(), ending.clone(), tell.clone());
            let serve = move || -> Result<(), String> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let current = Current::new(making.gateway(latencies.clone())?);
                drop(making);
                let work = listen::work(listener, current.clone(), connections, ending);
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
        Ok(Workers { threads, failures: Mutex::new(failures), changes, connections: all })
    }

    /// From now on requests are answered by gateways of another making; resolves when every worker has taken it.
    pub async fn change(&self, making: &Making) -> Result<(), LifeError> {
        let (taken, mut all) = mpsc::channel(self.changes.len().max(1));
        for worker in &self.changes {
            // A worker that is gone has said so itself.
            let _ = worker.send(Change { making: making.clone(), taken: taken.clone() }).await;
        }
        drop(taken);
        while let Some(done) = all.recv().await {
            done.map_err(LifeError::Worker)?;
        }
        Ok(())
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
        let made = making.gateway(latencies.clone()).map(|gateway| current.replace(gateway));
        let _ = taken.send(made).await;
    }
    std::future::pending().await
}

/// As it is configured.
fn way_to_the_site(gateway: &Configured) -> Result<Upstream, UpstreamSetupError> {
    let (url, limits) = (&gateway.upstream, &gateway.limits);
    let bounds = Bounds {
        connect: limits.connect_timeout,
        answer: limits.answer_timeout,
        idle: limits.idle_timeout,
        max_request_body: limits.max_body_bytes,
    };
    Upstream::new(Address { tls: url.tls, host: url.host.clone(), port: url.port }, bounds)
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
