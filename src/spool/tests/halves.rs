//! Halving a batch, what is left out of what waits, what is tried again, and what a start knows of earlier events.

use super::*;
use crate::spool::record::RecordWriter;
use crate::spool::sift::now_ms;
use crate::spool::tests::crank::DIR;
use crate::spool::tests::faults::{EIO, cranked, crashed};
use crate::spool::tests::mem::{Crash, MemDisk};

fn fill(spool: &Spool, records: u8) {
    (0..records).for_each(|n| put(spool, JULY, &[n]));
    run(spool.flush()).unwrap();
}

fn drain(spool: &Spool) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some(batch) = spool.try_next_batch() {
        found.extend(payloads(&batch));
        run(spool.acknowledge(batch.batch_id())).unwrap();
    }
    found
}

#[test]
fn two_halves_take_the_place_of_a_batch_and_come_next() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    fill(&spool, 5);
    fill(&spool, 2);
    let whole = run(spool.next_batch());
    let halves = run(spool.split(whole.batch_id())).unwrap();
    assert_eq!(spool.status().waiting_rows, 7);
    drop(whole);
    let (first, second) = (run(spool.next_batch()), run(spool.next_batch()));
    assert_eq!([first.batch_id(), second.batch_id()], halves);
    assert_eq!((payloads(&first), payloads(&second)), (vec![vec![0], vec![1]], vec![vec![2], vec![3], vec![4]]));
    assert!(!first.in_doubt() && first.partition() == JULY);
    // A half can be halved again.
    run(spool.split(second.batch_id())).unwrap();
    run(spool.acknowledge(first.batch_id())).unwrap();
    drop((first, second));
    assert_eq!(drain(&spool), [vec![2], vec![3], vec![4], vec![0], vec![1]]);
    let status = spool.status();
    assert_eq!((status.waiting_rows, status.waiting_batches, status.disk_bytes), (0, 0, 0));
    assert!(matches!(run(spool.split(halves[0])), Err(SpoolError::NotTaken { .. })));
}

#[test]
fn halves_count_only_once_the_whole_is_gone_whenever_the_process_dies() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    fill(&spool, 4);
    let whole = run(spool.next_batch());
    let name = format!("{:016x}.segment", whole.batch_id());
    let kept = fs::read(dir.path().join(&name)).unwrap();
    let halves = run(spool.split(whole.batch_id())).unwrap();
    drop((whole, spool));
    // It died before the whole was removed.
    fs::write(dir.path().join(&name), &kept).unwrap();
    let spool = open(dir.path());
    assert_eq!(spool.status().waiting_batches, 1);
    assert_eq!(drain(&spool), [[0], [1], [2], [3]]);
    drop(spool);
    // And after.
    let spool = open(dir.path());
    fill(&spool, 4);
    let whole = run(spool.next_batch());
    run(spool.split(whole.batch_id())).unwrap();
    drop((whole, spool));
    let spool = open(dir.path());
    assert_eq!(spool.status().waiting_batches, 2);
    let batch = run(spool.next_batch());
    assert!(batch.in_doubt() && !halves.contains(&batch.batch_id()));
    drop(batch);
    assert_eq!(drain(&spool), [[0], [1], [2], [3]]);
}

/// A spool of records with what the rest of this is about.
fn events(dir: &Path) -> Spool {
    let columns = [
        ("ts", ColumnKind::Milliseconds),
        ("visitor_id", ColumnKind::UInt128),
        ("consent_ref", ColumnKind::UInt64),
        ("_event", ColumnKind::UInt64),
    ];
    let columns = columns.map(|(name, kind)| Column { name: name.into(), kind }).into();
    Spool::open(SpoolOptions { columns, ..options(dir) }).unwrap().0
}

fn event(spool: &Spool, ts: i64, visitor: u128, event: u64) {
    let encode = |out: &mut Vec<u8>| {
        let mut writer = RecordWriter(out);
        writer.milliseconds(ts);
        writer.u128(visitor);
        writer.u64(visitor as u64 + 100);
        writer.u64(event);
    };
    run(spool.append_acknowledged(Partition::of(now_ms(), 2192), encode).unwrap()).unwrap();
}

