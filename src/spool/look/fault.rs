//! What can be wrong with a segment, and where.

use super::text;

/// A damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in bytes from the file's beginning.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The name of the file says another batch.
    #[error("its name says batch {named:016x}, its header batch {says:016x}")]
    OtherBatch {
        /// By its name.
        named: u64,
        /// By its header.
        says: u64,
    },
    /// A stretch between two whole records, or before the seal.
    #[error("no whole record; one or more are lost here")]
    Gap,
    /// What follows the last whole record of a segment without a seal.
    #[error("a torn tail: the last write did not get to its end")]
    TornTail,
    /// The seal's bytes are there and do not check.
    #[error("the seal is damaged; the next start of a gateway makes it again from the whole records")]
    Seal,
    /// The seal is whole and says something else than what stands before it.
    #[error("the seal does not belong to what stands before it")]
    OtherSeal,
    /// The seal counts more rows than are whole.
    #[error("{missing} of {sealed} sealed rows are lost")]
    Missing {
        /// How many were sealed.
        sealed: u32,
        /// How many are lost.
        missing: u64,
    },
    /// Bytes behind the seal.
    #[error("bytes behind the seal; the next start of a gateway cuts them off")]
    BehindSeal,
    /// A record that is whole and yet does not fit the columns.
    #[error("row {row} is whole and does not fit its columns: {why}")]
    Row {
        /// Which, from 0.
        row: usize,
        /// Why not.
        why: text::Misfit,
    },
}
