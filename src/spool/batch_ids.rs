//! Batch ids: the instance id in the high 32 bits, a running number in the low ones. Sequential, because the column
//! `batch_id` then compresses to almost nothing, and never given twice: the numbers that may be in use are reserved on disk
//! before the first of them is given.

use std::io;

use super::folder::Folder;
use super::segment::Reader;

const NOTE: &str = "instance";
const MAGIC: [u8; 8] = *b"CONSINST";
/// Numbers reserved by one durable write. A restart leaves the rest of its reservation unused; 65 536 restarts or batches
/// at one a second for 136 years use up an instance id, and then a new one is drawn.
const RESERVE: u32 = 1 << 16;

pub(super) struct BatchIds {
    instance: u32,
    next: u32,
    /// The first number that is not reserved.
    reserved: u32,
}

impl BatchIds {
    /// Takes up the folder's numbering, or begins one. `found` are the ids of segments that are there: should the note be
    /// older than they are (restored from a copy), none of them is given again.
    pub(super) fn open(folder: &Folder, found: impl Iterator<Item = u64>) -> io::Result<BatchIds> {
        let note = folder.read_note(NOTE).unwrap_or_else(|error| {
            tracing::error!(%error, "the spool's instance id cannot be read; it gets a new one");
            None
        });
        let ids = match note.as_deref().and_then(decode) {
            Some((instance, reserved)) => {
                let numbers = found.filter(|id| (id >> 32) as u32 == instance).map(|id| id as u32);
                let past = numbers.max().map_or(0, |number| number.saturating_add(1));
                let next = reserved.max(past);
                BatchIds { instance, next, reserved: next }
            }
            None => BatchIds::fresh()?,
        };
        Ok(ids)
    }

    fn fresh() -> io::Result<BatchIds> {
        let instance = getrandom::u32().map_err(io::Error::other)?.max(1);
        Ok(BatchIds { instance, next: 0, reserved: 0 })
    }

    /// An id that no batch has or had.
    pub(super) fn next(&mut self, folder: &Folder) -> io::Result<u64> {
        if self.next >= self.reserved {
            if self.next > u32::MAX - RESERVE {
                *self = BatchIds::fresh()?;
            }
            let reserved = self.next + RESERVE;
            folder.write_note(NOTE, &encode(self.instance, reserved))?;
            self.reserved = reserved;
        }
        let id = u64::from(self.instance) << 32 | u64::from(self.next);
        self.next += 1;
        Ok(id)
    }
}

fn encode(instance: u32, reserved: u32) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&instance.to_le_bytes());
    out.extend_from_slice(&reserved.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Instance and first free number. A damaged note is no note: a new instance id is always safe.
fn decode(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Reader(bytes);
    let magic = fields.take(MAGIC.len())?;
    let (instance, reserved, crc) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let checked = bytes.get(..bytes.len() - 4)?;
    (magic == MAGIC && fields.0.is_empty() && crc == crc32c::crc32c(checked)).then_some((instance, reserved))
}
