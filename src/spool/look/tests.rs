//! Segments as they are, cut and damaged at every byte, and a folder in which things move.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::record::{Column, ColumnKind, RecordWriter};
use super::super::segment::{Header, HeaderFault};
use super::super::sift::{Forgotten, Whose};
use super::super::{Durability, Partition, Spool, SpoolOptions};
use super::text::{Misfit, csv_field, csv_text, values, write_json};
use super::*;

const JULY: Partition = Partition { month: 202507, retention_days: 90 };
const ID: u64 = 0x5f3a_9c10_0000_00a7;
const RECORDS: [&[u8]; 3] = [b"\x05first", b"\x0dsecond record", b"\x05third"];

fn columns() -> Vec<Column> {
    vec![Column { name: "note".into(), kind: ColumnKind::Text }]
}

fn segment(is_sealed: bool) -> Vec<u8> {
    compose(ID, JULY, columns(), RECORDS, is_sealed)
}

/// A spool's folder with these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("quarantine")).unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let names = |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names(&dir.join("quarantine")).map(|name| format!("quarantine/{name}")).collect();
    found.extend(names(dir).filter(|name| name != "quarantine"));
    found.sort();
    found
}

#[test]
fn what_is_composed_is_what_a_spool_writes() {
    let dir = TempDir::new().unwrap();
    let options = SpoolOptions {
        dir: dir.path().to_owned(),
        columns: columns(),
        max_bytes: 1 << 20,
        max_age: std::time::Duration::from_secs(600),
        batch_rows: 100,
        batch_age: std::time::Duration::from_secs(600),
        durability: Durability::Write,
    };
    let spool = Spool::open(options).unwrap().0;
    RECORDS.iter().for_each(|record| spool.append(JULY, |out| out.extend_from_slice(record)).unwrap());
    spool.close().unwrap();
    let listed = list(dir.path()).unwrap();
    let [only] = &listed[..] else { panic!("{listed:?}") };
    let written = fs::read(&only.path).unwrap();
    assert_eq!(written, compose(only.named.unwrap(), JULY, columns(), RECORDS, true));
}

#[test]
fn beside_a_spool_at_work_nothing_looks_damaged() {
    let dir = TempDir::new().unwrap();
    let options = SpoolOptions {
        dir: dir.path().to_owned(),
        columns: columns(),
        max_bytes: 1 << 30,
        max_age: std::time::Duration::from_secs(600),
        batch_rows: 700,
        batch_age: std::time::Duration::from_millis(20),
        durability: Durability::Write,
    };
    let spool = Spool::open(options).unwrap().0;
    let record = [b"\xac\x02", &[b'x'; 300][..]].concat();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (mut open, mut sealed, mut aside, mut shipped, mut gone) = (0, 0, 0, 0, 0);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            for round in 0..400u32 {
                for _ in 0..100 {
                    spool.append(JULY, |out| out.extend_from_slice(&record)).unwrap();
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
                while let Some(batch) = spool.try_next_batch() {
                    let reason = super::super::Rejection::Data("no".into());
                    runtime.block_on(async {
                        match round % 8 {
                            0 => spool.reject(batch.batch_id(), reason).await.unwrap(),
                            _ => spool.acknowledge(batch.batch_id()).await.unwrap(),
                        }
                    });
                }
            }
        });
        while !working.is_finished() {
            for listed in list(dir.path()).unwrap() {
                let normal = |faults: &[Fault]| faults.iter().all(|fault| fault.what == What::TornTail);
                let (short, long) = (summary(&listed), read(&listed));
                for unread in [short.as_ref().err(), long.as_ref().err()].into_iter().flatten() {
                    gone += u32::from(matches!(unread, Unread::Gone));
                    assert!(matches!(unread, Unread::Gone | Unread::Empty), "{unread} {}", listed.path.display());
                }
                if let Ok(found) = short {
                    assert!(normal(&found.faults), "{:?} {}", found.faults, listed.path.display());
                }
                let Ok(found) = long else { continue };
                assert!(normal(found.faults()), "{:?} {}", found.faults(), listed.path.display());
                assert!(found.payloads().all(|payload| payload == record));
                match (listed.place, found.sealed()) {
                    (Place::Queue, None) => open += 1,
                    (Place::Queue, Some(_)) => sealed += 1,
                    (Place::Shipped, _) => shipped += 1,
                    _ => aside += 1,
                }
            }
        }
        working.join().unwrap();
    });
    assert!(open > 0 && aside > 0 && shipped > 0, "{open} {sealed} {aside} {shipped} {gone}");
    assert_eq!(holder(dir.path()), Holder::Process(std::process::id()));
    assert_eq!((spool.status().lost, spool.status().refused, spool.status().damaged), (0, 0, 0));
}

