//! What the bytes of a segment say, and what is wrong with them. Pure; the same functions read them as in recovery and in
//! the shipper, so that what is shown is what will be shipped.

use std::ops::Range;

use super::super::Records;
use super::super::record::{Column, write_leb};
use super::super::segment::{self, Header, HeaderFault, SEAL_BYTES, Seal};
use super::{Fault, Sift, Summary, What, text};
use crate::spool::Partition;

/// What a segment's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The version of the format.
    pub version: u16,
    /// The batch.
    pub batch_id: u64,
    /// The one partition of its rows.
    pub partition: Partition,
    /// What each record's values are, in order.
    pub columns: Vec<Column>,
    /// The batch it is a half of. As long as that one is in the queue too, this one counts for nothing.
    pub half_of: Option<u64>,
    /// Bytes of the header.
    pub bytes: u64,
}

impl About {
    pub(super) fn of(bytes: &[u8]) -> Result<(About, segment::ReadHeader), HeaderFault> {
        let read = Header::decode(bytes)?;
        let version = bytes.get(8..10).and_then(|version| version.try_into().ok()).map_or(0, u16::from_le_bytes);
        let Header { batch_id, partition, columns, half_of } = read.header.clone();
        Ok((About { version, batch_id, partition, columns, half_of, bytes: read.len as u64 }, read))
    }

    /// The gateway's instance: the batch id's high half.
    pub fn instance(&self) -> u32 {
        (self.batch_id >> 32) as u32
    }

    /// CRC-32C over the names and types of the columns as they stand in the header: two column lists at a glance.
    pub fn schema_hash(&self) -> u32 {
        let mut list = Vec::new();
        for column in &self.columns {
            for text in [column.name.as_str(), column.kind.clickhouse_type()] {
                write_leb(&mut list, text.len());
                list.extend_from_slice(text.as_bytes());
            }
        }
        crc32c::crc32c(&list)
    }
}

/// What a segment's seal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Rows of the batch.
    pub rows: u32,
    /// Bytes before the seal.
    pub data_bytes: u64,
    /// CRC-32C over the heads of all frames: the content, in eight digits.
    pub content: u32,
}

impl Sealed {
    pub(super) fn of(seal: &Seal) -> Sealed {
        Sealed { rows: seal.rows, data_bytes: seal.data_len, content: seal.chain }
    }
}

/// A segment that was read to its end, with what is wrong with it.
pub struct Segment {
    about: About,
    bytes: Vec<u8>,
    payloads: Vec<Range<usize>>,
    sealed: Option<Sealed>,
    faults: Vec<Fault>,
}

impl Segment {
    /// Reads the bytes of a segment; `named` is the batch that the file's name says.
    pub fn of(bytes: Vec<u8>, named: Option<u64>) -> Result<Segment, HeaderFault> {
        let (about, read) = About::of(&bytes)?;
        let scan = segment::scan(&bytes, &read);
        let mut faults = Vec::new();
        let mut fault = |range: Range<usize>, what| {
            faults.push(Fault { offset: range.start as u64, bytes: range.len() as u64, what });
        };
        if let Some(named) = named.filter(|named| *named != about.batch_id) {
            fault(0..read.len, What::OtherBatch { named, says: about.batch_id });
        }
        let mut end = read.len;
        for payload in &scan.records {
            let head = payload.start - segment::FRAME_HEAD_BYTES;
            if end < head {
                fault(end..head, What::Gap);
            }
            end = payload.end;
        }
        match scan.seal {
            Some(seal) => {
                let at = find_seal(&bytes, end, &seal, read.seed);
                if end < at {
                    fault(end..at, What::Gap);
                }
                let missing = u64::from(seal.rows).saturating_sub(scan.records.len() as u64);
                let is_whole = missing == 0 && end == at;
                if missing > 0 {
                    fault(at..at + SEAL_BYTES, What::Missing { sealed: seal.rows, missing });
                }
                let belongs = seal.batch_id == about.batch_id
                    && seal.data_len == at as u64
                    && scan.records.len() as u64 <= u64::from(seal.rows)
                    && (!is_whole || seal.chain == scan.chain);
                if !belongs {
                    fault(at..at + SEAL_BYTES, What::OtherSeal);
                }
                if at + SEAL_BYTES < bytes.len() {
                    fault(at + SEAL_BYTES..bytes.len(), What::BehindSeal);
                }
            }
            None if end < bytes.len() => {
                let tail = bytes.get(end..).unwrap_or_default();
                fault(end..bytes.len(), if was_seal(tail, about.batch_id) { What::Seal } else { What::TornTail });
            }
            None => {}
        }
        let sealed = scan.seal.as_ref().map(Sealed::of);
        Ok(Segment { about, bytes, payloads: scan.records, sealed, faults })
    }

