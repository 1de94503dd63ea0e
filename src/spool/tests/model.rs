//! The spool over a disk that fails and crashes, beside a model of what must be there and what may be.

mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::segment::Header;
use super::crank::{Cranked, DIR};
use super::mem::{Crash, Fault, MemDisk};
use super::*;

/// What the model knows of a record that the spool took.
struct Record {
    partition: u8,
    payload: Vec<u8>,
    /// Where it was taken: only that process had it in memory.
    life: u32,
    acknowledgement: Option<Acknowledgement>,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It died with the process that had it in memory.
    Gone,
    /// It was reported lost and cut off, which only a loss of power undoes.
    Refused,
    /// It may be there and may be not, but never twice.
    Perhaps,
    /// It survives the death of the process.
    Written,
    /// It survives the loss of power too.
    Synced,
}

/// A spool and what is to be thought of it.
struct Beside {
    disk: MemDisk,
    /// None only while it is opened again.
    spool: Option<Cranked>,
    hand: Vec<SealedBatch>,
    durability: Durability,
    life: u32,
    /// Whether a fault met the last start; what is in quarantine may then be uncounted.
    hit_at_start: bool,
    power_was_lost: bool,
    refused: u64,
    records: BTreeMap<u32, Record>,
    /// Records that wait in memory for the writer.
    in_group: Vec<u32>,
    /// The batch each record was seen in.
    place: BTreeMap<u32, u64>,
    /// The records of each batch that was read.
    batches: BTreeMap<u64, Vec<u32>>,
    /// Batches that must never be given out again, and those that may.
    settled: BTreeSet<u64>,
    perhaps_settled: BTreeSet<u64>,
}

fn partition_of(number: u8) -> Partition {
    Partition { month: 202501 + u32::from(number), retention_days: 90 }
}

impl Beside {
    fn new(seed: u64, durability: Durability) -> Beside {
        let disk = MemDisk::new(seed);
        let mut beside = Beside {
            disk,
            spool: None,
            hand: Vec::new(),
            durability,
            life: 0,
            hit_at_start: false,
            power_was_lost: false,
            refused: 0,
            records: BTreeMap::new(),
            in_group: Vec::new(),
            place: BTreeMap::new(),
            batches: BTreeMap::new(),
            settled: BTreeSet::new(),
            perhaps_settled: BTreeSet::new(),
        };
        beside.start();
        beside
    }

    fn spool(&mut self) -> &mut Cranked {
        self.spool.as_mut().expect("it is open between two steps")
    }

    /// Opens the spool; a fault may keep it from that once.
    fn start(&mut self) {
        let durability = self.durability;
        let with = || SpoolOptions { batch_rows: 7, durability, ..options(Path::new(DIR)) };
        let opened = Cranked::open(&self.disk, with());
        if self.disk.is_dead() {
            drop(opened);
            self.disk.crash(Crash::Killed);
            return self.start();
        }
        self.disk.heal();
        let opened = opened.or_else(|_| Cranked::open(&self.disk, with()));
        self.spool = Some(opened.unwrap_or_else(|error| panic!("it does not open: {error}")).0);
        (self.life, self.refused) = (self.life + 1, 0);
    }

    fn crash(&mut self, how: Crash, then: Option<(u32, Fault, u32)>) {
        for id in std::mem::take(&mut self.in_group) {
            self.records.get_mut(&id).expect("was taken").fate = Fate::Gone;
        }
        self.hand.clear();
        self.spool = None;
        self.disk.crash(how);
        if how == Crash::PowerLost {
            self.power_was_lost = true;
            let unsynced = [Fate::Refused, Fate::Written];
            let unsynced = self.records.values_mut().filter(|record| unsynced.contains(&record.fate));
            unsynced.for_each(|record| record.fate = Fate::Perhaps);
        }
        self.hit_at_start = then.is_some();
        if let Some((skip, fault, times)) = then {
            self.disk.fail(skip, fault, times);
        }
        self.start();
    }

    fn append(&mut self, partition: u8, len: usize, acknowledged: bool) {
        let id = self.records.len() as u32;
        let mut payload = id.to_le_bytes().to_vec();
        payload.resize(4 + len, partition);
        let spool = self.spool();
        let taken = if acknowledged {
            spool.append_acknowledged(partition_of(partition), &payload).map(Some)
        } else {
            spool.append(partition_of(partition), &payload).map(|()| None)
        };
        match taken {
            Ok(acknowledgement) => {
                let (life, fate) = (self.life, Fate::Perhaps);
                self.records.insert(id, Record { partition, payload, life, acknowledgement, fate });
                self.in_group.push(id);
            }
            Err(refused) => {
                assert_eq!(refused, Refused::Full);
                self.refused += 1;
            }
        }
    }

    /// A turn of the writer, and what is known of its records afterwards.
    fn write(&mut self, turn: impl FnOnce(&mut Cranked)) {
        let lost = |spool: &mut Cranked| spool.spool.status().lost;
        let (before, cuts) = (lost(self.spool()), self.disk.refused_cuts());
        turn(self.spool());
        let lost = lost(self.spool()) - before;
        let all_cut = self.disk.refused_cuts() == cuts;
        let mut refused = 0;
        for id in std::mem::take(&mut self.in_group) {
            let record = self.records.get_mut(&id).expect("was taken");
            let written = match &mut record.acknowledgement {
                None => lost == 0,
                Some(acknowledgement) => match acknowledgement.answer().expect("a turn answers") {
                    Ok(()) => true,
                    Err(SpoolError::NotWritten(_)) => {
                        refused += 1;
                        record.fate = if all_cut { Fate::Refused } else { Fate::Perhaps };
                        false
                    }
                    Err(other) => panic!("{other}"),
                },
            };
            if written {
                let synced = self.durability == Durability::Power && record.acknowledgement.is_some();
                record.fate = if synced { Fate::Synced } else { Fate::Written };
            }
        }
        assert!(refused <= lost, "{refused} were refused, {lost} counted");
    }

