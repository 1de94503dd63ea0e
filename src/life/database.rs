//! The database's part of the process: the embedded engine or a server elsewhere, its schema, and the shipper.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::LifeError;
use crate::asked::{self as asking, Asked};
use crate::config::{ClickHouse, Config};
use crate::engine::child::{Options, Supervisor};
use crate::ledger::Ledger;
use crate::observe::Metrics;
use crate::spool::Spool;
use crate::statistics::Lane;
use crate::statistics::folder::Folder;
use crate::store::asked;
use crate::store::backoff::{Backoff, LONGEST_PAUSE};
use crate::store::comeback::Comeback;
use crate::store::consents;
use crate::store::migrate::{self, MigrateError};
use crate::store::statistics::Writer;
use crate::store::{client, ship};

/// How often the spool is looked after and its state copied into the metrics.
const LOOK: Duration = Duration::from_secs(1);

/// The engine, if it is ours, and the task that ships.
pub struct Database {
    /// Where the embedded engine answers over TCP.
    pub listen: Option<SocketAddr>,
    engine: Option<Supervisor>,
    shipper: Option<JoinHandle<()>>,
    statistics: Option<JoinHandle<()>>,
    consents: Option<JoinHandle<()>>,
    asked: JoinHandle<()>,
    gauges: JoinHandle<()>,
    /// Ends what reads the spool and the ledger.
    stop_shipping: watch::Sender<bool>,
    /// Ends what stores counts.
    stop_counting: watch::Sender<bool>,
}

impl Database {
    /// Starts the embedded engine and brings its schema up to date, or sets out to reach a server. A server that is away is
    /// no reason not to start.
    pub async fn start(
        config: &Config,
        library: Option<PathBuf>,
        spool: Spool,
        ledger: Ledger,
        (statistics, asked): (Option<Arc<Lane>>, Arc<Asked>),
        metrics: Arc<Metrics>,
    ) -> Result<Database, LifeError> {
        let client = client::connect(&config.clickhouse, &config.data_dir)?;
        let mut listen = None;
        let mut engine = None;
        if let (ClickHouse::Embedded { listen: asked }, Some(library)) = (&config.clickhouse, library) {
            let started = Supervisor::start(Options::new(&config.data_dir, library, *asked)?).await?;
            if let Err(error) = apply(&client).await {
                started.stop().await;
                return Err(error.into());
            }
            engine = Some(started);
            listen = *asked;
        }
        let comeback = engine.as_ref().map_or_else(Comeback::default, |engine| Comeback::of(engine.state()));
        let (stop_shipping, shipping_stopped) = watch::channel(false);
        let (stop_counting, counting_stopped) = watch::channel(false);
        let gauges = tokio::spawn(watch_spool(spool.clone(), metrics.clone()));
        let statistics = statistics.map(|lane| {
            let writer = Writer {
                lane,
                folder: Folder::new(&config.data_dir),
                client: client.clone(),
                comeback: comeback.clone(),
                site_id: config.gateway.site_id,
                retention: config.retention,
                metrics,
            };
            writer.look_back();
            let mut stopped = counting_stopped.clone();
            tokio::spawn(writer.run(async move { drop(stopped.wait_for(|stop| *stop).await) }))
        });
        let consents = {
            let shipper = consents::Shipper::new(ledger, client.clone(), config.consents_retention)
                .with_comeback(comeback.clone());
            let mut stopped = shipping_stopped.clone();
            tokio::spawn(shipper.run(async move { drop(stopped.wait_for(|stop| *stop).await) }))
        };
        let writer = asked::Writer {
            asked,
            folder: asking::folder::Folder::new(&config.data_dir),
            client: client.clone(),
            comeback: comeback.clone(),
            site_id: config.gateway.site_id,
            retention: config.retention,
        };
        let mut ending = counting_stopped;
        let asked = tokio::spawn(writer.run(async move { drop(ending.wait_for(|stop| *stop).await) }));
        let shipper = tokio::spawn(async move {
            let mut early = shipping_stopped.clone();
            tokio::select! {
                () = schema_in_place(&client, comeback.clone()) => {}
                _ = early.wait_for(|stop| *stop) => {}
            }
            let mut late = shipping_stopped;
            ship::ship(spool, client, comeback, async move { drop(late.wait_for(|stop| *stop).await) }).await;
        });
        Ok(Database {
            listen,
            engine,
            shipper: Some(shipper),
            statistics,
            consents: Some(consents),
            asked,
            gauges,
            stop_shipping,
            stop_counting,
        })
    }

