//! What can go wrong with the spool.

use std::io;
use std::path::{Path, PathBuf};

use super::segment::MAX_RECORD_BYTES;

/// Why a spool cannot be opened, or something about it failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has the folder.
    #[error("{dir} is in use by another process; stop that one, or give this one a spool folder of its own")]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The columns do not fit a segment's header.
    #[error("{columns} columns do not fit the header of a spool segment; that is a fault of this program")]
    Columns {
        /// How many there are.
        columns: usize,
    },
    /// A file operation failed.
    #[error("cannot {doing} at {path}: {source}")]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A record did not reach the disk, and will not; it may be sent again.
    #[error("the record was not written to the spool ({0}); send it again later")]
    NotWritten(io::ErrorKind),
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
    /// Segments that could not be sealed when the spool was closed.
    #[error("{left} batches could not be sealed on closing; the next start seals them")]
    NotSealed {
        /// How many.
        left: u32,
    },
    /// A batch that cannot be read.
    #[error("batch {batch_id} cannot be read: {fault}")]
    Unreadable {
        /// Which.
        batch_id: u64,
        /// Why not.
        fault: String,
    },
    /// A batch that was not taken from the queue, or is settled already.
    #[error("batch {batch_id} is not in hand; take it with next_batch first, and settle it once")]
    NotTaken {
        /// Which.
        batch_id: u64,
    },
}

impl SpoolError {
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> SpoolError {
        SpoolError::Io { doing, path: path.to_owned(), source }
    }
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The spool holds all that it may, the disk does not take more, or it does not keep up.
    #[error("the spool is full")]
    Full,
    /// The record is empty or larger than a record may be.
    #[error("the record is empty or longer than {max} bytes", max = MAX_RECORD_BYTES)]
    Size,
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
}
