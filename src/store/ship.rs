//! The shipper: takes sealed batches from the spool in order and puts each into the table exactly once, two at a time so that
//! one is read and encoded while the other is stored. It runs from the start of the process to its end, on any runtime. Never
//! touches a record but through [`native`].
//!
//! # Why a row comes once
//! A batch is one block into one partition, which ClickHouse stores whole or not at all, and its id stands in each row.
//! So after **any** doubt (an error, a time-out, a batch that an earlier process may have sent) the table itself is asked:
//! all rows there, then it is done; none, then it is sent again; anything else cannot happen, and is an alarm. A
//! deduplication token alone would lose data: ClickHouse notes a token before it stores the part, so a retry with the same
//! one can succeed without storing (shown on 26.7 with a rename that fails). Hence each retry has a token of its own, and the answer "none"
//! is believed only when no earlier attempt is still running in the server.
//!
//! # Rows that are refused
//! What the moment refuses is tried again for ever. What is refused for its rows, twice, while the table says that none of them
//! is there, is halved, and each half tried as a batch of its own ([`Spool::split`]), down to the rows that are bad: those go to
//! quarantine with ClickHouse's reason. Where so much is bad that [`SPLITS`] are not enough, the rest of that batch goes there
//! in larger parts, from which `consentry spool retry-quarantine` fetches it back.

mod trouble;

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use tokio::sync::watch;
use tokio::time::timeout;

use super::backoff::{self, Backoff};
use super::comeback::Comeback;
use super::native;
use super::true_now::ask;
use crate::engine::give_memory_back;
use crate::spool::record::Column;
use crate::spool::{Rejection, SealedBatch, Spool, SpoolError};
use trouble::Trouble;

/// How long after the shutdown began batches are still shipped.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may leave a piece of a block unread.
const SEND: Duration = Duration::from_secs(30);
/// How long the server may take to store a block.
const STORE: Duration = Duration::from_secs(120);
/// A block is sent in pieces of this size, so that compressing it never holds up the runtime for long.
const PIECE: usize = 256 << 10;
/// How often the server must refuse the same rows before they go to quarantine: a body cut short by a proxy looks like
/// wrong data too.
const REFUSALS: u32 = 2;
/// How often reading a batch may fail before it goes to quarantine.
const READS: u32 = 3;
/// How often a batch and what came of it may be halved: for one bad row among ten thousand it takes 14.
const SPLITS: u32 = 64;

/// Ships until `shutdown` resolves, then what is sealed by then, for at most 5 s; what is left stays in the spool. The
/// table is `events` in the client's database. What waits for another try is tried at once when `comeback` says so.
pub async fn ship(spool: Spool, client: Client, comeback: Comeback, shutdown: impl Future<Output = ()>) {
    let (close, closing) = watch::channel(false);
    let shipper = Shipper { spool, client, comeback, closing, splits_left: Mutex::default() };
    let mut work = pin!(shipper.work());
    tokio::select! {
        () = &mut work => return,
        () = shutdown => {}
    }
    close.send_replace(true);
    if timeout(GRACE, work).await.is_err() {
        tracing::warn!("ClickHouse did not take everything in time; the rest stays in the spool for the next start");
    }
}

struct Shipper {
    spool: Spool,
    client: Client,
    comeback: Comeback,
    /// Whether the process is ending: then nothing is waited for.
    closing: watch::Receiver<bool>,
    /// Of batches that came of one that was halved, how often that may go on.
    splits_left: Mutex<HashMap<u64, Arc<Mutex<u32>>>>,
}

/// Where a batch stands.
struct Delivery<'a> {
    batch: &'a Arc<SealedBatch>,
    /// It may be in the table.
    in_doubt: bool,
    /// No attempt was ever made with the plain token.
    first: bool,
    block: Option<Block>,
    refusals: u32,
    failed_reads: u32,
}

/// A batch as it is sent.
struct Block {
    bytes: Bytes,
    rows: u64,
    insert: String,
}

impl Shipper {
    async fn work(&self) {
        tokio::join!(self.ship_one_by_one(), self.ship_one_by_one());
    }

    async fn ship_one_by_one(&self) {
        while let Some(batch) = self.next().await {
            if self.deliver(&Arc::new(batch)).await.is_break() {
                return;
            }
        }
    }

