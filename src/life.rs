//! The life of the process, read top to bottom: take charge of the data folder, open keys, ledger, spool and sockets, start the
//! database and the workers, serve until asked to end, drain, and leave nothing behind. Called by `serve` and `demo`.
//!
//! The site comes first: once the sockets are bound pages are served, whether the database answers or not, and what is
//! captured meanwhile waits in the spool.

mod database;
mod error;
mod keys;
mod manager;
mod places;
mod signals;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::capture;
use crate::capture::event::{COLUMNS, Event};
use crate::config::{ClickHouse, Config, Geo};
use crate::consent::Policy;
use crate::cookies::{Catalogue, ChoiceCookie, Seen};
use crate::dashboard::{self, password};
use crate::engine::provision;
use crate::enrich::Places;
use crate::front::client_addr::TrustedProxies;
use crate::front::gateway::{CallsImport, Site};
use crate::front::known_calls::{self, KnownCalls};
use crate::front::listen::{self, Place, Places as Doors};
use crate::front::tls::acme::Acme;
use crate::front::tls::{self, Tls};
use crate::keys::{KeyRing, Token, private_folder};
use crate::ledger::{Ledger, Recovery, Replaced};
use crate::observe::Metrics;
use crate::page::gate::Tags;
use crate::privacy::{CollectorOptions, NoticeFacts, OwnCookieLives, Pages, Serves};
use crate::rights;
use crate::spool::record::Column;
use crate::spool::{Partition, Refused, Spool, SpoolOptions};
use crate::statistics::Lane;
use crate::store::client;
use database::Database;
pub use error::LifeError;
use manager::Manager;
use signals::Signals;
use workers::Workers;

/// How often the spool is looked at by who waits for it to be empty.
const SHIPPED_LOOK: Duration = Duration::from_millis(20);

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

