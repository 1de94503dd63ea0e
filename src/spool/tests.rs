//! The spool as a whole, over real files. Crashes are made by dropping the spool without closing it and by what is then
//! done to its files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tempfile::TempDir;

use super::record::ColumnKind;
use super::*;

const JULY: Partition = Partition { month: 202507, retention_days: 2192 };
const AUGUST: Partition = Partition { month: 202508, retention_days: 90 };
const LONG: Duration = Duration::from_secs(600);

fn options(dir: &Path) -> SpoolOptions {
    let columns = vec![Column { name: "note".into(), kind: ColumnKind::Text }];
    SpoolOptions { dir: dir.to_owned(), columns, max_bytes: 1 << 30, batch_rows: 10_000, batch_age: LONG }
}

fn open(dir: &Path) -> Spool {
    Spool::open(options(dir)).unwrap().0
}

/// Runs a future to its end; the spool needs a runtime only for what blocks.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), work).await.expect("in time") })
}

fn put(spool: &Spool, partition: Partition, payload: &[u8]) {
    spool.append(partition, |out| out.extend_from_slice(payload)).unwrap();
}

fn written(spool: &Spool, partition: Partition, payload: &[u8]) {
    run(spool.append_acknowledged(partition, |out| out.extend_from_slice(payload)).unwrap()).unwrap();
}

fn payloads(batch: &SealedBatch) -> Vec<Vec<u8>> {
    batch.read().unwrap().iter().map(<[u8]>::to_vec).collect()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = names.filter(|path| path.extension().is_some_and(|e| e == "segment")).collect();
    found.sort();
    found
}

#[test]
fn what_is_appended_comes_out_in_order_one_partition_a_batch() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    for i in 0u32..100 {
        put(&spool, if i % 3 == 0 { AUGUST } else { JULY }, &i.to_le_bytes());
    }
    run(spool.flush()).unwrap();
    let mut ids = Vec::new();
    for (partition, expected) in [
        (AUGUST, (0u32..100).filter(|i| i % 3 == 0).collect::<Vec<_>>()),
        (JULY, (0..100).filter(|i| i % 3 != 0).collect()),
    ] {
        let batch = run(spool.next_batch());
        assert_eq!((batch.partition(), batch.rows() as usize), (partition, expected.len()));
        assert!(!batch.in_doubt());
        assert_eq!(payloads(&batch), expected.iter().map(|i| i.to_le_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(batch.read().unwrap().columns(), options(dir.path()).columns);
        ids.push(batch.batch_id());
        run(spool.acknowledge(batch.batch_id())).unwrap();
    }
    assert_eq!(ids[1], ids[0] + 1);
    assert!(spool.try_next_batch().is_none());
    assert!(segments(dir.path()).is_empty());
    let status = spool.status();
    assert_eq!((status.waiting_rows, status.waiting_batches, status.disk_bytes), (0, 0, 0));
}

#[test]
fn a_batch_is_sealed_by_its_rows() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { batch_rows: 10, ..options(dir.path()) }).unwrap();
    for i in 0u8..25 {
        put(&spool, JULY, &[i]);
    }
    let first = run(spool.next_batch());
    let second = run(spool.next_batch());
    assert_eq!((first.rows(), second.rows()), (10, 10));
    run(spool.flush()).unwrap();
    assert_eq!(run(spool.next_batch()).rows(), 5);
}

#[test]
fn a_batch_is_sealed_by_its_age() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { batch_age: Duration::from_millis(50), ..options(dir.path()) }).unwrap();
    put(&spool, JULY, b"alone");
    assert_eq!(payloads(&run(spool.next_batch())), [b"alone"]);
}

