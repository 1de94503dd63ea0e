//! A batch's records as one block of ClickHouse's `Native` format: the records hold their values row by row, the block
//! column by column, and the bytes of a value are the same in both. Pure; called by the shipper.
//!
//! The block announces each column's type as the segment names it. Where the table has another (`LowCardinality(String)`
//! for `String`, say) ClickHouse casts (`input_format_native_allow_types_conversion`, on by default), which costs it less
//! than dictionaries would cost us.

use crate::spool::Records;
use crate::spool::record::{Column, ColumnKind, read_leb, text_len, write_leb};

/// The column that a block has beside the records' own: the batch's id in every row.
pub const BATCH_ID: &str = "batch_id";

/// Why a batch has no block.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A value is cut off, or is not what its column holds.
    #[error("row {row} has no whole value for column {column}")]
    Value {
        /// Which record, from 0.
        row: usize,
        /// Which column.
        column: String,
    },
    /// A record goes on behind its last column.
    #[error("row {row} has {bytes} bytes more than its columns take")]
    Longer {
        /// Which record, from 0.
        row: usize,
        /// How many.
        bytes: usize,
    },
}

/// The batch as one block, `batch_id` last, without the columns that stay here.
pub fn encode(records: &Records) -> Result<Vec<u8>, EncodeError> {
    let rows = records.len();
    let mut columns: Vec<Filling> = records.columns().iter().map(|column| Filling::new(column.kind, rows)).collect();
    for (row, record) in records.iter().enumerate() {
        let mut rest = record;
        for (filling, column) in columns.iter_mut().zip(records.columns()) {
            rest = filling
                .push(column.kind, rest)
                .ok_or_else(|| EncodeError::Value { row, column: column.name.clone() })?;
        }
        if !rest.is_empty() {
            return Err(EncodeError::Longer { row, bytes: rest.len() });
        }
    }

    let mut block = Vec::with_capacity(records.bytes() + rows * 16 + columns.len() * 64);
    write_leb(&mut block, records.columns().iter().filter(|column| !column.stays_here()).count() + 1);
    write_leb(&mut block, rows);
    for (filling, column) in columns.iter().zip(records.columns()).filter(|(_, column)| !column.stays_here()) {
        write_head(&mut block, column);
        filling.write(&mut block);
    }
    write_head(&mut block, &Column { name: BATCH_ID.to_owned(), kind: ColumnKind::UInt64 });
    for _ in 0..rows {
        block.extend_from_slice(&records.batch_id().to_le_bytes());
    }
    Ok(block)
}

fn write_head(block: &mut Vec<u8>, column: &Column) {
    for text in [column.name.as_str(), column.kind.clickhouse_type()] {
        write_leb(block, text.len());
        block.extend_from_slice(text.as_bytes());
    }
}

/// A column's values so far.
#[derive(Default)]
struct Filling {
    /// The values; a map's keys.
    bytes: Vec<u8>,
    /// A map's values.
    values: Vec<u8>,
    /// A map's ends: after each row, how many pairs there are up to it.
    ends: Vec<u8>,
    pairs: u64,
}

impl Filling {
    fn new(kind: ColumnKind, rows: usize) -> Filling {
        let bytes = match kind {
            ColumnKind::UInt8 => rows,
            ColumnKind::UInt16 | ColumnKind::Date => 2 * rows,
            ColumnKind::UInt32 => 4 * rows,
            ColumnKind::UInt64 | ColumnKind::Milliseconds | ColumnKind::Thousandths => 8 * rows,
            ColumnKind::UInt128 | ColumnKind::Ipv6 => 16 * rows,
            // Grows as it must.
            ColumnKind::Text | ColumnKind::TextMap => 0,
        };
        Filling { bytes: Vec::with_capacity(bytes), ..Filling::default() }
    }

