//! One fault at a time: what a disk can do to the spool, and what the spool makes of it.

use std::io::ErrorKind;

use super::crank::{Cranked, DIR};
use super::mem::{Crash, Fault, MemDisk};
use super::*;

pub(super) const EIO: Fault = Fault::Refuse(ErrorKind::Other);

pub(super) fn cranked(disk: &MemDisk) -> (Cranked, Recovery) {
    Cranked::open(disk, options(Path::new(DIR))).unwrap()
}

/// A disk with a batch of two records, written and not sealed, in a spool that is still open.
fn two_written() -> (MemDisk, Cranked) {
    let disk = MemDisk::new(1);
    let (mut spool, _) = cranked(&disk);
    spool.append(JULY, b"first").unwrap();
    spool.append(JULY, b"second").unwrap();
    spool.write();
    (disk, spool)
}

pub(super) fn crashed(disk: &MemDisk, spool: Cranked, how: Crash) -> (Cranked, Recovery) {
    drop(spool);
    disk.crash(how);
    cranked(disk)
}

pub(super) fn next(spool: &Cranked) -> Vec<Vec<u8>> {
    spool.spool.try_next_batch().map(|batch| payloads(&batch)).unwrap_or_default()
}

const BOTH: [&[u8]; 2] = [b"first", b"second"];

#[test]
fn a_full_disk_at_the_start_costs_no_batch_and_sends_none_to_quarantine() {
    let (disk, spool) = two_written();
    drop(spool);
    disk.crash(Crash::Killed);
    // Whatever is refused at the start, the batch is there as soon as the disk takes it.
    for skip in 0..30 {
        disk.fail(skip, Fault::Refuse(ErrorKind::StorageFull), 1000);
        let opened = Cranked::open(&disk, options(Path::new(DIR)));
        disk.heal();
        let Ok((mut spool, recovery)) = opened else { continue };
        if recovery.unreadable == 0 {
            spool.seal();
            assert_eq!(next(&spool), BOTH, "refused from operation {skip} on");
        } else {
            assert_eq!(recovery.batches, 0, "what could not be read is kept aside");
        }
        drop(spool);
        disk.crash(Crash::Killed);
    }
}

#[test]
fn a_sync_that_failed_is_not_believed_the_second_time() {
    for skip in 0..10 {
        let (disk, mut spool) = two_written();
        disk.fail(skip, EIO, 1);
        let sealed = spool.flush() || {
            spool.seal();
            spool.spool.try_next_batch().is_some()
        };
        assert!(sealed, "it is tried again after operation {skip} failed");
        let (spool, recovery) = crashed(&disk, spool, Crash::PowerLost);
        assert_eq!((next(&spool), recovery.damaged), (BOTH.map(<[u8]>::to_vec).to_vec(), 0), "operation {skip} failed");
    }
}

#[test]
fn what_the_kernel_dropped_after_a_failed_sync_is_counted_and_the_rest_is_sealed() {
    let (disk, mut spool) = two_written();
    assert!(spool.flush());
    drop(spool.spool.try_next_batch());
    spool.append(AUGUST, b"third").unwrap();
    spool.write();
    // The seal is written and cut; the sync fails, and so does the reading for the new file.
    disk.fail(2, EIO, 2);
    assert!(!spool.flush());
    disk.evict();
    spool.seal();
    let status = spool.spool.status();
    assert_eq!((status.damaged, status.waiting_rows, status.lost), (1, 2, 0));
    assert_eq!(next(&spool), BOTH);
    assert_eq!(
        status.disk_bytes,
        disk.files(Path::new(DIR)).iter().filter(is_segment).map(|f| f.1.len() as u64).sum::<u64>()
    );
}

fn is_segment(file: &&(PathBuf, Vec<u8>)) -> bool {
    file.0.extension().is_some_and(|extension| extension == "segment")
}

#[test]
fn a_batch_that_a_killed_process_sealed_is_synced_before_it_can_be_sent() {
    for seed in 0..20 {
        let disk = MemDisk::new(seed);
        let (mut spool, _) = cranked(&disk);
        spool.append(JULY, b"first").unwrap();
        spool.append(JULY, b"second").unwrap();
        spool.write();
        // Killed at the sync: the seal is written.
        disk.fail(2, Fault::Kill, 1);
        spool.flush();
        let (spool, recovery) = crashed(&disk, spool, Crash::Killed);
        assert_eq!((recovery.batches, recovery.sealed_now), (1, 0));
        assert_eq!(next(&spool), BOTH);
        let (spool, _) = crashed(&disk, spool, Crash::PowerLost);
        assert_eq!(next(&spool), BOTH, "it was given out once");
    }
}

#[test]
fn a_settled_batch_is_counted_off_even_when_the_folder_cannot_be_synced() {
    let (disk, mut spool) = two_written();
    assert!(spool.flush());
    let batch = spool.spool.try_next_batch().unwrap();
    disk.fail(1, EIO, 1);
    assert!(spool.shared().acknowledge(batch.batch_id()).is_err());
    assert_eq!(spool.spool.status().disk_bytes, 0);
}

#[test]
fn a_batch_in_quarantine_is_counted_even_when_its_folder_cannot_be_synced() {
    let (disk, mut spool) = two_written();
    assert!(spool.flush());
    let batch = spool.spool.try_next_batch().unwrap();
    // Reason made, written and synced, segment moved, folder opened.
    disk.fail(5, EIO, 1);
    assert!(spool.shared().reject(batch.batch_id(), &Rejection::Data("code 53".into())).is_err());
    assert_eq!(spool.spool.status().quarantined_batches, 1);
}

