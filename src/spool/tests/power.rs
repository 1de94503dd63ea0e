//! Acknowledgements that wait for a sync.

use std::io::ErrorKind;

use super::crank::{Cranked, DIR};
use super::faults::{EIO, crashed, next};
use super::mem::{Crash, Fault, MemDisk};
use super::*;

fn powered(disk: &MemDisk) -> Cranked {
    Cranked::open(disk, SpoolOptions { durability: Durability::Power, ..options(Path::new(DIR)) }).unwrap().0
}

#[test]
fn in_power_mode_an_acknowledged_record_survives_the_loss_of_power_and_one_sync_does_for_a_turn() {
    for seed in 0..20 {
        let disk = MemDisk::new(seed);
        let mut spool = powered(&disk);
        for turn in 0..3u8 {
            let mut answers: Vec<_> = (0..10u8).map(|i| spool.append_acknowledged(JULY, &[turn, i]).unwrap()).collect();
            spool.append(JULY, &[turn, 10]).unwrap();
            let before = disk.operations();
            spool.write();
            assert!(answers.iter_mut().all(|answer| answer.answer().unwrap().is_ok()));
            // The first turn draws an id and makes the segment; each other writes and syncs.
            assert!(turn == 0 || disk.operations() == before + 2, "{}", disk.operations() - before);
        }
        spool.append(JULY, b"plain").unwrap();
        let before = disk.operations();
        spool.write();
        assert_eq!(disk.operations(), before + 1, "a plain record waits for no sync");
        let (spool, recovery) = crashed(&disk, spool, Crash::PowerLost);
        assert!((33..=34).contains(&recovery.rows), "{recovery:?}");
        assert_eq!(next(&spool).len() as u64, recovery.rows);
    }
}

#[test]
fn in_power_mode_a_failed_sync_fails_who_waits_and_costs_nothing_that_was_acknowledged_before() {
    // The records' sync fails, the one after it would lie; or the new segment's name cannot be synced.
    for (first_fails, in_part) in [(false, false), (false, true), (true, false), (true, true)] {
        let disk = MemDisk::new(7);
        let mut spool = powered(&disk);
        let fault = if in_part { Fault::Half(ErrorKind::Other) } else { EIO };
        let mut before = None;
        if !first_fails {
            let answer = spool.append_acknowledged(JULY, b"before").unwrap();
            spool.write();
            before = answer.answer();
        }
        // Segment and header (2), write, sync, and the folder's sync that fails.
        disk.fail(if first_fails { 4 } else { 1 }, fault, 1);
        let failed = spool.append_acknowledged(JULY, b"failed").unwrap();
        spool.append(JULY, b"with it").unwrap();
        spool.write();
        assert!(matches!(failed.answer(), Some(Err(SpoolError::NotWritten(ErrorKind::Other)))));
        assert_eq!(spool.spool.status().lost, 2);
        spool.seal();
        spool.end_pause();
        let behind = spool.append_acknowledged(JULY, b"behind").unwrap();
        spool.write();
        assert!(behind.answer().unwrap().is_ok());
        let (spool, _) = crashed(&disk, spool, Crash::PowerLost);
        let mut found = Vec::new();
        while let Some(batch) = spool.spool.try_next_batch() {
            found.extend(payloads(&batch));
            spool.shared().acknowledge(batch.batch_id()).unwrap();
        }
        let expected: &[&[u8]] = if before.is_some() { &[b"before", b"behind"] } else { &[b"behind"] };
        assert_eq!(found, expected);
    }
}

#[test]
fn in_power_mode_many_who_wait_at_once_are_all_answered() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { durability: Durability::Power, ..options(dir.path()) }).unwrap();
    let threads: Vec<_> = (0..4u8)
        .map(|thread| {
            let spool = spool.clone();
            std::thread::spawn(move || (0..50u8).for_each(|i| written(&spool, JULY, &[thread, i])))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    run(spool.flush()).unwrap();
    assert_eq!(run(spool.next_batch()).rows(), 200);
}