    async fn next(&self) -> Option<SealedBatch> {
        let mut closing = self.closing.clone();
        tokio::select! {
            biased;
            batch = self.spool.next_batch() => Some(batch),
            _ = closing.wait_for(|closing| *closing) => None,
        }
    }

    /// Brings one batch to its end; breaks off where the process is.
    async fn deliver(&self, batch: &Arc<SealedBatch>) -> ControlFlow<()> {
        let in_doubt = batch.in_doubt();
        let mut delivery = Delivery { batch, in_doubt, first: !in_doubt, block: None, refusals: 0, failed_reads: 0 };
        let mut backoff = Backoff::default();
        let mut comeback = self.comeback.clone();
        loop {
            comeback.note();
            let trouble = match self.attempt(&mut delivery).await {
                Ok(()) => {
                    note(batch, self.spool.acknowledge(batch.batch_id()).await);
                    self.lock_splits().remove(&batch.batch_id());
                    // Of a backlog, a block is all that is held at a time.
                    drop(delivery);
                    give_memory_back();
                    return ControlFlow::Continue(());
                }
                Err(trouble) => trouble,
            };
            if let Trouble::Final(rejection) = trouble {
                self.set_aside(batch, rejection).await;
                return ControlFlow::Continue(());
            }
            let pause = backoff.pause();
            tracing::warn!(batch_id = batch.batch_id(), %trouble, ?pause, "a batch is not shipped yet");
            let mut closing = self.closing.clone();
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => return ControlFlow::Break(()),
                again = comeback.within(pause) => if again { backoff = Backoff::default() },
            }
            // However long that was: what was taken back or outlived meanwhile is left out when it is read again.
            delivery.block = None;
        }
    }

    /// Ends a batch that is refused: its halves are tried, where some of its rows may be good, or it goes to quarantine.
    async fn set_aside(&self, batch: &SealedBatch, rejection: Rejection) {
        let batch_id = batch.batch_id();
        let left = self.lock_splits().remove(&batch_id).unwrap_or_else(|| Arc::new(Mutex::new(SPLITS)));
        if batch.rows() > 1 && trouble::may_hold_good_rows(&rejection) && take_one(&left) {
            match self.spool.split(batch_id).await {
                Ok(halves) => {
                    let kind = trouble::kind(&rejection);
                    tracing::warn!(batch_id, rows = batch.rows(), kind, "a batch is refused; its halves are tried");
                    self.lock_splits().extend(halves.map(|half| (half, Arc::clone(&left))));
                    return;
                }
                Err(error) => tracing::error!(batch_id, %error, "a batch that is refused cannot be halved"),
            }
        }
        // The reason may quote a row; it stays beside the rows.
        tracing::error!(
            batch_id,
            rows = batch.rows(),
            kind = trouble::kind(&rejection),
            "a batch goes to the spool's quarantine; the reason is beside it"
        );
        note(batch, self.spool.reject(batch_id, rejection).await);
    }

    fn lock_splits(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Mutex<u32>>>> {
        self.splits_left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `Ok` says that the batch's rows are in the table.
    async fn attempt(&self, delivery: &mut Delivery<'_>) -> Result<(), Trouble> {
        if delivery.in_doubt {
            let found = self.rows_in_table(delivery.batch).await?;
            let sealed = delivery.batch.rows();
            if found == u64::from(sealed) {
                return Ok(());
            }
            if found > 0 {
                // Fewer were sent than were sealed where records were damaged, outlived or taken back since. A block is stored
                // whole, so what is there is what the attempt sent that stored it: no fewer than would be sent now.
                match self.prepare(delivery).await {
                    Ok(()) => {}
                    // Some of it is there, so it must not be halved.
                    Err(Trouble::Final(_)) => return Err(Rejection::Miscounted { sent: sealed, found }.into()),
                    Err(trouble) => return Err(trouble),
                }
                let now = delivery.block.as_ref().map_or(0, |block| block.rows);
                let whole = (now..u64::from(sealed)).contains(&found);
                return if whole { Ok(()) } else { Err(Rejection::Miscounted { sent: sealed, found }.into()) };
            }
        }
        self.prepare(delivery).await?;
        let Some(block) = &delivery.block else { return Err(Trouble::Spool("not read".to_owned())) };
        if block.rows == 0 {
            // Nothing of it may be stored any more.
            return Ok(());
        }
        let token = token(delivery.batch.batch_id(), std::mem::take(&mut delivery.first));
        delivery.in_doubt = true;
        let error = match self.insert(block, &token).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if !trouble::is_about_the_rows(&error) {
            return Err(error.into());
        }
        delivery.refusals += 1;
        if delivery.refusals < REFUSALS {
            return Err(error.into());
        }
        // Even a refusal is believed only when the table agrees.
        match self.rows_in_table(delivery.batch).await? {
            0 => Err(Rejection::Data(error.to_string()).into()),
            _ => Err(error.into()),
        }
    }

    /// Reads and encodes the batch, once. Off the runtime: ten thousand rows are some ten milliseconds of work.
    async fn prepare(&self, delivery: &mut Delivery<'_>) -> Result<(), Trouble> {
        if delivery.block.is_some() {
            return Ok(());
        }
        let batch = Arc::clone(delivery.batch);
        let encoded = tokio::task::spawn_blocking(move || {
            let records = batch.read()?;
            let bytes =
                native::encode(&records).map_err(|error| Trouble::from(Rejection::Unreadable(error.to_string())))?;
            let insert = insert_statement(records.columns());
            Ok(Block { bytes: Bytes::from(bytes), rows: records.len() as u64, insert })
        });
        let encoded = encoded.await.unwrap_or_else(|_| {
            Err(Trouble::from(Rejection::Unreadable(
                "encoding it failed in a way that is a fault of this program".to_owned(),
            )))
        });
        match encoded {
            Ok(block) => {
                delivery.block = Some(block);
                Ok(())
            }
            Err(Trouble::Spool(fault)) => {
                delivery.failed_reads += 1;
                let lasting = delivery.failed_reads >= READS;
                Err(if lasting { Rejection::Unreadable(fault).into() } else { Trouble::Spool(fault) })
            }
            Err(trouble) => Err(trouble),
        }
    }

    async fn insert(&self, block: &Block, token: &str) -> clickhouse::error::Result<()> {
        let mut insert = self
            .client
            .insert_formatted_with(block.insert.as_str())
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplication_token", token)
            .with_timeouts(Some(SEND), Some(STORE));
        for at in (0..block.bytes.len()).step_by(PIECE) {
            insert.send(block.bytes.slice(at..block.bytes.len().min(at + PIECE))).await?;
        }
        insert.end().await
    }

    /// How many of the batch's rows are stored, deleted ones not yet gone from the disk included: an erasure in between
    /// must not make a stored batch look like half a one.
    async fn rows_in_table(&self, batch: &SealedBatch) -> Result<u64, Trouble> {
        let running = self
            .client
            .query(
                "select count() from system.processes where splitByChar('#', \
                 Settings['insert_deduplication_token'])[1] = {token:String}",
            )
            .param("token", token(batch.batch_id(), true));
        if ask::<u64>(running).await? > 0 {
            return Err(Trouble::StillRunning);
        }
        let partition = batch.partition();
        let stored = self
            .client
            .query(
                "select count() from events where toYYYYMM(ts) = {month:UInt32} and retention_days = {days:UInt16} \
                 and batch_id = {batch_id:UInt64} settings apply_deleted_mask = 0",
            )
            .param("month", partition.month)
            .param("days", partition.retention_days)
            .param("batch_id", batch.batch_id());
        Ok(ask(stored).await?)
    }
}

/// Takes one of what is left, if there is one.
fn take_one(left: &Mutex<u32>) -> bool {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    left.checked_sub(1).map(|fewer| *left = fewer).is_some()
}

/// The first attempt's token is the batch id. Any other has one that was never used, by an earlier process neither.
fn token(batch_id: u64, first: bool) -> String {
    if first { batch_id.to_string() } else { format!("{batch_id}#{:016x}", backoff::random()) }
}

fn insert_statement(columns: &[Column]) -> String {
    let names: Vec<String> = columns
        .iter()
        .filter(|column| !column.stays_here())
        .map(|column| column.name.as_str())
        .chain([native::BATCH_ID])
        .map(|name| format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")))
        .collect();
    format!("insert into events ({}) format Native", names.join(", "))
}

/// A batch that is settled but whose file could not be moved: the next start asks the table about it.
fn note(batch: &SealedBatch, settled: Result<(), SpoolError>) {
    if let Err(error) = settled {
        tracing::error!(batch_id = batch.batch_id(), %error, "a settled batch is still in the spool");
    }
}

#[cfg(test)]
mod tests;