    fn flush(&mut self) {
        let mut done = false;
        self.write(|spool| done = spool.flush());
        if done {
            let life = self.life;
            let here = self.records.values_mut().filter(|record| record.life == life && record.fate == Fate::Written);
            here.for_each(|record| record.fate = Fate::Synced);
        }
    }

    /// Takes the next batch, reads it and compares; says whether there was one.
    fn take(&mut self) -> bool {
        let Some(batch) = self.spool().spool.try_next_batch() else { return false };
        let id = batch.batch_id();
        assert!(!self.settled.contains(&id), "a settled batch is back");
        let read = match batch.read() {
            Ok(read) => read,
            Err(SpoolError::Unreadable { fault, .. }) => {
                assert!(self.power_was_lost, "{fault}");
                self.reject(&batch, Rejection::Unreadable(fault));
                return true;
            }
            // It goes back.
            Err(_) => return true,
        };
        let rows = batch.rows() as usize;
        assert!(rows == read.len() || (self.power_was_lost && rows > read.len()), "{} of {rows} rows", read.len());
        let ids: Vec<u32> = read.iter().map(|payload| self.known(payload, batch.partition())).collect();
        assert!(ids.is_sorted(), "out of order: {ids:?}");
        self.placed(id, &ids);
        if let Some(before) = self.batches.insert(id, ids.clone()) {
            assert_eq!(before, ids, "another content");
            assert!(batch.in_doubt());
        }
        for id in ids {
            self.records.get_mut(&id).expect("is known").fate = Fate::Synced;
        }
        self.hand.push(batch);
        true
    }

    /// The record with this payload, which was taken as it is.
    fn known(&self, payload: &[u8], partition: Partition) -> u32 {
        let id = payload.first_chunk().map(|id| u32::from_le_bytes(*id)).expect("an id");
        let record = self.records.get(&id).unwrap_or_else(|| panic!("{id} was never taken"));
        assert_eq!((record.payload.as_slice(), partition_of(record.partition)), (payload, partition));
        assert!(record.fate >= Fate::Perhaps, "{id} is there, which was {:?}", record.fate);
        id
    }

    fn placed(&mut self, batch: u64, ids: &[u32]) {
        for id in ids {
            let place = *self.place.entry(*id).or_insert(batch);
            assert_eq!(place, batch, "record {id} is in two batches");
        }
    }

    fn settle(&mut self, id: u64, done: Result<(), SpoolError>) {
        let settled = if done.is_ok() { &mut self.settled } else { &mut self.perhaps_settled };
        settled.insert(id);
    }

    fn acknowledge(&mut self, batch: &SealedBatch) {
        let done = self.spool().shared().acknowledge(batch.batch_id());
        self.settle(batch.batch_id(), done);
    }

    fn reject(&mut self, batch: &SealedBatch, why: Rejection) {
        let done = self.spool().shared().reject(batch.batch_id(), &why);
        self.settle(batch.batch_id(), done);
    }

    /// Everything must come out, and the counters must agree with what is there.
    fn come_out(mut self) {
        self.disk.heal();
        self.spool().end_pause();
        self.hand.clear();
        self.spool().seal();
        self.flush();
        let mut last = BTreeSet::new();
        self.drain(&mut last);
        let (life, status) = (self.life, self.spool().spool.status());
        let missing = self.records.iter().filter(|(id, record)| record.life == life && !self.place.contains_key(id));
        assert_eq!((status.lost, status.refused), (missing.count() as u64, self.refused), "what is lost is counted");
        assert_eq!((status.waiting_rows, status.waiting_batches), (0, 0));
        self.bytes_agree();
        // What could neither be read nor moved at the last start, nor removed when it was settled, is met again.
        assert!(self.spool().stop(Stop::Close));
        self.crash(Crash::Killed, None);
        self.drain(&mut last);
        self.bytes_agree();
        for (path, bytes) in self.disk.files(&Path::new(DIR).join("quarantine")) {
            let Ok(header) = Header::decode(&bytes) else { continue };
            let payloads = segment::scan(&bytes, &header).records;
            let partition = header.header.partition;
            let ids: Vec<u32> = payloads.into_iter().map(|range| self.known(&bytes[range], partition)).collect();
            self.placed(header.header.batch_id, &ids);
            assert!(path.extension().is_some_and(|extension| extension == "segment"));
            last.insert(header.header.batch_id);
        }
        for id in self.batches.keys() {
            let may_be_gone = self.settled.contains(id) || self.perhaps_settled.contains(id);
            assert!(may_be_gone || last.contains(id), "batch {id:016x} is gone");
        }
        for (id, record) in self.records.iter().filter(|(id, _)| !self.place.contains_key(id)) {
            assert!(record.fate < Fate::Written, "record {id} is gone");
        }
    }

    fn drain(&mut self, last: &mut BTreeSet<u64>) {
        while self.take() {
            if let Some(batch) = self.hand.pop() {
                last.insert(batch.batch_id());
                self.acknowledge(&batch);
            }
        }
    }

    fn bytes_agree(&mut self) {
        let segments = self.disk.files(Path::new(DIR)).into_iter();
        let segments = segments.filter(|(path, _)| path.extension().is_some_and(|extension| extension == "segment"));
        let there: u64 = segments.map(|(_, bytes)| bytes.len() as u64).sum();
        let counted = self.spool().spool.status().disk_bytes;
        assert!(counted == there || (self.hit_at_start && counted < there), "{counted} of {there} bytes");
    }
}
