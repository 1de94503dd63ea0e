//! The ledger's way into the table `consents`: takes the durable rows that the table has not got and puts each into it once.
//! One task; it runs from the start of the process to its end. While ClickHouse is away the rows wait where they are, in the
//! ledger's own files, which stay until their time is over.
//!
//! # Why a row comes once
//! The rows of a chain are numbered, and only this process writes them. A block is of rows that follow one another, of one
//! month, hence one partition, hence stored whole or not at all. Before **every** attempt the table is asked up to which
//! number it has the chain, and whether an earlier attempt is still running in the server; then the rows behind that number
//! are sent. So nothing has to be remembered between two attempts, two processes or two starts. That a row is missing in the
//! middle of the table is not healed here: somebody took it out, and `consentry ledger verify` says so.

mod stored;

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clickhouse::Client;
use tokio::time::{Instant, sleep, timeout};

use super::backoff::{self, Backoff};
use super::comeback::Comeback;
use super::exception;
use super::true_now::ask;
use crate::config::Period;
use crate::ledger::hex::hex;
use crate::ledger::{ChainId, Ledger, LedgerError, Place, Row};
pub use stored::{Stored, rows_behind};

/// How long rows are gathered once one is there.
const GATHER: Duration = Duration::from_millis(200);
/// The most rows in a block.
const BLOCK: usize = 10_000;
/// How often it looks for months whose time is over.
const EXPIRY_LOOK: Duration = Duration::from_secs(3600);
/// How long after the shutdown began rows are still sent.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may leave a piece of a block unread, and how long it may take to store it.
const SEND: Duration = Duration::from_secs(30);
const STORE: Duration = Duration::from_secs(120);

/// Why rows are not in the table.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// In short: ClickHouse's own words may quote a row.
    #[error("{}", exception::in_short(.0))]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("an earlier attempt is still running in the server")]
    StillRunning,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("reading the ledger panicked")]
    Panicked,
}

/// What the table has of a chain.
#[derive(Clone, Debug, PartialEq, Eq, clickhouse::Row, serde::Deserialize)]
struct Has {
    /// The last number; 0 where it has none.
    last: u64,
    /// The hash of that row.
    hash: String,
    /// The first that has not expired, and how many have not; 0 where none is left.
    first: u64,
    rows: u64,
}

/// What ships the ledger.
pub struct Shipper {
    ledger: Ledger,
    client: Client,
    retention: Period,
    comeback: Comeback,
    place: Place,
    /// The last row that was found to be the same here and there.
    same: u64,
    /// Up to here every row has expired: none of them is sent.
    expired: u64,
    /// Whether it was said already that the table has not what it should.
    said: bool,
}

impl Shipper {
    /// For a ledger whose rows are kept for `retention`. The table is `consents` in the client's database.
    pub fn new(ledger: Ledger, client: Client, retention: Period) -> Shipper {
        let (comeback, place) = (Comeback::default(), Place::default());
        Shipper { ledger, client, retention, comeback, place, same: 0, expired: 0, said: false }
    }

    /// Rows that wait for another try are tried at once when `comeback` says so.
    pub fn with_comeback(self, comeback: Comeback) -> Shipper {
        Shipper { comeback, ..self }
    }

