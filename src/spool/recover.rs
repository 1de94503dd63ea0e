//! Recovery: what a start finds in the folder becomes sealed batches again. It never refuses and never panics: a torn tail
//! is cut, a damaged record is left out, a segment that cannot be read at all is kept aside, and each of them is counted.
//! A disk that cannot be written to stops none of it: what cannot be sealed now is left to the sealing thread.

use std::io;

use super::batch::Entry;
use super::disk::DiskFile;
use super::folder::{Folder, Listed};
use super::seal::Unsealed;
use super::segment::{self, Header, HeaderFault, MAX_HEADER_BYTES, ReadHeader, SEAL_BYTES, Seal};
use super::sift::LeftOut;

/// What a start found in the folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Batches that wait to be shipped. Each is in doubt: an earlier process may have sent it.
    pub batches: u64,
    /// Their rows.
    pub rows: u64,
    /// Batches among them that the earlier process did not come to seal.
    pub sealed_now: u64,
    /// Damaged places in those, each a record or more, that were left out.
    pub damaged: u64,
    /// Bytes of torn tails that were cut off.
    pub torn_bytes: u64,
    /// Segments that could not be read at all, and were moved to quarantine.
    pub unreadable: u64,
}

/// A segment of an earlier process.
pub(super) enum Left {
    Sealed(Entry),
    Unsealed(Unsealed),
}

impl Left {
    pub(super) fn batch_id(&self) -> u64 {
        match self {
            Left::Sealed(entry) => entry.batch_id,
            Left::Unsealed(segment) => segment.batch_id,
        }
    }

    /// Its bytes on disk, as they are counted.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Left::Sealed(entry) => entry.bytes,
            Left::Unsealed(segment) => segment.len,
        }
    }

    /// Counts its age from this time, in milliseconds since 1970.
    pub(super) fn is_born(&mut self, now_ms: i64) {
        match self {
            Left::Sealed(entry) => entry.born_ms = now_ms,
            Left::Unsealed(segment) => segment.born_ms = now_ms,
        }
    }

    pub(super) fn rows(&self) -> u32 {
        match self {
            Left::Sealed(entry) => entry.rows,
            Left::Unsealed(segment) => segment.rows,
        }
    }
}

/// What there is in the folder, oldest first.
pub(super) struct Recovered {
    pub(super) all: Vec<Left>,
    /// Bytes of files that should be gone or in quarantine, and could not be moved.
    pub(super) stuck_bytes: u64,
    /// The folder was synced, so that the names found are durable.
    pub(super) names_synced: bool,
    pub(super) report: Recovery,
}

/// Looks through the folder.
pub(super) fn recover(folder: &Folder) -> io::Result<Recovered> {
    let (mut all, mut stuck_bytes, mut report) = (Vec::new(), 0, Recovery::default());
    note("the remains of an unfinished write cannot be removed", folder.remove_unfinished());
    for listed in folder.segments()? {
        match take_up(folder, &listed, &mut report) {
            Ok(Some(left)) => {
                report.batches += 1;
                report.rows += u64::from(left.rows());
                all.push(left);
            }
            Ok(None) => {
                if !note("an empty spool segment cannot be removed", folder.remove(listed.batch_id)) {
                    stuck_bytes += listed.bytes;
                }
            }
            Err(fault) => {
                report.unreadable += 1;
                tracing::error!(batch_id = listed.batch_id, %fault, "a spool segment cannot be read; it goes to quarantine");
                let moved = folder.quarantine(listed.batch_id, &fault.to_string());
                if !note("a spool segment cannot be moved to quarantine", moved) {
                    stuck_bytes += listed.bytes;
                }
            }
        }
    }
    let names_synced = note("the spool folder cannot be synced", folder.sync_quarantine());
    Ok(Recovered { all, stuck_bytes, names_synced, report })
}