/// Lives until a signal ends it. `ready` is called once, when everything listens and the embedded database answers.
pub fn run(config: Config, ready: impl AsyncFnOnce(&Started) -> Result<(), LifeError>) -> Result<(), LifeError> {
    // What can be wrong with this machine comes out before anything is started.
    private_folder::adopt(&config.data_dir)?;
    let now = now_ms() as u64 / 1000;
    let ring = Arc::new(KeyRing::open_or_create(&config.key_ring, config.gateway.site_id, now)?);
    let trouble = keys::look(&ring, &config.key_windows, None);
    let (verifier, new_password) = password::open_or_create(&config.data_dir, now)?;
    let spool = open_spool(&config)?;
    // Without it no choice could be proven, so nobody is asked.
    let ledger = open_ledger(&config, &ring)?;
    let replaced = ledger.replaced(now_ms() - config.policy.choice_life as i64 * 1000)?;
    let taken = |address, key| move |source| LifeError::Address { address, key, source };
    let settings = &config.gateway;
    let doors = Doors::open(&settings.doors, settings.tls.as_ref(), settings.workers)?;
    let (plain, tls_at) = (doors.plain, doors.tls);
    let challenges = Arc::default();
    let tls = settings.tls.as_ref().map(|tls| Tls::new(tls, Arc::clone(&challenges)).map(Arc::new)).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LifeError::Runtime)?;
    let dashboard_at = config.dashboard.listen;
    let listener = runtime.block_on(TcpListener::bind(dashboard_at));
    let listener = listener.map_err(taken(dashboard_at, "[dashboard] listen"))?;
    let dashboard = listener.local_addr().map_err(taken(dashboard_at, "[dashboard] listen"))?;
    // Nor does anything start without the list of who has withdrawn, or with a token that others can read.
    let (contacts, known_calls) = Contacts::open(&config)?;
    let library = match &config.clickhouse {
        ClickHouse::Embedded { .. } => Some(provision::library()?),
        ClickHouse::Server { .. } => None,
    };
    let places = open_places(&config.geo)?;

    let metrics = Arc::new(Metrics::default());
    let capture = Arc::new(capture::Shared::new(&config, ring.clone(), places));
    capture.know_calls(&known_calls);
    spool.known_events(|visitor, event| capture.know_event(visitor, event));
    let pages = dashboard::Parts {
        client: client::connect(&config.clickhouse, &config.data_dir)?,
        metrics: metrics.clone(),
        verifier,
        site_id: config.gateway.site_id,
        spool_max_bytes: config.spool.max_bytes,
    };
    let mut site = site(&config, ring.clone(), contacts, (ledger.clone(), replaced), spool.clone(), metrics.clone());
    // What visitors are shown can be reproduced from the hash in their rows (P5), and the notice says since when it is so (R6).
    for text in site.pages.shown_texts() {
        site.ledger.keep_text(&text.bytes)?;
    }
    site.pages.note_since(|hash| ledger.text_kept_at(hash));
    let site = Arc::new(site);
    let acme = tls.as_ref().and_then(|tls| Some((tls, settings.tls.as_ref()?.acme.as_ref()?)));
    let acme = acme.map(|(tls, acme)| {
        let parts = (tls.certificates().clone(), Arc::clone(&challenges));
        Acme::open(acme, &config.data_dir, parts, metrics.clone())
    });
    let acme = acme.transpose()?;
    if let Some(tls) = &tls {
        tls::tend::tell(tls.certificates(), &metrics, now_ms() / 1000);
    }
    let (statistics, asked) = (site.statistics.clone(), site.asked.clone());
    let (stop, stopped) = watch::channel(false);
    // Before anybody is served, so that who asks us to end, however early, ends us in order.
    let signals = runtime.block_on(async { Signals::listen() })?;
    let shared = Arc::new(listen::Shared::new(&config.gateway, tls.clone(), challenges.clone(), metrics.clone()));
    let workers = Workers::start(doors.doors, &config, (site, shared.clone()), capture.clone(), stopped.clone())?;

    // From here on visitors are served: whatever goes wrong, the way out is the drain.
    let manager = Manager::from_environment();
    manager.ready();
    let lived = runtime.block_on(async {
        let mut asked_to_end = tokio::spawn(signals.asked_to_end());
        let shutdown = {
            let mut stopped = stopped.clone();
            async move { drop(stopped.wait_for(|stop| *stop).await) }
        };
        let tending = tokio::spawn(keys::tend(ring, config.key_windows.clone(), trouble));
        let refreshing = tokio::spawn(places::keep_fresh(capture.clone()));
        let certificates = tls.as_ref().zip(config.gateway.tls.as_ref()).map(|(tls, settings)| {
            tokio::spawn(tls::tend::tend(tls.certificates().clone(), settings.look_every, metrics.clone()))
        });
        let telling = Some(tokio::spawn(manager.clone().keep_told(shared)));
        let ordering = acme.map(|acme| tokio::spawn(acme.tend()));
        let tending_upstreams = tokio::spawn(workers.tend_upstreams());
        let serving = tokio::spawn(dashboard::serve(listener, Arc::new(dashboard::State::new(pages)), shutdown));
        let started =
            Database::start(&config, library, spool.clone(), ledger.clone(), (statistics, asked), metrics).await;
        let (database, ended) = match started {
            // Asked to end meanwhile, and the engine with us.
            Err(_) if asked_to_end.is_finished() => (None, Ok(())),
            Err(error) => (None, Err(error)),
            Ok(database) => {
                let started = Started {
                    gateway: plain.iter().chain(&tls_at).next().cloned().unwrap_or(Place::Tcp(dashboard)),
                    plain,
                    tls: tls_at,
                    dashboard,
                    clickhouse: database.listen,
                    new_password,
                    policy: config.policy.clone(),
                    capture,
                    spool: spool.clone(),
                };
                let served = async {
                    ready(&started).await?;
                    Err(workers.failed().await)
                };
                let ended = tokio::select! {
                    _ = &mut asked_to_end => Ok(()),
                    ended = served => ended,
                };
                (Some(database), ended)
            }
        };

        // Drain: no new visitors, open exchanges to their end, what was captured to disk and as far as it goes into the
        // database, then the database itself.
        manager.stopping();
        stop.send_replace(true);
        workers.join().await;
        tending.abort();
        refreshing.abort();
        certificates.iter().chain(&ordering).chain(&telling).for_each(tokio::task::JoinHandle::abort);
        tending_upstreams.abort();
        let sealed = tokio::task::spawn_blocking(move || {
            ledger.close();
            spool.close()
        });
        let sealed = sealed.await;
        if let Some(database) = database {
            database.stop().await;
        }
        let _ = serving.await;
        if let Ok(Err(error)) = sealed {
            tracing::error!(%error, "the spool was not closed cleanly; the next start recovers it");
        }
        ended
    });
    // A look-up of a host name may still hang in a thread; nothing waits for it.
    runtime.shutdown_background();
    lived
}

fn open_spool(config: &Config) -> Result<Spool, LifeError> {
    let columns = COLUMNS.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect();
    let (spool, recovery) = Spool::open(SpoolOptions {
        dir: config.spool_dir(),
        columns,
        max_bytes: config.spool.max_bytes,
        max_age: config.spool.max_age,
        batch_rows: config.spool.batch_rows,
        batch_age: config.spool.batch_age,
        durability: config.spool.durability,
    })?;
    if recovery.damaged > 0 || recovery.unreadable > 0 || recovery.torn_bytes > 0 {
        let (damaged, unreadable, torn) = (recovery.damaged, recovery.unreadable, recovery.torn_bytes);
        tracing::warn!(
            damaged,
            unreadable,
            torn,
            "the spool holds records or files that cannot be read, and goes on without"
        );
    }
    if recovery.rows > 0 {
        tracing::info!(
            rows = recovery.rows,
            batches = recovery.batches,
            "events of before wait in the spool and are shipped now"
        );
    }
    Ok(spool)
}