#[test]
fn a_whole_segment_says_what_it_is_and_has_no_fault() {
    for is_sealed in [true, false] {
        let segment = Segment::of(segment(is_sealed), Some(ID)).unwrap();
        assert_eq!(segment.payloads().collect::<Vec<_>>(), RECORDS);
        assert_eq!((segment.faults(), segment.misfits().count()), (&[][..], 0));
        let about = segment.about();
        assert_eq!((about.version, about.batch_id, about.instance()), (1, ID, 0x5f3a_9c10));
        assert_eq!((about.partition, &about.columns), (JULY, &columns()));
        assert_eq!(segment.sealed().map(|sealed| sealed.rows), is_sealed.then_some(3));
        assert_eq!(segment.records(|_| true).len(), 3);
    }
    let of = |name: &str| {
        let columns = vec![Column { name: name.into(), kind: ColumnKind::Text }];
        Segment::of(compose(ID, JULY, columns, RECORDS, true), None).unwrap().about().schema_hash()
    };
    assert!(of("note") == of("note") && of("note") != of("name"));
}

#[test]
fn a_byte_flipped_anywhere_is_found_and_its_place_named() {
    for is_sealed in [true, false] {
        let bytes = segment(is_sealed);
        let header = Segment::of(bytes.clone(), None).unwrap().about().bytes as usize;
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x41;
            let segment = match Segment::of(damaged, Some(ID)) {
                Err(_) => {
                    assert!(at < header, "flipped at {at}");
                    continue;
                }
                Ok(segment) => segment,
            };
            assert!(at >= header, "flipped at {at}");
            let found = segment.faults();
            let here = found.iter().find(|fault| (fault.offset..fault.offset + fault.bytes).contains(&(at as u64)));
            let here = here.unwrap_or_else(|| panic!("flipped at {at}: {found:?}"));
            let in_seal = is_sealed && at >= bytes.len() - 32;
            assert_eq!(segment.rows(), if in_seal { 3 } else { 2 }, "flipped at {at}");
            let last = bytes.len() - RECORDS[2].len() - 8;
            let expected = if in_seal { What::Seal } else { What::Gap };
            // Where nothing whole follows, an open segment may just not be written yet.
            let expected = if !is_sealed && at >= last { What::TornTail } else { expected };
            assert_eq!(here.what, expected, "flipped at {at}");
            let missing = found.iter().any(|fault| fault.what == What::Missing { sealed: 3, missing: 1 });
            assert_eq!(missing, is_sealed && !in_seal, "flipped at {at}");
        }
    }
}

#[test]
fn a_segment_cut_anywhere_has_its_whole_records_and_a_torn_tail() {
    let bytes = segment(true);
    let header = Segment::of(bytes.clone(), None).unwrap().about().bytes as usize;
    for cut in 0..bytes.len() {
        let Ok(segment) = Segment::of(bytes[..cut].to_vec(), Some(ID)) else {
            assert!(cut < header, "cut at {cut}");
            continue;
        };
        let end = segment.places().last().map_or(header, |place| place.end);
        let whats: Vec<&What> = segment.faults().iter().map(|fault| &fault.what).collect();
        assert_eq!(whats.is_empty(), end == cut, "cut at {cut}");
        assert!(whats.iter().all(|what| **what == What::TornTail), "cut at {cut}: {whats:?}");
        assert!(segment.sealed().is_none());
    }
}

