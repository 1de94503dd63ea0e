//! What a start makes of a folder that was killed in, cut or damaged.

use super::super::segment::Header;
use super::*;
use proptest::prelude::*;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

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