#[test]
fn an_acknowledged_record_survives_without_a_close() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    let began = Instant::now();
    written(&spool, JULY, b"kept");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        fs::read(&segments(dir.path())[0]).unwrap().ends_with(b"kept"),
        "it is in the file when it is acknowledged"
    );
    drop(spool);
    let (spool, recovery) = Spool::open(options(dir.path())).unwrap();
    assert_eq!((recovery.batches, recovery.rows, recovery.sealed_now, recovery.torn_bytes), (1, 1, 1, 0));
    let batch = run(spool.next_batch());
    assert!(batch.in_doubt(), "whatever a start finds may have been sent");
    assert_eq!(payloads(&batch), [b"kept"]);
}

#[test]
fn a_closed_spool_takes_nothing_and_still_hands_out() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    put(&spool, JULY, b"last");
    spool.close().unwrap();
    assert_eq!(spool.append(JULY, |out| out.push(1)), Err(Refused::Closed));
    assert!(run(spool.flush()).is_err());
    let batch = run(spool.next_batch());
    assert_eq!(payloads(&batch), [b"last"]);
    run(spool.acknowledge(batch.batch_id())).unwrap();
    assert!(segments(dir.path()).is_empty());
    assert_eq!(spool.status().refused, 1);
}

#[test]
fn a_batch_that_is_let_go_comes_back_first_and_in_doubt() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    put(&spool, JULY, b"a");
    put(&spool, AUGUST, b"b");
    run(spool.flush()).unwrap();
    let first = run(spool.next_batch());
    let id = first.batch_id();
    drop(first);
    let again = run(spool.next_batch());
    assert_eq!(again.batch_id(), id);
    assert!(again.in_doubt());
    run(spool.acknowledge(id)).unwrap();
    drop(again);
    assert_eq!(payloads(&run(spool.next_batch())), [b"b"]);
    assert!(matches!(run(spool.acknowledge(id)), Err(SpoolError::NotTaken { .. })));
}

#[test]
fn a_rejected_batch_is_kept_aside_with_its_reason() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    put(&spool, JULY, b"a");
    run(spool.flush()).unwrap();
    let batch = run(spool.next_batch());
    run(spool.reject(batch.batch_id(), Rejection::Data("code 53".into()))).unwrap();
    let aside = segments(&dir.path().join("quarantine"));
    assert_eq!(aside.len(), 1);
    assert!(fs::read_to_string(aside[0].with_extension("reason")).unwrap().contains("code 53"));
    assert_eq!((spool.status().quarantined_batches, spool.status().waiting_rows), (1, 0));
    assert!(spool.status().disk_bytes > 0, "quarantine counts towards the bound");
    drop((batch, spool));
    let (spool, recovery) = Spool::open(options(dir.path())).unwrap();
    assert_eq!((recovery.batches, spool.status().quarantined_batches), (0, 1));
}

#[test]
fn a_full_spool_refuses_and_counts() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { max_bytes: 10_000, ..options(dir.path()) }).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut taken = 0u64;
    while spool.append(JULY, |out| out.extend_from_slice(&[7; 500])).is_ok() {
        taken += 1;
        assert!(Instant::now() < deadline);
    }
    assert_eq!(spool.append(JULY, |out| out.push(1)), Err(Refused::Full));
    assert_eq!(spool.status().refused, 2);
    assert!((15..=40).contains(&taken), "{taken} records of 500 bytes in 10 000");
    run(spool.flush()).unwrap();
    let batch = run(spool.next_batch());
    assert_eq!(u64::from(batch.rows()), taken, "what was taken is there");
    run(spool.acknowledge(batch.batch_id())).unwrap();
    assert!(spool.append(JULY, |out| out.push(1)).is_ok(), "there is room again");
}

#[test]
fn a_record_without_bytes_or_with_too_many_is_refused_and_harms_no_other() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    put(&spool, JULY, b"before");
    assert_eq!(spool.append(JULY, |_| {}), Err(Refused::Size));
    assert_eq!(spool.append(JULY, |out| out.resize(out.len() + segment::MAX_RECORD_BYTES + 1, 1)), Err(Refused::Size));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = spool.append(JULY, |out| {
            out.extend_from_slice(b"half");
            panic!("an encoder's bug");
        });
    }));
    assert!(panicked.is_err());
    put(&spool, JULY, b"behind");
    run(spool.flush()).unwrap();
    assert_eq!(payloads(&run(spool.next_batch())), [&b"before"[..], b"behind"]);
}