#[test]
fn what_does_not_belong_together_is_said() {
    let whats = |bytes: Vec<u8>, named| -> Vec<What> {
        let segment = Segment::of(bytes, named).unwrap();
        segment.faults().iter().map(|fault| fault.what.clone()).collect()
    };
    assert_eq!(whats(segment(true), Some(7)), [What::OtherBatch { named: 7, says: ID }]);
    assert_eq!(whats([segment(true), vec![0; 9]].concat(), None), [What::BehindSeal]);
    // A seal of the same segment when it was shorter.
    let shorter = compose(ID, JULY, columns(), RECORDS[..2].iter().copied(), true);
    let seal = &shorter[shorter.len() - 32..];
    assert_eq!(whats([&segment(false)[..], seal].concat(), None), [What::OtherSeal]);
    // Whole and yet no text.
    let segment = Segment::of(compose(ID, JULY, columns(), [&b"\x02a"[..], b"\x01a"], true), None).unwrap();
    let misfits: Vec<What> = segment.misfits().map(|fault| fault.what).collect();
    assert_eq!(misfits, [What::Row { row: 0, why: Misfit::Value("note".into()) }]);
}

#[test]
fn the_folder_is_listed_by_name_oldest_first_and_strangers_are_left_alone() {
    let dir = folder(&[
        ("00000000000000b2.segment", &segment(true)),
        ("00000000000000b1.segment", b""),
        ("+0000000000000b3.segment", b""),
        ("00000000000000b4.retry", b""),
        ("b5.segment", b""),
        ("lock", b""),
        ("quarantine/00000000000000a1.retry", b""),
        ("quarantine/00000000000000a0.segment", b""),
        ("quarantine/00000000000000a0.reason", b"the table holds 2 of its 3 rows"),
    ]);
    fs::create_dir(dir.path().join("00000000000000b6.segment")).unwrap();
    let listed = list(dir.path()).unwrap();
    let found: Vec<_> = listed.iter().map(|listed| (listed.named.unwrap(), listed.place)).collect();
    let expected = [(0xb1, Place::Queue), (0xb2, Place::Queue), (0xa0, Place::Quarantine), (0xa1, Place::Retry)];
    assert_eq!(found, expected);
    assert!(matches!(listed[2].reason(), Some(Reason::Miscounted(_))) && listed[3].reason().is_none());
    assert!(matches!(read(&listed[0]), Err(Unread::Empty)));
    let none = list(&dir.path().join("none"));
    assert!(matches!(none, Err(LookError::NoSpool { .. })) && none.unwrap_err().to_string().contains("--data-dir"));
}

#[test]
fn a_summary_is_what_reading_it_all_says_and_a_file_that_went_is_gone() {
    let other = [segment(true), vec![0; 5]].concat();
    let name = format!("{ID:016x}.segment");
    for bytes in [segment(true), segment(false), segment(false)[..80].to_vec(), other] {
        let dir = folder(&[(&name, &bytes)]);
        let listed = list(dir.path()).unwrap().remove(0);
        assert_eq!(summary(&listed).ok(), read(&listed).ok().map(|segment| segment.summary()));
        fs::remove_file(&listed.path).unwrap();
        assert!(matches!((summary(&listed), read(&listed)), (Err(Unread::Gone), Err(Unread::Gone))));
    }
    let mut newer = segment(true);
    newer[8] = 9;
    let header = Segment::of(segment(true), None).unwrap().about().bytes as usize;
    let crc = crc32c::crc32c(&newer[..header - 4]);
    newer[header - 4..header].copy_from_slice(&crc.to_le_bytes());
    let dir = folder(&[(&name, &newer)]);
    let why = summary(&list(dir.path()).unwrap()[0]).unwrap_err();
    assert!(matches!(why, Unread::Header(HeaderFault::Version(9))) && why.to_string().contains("newer program"));
}

#[test]
fn a_batch_in_quarantine_is_renamed_and_nothing_else() {
    let name = format!("quarantine/{ID:016x}.segment");
    let reason = format!("quarantine/{ID:016x}.reason");
    let dir = folder(&[(&name, &segment(true)), (&reason, b"the database refused its rows: Code: 53.")]);
    ask_again(dir.path(), ID, false).unwrap();
    let retry = format!("quarantine/{}", retry_file(ID));
    assert_eq!(names(dir.path()), [reason, retry.clone()]);
    assert_eq!(fs::read(dir.path().join(&retry)).unwrap(), segment(true));
    assert_eq!(list(dir.path()).unwrap()[0].place, Place::Retry);
    assert_eq!(retry_batch_id(&retry_file(ID)), Some(ID));
    assert!(matches!(ask_again(dir.path(), ID, false), Err(NotAsked::Already(ID))));
    // Not even where somebody put a copy there.
    fs::write(dir.path().join(&name), b"a copy").unwrap();
    assert!(matches!(ask_again(dir.path(), ID, true), Err(NotAsked::Twice(ID))));
    assert_eq!(fs::read(dir.path().join(&retry)).unwrap(), segment(true));
}

