//! The spool as a whole, over real files. Crashes are made by dropping the spool without closing it and by what is then
//! done to its files. `mem` is a disk in memory that fails and crashes; `crank` a spool without threads over it.

mod crank;
mod damage;
mod faults;
mod gated;
mod halves;
mod list;
mod mem;
mod model;
mod power;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::record::{Column, ColumnKind};
use super::*;

const JULY: Partition = Partition { month: 202507, retention_days: 2192 };
const AUGUST: Partition = Partition { month: 202508, retention_days: 90 };
const LONG: Duration = Duration::from_secs(600);

fn options(dir: &Path) -> SpoolOptions {
    let columns = vec![Column { name: "note".into(), kind: ColumnKind::Text }];
    SpoolOptions {
        dir: dir.to_owned(),
        columns,
        max_bytes: 1 << 30,
        max_age: LONG,
        batch_rows: 10_000,
        batch_age: LONG,
        durability: Durability::Write,
    }
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
fn a_copied_folder_gives_ids_of_its_own() {
    let dir = TempDir::new().unwrap();
    let (first, copy) = (dir.path().join("first"), dir.path().join("copy"));
    let spool = open(&first);
    written(&spool, JULY, b"x");
    drop(spool);
    fs::create_dir(&copy).unwrap();
    fs::copy(first.join("instance"), copy.join("instance")).unwrap();
    let next = |dir: &Path| {
        let spool = open(dir);
        put(&spool, JULY, b"y");
        spool.close().unwrap();
        // Each is held, or it would come again.
        let batches: Vec<_> = std::iter::from_fn(|| spool.try_next_batch()).collect();
        batches.iter().map(SealedBatch::batch_id).max().unwrap() >> 32
    };
    let (original, copied) = (next(&first), next(&copy));
    assert_ne!(original, copied);
    assert_eq!((next(&first), next(&copy)), (original, copied), "and both stay what they are");
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
