//! The records of a batch, as its segment has them.

use std::ops::Range;

use crate::spool::Partition;
use crate::spool::record::Column;
use crate::spool::segment::{self, Header};

/// The records of one batch and the columns they are made of.
pub struct Records {
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
    /// Where in the bytes the values of each record are.
    pub(super) payloads: Vec<Range<usize>>,
}

impl Records {
    /// Records that never were on disk, for tests and benchmarks.
    pub fn in_memory<'a>(
        batch_id: u64,
        partition: Partition,
        columns: Vec<Column>,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Records {
        let mut bytes = Vec::new();
        let mut ranges = Vec::new();
        for payload in payloads {
            ranges.push(bytes.len()..bytes.len() + payload.len());
            bytes.extend_from_slice(payload);
        }
        Records { header: Header { batch_id, partition, columns, half_of: None }, bytes, payloads: ranges }
    }

    pub(in crate::spool) fn parse(bytes: Vec<u8>) -> Result<Records, segment::HeaderFault> {
        let read = Header::decode(&bytes)?;
        let payloads = segment::scan(&bytes, &read).records;
        Ok(Records { header: read.header, bytes, payloads })
    }

    /// The batch they belong to.
    pub fn batch_id(&self) -> u64 {
        self.header.batch_id
    }

    /// The one partition of them.
    pub(in crate::spool) fn partition(&self) -> Partition {
        self.header.partition
    }

    /// What each record's values are, in order.
    pub fn columns(&self) -> &[Column] {
        &self.header.columns
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.payloads.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.payloads.is_empty()
    }

    /// The bytes of all of them together, framing included: a bound for what they become.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each record's values, in the order of the columns.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.payloads.iter().map(|range| self.bytes.get(range.clone()).unwrap_or_default())
    }
}