#[test]
fn columns_that_no_header_holds_are_refused_before_a_record_is_taken() {
    let dir = TempDir::new().unwrap();
    let columns = vec![Column { name: "x".repeat(70_000), kind: ColumnKind::Text }];
    let opened = Spool::open(SpoolOptions { columns, ..options(dir.path()) });
    assert!(matches!(opened.err(), Some(SpoolError::Columns { columns: 1 })));
}

#[test]
fn many_threads_lose_nothing_and_keep_their_order() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { batch_rows: 500, ..options(dir.path()) }).unwrap();
    let threads: Vec<_> = (0u8..4)
        .map(|thread| {
            let spool = spool.clone();
            std::thread::spawn(move || {
                for n in 0u32..4000 {
                    let encode = |out: &mut Vec<u8>| out.extend([&[thread][..], &n.to_le_bytes()].concat());
                    if n % 1000 == 999 {
                        run(spool.append_acknowledged(JULY, encode).unwrap()).unwrap();
                    } else {
                        spool.append(JULY, encode).unwrap();
                    }
                }
            })
        })
        .collect();
    let mut next = [0u32; 4];
    let mut take = |batch: SealedBatch| {
        for record in payloads(&batch) {
            let expected = &mut next[usize::from(record[0])];
            assert_eq!(record[1..], expected.to_le_bytes());
            *expected += 1;
        }
        run(spool.acknowledge(batch.batch_id())).unwrap();
    };
    for _ in 0..20 {
        take(run(spool.next_batch()));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    spool.close().unwrap();
    while let Some(batch) = spool.try_next_batch() {
        take(batch);
    }
    assert_eq!(next, [4000; 4]);
    assert_eq!((spool.status().waiting_rows, spool.status().disk_bytes), (0, 0));
}

#[test]
fn two_processes_cannot_have_one_folder() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    let error = Spool::open(options(dir.path())).err().unwrap();
    assert!(matches!(error, SpoolError::Locked { .. }));
    assert!(error.to_string().contains("in use by another process"));
    drop(spool);
    Spool::open(options(dir.path())).unwrap();
}

#[test]
fn nobody_else_can_read_the_folder() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("deep").join("spool");
    let spool = open(&at);
    written(&spool, JULY, b"x");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&at), 0o700);
    for entry in fs::read_dir(&at).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
    }
}

