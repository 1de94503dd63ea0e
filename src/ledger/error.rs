//! What can go wrong with the ledger.

use std::io;
use std::path::PathBuf;

use super::entry::Unfit;
use crate::keys::private_folder::NotPrivate;

/// Why the ledger cannot be opened, or something about it failed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process appends to it.
    #[error("the ledger {dir} is in use by another process; stop that one, or give this one a data_dir of its own")]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder is not ours alone.
    #[error("the ledger cannot be kept: {0}")]
    NotPrivate(#[from] NotPrivate),
    /// A file operation failed.
    #[error(
        "cannot {doing} at {path}: {source}; without the ledger no choice can be proven, so see that the disk is well, has \
         room, and that the folder is this user's"
    )]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A value that has no place in it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The row is not on the disk, and nothing of it is: the choice does not count.
    #[error("the choice could not be written to the ledger ({0}); it does not count")]
    NotWritten(io::ErrorKind),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// A kept text is not what its name says.
    #[error("the text {hash} in the ledger is damaged: its SHA-256 is another; restore the file from a backup")]
    Damaged {
        /// Its name.
        hash: String,
    },
    /// A text that is too long to be a banner or a notice.
    #[error("a text of {bytes} bytes is too long for the ledger; at most {most} are kept")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
}
