//! ClickHouse: the connection, the migrations in `schema/`, a sealed batch as `Native` columns, the shipper that takes
//! batches from the spool, the one that takes rows from the ledger, and the writers of the statistics lane and of the consent
//! statistics. Never decides about consent and never sees a raw identifier. Called by the life of the process.

pub mod asked;
pub mod backoff;
pub mod client;
pub mod comeback;
pub mod consents;
pub mod exception;
pub mod migrate;
pub mod native;
pub mod ship;
pub mod statistics;
mod true_now;
