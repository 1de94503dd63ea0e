//! The life of the process, read top to bottom: take charge of the data folder, open keys, ledger, spool and sockets, start the
//! database and the workers, serve until asked to end or to give way, drain, and leave nothing behind. Meanwhile its
//! configuration may be read [again](reload), and a new process may [take its place](upgrade). Called by `serve` and `demo`;
//! `reload` and `upgrade` ask the running process through [`control`].
//!
//! The site comes first: once the sockets are bound pages are served, whether the database answers or not, and what is
//! captured meanwhile waits in the spool.

pub mod control;
mod database;
mod error;
mod keys;
mod notify;
mod open;
mod places;
mod reload;
mod secured;
mod serving;
mod signals;
mod site;
mod sockets;
mod upgrade;
mod workers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::capture;
use crate::capture::event::Event;
use crate::config::{ClickHouse, Config, Explained};
use crate::consent::Policy;
use crate::dashboard::{self, password};
use crate::engine::provision;
use crate::enrich::Places;
use crate::front::ending::Ender;
use crate::front::listen::{Connections, Place};
use crate::keys::{KeyRing, private_folder};
use crate::ledger::LedgerError;
use crate::observe::Metrics;
use crate::spool::{Partition, Refused, Spool, SpoolError};
use crate::statistics::Lane;
use crate::store::client;
use database::Database;
pub use error::LifeError;
use notify::Manager;
use reload::Reloader;
use serving::{House, Serving};
use signals::{Early, Signals};
use site::Lasting;
use sockets::Sockets;
use upgrade::Before;
use workers::Workers;

/// How often the spool is looked at by who waits for it to be empty.
const SHIPPED_LOOK: Duration = Duration::from_millis(20);
/// How often open connections are counted.
const CONNECTIONS_LOOK: Duration = Duration::from_secs(1);
/// How long a lock of a process that is ending is waited for.
const LOCKED: Duration = Duration::from_secs(5);

/// What the program was told, and where.
pub struct Told {
    /// The configuration, with where each value comes from.
    pub explained: Explained,
    /// The file that is read again when that is asked for; nothing where there is none.
    pub file: Option<PathBuf>,
}

/// Where everything is, once it is there.
pub struct Started {
    /// Where visitors connect: the first place without TLS, else the first with it.
    pub gateway: Place,
    /// Every place where they connect without TLS.
    pub plain: Vec<Place>,
    /// Every place where they connect by TLS.
    pub tls: Vec<Place>,
    /// Where the dashboard is.
    pub dashboard: SocketAddr,
    /// Where the embedded ClickHouse answers over TCP, if it was asked to.
    pub clickhouse: Option<SocketAddr>,
    /// Whether the embedded database answers, or one elsewhere is to.
    pub database: bool,
    /// The dashboard's password, if this start made it.
    pub new_password: Option<String>,
    /// What the site asks visitors for.
    pub policy: Policy,
    /// What capturing needs.
    pub capture: Arc<capture::Shared>,
    spool: Spool,
}

impl Started {
    /// Puts an event into the spool, as the front door does.
    pub fn keep(&self, event: &Event) -> Result<(), Refused> {
        self.spool.append(Partition::of(event.ts(), event.retention_days()), |out| event.encode(out))
    }