#[test]
fn rule_c6_what_waits_of_who_withdraws_is_left_out_also_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let spool = events(dir.path());
    run(spool.forget(&[Whose::Visitor(1)], 10)).unwrap();
    assert!(!dir.path().join(sift::NOTE).exists(), "nothing waits");
    for (ts, visitor) in [(5, 1), (15, 1), (5, 2), (5, 3)] {
        event(&spool, ts, visitor, 0);
    }
    run(spool.forget(&[Whose::Visitor(1)], 10)).unwrap();
    run(spool.forget(&[Whose::Receipt(103)], 10)).unwrap();
    drop(spool);
    let spool = events(dir.path());
    let batch = run(spool.next_batch());
    assert_eq!((batch.rows(), batch.read().unwrap().len()), (4, 2));
    assert_eq!((batch.read().unwrap().len(), spool.status().forgotten), (2, 2), "counted once");
    run(spool.acknowledge(batch.batch_id())).unwrap();
    drop(batch);
    run(spool.watch());
    assert!(!dir.path().join(sift::NOTE).exists(), "nothing waits any more");
    event(&spool, 5, 1, 0);
    run(spool.flush()).unwrap();
    assert_eq!(run(spool.next_batch()).read().unwrap().len(), 1);
}

#[test]
fn each_record_that_is_left_out_is_counted_once_over_give_backs_and_halvings() {
    let dir = TempDir::new().unwrap();
    let spool = events(dir.path());
    for visitor in [1, 2, 1, 3, 1, 2, 3, 3] {
        event(&spool, 5, visitor, 0);
    }
    run(spool.flush()).unwrap();
    run(spool.forget(&[Whose::Visitor(1)], 10)).unwrap();
    for _ in 0..3 {
        let whole = run(spool.next_batch());
        assert_eq!((whole.read().unwrap().len(), spool.status().forgotten), (5, 3));
    }
    // Some withdraw between two readings, and between a reading and a halving.
    run(spool.forget(&[Whose::Visitor(2)], 10)).unwrap();
    let whole = run(spool.next_batch());
    assert_eq!((whole.read().unwrap().len(), spool.status().forgotten), (3, 5));
    run(spool.forget(&[Whose::Receipt(103)], 10)).unwrap();
    run(spool.split(whole.batch_id())).unwrap();
    drop(whole);
    for _ in 0..2 {
        let half = run(spool.next_batch());
        run(spool.split(half.batch_id())).unwrap();
        drop(half);
        let quarters = [run(spool.next_batch()), run(spool.next_batch())];
        for quarter in &quarters {
            assert!(quarter.read().unwrap().is_empty());
            run(spool.acknowledge(quarter.batch_id())).unwrap();
        }
    }
    assert_eq!((spool.status().forgotten, spool.status().waiting_rows), (8, 0));
}

#[test]
fn a_start_knows_the_events_that_wait_and_those_that_were_just_shipped() {
    let dir = TempDir::new().unwrap();
    let spool = events(dir.path());
    event(&spool, 1, 7, 70);
    run(spool.flush()).unwrap();
    let shipped = run(spool.next_batch());
    run(spool.acknowledge(shipped.batch_id())).unwrap();
    drop(shipped);
    event(&spool, 1, 8, 80);
    event(&spool, 1, 9, 0);
    drop(spool);
    let spool = events(dir.path());
    let mut known = Vec::new();
    spool.known_events(|visitor, event| known.push((visitor, event)));
    assert_eq!(known, [(8, 80), (7, 70)]);
    assert_eq!(spool.status().waiting_batches, 1, "what was shipped is in no queue");
}

#[test]
fn what_somebody_wants_to_be_tried_again_is_queued_in_doubt_at_once_and_at_a_start() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    fill(&spool, 3);
    let batch = run(spool.next_batch());
    let id = batch.batch_id();
    let aside = dir.path().join(format!("quarantine/{id:016x}.segment"));
    let reject = |spool: &Spool| run(spool.reject(id, Rejection::Data("no".into()))).unwrap();
    reject(&spool);
    drop(batch);
    fs::rename(&aside, aside.with_extension("retry")).unwrap();
    run(spool.watch());
    let status = spool.status();
    assert_eq!((status.quarantined_batches, status.waiting_batches, status.waiting_rows), (0, 1, 3));
    assert!(!aside.with_extension("reason").exists());
    let batch = run(spool.next_batch());
    assert!(batch.batch_id() == id && batch.in_doubt());
    reject(&spool);
    drop((batch, spool));
    fs::rename(&aside, aside.with_extension("retry")).unwrap();
    let spool = open(dir.path());
    assert_eq!((spool.status().quarantined_batches, spool.status().waiting_rows), (0, 3));
    // What is no segment goes back.
    fs::write(aside.with_extension("retry"), b"no segment").unwrap();
    drop(drain(&spool));
    run(spool.watch());
    assert!(aside.exists() && spool.status().waiting_batches == 0);
}

