//! Reading segments that somebody may be writing, sealing or removing.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::thread;
use std::time::Duration;

use super::super::segment::{HeaderFault, MAX_HEADER_BYTES, SEAL_BYTES, Seal};
use super::contents::{About, Sealed, Segment};
use super::{Fault, Listed};

/// The most that is read of a file. A segment is sealed at 16 MiB; what is longer is none, or damaged beyond use.
const MAX_BYTES: u64 = 64 << 20;
/// How long to wait before what looks damaged is looked at again.
const MOMENT: Duration = Duration::from_millis(20);

/// Why there is nothing to show of a file that was listed.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It was shipped, or moved, meanwhile.
    #[error("it is gone: shipped or moved meanwhile")]
    Gone,
    /// Made and not written yet, or left so by a gateway that was killed then.
    #[error("it is empty: its header was never written")]
    Empty,
    /// The header cannot be used.
    #[error("{0}")]
    Header(#[from] HeaderFault),
    /// Longer than any segment.
    #[error("it is {0} bytes long, and no segment is longer than {MAX_BYTES}")]
    Long(u64),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        match error.kind() {
            io::ErrorKind::NotFound => Unread::Gone,
            _ => Unread::Io(error),
        }
    }
}

/// Reads a segment to its end. Holds it in memory: 16 MiB or so.
pub fn read(listed: &Listed) -> Result<Segment, Unread> {
    let first = read_once(listed);
    let is_well = match &first {
        Ok(segment) => segment.faults().is_empty(),
        Err(Unread::Gone | Unread::Long(_) | Unread::Io(_)) => true,
        Err(Unread::Empty | Unread::Header(_)) => false,
    };
    if is_well {
        return first;
    }
    thread::sleep(MOMENT);
    read_once(listed)
}

fn read_once(listed: &Listed) -> Result<Segment, Unread> {
    let file = File::open(&listed.path)?;
    let len = file.metadata()?.len();
    if len > MAX_BYTES {
        return Err(Unread::Long(len));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(Unread::Empty);
    }
    Ok(Segment::of(bytes, listed.named)?)
}

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What its header says.
    pub about: About,
    /// What its seal says; nothing where it is open.
    pub sealed: Option<Sealed>,
    /// Its rows: as sealed, or those that are whole so far.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// What was seen to be wrong with it.
    pub faults: Vec<Fault>,
}

/// Head and seal of a segment; only one that has no seal at its end is read to the end. Damage within a sealed one is not
/// seen: a backlog of gigabytes is looked at in a moment.
pub fn summary(listed: &Listed) -> Result<Summary, Unread> {
    if let Some(found) = sealed(listed)? {
        return Ok(found);
    }
    Ok(read(listed)?.summary())
}

/// A segment that is whole at both ends.
fn sealed(listed: &Listed) -> Result<Option<Summary>, Unread> {
    let file = File::open(&listed.path)?;
    let len = file.metadata()?.len();
    let mut head = Vec::new();
    (&file).take(MAX_HEADER_BYTES as u64).read_to_end(&mut head)?;
    let Ok((about, read)) = About::of(&head) else { return Ok(None) };
    let Some(at) = len.checked_sub(SEAL_BYTES as u64) else { return Ok(None) };
    let mut tail = [0; SEAL_BYTES];
    // It may have been cut meanwhile; then the longer way knows better.
    if file.read_exact_at(&mut tail, at).is_err() {
        return Ok(None);
    }
    let seal = Seal::decode(&tail, read.seed);
    let seal = seal.filter(|seal| seal.data_len == at && seal.batch_id == about.batch_id);
    let is_its_own = listed.named.is_none_or(|named| named == about.batch_id);
    Ok(seal.filter(|_| is_its_own).map(|seal| {
        let (sealed, rows) = (Some(Sealed::of(&seal)), u64::from(seal.rows));
        Summary { about, sealed, rows, bytes: len, faults: Vec::new() }
    }))
}