    /// Ships until `shutdown` resolves; then what is there by then, for at most 5 s, and not for long where ClickHouse is
    /// away. What it does not take is sent after the next start.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut head = self.ledger.head();
        let mut backoff = Backoff::default();
        let mut waits = false;
        let mut expiry = Instant::now();
        loop {
            self.comeback.note();
            if Instant::now() >= expiry {
                self.remove_expired().await;
                expiry = Instant::now() + EXPIRY_LOOK;
            }
            let pause = match self.send_next().await {
                Ok(true) => {
                    if std::mem::take(&mut waits) {
                        tracing::info!("ClickHouse takes the ledger's rows again");
                    }
                    backoff = Backoff::default();
                    continue;
                }
                Ok(false) => None,
                Err(trouble) => {
                    if !std::mem::replace(&mut waits, true) {
                        tracing::warn!(%trouble, "the ledger's rows wait until ClickHouse takes them");
                    }
                    Some(backoff.pause())
                }
            };
            let comeback = &mut self.comeback;
            let more = async {
                match pause {
                    Some(pause) if comeback.within(pause).await => backoff = Backoff::default(),
                    Some(_) => {}
                    None => {
                        // A ledger that is closed changes no more.
                        let _ = timeout(expiry.saturating_duration_since(Instant::now()), head.changed()).await;
                        sleep(GATHER).await;
                    }
                }
            };
            tokio::select! {
                () = more => {}
                () = &mut shutdown => break,
            }
        }
        if !timeout(GRACE, self.send_rest(waits, backoff)).await.unwrap_or(false) {
            tracing::warn!("ClickHouse did not take all rows of the ledger in time; the next start sends them");
        }
    }

    /// At the end: sends what is there, and says whether the table has all of it. ClickHouse that is `away` is tried once
    /// more, one that was well until now twice.
    async fn send_rest(&mut self, mut away: bool, mut backoff: Backoff) -> bool {
        while self.ledger.shipped() != *self.ledger.head().borrow() {
            match self.send_next().await {
                Ok(true) => continue,
                Ok(false) => break,
                // What an attempt that was broken off just now is about to store.
                Err(Trouble::StillRunning) => {}
                Err(_) if away => return false,
                Err(_) => away = true,
            }
            sleep(backoff.pause()).await;
        }
        true
    }

    /// Brings the next block into the table; says whether there was one.
    async fn send_next(&mut self) -> Result<bool, Trouble> {
        let head = *self.ledger.head().borrow();
        let has = self.table_has(head).await?;
        self.compare(&has).await?;
        let mut rows;
        loop {
            let behind = has.last.max(self.expired);
            if behind >= head {
                if self.ledger.shipped() != head {
                    self.ledger.note_shipped(head)?;
                }
                return Ok(false);
            }
            let place = std::mem::take(&mut self.place);
            (rows, self.place) = self.read(behind, BLOCK, place).await?;
            // Time does not go back within a chain: what has expired stands first.
            let today = day(now_ms());
            let over = rows.iter().take_while(|row| self.retention.after(day(row.entry.at_ms)) <= today).count();
            if let Some(last) = rows.drain(..over).next_back() {
                self.expired = last.seq;
            }
            if over == 0 || !rows.is_empty() {
                break;
            }
        }
        let Some((month, first)) = rows.first().map(|row| (month(row.entry.at_ms), row.seq)) else {
            // Lines that are no rows have numbers too.
            return Ok(false);
        };
        if first <= self.ledger.shipped() {
            self.say("it lacks rows that it had; they are sent again");
        }
        let of_one_month = rows.iter().take_while(|row| self::month(row.entry.at_ms) == month).count();
        rows.truncate(of_one_month);
        self.insert(&rows).await?;
        Ok(true)
    }

    async fn read(&self, behind: u64, limit: usize, mut place: Place) -> Result<(Vec<Row>, Place), Trouble> {
        let ledger = self.ledger.clone();
        let read = tokio::task::spawn_blocking(move || Ok((ledger.rows_after(behind, limit, &mut place)?, place)));
        read.await.map_err(|_| Trouble::Panicked)?
    }

    /// Says once what somebody should look at: rows that are missing or too many, or another history.
    async fn compare(&mut self, has: &Has) -> Result<(), Trouble> {
        let many = if has.rows == 0 { 0 } else { has.last.saturating_sub(has.first) + 1 };
        if has.rows != many {
            self.say("rows in the middle of it are missing, or there are too many");
        }
        if has.last != self.same && has.last > 0 {
            let (rows, _) = self.read(has.last - 1, 1, Place::default()).await?;
            let ours = rows.first().filter(|row| row.seq == has.last);
            if ours.is_some_and(|row| hex(&row.hash) != has.hash) {
                self.say("its last row is not this ledger's: were the files restored from a backup, or copied?");
            }
            self.same = has.last;
        }
        Ok(())
    }

    fn say(&mut self, what: &str) {
        if !std::mem::replace(&mut self.said, true) {
            tracing::error!(
                what,
                "the table `consents` is not as the ledger left it; consentry ledger verify names the rows"
            );
        }
    }

    /// Up to which number the table has the chain. An attempt that still runs could store rows after the table was asked.
    async fn table_has(&self, head: u64) -> Result<Has, Trouble> {
        let chain = self.ledger.chain();
        let running = "select count() from system.processes where startsWith(Settings['insert_deduplication_token'], {token:String})";
        let running = self.client.query(running).param("token", token(chain));
        if ask::<u64>(running).await? > 0 {
            return Err(Trouble::StillRunning);
        }
        // A row of a number that was never given is somebody else's, and does not hold up ours.
        let has = "with toDate(now('UTC')) as today \
                   select max(seq) as last, argMax(hash, seq) as hash, \
                   minIf(seq, expires_at > today) as first, countIf(expires_at > today) as rows \
                   from consents where chain = {chain:UInt64} and seq <= {head:UInt64}";
        Ok(ask::<Has>(self.client.query(has).param("chain", chain.0).param("head", head)).await?)
    }

    async fn insert(&self, rows: &[Row]) -> clickhouse::error::Result<()> {
        let first = rows.first().map_or(0, |row| row.seq);
        // Without validation it does not ask for the table's columns first.
        let client = self.client.clone().with_validation(false);
        let mut insert = client
            .insert::<Stored>("consents")
            .await?
            .with_setting("async_insert", "0")
            // Fresh for each attempt: where the server remembers tokens, one whose attempt failed would store nothing.
            .with_setting(
                "insert_deduplication_token",
                format!("{}{first}#{:016x}", token(self.ledger.chain()), backoff::random()),
            )
            .with_timeouts(Some(SEND), Some(STORE));
        for row in rows {
            insert.write(&Stored::of(row, self.retention)).await?;
        }
        insert.end().await
    }

    /// Months of which every row is over go from the disk, as they go from the table.
    async fn remove_expired(&self) {
        let (ledger, retention) = (self.ledger.clone(), self.retention);
        let today = day(now_ms());
        let removed =
            tokio::task::spawn_blocking(move || ledger.remove_expired(|last_day| retention.after(last_day) <= today));
        if let Ok(Err(error)) = removed.await {
            tracing::error!(%error, "rows of the ledger whose time is over could not be removed");
        }
    }
}

/// Tells the inserts of a chain among those the server runs; the table itself remembers no tokens.
fn token(chain: ChainId) -> String {
    format!("consents-{chain}-")
}

/// The table's partition: a month of UTC, as the table writes it.
fn month(at_ms: i64) -> u32 {
    crate::spool::Partition::of(at_ms, 0).month
}

/// The UTC day of a time, in days since 1970.
fn day(at_ms: i64) -> u16 {
    u16::try_from(at_ms.max(0) / 86_400_000).unwrap_or(u16::MAX)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
