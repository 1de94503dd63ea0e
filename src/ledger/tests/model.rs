//! The ledger beside a model of it, a list of what was acknowledged: whatever happens in between, that is what stands there,
//! in that order, and the chain is whole.

use std::io::BufRead as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// So many rows, so many minutes later or earlier than the last.
    Append(u8, i32),
    /// A disk that takes only so many bytes of the next write.
    Fail(usize),
    /// An end in order.
    Restart,
    /// A crash that leaves garbage behind the last row.
    Torn(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1u8..6, -50_000i32..50_000).prop_map(|(rows, minutes)| Step::Append(rows, minutes)),
        2 => (0usize..3000).prop_map(Step::Fail),
        2 => Just(Step::Restart),
        1 => proptest::collection::vec(any::<u8>().prop_filter("no end of a line", |byte| *byte != b'\n'), 1..90)
            .prop_map(Step::Torn),
    ]
}

fn newest(home: &Home) -> Option<PathBuf> {
    let files = fs::read_dir(home.path()).ok()?.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).max()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_stands_there_in_order_whatever_happens(steps in proptest::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let home = Home::new();
        let mut ledger = Some(home.opened().0);
        let (mut acknowledged, mut receipt, mut at_ms) = (Vec::new(), 0, NOW);
        for step in steps {
            match step {
                Step::Append(rows, minutes) => {
                    at_ms += i64::from(minutes) * 60_000;
                    for _ in 0..rows {
                        receipt += 1;
                        let appended = runtime.block_on(ledger.as_ref().unwrap().append(entry(receipt, at_ms))).unwrap();
                        acknowledged.push((receipt, appended));
                    }
                }
                Step::Fail(bytes) => {
                    ledger.as_ref().unwrap().faults().next_write_ends_after(bytes);
                    let refused = runtime.block_on(ledger.as_ref().unwrap().append(entry(u64::MAX, at_ms)));
                    prop_assert!(matches!(refused, Err(LedgerError::NotWritten(_))));
                }
                Step::Restart => {
                    drop(ledger.take());
                    ledger = Some(home.opened().0);
                }
                Step::Torn(bytes) => {
                    drop(ledger.take());
                    if let Some(path) = newest(&home) {
                        let mut text = fs::read(&path).unwrap();
                        text.extend_from_slice(&bytes);
                        fs::write(&path, text).unwrap();
                    }
                    let (again, recovery) = home.opened();
                    prop_assert!(recovery.damaged == 0 && recovery.missing == 0, "{:?}", recovery);
                    ledger = Some(again);
                }
            }
        }
        let (rows, others) = home.rows();
        let stands: Vec<_> = rows
            .iter()
            .map(|row| (row.entry.receipt, Appended { seq: row.seq, hash: row.hash, at_ms: row.entry.at_ms }))
            .collect();
        prop_assert_eq!(&stands, &acknowledged);
        prop_assert_eq!((home.findings(), others), (vec![], 0));
        let shipped = ledger.unwrap().rows_after(0, 1000, &mut Place::default()).unwrap();
        prop_assert_eq!(shipped, rows);
    }
}

const FOLDER: &str = "CONSENTRY_TEST_LEDGER";

#[test]
fn rule_c6_what_was_acknowledged_survives_the_death_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for lives in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "ledger::tests::model::an_appending_process", "--ignored", "--nocapture"]);
        let mut child = child.env(FOLDER, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        for line in lines.filter_map(|line| line.strip_prefix("seq ")?.parse().ok()).take(30 * lives) {
            acknowledged = line;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let ring = Arc::new(KeyRing::open_or_create(&dir.path().join("keys.json"), 7, 1).unwrap());
        let (ledger, recovery) = Ledger::open(&dir.path().join("ledger"), ring.clone(), 7, NOW).unwrap();
        assert!(recovery.seq >= acknowledged && recovery.damaged == 0, "{recovery:?} after {acknowledged}");
        let rows = ledger.rows_after(0, 10_000, &mut Place::default()).unwrap();
        assert!(rows.len() as u64 >= acknowledged && acknowledged >= 30, "{} rows of {acknowledged}", rows.len());
        let keys = PublicKeys::of(&ring);
        let found = super::super::verify::verify(&rows, ledger.chain(), &keys, Beginning::FIRST, recovery.seq);
        assert_eq!(found, []);
    }
}

#[test]
#[ignore = "a process of its own, run by another test"]
fn an_appending_process() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let ring = Arc::new(KeyRing::open_or_create(&folder.join("keys.json"), 7, 1).unwrap());
    let (ledger, _) = Ledger::open(&folder.join("ledger"), ring, 7, NOW).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Ended by who started it; at the latest by itself.
    for receipt in 1..100_000 {
        let appended = runtime.block_on(ledger.append(entry(receipt, NOW))).unwrap();
        println!("seq {}", appended.seq);
    }
}
