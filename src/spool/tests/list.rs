//! The spool with its threads over real files, beside the simplest model of it: a list for each partition.

use std::collections::BTreeMap;

use super::super::segment::Header;
use super::*;
use proptest::prelude::*;

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
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

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
}

/// The youngest segment that is not sealed, as the folder has it.
fn last_unsealed(dir: &Path) -> Option<PathBuf> {
    segments(dir).into_iter().rev().find(|path| {
        let bytes = fs::read(path).unwrap();
        Header::decode(&bytes).is_ok_and(|header| segment::scan(&bytes, &header).seal.is_none())
    })
}
