//! The bytes of a segment: header, record frames, seal. Pure functions over byte slices; knows no files and no clock.
//! Called by the writer, by the sealing thread, by recovery and by whoever reads a sealed batch.
//!
//! ```text
//! header   magic "CONSPOOL", version u16, length u32, batch id u64, month u32, retention days u16,
//!          columns u16 times (name, ClickHouse type; both LEB128 length and UTF-8),
//!          in version 2 the id u64 of the batch this is a half of, CRC-32C u32 over all of it
//! record   length u32, CRC-32C u32 over length and payload, payload
//! seal     0xFFFFFFFF, CRC-32C u32, rows u32, data length u64, chain u32, batch id u64
//! ```
//! Numbers are little-endian. The checksums of records and seal start from the header's, so that a frame counts only in the
//! segment it was written to: neither the stale blocks of another file nor a visitor's text that looks like a frame passes.

use std::ops::Range;

use super::Partition;
use super::record::{Column, ColumnKind, read_leb, write_leb};

/// The most bytes that one record may take; a frame that claims more is damaged.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// Bytes of the seal that ends a segment.
pub(super) const SEAL_BYTES: usize = FRAME_HEAD_BYTES + 24;

/// The most bytes that a header may take.
pub(super) const MAX_HEADER_BYTES: usize = 1 << 16;

const MAGIC: [u8; 8] = *b"CONSPOOL";
/// Of a segment that is a half of another, and the newest that is understood; all others are version 1.
const VERSION_HALF: u16 = 2;
const VERSION: u16 = 1;
/// Magic, version and length: what must be read to know how long the header is.
const PREFIX_BYTES: usize = 14;
pub(super) const FRAME_HEAD_BYTES: usize = 8;
const SEAL_MARK: u32 = u32::MAX;
/// How many bytes may be checksummed in search of the next whole frame behind a damaged one. It bounds the time that a
/// damaged segment can take; what lies behind is counted with the damage.
const SEARCH_BYTES: usize = 64 << 20;

/// What a segment says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) batch_id: u64,
    pub(super) partition: Partition,
    pub(super) columns: Vec<Column>,
    /// The batch it is a half of: as long as that one is there, this one is not ([`split`](super::split)).
    pub(super) half_of: Option<u64>,
}

/// A header that was read: what it says, how long it is, and where the checksums of its frames start from.
pub(super) struct ReadHeader {
    pub(super) header: Header,
    pub(super) len: usize,
    pub(super) seed: u32,
}

/// Why a segment's header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The file is no segment, or its beginning is damaged.
    #[error("it does not begin as a spool segment")]
    Magic,
    /// Written by a newer program.
    #[error("its format version is {0}, this program knows 2; start the newer program again to ship it")]
    Version(u16),
    /// Shorter than it says, or its checksum is wrong.
    #[error("its header is damaged")]
    Damaged,
    /// A column type that this program does not know.
    #[error("it has a column of a type this program does not know; start the newer program again to ship it")]
    ColumnType,
}

