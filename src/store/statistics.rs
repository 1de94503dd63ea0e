//! The writer of the statistics lane: takes the hours that are over, holds them to the minimum, keeps each as a file and
//! puts it into the table `statistics` once. One task; it runs from the start of the process to its end. While ClickHouse is
//! away the hours wait as files, seven days of them at most.
//!
//! # Why an hour comes once
//! An hour's rows are one block into one partition, stored whole or not at all, with a random number of their own. Before
//! **every** attempt the table is asked for that number: there, then the file goes; not there, and no earlier attempt is
//! still running in the server, then it is sent. A process that finds a file of an earlier one does not have to know how
//! far that came.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clickhouse::Client;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::backoff::{self, Backoff};
use super::comeback::Comeback;
use super::exception;
use super::true_now::ask;
use crate::config::Period;
use crate::observe::Metrics;
use crate::statistics::Lane;
use crate::statistics::counters::Counters;
use crate::statistics::folder::{Closed, Folder, Row};
use crate::statistics::minimum;

/// How often it looks whether an hour is over.
const LOOK: Duration = Duration::from_secs(1);
/// How long after the shutdown began hours are still sent.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may leave a piece of a block unread, and how long it may take to store it.
const SEND: Duration = Duration::from_secs(30);
const STORE: Duration = Duration::from_secs(120);

/// What the writer works with.
pub struct Writer {
    /// What the front door counts into.
    pub lane: Arc<Lane>,
    /// Where hours wait.
    pub folder: Folder,
    /// The table is `statistics` in its database.
    pub client: Client,
    /// What waits for another try is tried at once when this says so.
    pub comeback: Comeback,
    /// The number of the site in the tables.
    pub site_id: u32,
    /// How long rows are kept.
    pub retention: Period,
    /// Where it counts what it does.
    pub metrics: Arc<Metrics>,
}

/// A row as it is sent.
#[derive(clickhouse::Row, serde::Serialize)]
struct Sent<'r> {
    site_id: u32,
    hour: u32,
    batch_id: u64,
    path: &'r str,
    referrer: &'r str,
    device: &'r str,
    country: &'r str,
    region: &'r str,
    views: u64,
    expires_at: u16,
}

/// Why an hour is not in the table.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// In short: ClickHouse's own words may quote a row.
    #[error("{}", exception::in_short(.0))]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("an earlier attempt is still running in the server")]
    StillRunning,
    #[error("its file cannot be read or removed: {0}")]
    Disk(#[from] std::io::Error),
}

impl Writer {
    /// Says what an earlier process lost by not ending in order.
    pub fn look_back(&self) {
        if let Some(hour) = self.folder.cut_short() {
            let since = clock(hour);
            tracing::warn!(
                since,
                "the program did not end in order: what it had counted in the hour since then is lost, and the \
                 statistics of that hour may be incomplete"
            );
        }
    }