    /// Takes the value at the head of `record` and returns what follows it.
    fn push<'a>(&mut self, kind: ColumnKind, record: &'a [u8]) -> Option<&'a [u8]> {
        if kind == ColumnKind::TextMap {
            return self.push_map(record);
        }
        let (value, rest) = record.split_at_checked(kind.value_len(record)?)?;
        self.bytes.extend_from_slice(value);
        Some(rest)
    }

    fn push_map<'a>(&mut self, record: &'a [u8]) -> Option<&'a [u8]> {
        let (pairs, head) = read_leb(record)?;
        let mut rest = record.get(head..)?;
        for _ in 0..pairs {
            for part in [&mut self.bytes, &mut self.values] {
                let (text, behind) = rest.split_at_checked(text_len(rest)?)?;
                part.extend_from_slice(text);
                rest = behind;
            }
        }
        self.pairs += pairs as u64;
        self.ends.extend_from_slice(&self.pairs.to_le_bytes());
        Some(rest)
    }

    fn write(&self, block: &mut Vec<u8>) {
        // For all but maps the first and the last are empty.
        block.extend_from_slice(&self.ends);
        block.extend_from_slice(&self.bytes);
        block.extend_from_slice(&self.values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Partition;
    use crate::spool::record::RecordWriter;
    use proptest::prelude::*;

    const JULY: Partition = Partition { month: 202507, retention_days: 90 };

    fn column(name: &str, kind: ColumnKind) -> Column {
        Column { name: name.into(), kind }
    }

    #[test]
    fn a_small_batch_is_this_block_to_the_byte() {
        let columns = vec![
            column("n", ColumnKind::UInt16),
            column("t", ColumnKind::Text),
            column("m", ColumnKind::TextMap),
            column("_own", ColumnKind::UInt8),
            column("at", ColumnKind::Milliseconds),
        ];
        let mut rows = [Vec::new(), Vec::new()];
        let [first, second] = &mut rows;
        let mut writer = RecordWriter(first);
        writer.u16(258);
        writer.text("añ");
        writer.text_map(&[("k".into(), "v".into()), ("l".into(), "".into())]);
        writer.u8(9);
        writer.milliseconds(-2);
        let mut writer = RecordWriter(second);
        writer.u16(7);
        writer.text("");
        writer.text_map(&[]);
        writer.u8(9);
        writer.milliseconds(1);
        let records = Records::in_memory(0x0102, JULY, columns, rows.iter().map(Vec::as_slice));

        let mut expected = vec![5, 2];
        expected.extend(b"\x01n\x06UInt16\x02\x01\x07\x00");
        expected.extend(b"\x01t\x06String\x03a\xc3\xb1\x00");
        expected.extend(b"\x01m\x13Map(String, String)");
        expected.extend([2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"\x01k\x01l\x01v\x00");
        expected.extend(b"\x02at\x14DateTime64(3, 'UTC')");
        expected.extend([254, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"\x08batch_id\x06UInt64");
        expected.extend([2, 1, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode(&records).unwrap(), expected);
    }

    #[test]
    fn a_record_that_does_not_fit_its_columns_names_row_and_column() {
        let columns = vec![column("a", ColumnKind::UInt8), column("b", ColumnKind::Text)];
        let of = |rows: &[&[u8]]| encode(&Records::in_memory(1, JULY, columns.clone(), rows.iter().copied()));
        assert!(of(&[&[1, 0]]).is_ok());
        assert_eq!(of(&[&[1, 0], &[1, 2, 65]]), Err(EncodeError::Value { row: 1, column: "b".into() }));
        assert_eq!(of(&[&[1, 1, 0xff]]), Err(EncodeError::Value { row: 0, column: "b".into() }));
        assert_eq!(of(&[&[1, 0, 9]]), Err(EncodeError::Longer { row: 0, bytes: 1 }));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(rows in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..80), 1..5)) {
            let columns = vec![
                column("a", ColumnKind::TextMap),
                column("b", ColumnKind::Text),
                column("c", ColumnKind::UInt128),
            ];
            let _ = encode(&Records::in_memory(1, JULY, columns, rows.iter().map(Vec::as_slice)));
        }
    }
}