impl Header {
    /// The header's bytes and the seed of the frames' checksums.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(2048);
        out.extend_from_slice(&MAGIC);
        let version = if self.half_of.is_some() { VERSION_HALF } else { VERSION };
        out.extend_from_slice(&version.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.batch_id.to_le_bytes());
        out.extend_from_slice(&self.partition.month.to_le_bytes());
        out.extend_from_slice(&self.partition.retention_days.to_le_bytes());
        out.extend_from_slice(&(self.columns.len() as u16).to_le_bytes());
        for column in &self.columns {
            for text in [column.name.as_str(), column.kind.clickhouse_type()] {
                write_leb(&mut out, text.len());
                out.extend_from_slice(text.as_bytes());
            }
        }
        out.extend(self.half_of.iter().flat_map(|id| id.to_le_bytes()));
        let len = (out.len() + 4) as u32;
        out[10..PREFIX_BYTES].copy_from_slice(&len.to_le_bytes());
        let seed = crc32c::crc32c(&out);
        out.extend_from_slice(&seed.to_le_bytes());
        (out, seed)
    }

    /// Whether a header with these columns is understood when it is read: they are not too many, nor too long.
    pub(super) fn can_be_read_again(&self) -> bool {
        Header::decode(&self.encode().0).is_ok_and(|read| read.header == *self)
    }

    /// Reads the header at the head of `bytes`.
    pub(super) fn decode(bytes: &[u8]) -> Result<ReadHeader, HeaderFault> {
        let mut prefix = Reader(bytes.get(..PREFIX_BYTES).ok_or(HeaderFault::Magic)?);
        if prefix.take(MAGIC.len()) != Some(&MAGIC) {
            return Err(HeaderFault::Magic);
        }
        let version = prefix.u16().ok_or(HeaderFault::Damaged)?;
        let len = prefix.u32().ok_or(HeaderFault::Damaged)? as usize;
        if len > MAX_HEADER_BYTES {
            return Err(HeaderFault::Damaged);
        }
        let checked = len.checked_sub(4).and_then(|end| bytes.get(..end)).ok_or(HeaderFault::Damaged)?;
        let seed = crc32c::crc32c(checked);
        if Reader(bytes.get(checked.len()..len).unwrap_or_default()).u32() != Some(seed) {
            return Err(HeaderFault::Damaged);
        }
        // Only now is the version believed: a damaged header is no newer one.
        if ![VERSION, VERSION_HALF].contains(&version) {
            return Err(HeaderFault::Version(version));
        }
        let mut fields = Reader(checked.get(PREFIX_BYTES..).ok_or(HeaderFault::Damaged)?);
        let mut header = Self::decode_fields(&mut fields)?;
        if version == VERSION_HALF {
            header.half_of = Some(fields.u64().ok_or(HeaderFault::Damaged)?);
        }
        Ok(ReadHeader { header, len, seed })
    }

    fn decode_fields(fields: &mut Reader<'_>) -> Result<Header, HeaderFault> {
        let batch_id = fields.u64().ok_or(HeaderFault::Damaged)?;
        let month = fields.u32().ok_or(HeaderFault::Damaged)?;
        let retention_days = fields.u16().ok_or(HeaderFault::Damaged)?;
        let count = fields.u16().ok_or(HeaderFault::Damaged)?;
        let mut columns = Vec::with_capacity(usize::from(count).min(1024));
        for _ in 0..count {
            let name = fields.text().ok_or(HeaderFault::Damaged)?.to_owned();
            let kind = fields.text().ok_or(HeaderFault::Damaged)?;
            let kind = ColumnKind::from_clickhouse_type(kind).ok_or(HeaderFault::ColumnType)?;
            columns.push(Column { name, kind });
        }
        Ok(Header { batch_id, partition: Partition { month, retention_days }, columns, half_of: None })
    }
}

/// What ends a segment: which batch it is, how much of it, and which content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) rows: u32,
    /// Bytes before the seal.
    pub(super) data_len: u64,
    /// CRC-32C over the heads of all frames, which cover the payloads.
    pub(super) chain: u32,
    pub(super) batch_id: u64,
}