#[test]
fn an_instance_id_that_cannot_be_read_is_drawn_anew() {
    let mut drawn = std::collections::BTreeSet::new();
    let disk = MemDisk::new(1);
    for skip in 0..20 {
        disk.fail(skip, EIO, 1);
        let opened = Cranked::open(&disk, options(Path::new(DIR)));
        disk.heal();
        if let Ok((mut spool, _)) = opened {
            spool.append(JULY, b"x").unwrap();
            assert!(spool.flush());
            let batch = spool.spool.try_next_batch().unwrap();
            assert!(!batch.in_doubt());
            drawn.insert(batch.batch_id() >> 32);
            spool.shared().acknowledge(batch.batch_id()).unwrap();
        }
        disk.crash(Crash::Killed);
    }
    assert_eq!(drawn.len(), 2, "one start could not read it");
}

#[test]
fn a_write_that_fails_and_cannot_be_cut_off_ends_its_segment() {
    let (disk, mut spool) = two_written();
    let refused = spool.append_acknowledged(JULY, b"third, which is half written").unwrap();
    // The write, in part, and the cutting off.
    disk.fail(0, Fault::Half(ErrorKind::StorageFull), 2);
    spool.write();
    assert!(matches!(refused.answer(), Some(Err(SpoolError::NotWritten(ErrorKind::StorageFull)))));
    spool.end_pause();
    spool.append(JULY, b"fourth").unwrap();
    assert!(spool.flush());
    assert_eq!(next(&spool), BOTH);
    let (spool, recovery) = crashed(&disk, spool, Crash::Killed);
    assert_eq!((recovery.batches, recovery.rows, recovery.damaged), (2, 3, 0));
    drop(spool);
}

#[test]
fn what_was_half_written_and_reported_lost_does_not_come_back_after_a_kill() {
    for seed in 0..20 {
        let disk = MemDisk::new(seed);
        let (mut spool, _) = cranked(&disk);
        spool.append(JULY, b"first").unwrap();
        spool.write();
        disk.fail(0, Fault::Half(ErrorKind::StorageFull), 1);
        (0..10u8).for_each(|i| spool.append(JULY, &[i]).unwrap());
        spool.write();
        assert_eq!(spool.spool.status().lost, 10);
        let (_spool, recovery) = crashed(&disk, spool, Crash::Killed);
        assert_eq!(recovery.rows, 1);
    }
}

#[test]
fn a_segment_without_a_whole_header_is_removed_as_soon_as_that_can_be() {
    let (disk, mut spool) = two_written();
    spool.append(AUGUST, b"third").unwrap();
    // Making it works, its header is half written, and it cannot be removed at first.
    disk.fail(1, Fault::Half(ErrorKind::StorageFull), 1);
    disk.then_fail(0, EIO, 1);
    spool.write();
    spool.seal();
    let segments =
        || disk.files(Path::new(DIR)).iter().filter(is_segment).map(|file| file.1.len() as u64).collect::<Vec<_>>();
    assert_eq!(segments().len(), 2);
    spool.seal();
    assert_eq!(segments(), [spool.spool.status().disk_bytes]);
}

#[test]
fn who_was_written_in_a_turn_is_told_so_though_a_later_record_of_it_failed() {
    let disk = MemDisk::new(1);
    let with = SpoolOptions { batch_rows: 2, ..options(Path::new(DIR)) };
    let (mut spool, _) = Cranked::open(&disk, with).unwrap();
    let mut answers: Vec<_> = (0..3u8).map(|i| spool.append_acknowledged(JULY, &[i]).unwrap()).collect();
    // The segment (made, its header), two records; then the second segment cannot be made.
    disk.fail(3, EIO, 1);
    spool.write();
    let told: Vec<_> = answers.iter_mut().map(|answer| answer.answer().unwrap().is_ok()).collect();
    assert_eq!((told, spool.spool.status().lost), (vec![true, true, false], 1));
}

#[test]
fn a_flush_is_no_success_where_a_segment_could_not_be_sealed() {
    let disk = MemDisk::new(1);
    let (spool, _) = Spool::open_on(Arc::new(disk.clone()), options(Path::new(DIR))).unwrap();
    written(&spool, JULY, b"first");
    disk.fail(0, EIO, u32::MAX);
    let flushed = std::thread::spawn({
        let spool = spool.clone();
        move || run(spool.flush())
    });
    // The flush is on its way once the sealing thread has tried.
    let tried = disk.operations();
    while disk.operations() == tried {
        std::thread::yield_now();
    }
    assert!(matches!(spool.close(), Err(SpoolError::NotSealed { left: 1 })));
    assert!(flushed.join().unwrap().is_err());
}

#[test]
fn the_remains_of_an_unfinished_replacement_are_removed() {
    let unfinished = |disk: &MemDisk| {
        let files = disk.files(Path::new(DIR));
        files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "new")).count()
    };
    let mut seen = 0;
    for skip in 0..20 {
        let (disk, mut spool) = two_written();
        // The seal is written and cut, its sync fails; somewhere on the way to a new file the process is killed.
        disk.fail(2, EIO, 1);
        disk.then_fail(skip, Fault::Kill, 1);
        spool.flush();
        drop(spool);
        seen += unfinished(&disk);
        disk.crash(Crash::Killed);
        let (mut spool, _) = cranked(&disk);
        assert_eq!(unfinished(&disk), 0);
        spool.seal();
        assert_eq!(next(&spool), BOTH);
    }
    assert!(seen > 0);
}