    /// Ships what is left, for as long as the shippers take their time. After it nothing here holds the spool or the ledger.
    pub async fn stop_shipping(&mut self) {
        self.stop_shipping.send_replace(true);
        if ended(&mut self.shipper).await {
            tracing::error!("the shipper panicked; what it had not shipped waits in the spool for the next start");
        }
        if ended(&mut self.consents).await {
            tracing::error!(
                "the ledger's shipper panicked; what it had not shipped is in the ledger for the next start"
            );
        }
    }

    /// Nothing looks after the spool any more.
    pub async fn stop_watching(&mut self) {
        self.gauges.abort();
        let _ = (&mut self.gauges).await;
    }

    /// Stores what was counted and ends the engine, [shippers](Database::stop_shipping) first.
    pub async fn stop(mut self) {
        self.stop_counting.send_replace(true);
        self.stop_shipping().await;
        if let Some(statistics) = self.statistics
            && statistics.await.is_err()
        {
            tracing::error!("the writer of statistics panicked; the next start says which hour was lost");
        }
        if self.asked.await.is_err() {
            tracing::error!("the writer of consent statistics panicked; what waits as files is sent by the next start");
        }
        self.gauges.abort();
        if let Some(engine) = self.engine {
            engine.stop().await;
        }
    }
}

/// Waits for a task, once; says whether it panicked.
async fn ended(task: &mut Option<JoinHandle<()>>) -> bool {
    match task.take() {
        Some(task) => task.await.is_err(),
        None => false,
    }
}

async fn apply(client: &clickhouse::Client) -> Result<(), MigrateError> {
    for migration in migrate::apply(client).await? {
        tracing::info!(file = migration.file(), "the schema has a new migration");
    }
    Ok(())
}

/// Applies the schema as soon as the database takes it. Says when it begins to wait and when that is over, not each time
/// it asks.
async fn schema_in_place(client: &clickhouse::Client, mut comeback: Comeback) {
    let mut backoff = Backoff::default();
    let mut said = None;
    loop {
        comeback.note();
        let Err(error) = apply(client).await else { break };
        let (trouble, lasting) = (error.in_short(), error.is_lasting());
        match (lasting, said.replace(lasting)) {
            (true, None | Some(false)) => {
                tracing::error!(%trouble, "the database's schema is not this program's; until that is changed events wait in the spool");
            }
            (false, None | Some(true)) => {
                tracing::warn!(%trouble, "the database does not take the schema yet; events wait in the spool");
            }
            _ => {}
        }
        if comeback.within(if lasting { LONGEST_PAUSE } else { backoff.pause() }).await {
            backoff = Backoff::default();
        }
    }
    if said.is_some() {
        tracing::info!("the database has the schema now; what waits in the spool goes into it");
    }
}

/// Ends a task with whoever holds it.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch_spool(spool: Spool, metrics: Arc<Metrics>) {
    // By itself: should the disk hang, the figures go on.
    let watched = spool.clone();
    let watching = tokio::spawn(async move {
        loop {
            watched.watch().await;
            tokio::time::sleep(LOOK).await;
        }
    });
    let _ends_with_this = AbortOnDrop(watching);
    loop {
        let (status, figures) = (spool.status(), &metrics.spool);
        figures.waiting_rows.set(status.waiting_rows);
        figures.waiting_bytes.set(status.disk_bytes);
        figures.lost_rows.set(status.lost);
        figures.damaged_rows.set(status.damaged);
        figures.shipped_batches.set(status.shipped_batches);
        figures.quarantined_batches.set(status.quarantined_batches);
        figures.miscounted_batches.set(status.miscounted_batches);
        figures.disk_failing.set(status.disk_failing.into());
        figures.disk_hanging.set(status.disk_hanging.into());
        figures.writer_hanging.set(status.writer_hanging.into());
        figures.oldest_seconds.set(status.oldest.as_secs());
        figures.overdue.set(status.overdue.into());
        figures.outlived_rows.set(status.outlived);
        figures.forgotten_rows.set(status.forgotten);
        tokio::time::sleep(LOOK).await;
    }
}
