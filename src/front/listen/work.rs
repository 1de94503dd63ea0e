//! One worker: it accepts, holds to the bounds, serves, and lets open exchanges finish when it is asked to end.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

use super::accept::Acceptor;
use super::addresses::{Addresses, Pace};
use super::greet;
use super::keeping::Keeping;
use super::places::Door;
use crate::config::{self, AcmeChallenge};
use crate::front::current::Current;
use crate::front::ending::Ending;
use crate::front::gateway::Gateway;
use crate::front::tls::Tls;
use crate::front::tls::challenges::Challenges;
use crate::observe::Metrics;

/// How often idle connections to the site are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// What all workers share where visitors come in: made of a configuration, but who is there and how often they came outlives it.
pub struct Shared {
    pub(super) metrics: Arc<Metrics>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) challenges: Arc<Challenges>,
    pub(super) addresses: Arc<Addresses>,
    pub(super) pace: Option<Arc<Pace>>,
    /// As it is configured.
    requests_per_address: Option<config::RequestPace>,
    pub(super) proxies: Vec<IpNet>,
    pub(super) h2c: bool,
    /// The port visitors are sent to who come without TLS.
    pub(super) redirect: Option<u16>,
    pub(super) hsts: Option<HeaderValue>,
    /// Whether an authority may ask for a file.
    file_challenges: bool,
    open: Arc<Connections>,
    /// How many there may be.
    pub(super) shares: config::Shares,
    /// When each worker has last moved.
    moved: Arc<Mutex<Vec<Instant>>>,
}

impl Shared {
    /// As it is configured and the system allows; `challenges` are those of `tls`, `before` is the one whose place it takes.
    pub fn new(
        gateway: &config::Gateway,
        shares: config::Shares,
        tls: Option<Arc<Tls>>,
        challenges: Arc<Challenges>,
        metrics: Arc<Metrics>,
        before: Option<&Shared>,
    ) -> Shared {
        let requests_per_address = gateway.limits.visitor.requests_per_address;
        // Who has had their share has had it, whatever else changes.
        let same = before.filter(|before| before.requests_per_address == requests_per_address);
        let pace = same.and_then(|before| before.pace.clone());
        let settings = gateway.tls.as_ref();
        let acme = settings.and_then(|tls| tls.acme.as_ref());
        let hsts = settings.and_then(|tls| tls.hsts).map(|period| format!("max-age={}", period.as_secs()));
        Shared {
            metrics,
            tls,
            challenges,
            addresses: before.map(|before| before.addresses.clone()).unwrap_or_default(),
            pace: pace.or_else(|| requests_per_address.map(Pace::new).map(Arc::new)),
            requests_per_address,
            proxies: gateway.doors.proxy_protocol_from.clone(),
            h2c: gateway.doors.h2c,
            redirect: settings.filter(|tls| tls.redirect).map(|tls| tls.public_port),
            hsts: hsts.and_then(|hsts| HeaderValue::from_str(&hsts).ok()),
            file_challenges: acme.is_some_and(|acme| acme.challenge == AcmeChallenge::Http01),
            open: before.map(|before| before.open.clone()).unwrap_or_default(),
            shares,
            moved: before.map(|before| before.moved.clone()).unwrap_or_default(),
        }
    }

    /// Whether anything can be settled before a request comes in; where not, nothing is looked at twice.
    pub(super) fn settles(&self) -> bool {
        self.file_challenges || self.pace.is_some() || self.redirect.is_some()
    }

    /// Whether every worker that was started has moved within `patience`.
    pub fn all_alive(&self, patience: Duration) -> bool {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.iter().all(|at| at.elapsed() <= patience)
    }

    /// Takes note of a worker, and gives its number.
    fn begin(&self) -> usize {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.push(Instant::now());
        moved.len() - 1
    }

    fn beat(&self, worker: usize) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.iter_mut().skip(worker).take(1).for_each(|at| *at = Instant::now());
    }

    /// The connections that are open, over all workers.
    pub fn connections(&self) -> Arc<Connections> {
        self.open.clone()
    }
}

/// Open connections over all workers, held to a bound.
#[derive(Default)]
pub struct Connections(AtomicUsize);

/// A connection's place among them.
pub(super) struct Seat(Arc<Connections>);

impl Connections {
    pub(super) fn take(self: &Arc<Self>, bound: usize) -> Option<Seat> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(self.clone());
        (taken < bound).then_some(seat)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a connection needs of its worker, made of one configuration.
pub struct Room {
    pub(super) gateway: Rc<Gateway>,
    pub(super) shared: Arc<Shared>,
}

impl Room {
    /// For one worker.
    pub fn new(gateway: Gateway, shared: Arc<Shared>) -> Room {
        Room { gateway: Rc::new(gateway), shared }
    }

    /// What its connections are held to while they wait.
    pub(super) fn keeping(&self) -> Keeping {
        let (limits, shared) = (self.gateway.limits(), &self.shared);
        let crowd = Some((shared.open.clone(), shared.shares.visitors));
        Keeping { head: limits.head_timeout, between: limits.keep_alive, crowd }
    }

    /// What is to be done once a second.
    fn tick(&self, worker: usize) {
        self.shared.beat(worker);
        self.gateway.sweep();
    }
}

/// Serves visitors on one worker until nobody is to be let in any more, then lets open exchanges finish.
pub async fn work(doors: Vec<Door>, current: Rc<Current>, ending: Ending) -> io::Result<()> {
    let acceptor = Acceptor::new(doors)?;
    let number = current.get().shared.begin();
    let tasks = LocalSet::new();
    let mut open = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    // Until when nothing is accepted, where the system had nothing left.
    let mut resting = None;
    tasks
        .run_until(async {
            loop {
                let next = async {
                    if let Some(until) = resting {
                        sleep_until(until).await;
                    }
                    acceptor.next().await
                };
                tokio::select! {
                    accepted = next => match accepted {
                        Ok(accepted) => {
                            resting = None;
                            let room = current.get();
                            // A place that is not to be had closes the connection at once: nobody waits for nothing.
                            let Some(seat) = room.shared.open.take(room.shared.shares.visitors) else {
                                room.shared.metrics.doors.refused_in_total.count();
                                continue;
                            };
                            let ends = ending.connection();
                            let current = current.clone();
                            // Made where it stays: whatever is moved into a future takes its room twice.
                            open.spawn_local(async move {
                                let connection = pin!(greet::serve(accepted, current, ends.stop.clone()));
                                ends.serve(connection).await;
                                drop(seat);
                            });
                        }
                        Err(error) => {
                            current.get().shared.metrics.doors.accepts_failed.count();
                            resting = Some(Instant::now() + acceptor.rest(&error));
                        }
                    },
                    Some(_) = open.join_next(), if !open.is_empty() => {}
                    _ = sweep.tick() => current.get().tick(number),
                    () = ending.all() => break,
                }
            }
            drop(acceptor);
            let drain = current.get().gateway.drain();
            let drained = async {
                while !open.is_empty() {
                    tokio::select! {
                        _ = open.join_next() => {}
                        // Whoever drains is alive.
                        _ = sweep.tick() => current.get().tick(number),
                    }
                }
            };
            if tokio::time::timeout(drain, drained).await.is_err() {
                tracing::warn!(connections = open.len(), "connections still open after {drain:?} are closed");
            }
        })
        .await;
    Ok(())
}