#[test]
fn while_events_wait_longer_than_they_may_no_more_are_taken() {
    let dir = TempDir::new().unwrap();
    let (spool, _) = Spool::open(SpoolOptions { max_age: Duration::from_millis(50), ..options(dir.path()) }).unwrap();
    fill(&spool, 1);
    std::thread::sleep(Duration::from_millis(60));
    run(spool.watch());
    assert!(spool.status().overdue && spool.status().oldest >= Duration::from_millis(50));
    assert_eq!(spool.append(JULY, |out| out.push(1)), Err(Refused::Full));
    assert_eq!(drain(&spool), [[0]], "what waits is kept");
    run(spool.watch());
    put(&spool, JULY, b"again");
}

#[test]
fn a_halving_that_fails_at_whatever_step_leaves_each_record_in_one_place() {
    for (step, lasts) in (0..24).flat_map(|step| [(step, false), (step, true)]) {
        let disk = MemDisk::new(1);
        let (mut spool, _) = cranked(&disk);
        (0..4u8).for_each(|n| spool.append(JULY, &[n]).unwrap());
        assert!(spool.flush());
        let whole = spool.spool.try_next_batch().unwrap();
        // Once, or from there until it is set aside.
        disk.fail(step, EIO, if lasts { u32::MAX } else { 1 });
        let halved = spool.shared().split(whole.batch_id());
        disk.heal();
        if halved.is_err() {
            spool.shared().reject(whole.batch_id(), &Rejection::Data("no".into())).unwrap();
        }
        drop(whole);
        // In the process, and after it was killed; then what is in quarantine is tried again, and that dies too.
        let (mut spool, _) = crashed(&disk, spool, Crash::Killed);
        for round in 0..2 {
            let mut found = Vec::new();
            while let Some(batch) = spool.spool.try_next_batch() {
                found.extend(payloads(&batch));
                spool.shared().acknowledge(batch.batch_id()).unwrap();
            }
            let aside = disk.files(&Path::new(DIR).join("quarantine"));
            let aside: Vec<_> =
                aside.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "segment")).collect();
            for (_, bytes) in &aside {
                found.extend(Records::parse(bytes.clone()).unwrap().iter().map(<[u8]>::to_vec));
            }
            found.sort();
            if round == 0 {
                assert_eq!(found, [[0], [1], [2], [3]], "step {step}, lasting {lasts}, {halved:?}");
            }
            (spool, _) = crashed(&disk, spool, Crash::Killed);
        }
    }
}

#[test]
fn many_who_withdraw_at_once_are_all_left_out_also_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let spool = events(dir.path());
    (0..40).for_each(|visitor| event(&spool, 5, visitor, 0));
    std::thread::scope(|scope| {
        for first in 0..4 {
            let spool = spool.clone();
            scope.spawn(move || {
                for visitor in (first * 10)..(first * 10 + 10) {
                    run(spool.forget(&[Whose::Visitor(visitor)], 10)).unwrap();
                }
            });
        }
    });
    drop(spool);
    let spool = events(dir.path());
    let batch = run(spool.next_batch());
    assert_eq!((batch.rows(), batch.read().unwrap().len()), (40, 0));
}

#[test]
fn a_batch_that_is_marked_while_a_start_is_under_way_upsets_no_counter() {
    let dir = TempDir::new().unwrap();
    let spool = open(dir.path());
    fill(&spool, 3);
    let batch = run(spool.next_batch());
    let aside = dir.path().join(format!("quarantine/{:016x}.segment", batch.batch_id()));
    run(spool.reject(batch.batch_id(), Rejection::Data("no".into()))).unwrap();
    drop((batch, spool));
    // As if it had been put there by hand after the start had counted.
    let away = dir.path().join("away");
    fs::rename(&aside, &away).unwrap();
    let spool = open(dir.path());
    fs::rename(&away, aside.with_extension("retry")).unwrap();
    run(spool.watch());
    assert_eq!(drain(&spool), [[0], [1], [2]]);
    let status = spool.status();
    assert_eq!((status.quarantined_batches, status.disk_bytes, status.waiting_rows), (0, 0, 0));
    put(&spool, JULY, b"goes on");
}