#[test]
fn a_batch_that_must_not_go_back_stays_where_it_is() {
    let name = format!("quarantine/{ID:016x}.segment");
    let reason = format!("quarantine/{ID:016x}.reason");
    let refused = |files: &[(&str, &[u8])], miscounted: bool| {
        let dir = folder(files);
        let before = names(dir.path());
        let why = ask_again(dir.path(), ID, miscounted).unwrap_err();
        assert_eq!(names(dir.path()), before);
        why
    };
    let miscounted: &[u8] = b"the table holds 2 of its 3 rows; both are kept, so compare them by batch_id";
    let why = refused(&[(&name, &segment(true)), (&reason, miscounted)], false);
    let said = why.to_string();
    assert!(matches!(why, NotAsked::Miscounted { .. }), "{said}");
    assert!(said.contains("--miscounted") && said.contains(&format!("batch_id = {ID}")), "{said}");
    assert!(ask_again(folder(&[(&name, &segment(true)), (&reason, miscounted)]).path(), ID, true).is_ok());

    assert!(matches!(refused(&[], false), NotAsked::NotThere(ID)));
    let waiting = format!("{ID:016x}.segment");
    assert!(matches!(refused(&[(&waiting, &segment(true))], false), NotAsked::InQueue(ID)));
    assert!(matches!(refused(&[(&name, b"no segment")], true), NotAsked::Unreadable { .. }));
    let other = compose(ID + 1, JULY, columns(), RECORDS, true);
    assert!(matches!(refused(&[(&name, &other)], true), NotAsked::Unreadable { .. }));
    let empty = compose(ID, JULY, columns(), [], true);
    assert!(matches!(refused(&[(&name, &empty)], true), NotAsked::Unreadable { .. }));
}

#[test]
fn rule_r3_who_withdrew_is_not_shown_and_a_damaged_list_shows_nobody() {
    let kinds = [("ts", ColumnKind::Milliseconds), ("visitor_id", ColumnKind::UInt128)];
    let columns: Vec<Column> = kinds.map(|(name, kind)| Column { name: name.into(), kind }).into();
    let record = |ts: i64, visitor: u128| [&ts.to_le_bytes()[..], &visitor.to_le_bytes()].concat();
    let records = [record(10, 7), record(99, 7), record(10, 8)];
    let bytes = compose(ID, Partition { month: 999_912, ..JULY }, columns, records.iter().map(Vec::as_slice), true);
    let note = Forgotten::default().add(&[Whose::Visitor(7)], 50);
    let dir = folder(&[("forget", &note)]);
    let mut segment = Segment::of(bytes, None).unwrap();
    assert_eq!(segment.leave_out(&Sift::of(TempDir::new().unwrap().path()).unwrap()), 0);
    assert_eq!(segment.leave_out(&Sift::of(dir.path()).unwrap()), 1);
    assert_eq!(segment.payloads().collect::<Vec<_>>(), [&records[1][..], &records[2]]);
    fs::write(dir.path().join("forget"), &note[1..]).unwrap();
    let why = Sift::of(dir.path()).err().unwrap().to_string();
    assert!(why.contains("damaged") && why.contains("nothing is shown"), "{why}");
}

#[test]
fn a_half_says_whose_it_is() {
    let header = Header { batch_id: ID + 1, partition: JULY, columns: columns(), half_of: Some(ID) };
    let segment = Segment::of(header.encode().0, Some(ID + 1)).unwrap();
    assert_eq!((segment.about().half_of, segment.about().version), (Some(ID), 2));
    assert_eq!(Segment::of(self::segment(true), None).unwrap().about().half_of, None);
}

