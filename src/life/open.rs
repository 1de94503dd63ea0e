//! What a start opens: each says what is wrong with it, and what it found of a process that did not end in order.

use std::sync::Arc;

use super::{LifeError, now_ms};
use crate::capture::event::COLUMNS;
use crate::config::{Config, Geo};
use crate::engine::provision;
use crate::enrich::Places;
use crate::keys::KeyRing;
use crate::ledger::{Ledger, Recovery};
use crate::spool::record::Column;
use crate::spool::{Spool, SpoolOptions};

/// The queue on disk.
pub fn spool(config: &Config) -> Result<Spool, LifeError> {
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

/// The proof of what was chosen.
pub fn ledger(config: &Config, ring: &Arc<KeyRing>) -> Result<Ledger, LifeError> {
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

/// The geo database. Without places the site is served all the same, and country stays empty.
pub fn places(geo: &Geo) -> Result<Places, LifeError> {
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
