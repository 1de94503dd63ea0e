//! Batch ids: the instance id in the high 32 bits, a running number in the low ones. Sequential, because the column
//! `batch_id` then compresses to almost nothing, and never given twice: the numbers that may be in use are reserved on disk
//! before the first of them is given. A folder that was copied has another identity than the one the note is of, and gets
//! another instance id: else two processes would give the same ids, and the table would take one's rows for the other's.

use std::io;

use super::folder::Folder;
use super::segment::Reader;

const NOTE: &str = "instance";
const MAGIC: [u8; 8] = *b"CONSINST";
/// Numbers reserved by one durable write. A restart leaves the rest of its reservation unused; 65 536 restarts or batches
/// at one a second for 136 years use up an instance id, and then a new one is drawn.
const RESERVE: u32 = 1 << 16;

#[derive(Clone)]
pub(super) struct BatchIds {
    instance: u32,
    /// Of the folder.
    identity: u128,
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
        let identity = folder.identity()?;
        let ids = match note.as_deref().and_then(decode) {
            Some(Note { instance, reserved, identity: of }) if of.is_none_or(|of| of == identity) => {
                let numbers = found.filter(|id| (id >> 32) as u32 == instance).map(|id| id as u32);
                let past = numbers.max().map_or(0, |number| number.saturating_add(1));
                let next = reserved.max(past);
                BatchIds { instance, identity, next, reserved: next }
            }
            _ => BatchIds::fresh(identity)?,
        };
        Ok(ids)
    }

    fn fresh(identity: u128) -> io::Result<BatchIds> {
        let instance = getrandom::u32().map_err(io::Error::other)?.max(1);
        Ok(BatchIds { instance, identity, next: 0, reserved: 0 })
    }

    /// Whether numbers should be reserved before they are needed, since that syncs the disk.
    pub(super) fn wants_more(&self) -> bool {
        self.reserved - self.next < RESERVE / 2
    }

    /// Reserves more of them. Where it fails, [`next`](BatchIds::next) does
    /// it when the last is used.
    pub(super) fn reserve(&mut self, folder: &Folder) -> io::Result<()> {
        if self.next > u32::MAX - RESERVE {
            *self = BatchIds::fresh(self.identity)?;
        }
        let reserved = self.next + RESERVE;
        folder.write_note(NOTE, &encode(self.instance, reserved, self.identity))?;
        self.reserved = reserved;
        Ok(())
    }

    /// Takes over what a copy has reserved meanwhile.
    pub(super) fn adopt(&mut self, copy: &BatchIds) {
        if copy.instance == self.instance {
            self.reserved = self.reserved.max(copy.reserved);
        }
    }

    /// An id that no batch has or had.
    pub(super) fn next(&mut self, folder: &Folder) -> io::Result<u64> {
        if self.next >= self.reserved {
            self.reserve(folder)?;
        }
        let id = u64::from(self.instance) << 32 | u64::from(self.next);
        self.next += 1;
        Ok(id)
    }
}

struct Note {
    instance: u32,
    /// The first free number.
    reserved: u32,
    /// Of the folder it was written for; earlier programs did not note that.
    identity: Option<u128>,
}

fn encode(instance: u32, reserved: u32, identity: u128) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&instance.to_le_bytes());
    out.extend_from_slice(&reserved.to_le_bytes());
    out.extend_from_slice(&identity.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// A damaged note is no note: a new instance id is always safe.
fn decode(bytes: &[u8]) -> Option<Note> {
    let (checked, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let mut fields = Reader(checked);
    let magic = fields.take(MAGIC.len())?;
    let (instance, reserved) = (fields.u32()?, fields.u32()?);
    let identity = match fields.0 {
        [] => None,
        bytes => Some(u128::from_le_bytes(bytes.try_into().ok()?)),
    };
    let whole = magic == MAGIC && Reader(crc).u32()? == crc32c::crc32c(checked);
    whole.then_some(Note { instance, reserved, identity })
}
