//! The spool seen from outside: what lies in its folder, read without having it open. Called by the command line
//! (`consentry spool`), whether a gateway has the folder or none. It takes no lock, opens no file for writing, and removes
//! nothing; all it ever changes is the name of a batch in quarantine, by [`ask_again`].
//!
//! # While a gateway runs
//! Between listing and reading, segments appear, grow, get their seal, go to quarantine, and vanish into the table. So:
//! - What was listed and is gone is [gone](Unread::Gone), and no fault.
//! - What looks damaged is read once more a moment later, and believed only then: a write may have been seen by half.
//! - An open segment may end anywhere. A [torn tail](What::TornTail) is a fault only where nobody is writing.
//!
//! The queue itself never looks into a record. Here [`text`] does, for `consentry spool export` alone.

mod contents;
mod fault;
mod holder;
mod reading;
mod reason;
mod retry;
mod sifted;
pub mod text;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use contents::{About, Sealed, Segment, compose};
pub use fault::{Fault, What};
pub use holder::{Holder, holder};
pub use reading::{Summary, Unread, read, summary};
pub use reason::Reason;
pub use retry::{NotAsked, RETRY, ask_again, retry_batch_id, retry_file};
pub use sifted::{Sift, SiftError};

const SEGMENT: &str = "segment";
const SHIPPED: &str = "shipped";
const QUARANTINE: &str = "quarantine";
const RECENT: &str = "recent";

/// Where a segment lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the spool: it is being written, or waits to be shipped.
    Queue,
    /// In `quarantine/`.
    Quarantine,
    /// In `quarantine/`, and the gateway is asked to take it back into the queue.
    Retry,
    /// In `recent/`: its rows are in the table; it is kept for some minutes, to know repeats by.
    Shipped,
}

impl Place {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Place::Queue => "queue",
            Place::Quarantine => "quarantine",
            Place::Retry => "retry",
            Place::Shipped => "shipped",
        }
    }

    /// Whether it is in `quarantine/`, asked for or not.
    pub fn is_aside(self) -> bool {
        matches!(self, Place::Quarantine | Place::Retry)
    }
}

/// A segment's file, as it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Where it lies.
    pub place: Place,
    /// The batch that its name says it is; nothing where it has another kind of name.
    pub named: Option<u64>,
    /// Its length.
    pub bytes: u64,
    /// When it was made, or last written where the file system does not know.
    pub since: Option<SystemTime>,
}

impl Listed {
    /// Any file that somebody names.
    pub fn file(path: &Path) -> io::Result<Listed> {
        let found = fs::metadata(path)?;
        // A pipe would be waited for.
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(Listed::new(path.to_owned(), &found))
    }

    fn new(path: PathBuf, found: &fs::Metadata) -> Listed {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let retry = retry_batch_id(name);
        let within = |folder: &str| path.parent().is_some_and(|parent| parent.ends_with(folder));
        let place = match (within(QUARANTINE), within(RECENT)) {
            (true, _) if retry.is_some() => Place::Retry,
            (true, _) => Place::Quarantine,
            (_, true) => Place::Shipped,
            _ => Place::Queue,
        };
        let named = batch_id(name, SEGMENT).or(retry).or_else(|| batch_id(name, SHIPPED));
        let since = found.created().or_else(|_| found.modified()).ok();
        Listed { place, named, bytes: found.len(), since, path }
    }

    /// Why it is in quarantine, where that stands beside it.
    pub fn reason(&self) -> Option<Reason> {
        self.place.is_aside().then(|| Reason::read(&self.path.with_extension("reason")))?
    }
}

/// Why the folder cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// There is none.
    #[error(
        "there is no spool in {dir}. A gateway makes it when it first starts; where the data is elsewhere, name its folder with --data-dir or the configuration with --config"
    )]
    NoSpool {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// It cannot be listed.
    #[error(
        "cannot list {dir}: {source}. The spool is its owner's alone: run this as the user that the gateway runs as"
    )]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The segments that are there, oldest first: those in the queue, in quarantine, and those that were shipped lately.
pub fn list(dir: &Path) -> Result<Vec<Listed>, LookError> {
    let failed = |dir: &Path, source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LookError::NoSpool { dir: dir.to_owned() },
        _ => LookError::Io { dir: dir.to_owned(), source },
    };
    let mut found = segments(dir).map_err(|source| failed(dir, source))?;
    for folder in [QUARANTINE, RECENT] {
        let folder = dir.join(folder);
        match segments(&folder) {
            Ok(more) => found.extend(more),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&folder, error)),
        }
    }
    Ok(found)
}

fn segments(dir: &Path) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let listed = match entry.metadata() {
            Ok(metadata) if metadata.is_file() => Listed::new(entry.path(), &metadata),
            Ok(_) => continue,
            // Shipped meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // Each of the other endings means something in its own folder alone.
        let ending = match listed.place {
            Place::Retry => RETRY,
            Place::Shipped => SHIPPED,
            Place::Queue | Place::Quarantine => SEGMENT,
        };
        if listed.named.is_some() && listed.path.extension().is_some_and(|extension| extension == ending) {
            found.push(listed);
        }
    }
    found.sort_unstable_by_key(|listed| (listed.named, listed.place));
    Ok(found)
}

/// The batch whose file has this name and ending.
fn batch_id(name: &str, ending: &str) -> Option<u64> {
    let (stem, found) = name.split_once('.')?;
    if stem.len() != 16 || found != ending {
        return None;
    }
    // Without the sign that Rust would read.
    stem.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(stem, 16).ok())?
}