#[test]
fn no_batch_id_is_given_twice_over_restarts_or_lost_notes() {
    let dir = TempDir::new().unwrap();
    let mut seen = std::collections::HashSet::new();
    for round in 0..6 {
        let spool = open(dir.path());
        for _ in 0..3 {
            put(&spool, JULY, b"x");
            run(spool.flush()).unwrap();
        }
        let batches: Vec<_> = std::iter::from_fn(|| spool.try_next_batch()).collect();
        for batch in &batches {
            let id = batch.batch_id();
            if batch.in_doubt() {
                assert!(seen.contains(&id));
            } else {
                assert!(seen.insert(id));
            }
            if round % 2 == 0 || id % 2 == 0 {
                run(spool.acknowledge(id)).unwrap();
            }
        }
        drop((batches, spool));
        match round {
            2 => fs::remove_file(dir.path().join("instance")).unwrap(),
            3 => fs::write(dir.path().join("instance"), b"garbage").unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_restored_note_gives_no_id_of_a_segment_that_is_there() {
    let dir = TempDir::new().unwrap();
    let note = dir.path().join("instance");
    let spool = open(dir.path());
    written(&spool, JULY, b"x");
    let old = fs::read(&note).unwrap();
    drop(spool);
    for _ in 0..3 {
        let spool = open(dir.path());
        written(&spool, JULY, b"y");
        drop(spool);
        fs::write(&note, &old).unwrap();
    }
    assert_eq!(segments(dir.path()).len(), 4);
}

#[test]
fn a_disk_that_refuses_fails_the_acknowledgement_and_is_counted() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    // No segment can be made where its name is taken by a folder.
    written(&spool, JULY, b"x");
    let first = segments(dir.path())[0].clone();
    let id = u64::from_str_radix(first.file_stem().unwrap().to_str().unwrap(), 16).unwrap();
    fs::create_dir(dir.path().join(format!("{:016x}.segment", id + 1))).unwrap();
    let refused = spool.append_acknowledged(AUGUST, |out| out.push(1)).unwrap();
    assert!(matches!(run(refused), Err(SpoolError::NotWritten(_))));
    let status = spool.status();
    assert_eq!((status.lost, status.disk_failing), (1, true));
    let deadline = Instant::now() + Duration::from_secs(10);
    while spool.append(AUGUST, |out| out.push(2)).is_err() {
        assert!(Instant::now() < deadline, "it is tried again");
        std::thread::yield_now();
    }
    run(spool.flush()).unwrap();
    let batches = [run(spool.next_batch()), run(spool.next_batch())];
    assert_eq!(batches.each_ref().map(payloads), [[b"x".to_vec()], [vec![2]]]);
}

/// The file of an unsealed segment with these records, as a killed process leaves it.
fn unsealed(records: &[&[u8]]) -> (PathBuf, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    records.iter().for_each(|record| put(&spool, JULY, record));
    written(&spool, JULY, b"last");
    let path = segments(dir.path())[0].clone();
    (PathBuf::from(path.file_name().unwrap()), fs::read(path).unwrap())
}

fn reopened(name: &Path, bytes: &[u8]) -> (Vec<Vec<u8>>, Recovery) {
    let dir = TempDir::new().unwrap();
    open(dir.path()).close().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    let (spool, recovery) = Spool::open(options(dir.path())).unwrap();
    let mut found = Vec::new();
    while let Some(batch) = spool.try_next_batch() {
        if let Ok(records) = batch.read() {
            found.extend(records.iter().map(<[u8]>::to_vec));
        }
        run(spool.acknowledge(batch.batch_id())).unwrap();
    }
    (found, recovery)
}

#[test]
fn a_segment_cut_anywhere_keeps_its_whole_records() {
    let records: [&[u8]; 3] = [b"first", b"second record", b"third"];
    let (name, bytes) = unsealed(&records);
    let header = Header::decode(&bytes).unwrap();
    let mut ends = vec![header.len];
    for record in records {
        ends.push(ends.last().unwrap() + 8 + record.len());
    }
    for cut in 0..=bytes.len() {
        let (found, recovery) = reopened(&name, &bytes[..cut]);
        let whole = ends.iter().skip(1).filter(|end| **end <= cut).count();
        let expected = if cut == bytes.len() { 4 } else { whole };
        assert_eq!(found.len(), expected, "cut at {cut}");
        assert_eq!(found.iter().take(3).collect::<Vec<_>>(), records.iter().take(found.len()).collect::<Vec<_>>());
        assert_eq!(recovery.unreadable, u64::from(cut > 0 && cut < header.len), "cut at {cut}");
    }
}

#[test]
fn a_byte_flipped_anywhere_costs_at_most_its_own_record() {
    let records: [&[u8]; 3] = [b"first", b"second record", b"third"];
    let (name, bytes) = unsealed(&records);
    let header = Header::decode(&bytes).unwrap().len;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        let (found, recovery) = reopened(&name, &damaged);
        if at < header {
            assert_eq!((found.len(), recovery.unreadable), (0, 1), "flipped at {at}");
        } else {
            assert_eq!(found.len(), 3, "flipped at {at}");
            assert!(found.iter().all(|found| records.contains(&found.as_slice()) || found == b"last"));
            assert_eq!(recovery.damaged + u64::from(recovery.torn_bytes > 0), 1, "flipped at {at}");
        }
    }
}

#[test]
fn a_sealed_segment_damaged_anywhere_keeps_id_and_row_count() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    let records: [&[u8]; 3] = [b"first", b"second record", b"third"];
    records.iter().for_each(|record| put(&spool, JULY, record));
    spool.close().unwrap();
    drop(spool);
    let path = segments(dir.path())[0].clone();
    let bytes = fs::read(&path).unwrap();
    let header = Header::decode(&bytes).unwrap().len;
    let id = u64::from_str_radix(path.file_stem().unwrap().to_str().unwrap(), 16).unwrap();
    for at in header..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        fs::write(&path, damaged).unwrap();
        let (spool, _) = Spool::open(options(dir.path())).unwrap();
        let batch = spool.try_next_batch().unwrap();
        assert_eq!((batch.batch_id(), batch.rows()), (id, 3), "flipped at {at}");
        let in_seal = at >= bytes.len() - 32;
        assert_eq!(batch.read().unwrap().len(), if in_seal { 3 } else { 2 }, "flipped at {at}");
        assert_eq!(spool.status().damaged, u64::from(!in_seal));
    }
    // Bytes behind the seal, as a file system may leave them.
    fs::write(&path, [&bytes[..], &[0; 100]].concat()).unwrap();
    let (spool, recovery) = Spool::open(options(dir.path())).unwrap();
    assert_eq!((spool.try_next_batch().unwrap().rows(), recovery.sealed_now), (3, 0));
    drop(spool);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_segment_of_a_newer_program_is_kept_aside() {
    let (name, mut bytes) = unsealed(&[]);
    let header = Header::decode(&bytes).unwrap().len;
    bytes[8] = 9;
    let crc = crc32c::crc32c(&bytes[..header - 4]);
    bytes[header - 4..header].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(Header::decode(&bytes).err(), Some(segment::HeaderFault::Version(9)));
    assert_eq!(reopened(&name, &bytes).1.unreadable, 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        partition: u8,
        len: usize,
    },
    Flush,
    Acknowledge,
    LetGo,
    Close,
    Crash,
    /// A crash that leaves garbage behind the last unsealed segment.
    Torn(Vec<u8>),
    /// A crash that loses the end of the last unsealed segment, as a power loss can.
    Cut(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..3, 1usize..60).prop_map(|(partition, len)| Step::Append { partition, len }),
        2 => Just(Step::Flush),
        3 => Just(Step::Acknowledge),
        1 => Just(Step::LetGo),
        1 => Just(Step::Close),
        1 => Just(Step::Crash),
        1 => proptest::collection::vec(any::<u8>(), 1..80).prop_map(Step::Torn),
        1 => (1usize..120).prop_map(Step::Cut),
    ]
}

