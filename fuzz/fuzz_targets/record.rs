//! Records for the table's columns, of any content: what the shipper makes a block of is what `consentry spool export` prints,
//! row for row, and nothing else is either. A record begins with its length in two bytes.
#![no_main]

use std::sync::LazyLock;

use consentry::capture::event::COLUMNS;
use consentry::spool::look::text::{csv_field, values, write_json};
use consentry::spool::record::{Column, read_leb};
use consentry::spool::{Partition, Records};
use consentry::store::native::{self, EncodeError};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const JULY: Partition = Partition { month: 202607, retention_days: 90 };

static TABLE: LazyLock<Vec<Column>> =
    LazyLock::new(|| COLUMNS.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect());

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let mut payloads = Vec::new();
    while let Some((len, behind)) = rest.split_first_chunk::<2>() {
        let (payload, behind) = behind.split_at(usize::from(u16::from_le_bytes(*len)).min(behind.len()));
        payloads.push(payload);
        rest = behind;
    }
    let of = |payloads: &[&[u8]]| Records::in_memory(7, JULY, TABLE.clone(), payloads.iter().copied());
    let good: Vec<&[u8]> = payloads.iter().copied().filter(|payload| values(&TABLE, payload).is_ok()).collect();

    // The block is made column by column and the text row by row: what is wrong first for the one need not be so for the other,
    // but is wrong for both.
    let wrong = native::encode(&of(&payloads)).err().map(|error| match error {
        EncodeError::Value { row, .. } | EncodeError::Longer { row, .. } => row,
    });
    assert_eq!(wrong.is_some(), good.len() < payloads.len());
    assert!(wrong.is_none_or(|row| values(&TABLE, payloads[row]).is_err()), "row {wrong:?} is good");

    let in_table = TABLE.iter().filter(|column| !column.stays_here()).count();
    let block = native::encode(&of(&good)).expect("each row fits");
    let (columns, head) = read_leb(&block).expect("a number of columns");
    let (rows, _) = read_leb(&block[head..]).expect("a number of rows");
    assert_eq!((columns, rows), (in_table + 1, good.len()));

    for payload in good {
        let values = values(&TABLE, payload).expect("it was good");
        assert_eq!(values.len(), TABLE.len());
        let mut line = Vec::new();
        write_json(&mut line, &TABLE, &values, 7);
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "one line for each row");
        let row: Value = serde_json::from_slice(&line).expect("each line is JSON");
        assert_eq!(row.as_object().map(|row| row.len()), Some(in_table + 1));
        for value in &values {
            let field = csv_field(value);
            assert!(!field.contains('\n') || field.starts_with('"'), "{field:?}");
            assert!(!field.starts_with(['=', '+', '@', '\t']), "{field:?}");
        }
    }
});