    /// What its header says.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What its seal says; nothing where it is open.
    pub fn sealed(&self) -> Option<Sealed> {
        self.sealed
    }

    /// How many records are whole.
    pub fn rows(&self) -> usize {
        self.payloads.len()
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no byte, which no segment has.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is wrong with its frames, in their order.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What it says of itself.
    pub fn summary(&self) -> Summary {
        Summary {
            about: self.about.clone(),
            sealed: self.sealed,
            rows: self.sealed.map_or(self.payloads.len() as u64, |sealed| u64::from(sealed.rows)),
            bytes: self.bytes.len() as u64,
            faults: self.faults.clone(),
        }
    }

    /// Where each whole record's payload is.
    pub fn places(&self) -> &[Range<usize>] {
        &self.payloads
    }

    /// Each whole record's values, in the order of the columns.
    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter().map(|range| self.bytes.get(range.clone()).unwrap_or_default())
    }

    /// Leaves out of its records what the shipper leaves out too; returns how many.
    pub fn leave_out(&mut self, sift: &Sift) -> u64 {
        let (about, bytes, payloads) = (&self.about, &self.bytes, &mut self.payloads);
        sift.leave_out(about, |keep| payloads.retain(|range| keep(bytes.get(range.clone()).unwrap_or_default())))
    }

    /// The whole records that do not fit the columns, which the shipper could not encode.
    pub fn misfits(&self) -> impl Iterator<Item = Fault> {
        self.payloads().enumerate().filter_map(|(row, payload)| {
            let why = text::values(&self.about.columns, payload).err()?;
            let place = self.payloads.get(row)?;
            Some(Fault { offset: place.start as u64, bytes: place.len() as u64, what: What::Row { row, why } })
        })
    }

    /// The whole records that `keep` keeps, as the shipper has them.
    pub fn records(&self, keep: impl Fn(&[u8]) -> bool) -> Records {
        let payloads = self.payloads().filter(|payload| keep(payload));
        Records::in_memory(self.about.batch_id, self.about.partition, self.about.columns.clone(), payloads)
    }
}

/// Where the seal stands that a scan found behind the record that ends at `end`.
fn find_seal(bytes: &[u8], end: usize, seal: &Seal, seed: u32) -> usize {
    let is_there = |at: usize| bytes.get(at..).and_then(|rest| Seal::decode(rest, seed)).as_ref() == Some(seal);
    let likely = [Some(end), usize::try_from(seal.data_len).ok(), bytes.len().checked_sub(SEAL_BYTES)];
    let found = likely.into_iter().flatten().find(|at| *at >= end && is_there(*at));
    // The scan found it, so it is somewhere.
    found.or_else(|| (end..bytes.len()).find(|at| is_there(*at))).unwrap_or(end)
}

/// Whether what follows the last whole record is a seal that was written and damaged later, rather than a torn write.
fn was_seal(tail: &[u8], batch_id: u64) -> bool {
    tail.len() >= SEAL_BYTES && tail.starts_with(&[0xff; 4])
        || tail.len() == SEAL_BYTES && tail.ends_with(&batch_id.to_le_bytes())
}

/// The bytes of a segment with these records, as the writer and the sealing thread leave them. For tests, fuzzing and
/// benchmarks.
pub fn compose<'a>(
    batch_id: u64,
    partition: Partition,
    columns: Vec<Column>,
    payloads: impl IntoIterator<Item = &'a [u8]>,
    is_sealed: bool,
) -> Vec<u8> {
    let (mut bytes, seed) = Header { batch_id, partition, columns, half_of: None }.encode();
    let (mut rows, mut chain) = (0, seed);
    for payload in payloads {
        chain = segment::write_record(&mut bytes, seed, chain, payload);
        rows += 1;
    }
    if is_sealed {
        let seal = Seal { rows, data_len: bytes.len() as u64, chain, batch_id };
        bytes.extend_from_slice(&seal.encode(seed));
    }
    bytes
}