/// What fails here is met again at the next start, and keeps nothing from starting. Says whether it did not fail.
fn note(what: &str, done: io::Result<()>) -> bool {
    done.inspect_err(|error| tracing::error!(%error, "{what}")).is_ok()
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Header(#[from] HeaderFault),
    #[error("its header is of batch {0:016x}")]
    OtherBatch(u64),
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A segment as it is to be queued; nothing where it holds no record.
fn take_up(folder: &Folder, listed: &Listed, report: &mut Recovery) -> Result<Option<Left>, Fault> {
    if listed.bytes == 0 {
        return Ok(None);
    }
    let file = folder.open_segment(listed.batch_id)?;
    let head = file.read_some_at(0, MAX_HEADER_BYTES as u64)?;
    let read = Header::decode(&head)?;
    if read.header.batch_id != listed.batch_id {
        return Err(Fault::OtherBatch(read.header.batch_id));
    }
    // Half of a batch that is there whole: nobody has sent it, and it counts for nothing.
    if let Some(whole) = read.header.half_of
        && folder.has_segment(whole)?
    {
        return Ok(None);
    }
    // A sealed segment is believed without reading it all: a backlog must not delay the start.
    if let Some(seal) = read_seal(&*file, &read, listed)? {
        return Ok(Some(Left::Sealed(Entry {
            batch_id: listed.batch_id,
            partition: read.header.partition,
            rows: seal.rows,
            bytes: listed.bytes,
            in_doubt: true,
            synced: false,
            damage_counted: false,
            left_out: LeftOut::default(),
            born_ms: listed.modified_ms,
        })));
    }
    let whole = what_is_whole(file, head, &read, report)?;
    Ok(whole.map(|segment| Left::Unsealed(Unsealed { born_ms: listed.modified_ms, ..segment })))
}

/// A segment that came back into the folder, likewise; nothing where it cannot be read or holds no record.
pub(super) fn take_up_again(folder: &Folder, listed: &Listed) -> io::Result<Option<Left>> {
    match take_up(folder, listed, &mut Recovery::default()) {
        Ok(left) => Ok(left),
        Err(Fault::Io(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn read_seal(file: &dyn DiskFile, read: &ReadHeader, listed: &Listed) -> io::Result<Option<Seal>> {
    let Some(at) = listed.bytes.checked_sub(SEAL_BYTES as u64).filter(|at| *at >= read.len as u64) else {
        return Ok(None);
    };
    let mut bytes = [0; SEAL_BYTES];
    file.read_exact_at(&mut bytes, at)?;
    let seal = Seal::decode(&bytes, read.seed);
    Ok(seal.filter(|seal| seal.data_len == at && seal.batch_id == listed.batch_id && seal.rows > 0))
}

/// An unsealed segment without its torn tail, to be sealed under the id it was born with.
fn what_is_whole(
    file: Box<dyn DiskFile>,
    mut bytes: Vec<u8>,
    read: &ReadHeader,
    report: &mut Recovery,
) -> io::Result<Option<Unsealed>> {
    bytes.extend(file.read_some_at(bytes.len() as u64, u64::MAX)?);
    let found = segment::scan(&bytes, read);
    let Header { batch_id, partition, .. } = read.header;
    // A seal with something wrong behind it: it was sealed, and perhaps sent, so its row count must stay.
    let (rows, len, chain) =
        match found.seal.filter(|seal| seal.batch_id == batch_id && seal.data_len <= bytes.len() as u64) {
            Some(seal) => (seal.rows, seal.data_len, seal.chain),
            None => {
                report.damaged += found.gaps;
                report.torn_bytes += bytes.len().saturating_sub(found.end) as u64;
                if found.records.is_empty() {
                    return Ok(None);
                }
                report.sealed_now += 1;
                (u32::try_from(found.records.len()).unwrap_or(u32::MAX), found.end as u64, found.chain)
            }
        };
    bytes.truncate(read.len);
    let (header, seed) = (bytes, read.seed);
    let (in_doubt, distrusted, born_ms) = (true, false, 0);
    Ok(Some(Unsealed { file, batch_id, partition, header, seed, len, rows, chain, in_doubt, distrusted, born_ms }))
}