/// The model: per partition, the records that were appended and not acknowledged, in order.
type Model = BTreeMap<u8, Vec<Vec<u8>>>;

fn partition_of(number: u8) -> Partition {
    Partition { month: 202501 + u32::from(number), retention_days: 90 }
}

fn number_of(partition: Partition) -> u8 {
    (partition.month - 202501) as u8
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_spool_is_what_a_list_would_be(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = TempDir::new().unwrap();
        let with = || SpoolOptions { batch_rows: 7, ..options(dir.path()) };
        let mut spool = Spool::open(with()).unwrap().0;
        let mut model = Model::new();
        let mut ids = std::collections::HashMap::new();
        let mut next = 0u32;
        for step in steps {
            match step {
                Step::Append { partition, len } => {
                    next += 1;
                    let mut payload = next.to_le_bytes().to_vec();
                    payload.resize(4 + len, partition);
                    put(&spool, partition_of(partition), &payload);
                    model.entry(partition).or_default().push(payload);
                }
                Step::Flush => run(spool.flush()).unwrap(),
                Step::LetGo => drop(spool.try_next_batch()),
                Step::Acknowledge => {
                    if let Some(batch) = spool.try_next_batch() {
                        let waiting = model.get_mut(&number_of(batch.partition())).unwrap();
                        let records = payloads(&batch);
                        prop_assert_eq!(records.len(), batch.rows() as usize);
                        // A batch is always the oldest of its partition that is left, and never has another content.
                        prop_assert_eq!(waiting.drain(..records.len()).collect::<Vec<_>>(), records.clone());
                        prop_assert_eq!(ids.insert(batch.batch_id(), ()), None, "an id comes once");
                        run(spool.acknowledge(batch.batch_id())).unwrap();
                    }
                }
                Step::Close => {
                    spool.close().unwrap();
                    drop(spool);
                    let recovery;
                    (spool, recovery) = Spool::open(with()).unwrap();
                    prop_assert_eq!((recovery.sealed_now, recovery.torn_bytes, recovery.damaged), (0, 0, 0));
                }
                Step::Crash => {
                    drop(spool);
                    spool = Spool::open(with()).unwrap().0;
                }
                Step::Torn(garbage) => {
                    drop(spool);
                    if let Some(path) = last_unsealed(dir.path()) {
                        let mut bytes = fs::read(&path).unwrap();
                        bytes.extend_from_slice(&garbage);
                        fs::write(&path, bytes).unwrap();
                    }
                    spool = Spool::open(with()).unwrap().0;
                }
                Step::Cut(len) => {
                    drop(spool);
                    if let Some(path) = last_unsealed(dir.path()) {
                        let bytes = fs::read(&path).unwrap();
                        let header = Header::decode(&bytes).unwrap();
                        let end = bytes.len().saturating_sub(len).max(header.len);
                        let lost = segment::scan(&bytes, &header).records.iter().filter(|r| r.end > end).count();
                        fs::write(&path, &bytes[..end]).unwrap();
                        let left = model.get_mut(&number_of(header.header.partition)).unwrap();
                        left.truncate(left.len() - lost);
                    }
                    spool = Spool::open(with()).unwrap().0;
                }
            }
        }
        run(spool.flush()).unwrap();
        let waiting: usize = model.values().map(Vec::len).sum();
        prop_assert_eq!(spool.status().waiting_rows, waiting as u64);
        while let Some(batch) = spool.try_next_batch() {
            let left = model.get_mut(&number_of(batch.partition())).unwrap();
            let records = payloads(&batch);
            prop_assert_eq!(left.drain(..records.len()).collect::<Vec<_>>(), records);
            run(spool.acknowledge(batch.batch_id())).unwrap();
        }
        prop_assert!(model.values().all(Vec::is_empty));
        prop_assert_eq!(spool.status().disk_bytes, 0);
    }

    #[test]
    fn a_folder_of_garbage_never_panics_nor_refuses(files in proptest::collection::vec(
        (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..300), any::<bool>()), 0..4)) {
        let dir = TempDir::new().unwrap();
        let (_, good) = unsealed(&[b"x"]);
        for (id, mut bytes, begins_well) in files {
            if begins_well {
                bytes.splice(0..0, good.iter().copied());
            }
            fs::write(dir.path().join(format!("{id:016x}.segment")), bytes).unwrap();
        }
        let (spool, _) = Spool::open(options(dir.path())).unwrap();
        while let Some(batch) = spool.try_next_batch() {
            let _ = batch.read();
            run(spool.acknowledge(batch.batch_id())).unwrap();
        }
    }
}

/// The youngest segment that is not sealed, as the folder has it.
fn last_unsealed(dir: &Path) -> Option<PathBuf> {
    segments(dir).into_iter().rev().find(|path| {
        let bytes = fs::read(path).unwrap();
        Header::decode(&bytes).is_ok_and(|header| segment::scan(&bytes, &header).seal.is_none())
    })
}
