//! Recovery: what a start finds in the folder becomes sealed batches again. It never refuses and never panics: a torn tail
//! is cut, a damaged record is left out, a segment that cannot be read at all is kept aside, and each of them is counted.

use std::io;

use super::batch::Entry;
use super::disk::DiskFile;
use super::folder::{Folder, Listed};
use super::seal::write_seal;
use super::segment::{self, Header, HeaderFault, MAX_HEADER_BYTES, ReadHeader, SEAL_BYTES, Seal};

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

/// The folder's segments as a queue, oldest first.
pub(super) fn recover(folder: &Folder) -> io::Result<(Vec<Entry>, Recovery)> {
    let mut report = Recovery::default();
    let mut entries = Vec::new();
    for listed in folder.segments()? {
        match take_up(folder, &listed, &mut report) {
            Ok(Some(entry)) => {
                report.batches += 1;
                report.rows += u64::from(entry.rows);
                entries.push(entry);
            }
            Ok(None) => note(listed.batch_id, folder.remove(listed.batch_id)),
            Err(fault) => {
                report.unreadable += 1;
                tracing::error!(batch_id = listed.batch_id, %fault, "a spool segment cannot be read; it goes to quarantine");
                note(listed.batch_id, folder.quarantine(listed.batch_id, &fault.to_string()));
            }
        }
    }
    folder.sync()?;
    Ok((entries, report))
}

/// A file that cannot be moved stays where it is, and is met again at the next start.
fn note(batch_id: u64, moved: io::Result<()>) {
    if let Err(error) = moved {
        tracing::error!(batch_id, %error, "a spool segment cannot be moved away");
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Header(#[from] HeaderFault),
    #[error("its header is of batch {0:016x}")]
    OtherBatch(u64),
    #[error("it cannot be read or sealed: {0}")]
    Io(#[from] io::Error),
}

/// A segment as a batch; nothing where it holds no record.
fn take_up(folder: &Folder, listed: &Listed, report: &mut Recovery) -> Result<Option<Entry>, Fault> {
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
    let partition = read.header.partition;
    let Listed { batch_id, modified_ms: born_ms, .. } = *listed;
    let entry = |rows, bytes| Entry { batch_id, partition, rows, bytes, in_doubt: true, born_ms };
    // A sealed segment is believed without reading it all: a backlog must not delay the start.
    if let Some(seal) = read_seal(&*file, &read, listed)? {
        return Ok(Some(entry(seal.rows, listed.bytes)));
    }
    let Some((rows, bytes)) = seal_what_is_whole(&*file, head, &read, report)? else { return Ok(None) };
    Ok(Some(entry(rows, bytes)))
}

/// A sealed segment as a batch; nothing where it is no such.
pub(super) fn take_up_sealed(folder: &Folder, listed: &Listed) -> io::Result<Option<Entry>> {
    let mut report = Recovery::default();
    match take_up(folder, listed, &mut report) {
        Ok(entry) => Ok(entry),
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

/// Cuts the torn tail of an unsealed segment and seals the rest under the id it was born with.
fn seal_what_is_whole(
    file: &dyn DiskFile,
    mut bytes: Vec<u8>,
    read: &ReadHeader,
    report: &mut Recovery,
) -> io::Result<Option<(u32, u64)>> {
    bytes.extend(file.read_some_at(bytes.len() as u64, u64::MAX)?);
    let found = segment::scan(&bytes, read);
    if let Some(seal) = found.seal.filter(|seal| seal.batch_id == read.header.batch_id) {
        // It was sealed, and perhaps sent; only something behind the seal is wrong. Its row count must stay.
        return Ok(Some((seal.rows, write_seal(file, &seal, read.seed)?)));
    }
    report.damaged += found.gaps;
    report.torn_bytes += bytes.len().saturating_sub(found.end) as u64;
    if found.records.is_empty() {
        return Ok(None);
    }
    let rows = u32::try_from(found.records.len()).unwrap_or(u32::MAX);
    let data_len = found.end as u64;
    let seal = Seal { rows, data_len, chain: found.chain, batch_id: read.header.batch_id };
    let len = write_seal(file, &seal, read.seed)?;
    report.sealed_now += 1;
    Ok(Some((rows, len)))
}
