//! A segment of the spool, as a disk may give it back: through the functions that recovery, the shipper and `consentry spool`
//! read it with. The bytes are a whole file, what follows a header that is whole, and changes to a segment that is.
#![no_main]

use std::sync::LazyLock;

use consentry::spool::Partition;
use consentry::spool::look::{Segment, compose};
use consentry::spool::record::{Column, ColumnKind};
use libfuzzer_sys::fuzz_target;

const JULY: Partition = Partition { month: 202607, retention_days: 90 };
const ID: u64 = 0x5f3a_9c10_0000_00a7;
const RECORDS: [&[u8]; 4] = [b"\x01\x00\x00\x00\x00", b"\x02\x00\x00\x00\x01a", b"\x03\x00\x00\x00\x02\xc3\xa9", b"\x04"];

static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| segment(&[], false));
static SEALED: LazyLock<Vec<u8>> = LazyLock::new(|| segment(&RECORDS, true));

fn segment(records: &[&[u8]], is_sealed: bool) -> Vec<u8> {
    let columns = [("n", ColumnKind::UInt32), ("t", ColumnKind::Text)];
    let columns = columns.map(|(name, kind)| Column { name: name.into(), kind });
    compose(ID, JULY, columns.into(), records.iter().copied(), is_sealed)
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes.to_vec());
    check([&HEADER[..], bytes].concat());

    let mut changed = SEALED.clone();
    for change in bytes.chunks_exact(3) {
        let at = usize::from(change[1]) % changed.len().max(1);
        match change[0] % 4 {
            0 => changed.truncate(at),
            1 => changed.insert(at, change[2]),
            _ if !changed.is_empty() => changed[at] = change[2],
            _ => {}
        }
    }
    let is_changed = changed != *SEALED;
    let read = check(changed);
    assert!(is_changed || read.is_some_and(|segment| segment.faults().is_empty() && segment.rows() == 4));
});

/// Whatever the bytes are, what is read of them lies within them, in its order, and is not more than they can hold.
fn check(bytes: Vec<u8>) -> Option<Segment> {
    let len = bytes.len();
    let segment = Segment::of(bytes, Some(ID)).ok()?;
    assert_eq!(segment.len(), len);
    // A record has eight bytes before it and one at least.
    assert!(segment.rows() <= len / 9, "{} rows in {len} bytes", segment.rows());
    let mut end = segment.about().bytes as usize;
    for place in segment.places() {
        assert!(end + 8 <= place.start && place.start < place.end && place.end <= len, "{place:?} behind {end}");
        end = place.end;
    }
    assert_eq!(segment.records(|_| true).len(), segment.rows());
    assert_eq!(segment.records(|_| true).iter().count(), segment.payloads().count());
    for fault in segment.faults().iter().cloned().chain(segment.misfits()) {
        assert!(fault.offset + fault.bytes <= len as u64, "{fault:?} in {len} bytes");
    }
    // Nothing wrong, and then it is header, records and seal and no byte more.
    if segment.faults().is_empty() {
        let seal = segment.sealed().map_or(0, |sealed| {
            assert_eq!((sealed.rows as usize, sealed.data_bytes as usize), (segment.rows(), end));
            32
        });
        assert_eq!(end + seal, len);
    }
    Some(segment)
}