    /// Waits until nothing that was kept so far waits in the spool any more, for `patience` at most; says whether that came.
    pub async fn shipped(&self, patience: Duration) -> bool {
        let settled = async {
            // Rather than for its batch to come of age. A spool that is closed has sealed what it had.
            let _ = self.spool.flush().await;
            while self.spool.status().waiting_rows > 0 {
                tokio::time::sleep(SHIPPED_LOOK).await;
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Lives until a signal ends it or another process has taken its place. `ready` is called once, when everything listens and
/// the embedded database answers or could not be started: it is tried again and again then.
pub fn run(mut told: Told, ready: impl AsyncFnOnce(&Started) -> Result<(), LifeError>) -> Result<(), LifeError> {
    // First of all: descriptors that were left to this process are known by their numbers alone.
    let (mut before, mut handed) = Before::look().map_err(LifeError::Inherited)?.unzip();
    // As it is called now: a file that is replaced later is the program that takes this one's place.
    let program = std::env::current_exe().map_err(LifeError::Runtime)?;
    let mut ready = Some(ready);
    loop {
        match live(&mut told, before.take(), handed.take(), &program, ready.take())? {
            Ended::Done => return Ok(()),
            Ended::Stays(sockets) => {
                tracing::warn!("the new process does not serve; this one starts again in its place");
                handed = Some(sockets);
            }
        }
    }
}

/// How a life ended.
enum Ended {
    /// For good.
    Done,
    /// Another process was to take its place and could not: it begins anew with these sockets.
    Stays(Sockets),
}

fn live(
    told: &mut Told,
    mut before: Option<Before>,
    handed: Option<Sockets>,
    program: &std::path::Path,
    ready: Option<impl AsyncFnOnce(&Started) -> Result<(), LifeError>>,
) -> Result<Ended, LifeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LifeError::Runtime)?;
    let early = runtime.block_on(async { Early::listen() })?;
    let config = told.explained.config.clone();
    // One that takes another's place has a ring to take over; a new one would make every choice void.
    if before.is_some() && matches!(config.key_ring.try_exists(), Ok(false)) {
        return Err(LifeError::NoRing(config.key_ring));
    }
    // What can be wrong with this machine comes out before anything is started.
    private_folder::adopt(&config.data_dir)?;
    let now = now_ms() as u64 / 1000;
    let ring = Arc::new(KeyRing::open_or_create(&config.key_ring, config.gateway.site_id, now)?);
    let trouble = keys::look(&ring, &config.key_windows, None);
    let (verifier, new_password) = password::open_or_create(&config.data_dir, now)?;
    let fetched = match (&mut before, &handed) {
        (Some(before), Some(sockets)) => {
            sockets.check(&config)?;
            let fetched = fetch(&config)?;
            site::check(&config)?;
            before.prepared()?;
            Some(fetched)
        }
        _ => None,
    };
    let patience = if handed.is_some() { LOCKED } else { Duration::ZERO };
    let spool = when_free(patience, || open::spool(&config))?;
    // Without it no choice could be proven, so nobody is asked.
    let ledger = when_free(patience, || open::ledger(&config, &ring))?;
    let replaced = Arc::new(ledger.replaced(now_ms() - config.policy.choice_life as i64 * 1000)?);
    let sockets = match handed {
        Some(sockets) => sockets,
        None => Sockets::bind(&config)?,
    };
    let doors = sockets.gateway.doors(config.gateway.workers).map_err(LifeError::Runtime)?;
    let listener = sockets.dashboard.try_clone().map_err(LifeError::Runtime)?;
    let gateway = sockets.gateway_place().map_err(LifeError::Runtime)?;
    let dashboard = sockets.dashboard.local_addr().map_err(LifeError::Runtime)?;
    let (library, places) = match fetched {
        Some(fetched) => fetched,
        None => fetch(&config)?,
    };

    let metrics = Arc::new(Metrics::default());
    let pages = dashboard::Parts {
        client: client::connect(&config.clickhouse, &config.data_dir)?,
        metrics: metrics.clone(),
        verifier,
        site_id: config.gateway.site_id,
        spool_max_bytes: config.spool.max_bytes,
    };
    let lasting = Lasting {
        ring: ring.clone(),
        ledger: ledger.clone(),
        spool: spool.clone(),
        metrics: metrics.clone(),
        replaced,
        challenges: Arc::default(),
        seen: Arc::default(),
        asked: Arc::default(),
        statistics: config.modes.differ().then(|| Arc::new(Lane::new(now))),
    };
    let (statistics, asked) = (lasting.statistics.clone(), lasting.asked.clone());
    let capture = lasting.capture(&config, places)?;
    let making = lasting.making(&config, capture.clone(), None)?;
    let (stop, ending) = Ender::new();
    // Before anybody is served, so that who asks us to end, however early, ends us in order.
    let signals = runtime.block_on(async { Signals::listen(early) })?;
    let workers = Workers::start(doors, &making, ending);
    if let Some(before) = &before {
        before.serving();
        sockets.gateway.keep_files();
    }
    let manager = Manager::from_environment();
    manager.ready();

    // From here on visitors are served: whatever goes wrong, the way out is the drain.
    let lived = runtime.block_on(async {
        let telling = tokio::spawn(manager.clone().keep_told(making.shared.clone()));
        let reloader = Reloader::new(told, making, lasting);
        let tending = tokio::spawn(keys::tend(ring, reloader.windows(), trouble));
        let refreshing = tokio::spawn(places::keep_fresh(reloader.capture()));
        let counting = tokio::spawn(count_connections(workers.connections(), metrics.clone()));
        let (close, mut closed) = watch::channel(false);
        let shutdown = async move { drop(closed.wait_for(|closed| *closed).await) };
        let listener = TcpListener::from_std(listener).map_err(LifeError::Runtime);
        let state = Arc::new(dashboard::State::new(pages));
        let pages = tokio::spawn(async move {
            match listener {
                Ok(listener) => dashboard::serve(listener, state, shutdown).await,
                Err(error) => tracing::error!(%error, "the dashboard cannot be served"),
            }
        });
        let mut serving = Serving::begin(signals, &config.data_dir, program);
        // The process before may still be storing its counts.
        if let Some(mut before) = before {
            let _ = tokio::task::spawn_blocking(move || before.done()).await;
        }
        let counts = (statistics, asked);
        let started = Database::start(&config, library, spool.clone(), ledger.clone(), counts, metrics.clone());
        let mut house = House { workers, reloader, spool, ledger, stop, metrics, manager, sockets };
        let (database, why) = match started {
            Err(error) => (None, Err(error)),
            Ok(database) => {
                let started = Started {
                    gateway,
                    plain: house.sockets.gateway.places(false),
                    tls: house.sockets.gateway.places(true),
                    dashboard,
                    clickhouse: database.listen,
                    database: false,
                    new_password,
                    policy: config.policy.clone(),
                    capture,
                    spool: house.spool.clone(),
                };
                let mut beginning = database.beginning();
                let ready = async {
                    let is_well = beginning.over().await;
                    match ready {
                        Some(ready) => ready(&Started { database: is_well, ..started }).await,
                        None => Ok(()),
                    }
                };
                (Some(database), serving.serve(&mut house, ready).await)
            }
        };
        told.explained = house.reloader.in_effect().clone();
        tending.abort();
        refreshing.abort();
        let ended = serving.end(house, database, why, close).await;
        let _ = pages.await;
        counting.abort();
        telling.abort();
        ended
    });
    // A look-up of a host name may still hang in a thread; nothing waits for it.
    runtime.shutdown_background();
    lived
}

/// Copies how many connections are open into the metrics, for as long as the process lives.
async fn count_connections(connections: Arc<Connections>, metrics: Arc<Metrics>) {
    loop {
        metrics.connections_open.set(connections.count() as u64);
        tokio::time::sleep(CONNECTIONS_LOOK).await;
    }
}

/// What may be fetched from elsewhere: the embedded engine's library, and places.
fn fetch(config: &Config) -> Result<(Option<PathBuf>, Places), LifeError> {
    let library = match &config.clickhouse {
        ClickHouse::Embedded { .. } => Some(provision::library()?),
        ClickHouse::Server { .. } => None,
    };
    Ok((library, open::places(&config.geo)?))
}

/// Opens what another process may hold for a moment more.
fn when_free<T>(patience: Duration, open: impl Fn() -> Result<T, LifeError>) -> Result<T, LifeError> {
    let began = Instant::now();
    loop {
        match open() {
            Err(LifeError::Spool(SpoolError::Locked { .. }) | LifeError::Ledger(LedgerError::Locked { .. }))
                if began.elapsed() < patience =>
            {
                std::thread::sleep(SHIPPED_LOOK);
            }
            opened => return opened,
        }
    }
}