fn open_ledger(config: &Config, ring: &Arc<KeyRing>) -> Result<Ledger, LifeError> {
    let (ledger, recovery) = Ledger::open(&config.ledger_dir(), ring.clone(), config.gateway.site_id, now_ms())?;
    let Recovery { torn_bytes, damaged, missing, .. } = recovery;
    if torn_bytes > 0 {
        tracing::warn!(torn_bytes, "the ledger ended in half a row, which nobody was told of; it is cut off");
    }
    if damaged > 0 || missing > 0 {
        tracing::error!(
            damaged,
            missing,
            "the ledger holds lines that are no rows, or lost rows that it had; it goes on behind them. \
             consentry ledger verify says which"
        );
    }
    Ok(ledger)
}

/// Without places the site is served all the same, and country stays empty.
fn open_places(geo: &Geo) -> Result<Places, LifeError> {
    match geo {
        Geo::Off => Ok(Places::none()),
        Geo::File(path) => Ok(Places::open(path)?),
        Geo::Country => match provision::country_database() {
            Ok(path) => Ok(Places::open(&path)?),
            Err(error) => {
                tracing::warn!(%error, "visitors' countries stay unknown");
                Ok(Places::none())
            }
        },
    }
}

fn trusted_proxies(gateway: &crate::config::Gateway) -> TrustedProxies {
    let doors = &gateway.doors;
    let networks = gateway.trusted_proxies.clone();
    TrustedProxies { networks, unix: doors.trust_unix_peers, header: doors.forwarded_header }
}

/// What openings of e-mails and imported calls need, where they are switched on.
struct Contacts {
    mail_withdrawals: Option<rights::Watch>,
    calls: Option<CallsImport>,
}

impl Contacts {
    /// With the keyed ids of calls that were taken already.
    fn open(config: &Config) -> Result<(Contacts, Vec<u128>), LifeError> {
        let (capture, data_dir) = (&config.capture, &config.data_dir);
        let mail_withdrawals = capture.mail_opens.then(|| rights::Watch::open(data_dir)).transpose()?;
        let Some(file) = &capture.calls_token_file else {
            return Ok((Contacts { mail_withdrawals, calls: None }, Vec::new()));
        };
        let token = Token::read(file)?;
        let unusable = |source| LifeError::DataDir { path: data_dir.join(known_calls::FILE), source };
        let (known, ids) = KnownCalls::open(data_dir, now_ms()).map_err(unusable)?;
        Ok((Contacts { mail_withdrawals, calls: Some(CallsImport { token, known }) }, ids))
    }
}

fn site(
    config: &Config,
    ring: Arc<KeyRing>,
    contacts: Contacts,
    (ledger, replaced): (Ledger, Replaced),
    spool: Spool,
    metrics: Arc<Metrics>,
) -> Site {
    let lives =
        OwnCookieLives { visitor: Duration::from_secs(config.policy.choice_life), visit: config.capture.visit_timeout };
    Site {
        pages: Pages::new(&config.policy, &config.consent, &config.cookies, lives, ring.clone())
            .with_collector(&CollectorOptions::of(&config.capture))
            .with(Serves { statistics: config.modes.differ() })
            .with_notice(NoticeFacts::of(config)),
        import: config.import.clone(),
        choice_cookie: ChoiceCookie::new(config.consent.cookie_domain.as_deref()),
        catalogue: Catalogue::new(&config.cookies, config.policy.analytics()),
        seen: Seen::default(),
        tags: Tags::new(&config.tags, &config.policy),
        policy: config.policy.clone(),
        modes: config.modes.clone(),
        honour_dnt: config.honour_dnt,
        decision_header: config.observe.decision_header,
        statistics: config.modes.differ().then(|| Arc::new(Lane::new(now_ms() as u64 / 1000))),
        asked: Arc::default(),
        ring,
        privacy_path: config.consent.path.clone(),
        trusted_proxies: trusted_proxies(&config.gateway),
        limits: config.gateway.limits.clone(),
        login_header: config.capture.login_header.clone(),
        download_endings: config.capture.download_endings.clone(),
        mail_withdrawals: contacts.mail_withdrawals,
        calls: contacts.calls,
        choices: capture::Pace::new(config.consent.choices_per_minute),
        objections: capture::Pace::new(config.consent.choices_per_minute),
        replaced,
        ledger,
        spool,
        metrics,
    }
}