#[test]
fn every_kind_of_value_is_written_as_clickhouse_writes_it() {
    let kinds = [
        ("a", ColumnKind::UInt8),
        ("b", ColumnKind::UInt64),
        ("c", ColumnKind::UInt128),
        ("d", ColumnKind::Milliseconds),
        ("e", ColumnKind::Date),
        ("f", ColumnKind::Ipv6),
        ("g", ColumnKind::Text),
        ("h", ColumnKind::TextMap),
        ("i", ColumnKind::Thousandths),
    ];
    let columns: Vec<Column> = kinds.map(|(name, kind)| Column { name: name.into(), kind }).into();
    let mut record = Vec::new();
    let mut writer = RecordWriter(&mut record);
    writer.u8(255);
    writer.u64(u64::MAX);
    writer.u128(u128::MAX);
    writer.milliseconds(1_764_189_000_007);
    writer.u16(20_000);
    writer.ipv6(std::net::Ipv4Addr::new(198, 51, 100, 0).to_ipv6_mapped());
    writer.text("=a\"b\n\u{1}é");
    writer.text_map(&[("plan".into(), "go,ld".into()), ("x".into(), String::new())]);
    writer.thousandths(-9500);
    let values = values(&columns, &record).unwrap();
    let mut json = Vec::new();
    write_json(&mut json, &columns, &values, 7);
    let expected = r#"{"a":255,"b":"18446744073709551615","c":"340282366920938463463374607431768211455","d":"2025-11-26 20:30:00.007","e":"2024-10-04","f":"::ffff:198.51.100.0","g":"=a\"b\n\u0001é","h":{"plan":"go,ld","x":""},"i":-9.5,"batch_id":"7"}"#;
    assert_eq!(String::from_utf8(json).unwrap(), format!("{expected}\n"));
    let fields: Vec<String> = values.iter().map(csv_field).collect();
    assert_eq!(fields[6], "\"'=a\"\"b\n\u{1}é\"");
    assert_eq!(fields[7], r#""{""plan"":""go,ld"",""x"":""""}""#);
    assert_eq!((fields[3].as_str(), fields[8].as_str()), ("2025-11-26 20:30:00.007", "-9.5"));
    assert_eq!((csv_text("a-b").as_str(), csv_text("@x").as_str()), ("a-b", "'@x"));
}

#[test]
fn no_time_and_no_decimal_is_too_large() {
    let columns = [("t", ColumnKind::Milliseconds), ("d", ColumnKind::Thousandths)]
        .map(|(name, kind)| Column { name: name.into(), kind });
    for (number, time, decimal) in [
        (i64::MIN, "-9223372036854775.808", "-9223372036854775.808"),
        (i64::MAX, "9223372036854775.807", "9223372036854775.807"),
        (0, "1970-01-01 00:00:00.000", "0"),
        (-1, "1969-12-31 23:59:59.999", "-0.001"),
        (1100, "1970-01-01 00:00:01.100", "1.1"),
    ] {
        let record = [number.to_le_bytes(), number.to_le_bytes()].concat();
        let fields: Vec<String> = values(&columns, &record).unwrap().iter().map(csv_field).collect();
        assert_eq!(fields, [time, decimal]);
    }
    assert_eq!(values(&columns, &[0; 17]), Err(Misfit::Longer(1)));
    assert_eq!(values(&columns, &[0; 15]), Err(Misfit::Value("d".into())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn edits_anywhere_never_panic_nor_make_a_record(
        edits in proptest::collection::vec((any::<u16>(), any::<u8>(), 0u8..3), 0..8),
        is_sealed in any::<bool>(),
    ) {
        let mut bytes = segment(is_sealed);
        for (at, byte, how) in edits {
            let at = usize::from(at) % bytes.len().max(1);
            match how {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at.min(bytes.len()), byte),
            }
        }
        let len = bytes.len();
        if let Ok(segment) = Segment::of(bytes, Some(ID)) {
            prop_assert!(segment.places().iter().all(|place| place.end <= len));
            prop_assert!(segment.payloads().all(|payload| RECORDS.contains(&payload)));
            for fault in segment.faults().iter().cloned().chain(segment.misfits()) {
                prop_assert!(fault.offset + fault.bytes <= len as u64, "{:?}", fault);
            }
        }
    }
}