    /// Writes until `shutdown` resolves; then what was counted by then, for at most 5 s. What ClickHouse does not take in
    /// that time waits for the next start.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (end_hours, hours_end) = watch::channel(false);
        let (end_sending, sending_ends) = watch::channel(false);
        let mut hours = pin!(self.close_hours(hours_end));
        let mut sending = pin!(self.send_all(sending_ends));
        tokio::select! {
            () = &mut hours => return,
            () = &mut sending => return,
            () = shutdown => {}
        }
        // The open hour is kept first, so that it is among what is sent.
        end_hours.send_replace(true);
        hours.await;
        end_sending.send_replace(true);
        if timeout(GRACE, sending).await.is_err() || self.waiting() {
            tracing::warn!("ClickHouse did not take all statistics in time; they wait as files for the next start");
        }
    }

    /// Closes each hour when it is over, and the open one at the end.
    async fn close_hours(&self, mut closing: watch::Receiver<bool>) {
        let mut marked = None;
        loop {
            let ending = *closing.borrow_and_update();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            for counters in if ending { self.lane.all() } else { self.lane.over(now) } {
                self.close(counters);
            }
            if ending {
                note(self.folder.no_open_hour());
                return;
            }
            let hour = u32::try_from(now - now % 3600).unwrap_or(u32::MAX);
            if marked != Some(hour) {
                note(self.folder.open_hour(hour));
                marked = Some(hour);
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Holds an hour to the minimum and keeps what is left. A few milliseconds of work and one file, once an hour.
    fn close(&self, counters: Counters) {
        let figures = &self.metrics.statistics;
        let kept = minimum::keep(counters.cells());
        figures.suppressed.add(kept.suppressed);
        if kept.cells.is_empty() {
            return;
        }
        let hour = counters.hour();
        let day = u16::try_from(hour / 86_400).unwrap_or(u16::MAX);
        let closed = Closed {
            site_id: self.site_id,
            hour,
            batch_id: backoff::random(),
            expires_at: self.retention.after(day),
            rows: kept.cells.into_iter().map(|(cell, views)| Row { cell, views }).collect(),
        };
        match self.folder.keep(&closed) {
            Ok(dropped) => {
                for oldest in dropped {
                    figures.dropped.add(oldest.views());
                    tracing::error!(
                        hour = clock(oldest.hour),
                        "statistics that waited seven days for ClickHouse are dropped"
                    );
                }
            }
            Err(error) => {
                figures.dropped.add(closed.views());
                tracing::error!(%error, hour = clock(hour), "the statistics of an hour could not be kept");
            }
        }
    }

    /// Sends what waits, oldest first. Says when it begins to wait for ClickHouse and when that is over.
    async fn send_all(&self, mut closing: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        let mut comeback = self.comeback.clone();
        let mut waits = false;
        loop {
            comeback.note();
            let pause = match self.send_oldest().await {
                Ok(true) => {
                    if std::mem::take(&mut waits) {
                        tracing::info!("ClickHouse takes statistics again");
                    }
                    backoff = Backoff::default();
                    continue;
                }
                Ok(false) => LOOK,
                Err(trouble) => {
                    if !std::mem::replace(&mut waits, true) {
                        tracing::warn!(%trouble, "statistics wait until ClickHouse takes them");
                    }
                    backoff.pause()
                }
            };
            if *closing.borrow_and_update() {
                return;
            }
            tokio::select! {
                again = comeback.within(pause) => if again { backoff = Backoff::default() },
                _ = closing.changed() => {}
            }
        }
    }

    /// Brings the oldest hour into the table; says whether there was one.
    async fn send_oldest(&self) -> Result<bool, Trouble> {
        let Some(closed) = self.folder.oldest()? else { return Ok(false) };
        let found = self.rows_in_table(&closed).await?;
        if found == 0 {
            self.insert(&closed).await?;
        } else if found != closed.rows.len() as u64 {
            // Never twice, whatever happened to it.
            let (rows, hour) = (closed.rows.len(), clock(closed.hour));
            tracing::error!(hour, rows, found, "the table has another number of an hour's statistics than were sent");
        }
        self.folder.done(&closed)?;
        self.metrics.statistics.stored.add(closed.views());
        Ok(true)
    }

    async fn insert(&self, closed: &Closed) -> clickhouse::error::Result<()> {
        // Without validation it does not ask for the table's columns first.
        let client = self.client.clone().with_validation(false);
        let mut insert = client
            .insert::<Sent<'_>>("statistics")
            .await?
            .with_setting("async_insert", "0")
            // Fresh for each attempt: where the server remembers tokens, one whose attempt failed would store nothing.
            .with_setting("insert_deduplication_token", format!("{}#{:016x}", token(closed), backoff::random()))
            .with_timeouts(Some(SEND), Some(STORE));
        for Row { cell, views } in &closed.rows {
            let sent = Sent {
                site_id: closed.site_id,
                hour: closed.hour,
                batch_id: closed.batch_id,
                path: &cell.path,
                referrer: &cell.referrer,
                device: &cell.device,
                country: &cell.country,
                region: &cell.region,
                views: *views,
                expires_at: closed.expires_at,
            };
            insert.write(&sent).await?;
        }
        insert.end().await
    }

    /// How many of the hour's rows are stored. An attempt that still runs could store them after the table was asked.
    async fn rows_in_table(&self, closed: &Closed) -> Result<u64, Trouble> {
        let running = "select count() from system.processes where startsWith(Settings['insert_deduplication_token'], {token:String})";
        if ask::<u64>(self.client.query(running).param("token", token(closed))).await? > 0 {
            return Err(Trouble::StillRunning);
        }
        let stored = "select count() from statistics where site_id = {site_id:UInt32} and hour = toDateTime({hour:UInt32}, 'UTC') \
                      and batch_id = {batch_id:UInt64} settings apply_deleted_mask = 0";
        let stored = self.client.query(stored).param("site_id", closed.site_id).param("hour", closed.hour);
        Ok(ask(stored.param("batch_id", closed.batch_id)).await?)
    }

    fn waiting(&self) -> bool {
        self.folder.oldest().is_ok_and(|oldest| oldest.is_some())
    }
}

/// Tells the insert among those the server runs; the table itself remembers no tokens.
fn token(closed: &Closed) -> String {
    format!("statistics-{:016x}", closed.batch_id)
}

/// The beginning of an hour as people read it.
fn clock(hour: u32) -> String {
    jiff::Timestamp::from_second(hour.into())
        .map_or_else(|_| hour.to_string(), |time| time.strftime("%F %H:00 UTC").to_string())
}

/// Without its mark a crash costs the same hour, but the next start does not say so.
fn note(marked: std::io::Result<()>) {
    if let Err(error) = marked {
        tracing::error!(%error, "the hour that is being counted could not be noted");
    }
}

#[cfg(test)]
mod tests;
