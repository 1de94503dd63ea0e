//! The workers: one thread, one runtime, one listener each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::{Mutex, mpsc, watch};

use super::LifeError;
use crate::capture;
use crate::config::Config;
use crate::front::gateway::{Gateway, Site};
use crate::front::listen::{self, Door, Shared};
use crate::upstream::{Sites, Upstream};

/// Threads that serve visitors.
pub struct Workers {
    threads: Vec<thread::JoinHandle<()>>,
    failures: Mutex<mpsc::Receiver<String>>,
    sites: Arc<Sites>,
}

impl Workers {
    /// Starts one for each set of listeners. They serve until `stopped` turns true. Once there is one of them, what goes wrong comes
    /// out of [`failed`](Workers::failed).
    pub fn start(
        doors: Vec<Vec<Door>>,
        config: &Config,
        (site, shared): (Arc<Site>, Arc<Shared>),
        capture: Arc<capture::Shared>,
        stopped: watch::Receiver<bool>,
    ) -> Result<Workers, LifeError> {
        let (tell, failures) = mpsc::channel(doors.len().max(1));
        let mut threads = Vec::with_capacity(doors.len());
        // What is wrong with the upstream's configuration or the system's certificates comes out here, not in a thread.
        let sites = Sites::new(config.gateway.site.clone())?;
        let figures = sites.clone();
        site.metrics.upstreams.set(move |out| figures.write_prometheus(out));
        for (number, doors) in doors.into_iter().enumerate() {
            let (site, capture, sites) = (site.clone(), capture.clone(), sites.clone());
            let (shared, stopped, tell) = (shared.clone(), stopped.clone(), tell.clone());
            let serve = move || -> Result<(), String> {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let gateway = Gateway::new(site, capture, Upstream::new(sites));
                let work = listen::work(doors, gateway, shared, stopped);
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
        }
        Ok(Workers { threads, failures: Mutex::new(failures), sites })
    }

    /// Looks after the upstreams for as long as it is not dropped.
    pub fn tend_upstreams(&self) -> impl Future<Output = ()> + use<> {
        let sites = self.sites.clone();
        async move { sites.tend().await }
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
