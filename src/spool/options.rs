//! How a spool is to be: where, of what, how much, and how safe.

use std::path::PathBuf;
use std::time::Duration;

use super::Durability;
use super::record::Column;

/// How a spool is to be.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// Its folder; made where it is missing.
    pub dir: PathBuf,
    /// What each record's values are, in order.
    pub columns: Vec<Column>,
    /// The most bytes on disk; beyond, appends are refused.
    pub max_bytes: u64,
    /// How long events may wait; while one waits longer, appends are refused.
    pub max_age: Duration,
    /// Rows after which a batch is sealed.
    pub batch_rows: u32,
    /// Age after which a batch is sealed.
    pub batch_age: Duration,
    /// What an acknowledgement waits for.
    pub durability: Durability,
}