impl Seal {
    /// The seal's bytes, for a segment whose header has this `seed`.
    pub(super) fn encode(&self, seed: u32) -> [u8; SEAL_BYTES] {
        let mut out = [0; SEAL_BYTES];
        out[..4].copy_from_slice(&SEAL_MARK.to_le_bytes());
        out[8..12].copy_from_slice(&self.rows.to_le_bytes());
        out[12..20].copy_from_slice(&self.data_len.to_le_bytes());
        out[20..24].copy_from_slice(&self.chain.to_le_bytes());
        out[24..].copy_from_slice(&self.batch_id.to_le_bytes());
        let crc = checksum(seed, SEAL_MARK, &out[FRAME_HEAD_BYTES..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the seal that `bytes` begins with.
    pub(super) fn decode(bytes: &[u8], seed: u32) -> Option<Seal> {
        let mut fields = Reader(bytes.get(..SEAL_BYTES)?);
        let (mark, crc) = (fields.u32()?, fields.u32()?);
        if mark != SEAL_MARK || crc != checksum(seed, SEAL_MARK, fields.0) {
            return None;
        }
        Some(Seal { rows: fields.u32()?, data_len: fields.u64()?, chain: fields.u32()?, batch_id: fields.u64()? })
    }
}

/// Appends a record's frame and returns the chain with it.
pub(super) fn write_record(out: &mut Vec<u8>, seed: u32, chain: u32, payload: &[u8]) -> u32 {
    let len = payload.len() as u32;
    let at = out.len();
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(seed, len, payload).to_le_bytes());
    let chain = crc32c::crc32c_append(chain, &out[at..]);
    out.extend_from_slice(payload);
    chain
}

/// What the frames of a segment turned out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Where the payloads of the whole records are.
    pub(super) records: Vec<Range<usize>>,
    /// Stretches in the middle that are no whole frame; each is one record or more.
    pub(super) gaps: u64,
    /// Where the last whole record ends; what follows, except for a seal, is a torn tail.
    pub(super) end: usize,
    /// The chain over the whole records.
    pub(super) chain: u32,
    /// The seal, where there is one.
    pub(super) seal: Option<Seal>,
}

/// Reads the frames of a segment: keeps every whole record, skips what is damaged between two, stops at the seal or where
/// nothing whole follows.
pub(super) fn scan(bytes: &[u8], header: &ReadHeader) -> Scan {
    let mut found = Scan { end: header.len, chain: header.seed, ..Scan::default() };
    let mut at = header.len;
    let mut budget = SEARCH_BYTES;
    while at < bytes.len() {
        match frame(bytes, at, header.seed) {
            Some(Frame::Record(payload)) => {
                let head = bytes.get(at..payload.start).unwrap_or_default();
                found.chain = crc32c::crc32c_append(found.chain, head);
                at = payload.end;
                found.end = at;
                found.records.push(payload);
            }
            Some(Frame::Seal(seal)) => {
                found.seal = Some(seal);
                break;
            }
            None => match next_whole(bytes, at, header.seed, &mut budget) {
                Some(next) => {
                    found.gaps += 1;
                    at = next;
                }
                None => break,
            },
        }
    }
    found
}

enum Frame {
    Record(Range<usize>),
    Seal(Seal),
}

/// The whole frame at `at`.
fn frame(bytes: &[u8], at: usize, seed: u32) -> Option<Frame> {
    let rest = bytes.get(at..)?;
    let mut head = Reader(rest);
    let (len, crc) = (head.u32()?, head.u32()?);
    if len == SEAL_MARK {
        return Seal::decode(rest, seed).map(Frame::Seal);
    }
    let payload = head.take(payload_len(len)?)?;
    let start = at + FRAME_HEAD_BYTES;
    (checksum(seed, len, payload) == crc).then(|| Frame::Record(start..start + payload.len()))
}

/// Where the next whole frame begins behind the damaged one at `at`.
fn next_whole(bytes: &[u8], at: usize, seed: u32, budget: &mut usize) -> Option<usize> {
    let claimed = |at: usize| Reader(bytes.get(at..)?).u32().and_then(payload_len);
    // Most damage is within a payload, and then the damaged frame's own length leads to the next one.
    if let Some(next) = claimed(at).map(|len| at + FRAME_HEAD_BYTES + len)
        && frame(bytes, next, seed).is_some()
    {
        return Some(next);
    }
    for next in at + 1..bytes.len() {
        let cost = claimed(next).filter(|len| next + FRAME_HEAD_BYTES + len <= bytes.len()).unwrap_or(0);
        *budget = budget.checked_sub(cost + 1)?;
        if frame(bytes, next, seed).is_some() {
            return Some(next);
        }
    }
    None
}

fn payload_len(len: u32) -> Option<usize> {
    let len = len as usize;
    (1..=MAX_RECORD_BYTES).contains(&len).then_some(len)
}

fn checksum(seed: u32, len: u32, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &len.to_le_bytes()), payload)
}

/// Takes fields from the head of a slice; nothing where it is too short.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let (len, head) = read_leb(self.0)?;
        self.take(head)?;
        std::str::from_utf8(self.take(len)?).ok()
    }
}
