//! ClickHouse: the connection, the migrations in `schema/`, a sealed batch as `Native` columns, and the shipper that takes
//! batches from the spool. Never decides about consent and never sees a raw identifier. Called by the life of the process.

pub mod backoff;
pub mod client;
pub mod exception;
pub mod migrate;
pub mod native;
pub mod ship;
