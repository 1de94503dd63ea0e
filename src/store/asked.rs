//! The writer of the consent statistics: takes what was counted every minute and at midnight (UTC), keeps it as a file and puts
//! it into the table `consent_statistics` once. One task; it runs from the start of the process to its end. While ClickHouse
//! is away counts wait as files; when sixty wait, what comes after is taken by the hour, and a week of it is kept.
//!
//! Counts come once for the same reason as the statistics lane's hours (see [`statistics`](super::statistics)): the rows of a file
//! are one block into one partition with a random number of their own, and before every attempt the table is asked for it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clickhouse::Client;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::{self, Backoff};
use super::comeback::Comeback;
use super::exception;
use super::true_now::ask;
use crate::asked::Asked;
use crate::asked::folder::{Counted, Folder};
use crate::config::Period;

/// How often it looks whether it is time.
const LOOK: Duration = Duration::from_secs(1);
/// How often what was counted is taken.
const MINUTE: Duration = Duration::from_secs(60);
/// How often while more than [`MANY`] files wait.
const HOUR: Duration = Duration::from_secs(3600);
const MANY: usize = 60;
/// How long after the shutdown began counts are still sent.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may leave a piece of a block unread, and how long it may take to store it.
const SEND: Duration = Duration::from_secs(30);
const STORE: Duration = Duration::from_secs(120);

/// What the writer works with.
pub struct Writer {
    /// What the front door counts into.
    pub asked: Arc<Asked>,
    /// Where counts wait.
    pub folder: Folder,
    /// The table is `consent_statistics` in its database.
    pub client: Client,
    /// What waits for another try is tried at once when this says so.
    pub comeback: Comeback,
    /// The number of the site in the tables.
    pub site_id: u32,
    /// How long rows are kept.
    pub retention: Period,
}

/// A row as it is sent.
#[derive(clickhouse::Row, serde::Serialize)]
struct Sent<'r> {
    site_id: u32,
    day: u16,
    batch_id: u64,
    banner_version: &'r str,
    language: &'r str,
    shown: u64,
    accepted: u64,
    rejected: u64,
    customised: u64,
    expires_at: u16,
}

/// Why counts are not in the table.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// In short: ClickHouse's own words may quote a row.
    #[error("{}", exception::in_short(.0))]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("an earlier attempt is still running in the server")]
    StillRunning,
    #[error("their file cannot be read or removed: {0}")]
    Disk(#[from] std::io::Error),
}

impl Writer {
    /// Writes until `shutdown` resolves; then what was counted by then, for at most 5 s. What ClickHouse does not take in
    /// that time waits for the next start.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (end_taking, taking_ends) = watch::channel(false);
        let (end_sending, sending_ends) = watch::channel(false);
        let mut taking = pin!(self.take_all(taking_ends));
        let mut sending = pin!(self.send_all(sending_ends));
        tokio::select! {
            () = &mut taking => return,
            () = &mut sending => return,
            () = shutdown => {}
        }
        end_taking.send_replace(true);
        taking.await;
        end_sending.send_replace(true);
        if timeout(GRACE, sending).await.is_err() || self.folder.waiting() > 0 {
            tracing::warn!("ClickHouse did not take all consent statistics in time; they wait as files");
        }
    }

    /// Takes what was counted every minute, when a day is over, and at the end. What belongs to which day is exact to a
    /// second.
    async fn take_all(&self, mut closing: watch::Receiver<bool>) {
        let (mut day, mut taken) = (today(), Instant::now());
        loop {
            let ending = *closing.borrow_and_update();
            let every = if self.folder.waiting() < MANY { MINUTE } else { HOUR };
            let now = today();
            if ending || now != day || taken.elapsed() >= every {
                self.take(day);
                (day, taken) = (now, Instant::now());
            }
            if ending {
                return;
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                _ = closing.changed() => {}
            }
        }
    }

    /// Keeps what was counted as a file, if anything was.
    fn take(&self, day: u16) {
        let rows = self.asked.take();
        if rows.is_empty() {
            return;
        }
        let counted = Counted {
            site_id: self.site_id,
            day,
            batch_id: backoff::random(),
            expires_at: self.retention.after(day),
            made_at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            rows,
        };
        match self.folder.keep(&counted) {
            Ok(0) => {}
            Ok(files) => tracing::error!(files, "consent statistics that waited too long for ClickHouse are dropped"),
            Err(error) => tracing::error!(%error, "consent statistics of a minute could not be kept"),
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
                        tracing::info!("ClickHouse takes consent statistics again");
                    }
                    backoff = Backoff::default();
                    continue;
                }
                Ok(false) => LOOK,
                Err(trouble) => {
                    if !std::mem::replace(&mut waits, true) {
                        tracing::warn!(%trouble, "consent statistics wait until ClickHouse takes them");
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

    /// Brings the oldest counts into the table; says whether there were any.
    async fn send_oldest(&self) -> Result<bool, Trouble> {
        let Some(counted) = self.folder.oldest()? else { return Ok(false) };
        let found = self.rows_in_table(&counted).await?;
        if found == 0 {
            self.insert(&counted).await?;
        } else if found != counted.rows.len() as u64 {
            // Never twice, whatever happened to them.
            let (rows, day) = (counted.rows.len(), counted.day);
            tracing::error!(day, rows, found, "the table has another number of consent statistics than were sent");
        }
        self.folder.done(&counted)?;
        Ok(true)
    }

    async fn insert(&self, counted: &Counted) -> clickhouse::error::Result<()> {
        // Without validation it does not ask for the table's columns first.
        let client = self.client.clone().with_validation(false);
        let mut insert = client
            .insert::<Sent<'_>>("consent_statistics")
            .await?
            .with_setting("async_insert", "0")
            // Fresh for each attempt: where the server remembers tokens, one whose attempt failed would store nothing.
            .with_setting("insert_deduplication_token", format!("{}#{:016x}", token(counted), backoff::random()))
            .with_timeouts(Some(SEND), Some(STORE));
        for row in &counted.rows {
            let sent = Sent {
                site_id: counted.site_id,
                day: counted.day,
                batch_id: counted.batch_id,
                banner_version: &row.banner_version,
                language: &row.language,
                shown: row.shown,
                accepted: row.accepted,
                rejected: row.rejected,
                customised: row.customised,
                expires_at: counted.expires_at,
            };
            insert.write(&sent).await?;
        }
        insert.end().await
    }

    /// How many of the rows are stored. An attempt that still runs could store them after the table was asked.
    async fn rows_in_table(&self, counted: &Counted) -> Result<u64, Trouble> {
        let running = "select count() from system.processes where startsWith(Settings['insert_deduplication_token'], {token:String})";
        if ask::<u64>(self.client.query(running).param("token", token(counted))).await? > 0 {
            return Err(Trouble::StillRunning);
        }
        let stored = "select count() from consent_statistics where site_id = {site_id:UInt32} \
                      and toUInt16(day) = {day:UInt16} and batch_id = {batch_id:UInt64} settings apply_deleted_mask = 0";
        let stored = self.client.query(stored).param("site_id", counted.site_id).param("day", counted.day);
        Ok(ask(stored.param("batch_id", counted.batch_id)).await?)
    }
}

/// Tells the insert among those the server runs; the table itself remembers no tokens.
fn token(counted: &Counted) -> String {
    format!("asked-{:016x}", counted.batch_id)
}

/// The day in UTC, in days since 1970.
fn today() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u16::try_from(now / 86_400).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
