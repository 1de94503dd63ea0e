//! What is promised about the ledger: rows that are durable before they are answered, a chain in which every change is found
//! and named, and texts that come back byte for byte.

mod damage;
mod displaced;
mod model;
mod texts;
mod verify;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::verify::{Finding, Kind};
use super::*;
use crate::keys::KeyPurpose;

/// 20 November 2026, about ten.
const NOW: i64 = 1_795_169_000_000;
const DAY: i64 = 86_400_000;

pub(super) fn entry(receipt: u64, at_ms: i64) -> Entry {
    Entry {
        receipt,
        previous: receipt.checked_sub(1).filter(|previous| *previous > 0),
        at_ms,
        action: Action::ALL[(receipt % 5) as usize],
        policy_version: 3,
        text_hash: [7; 32],
        banner_version: "2026.1-a".into(),
        banner_hash: [9; 32],
        granted: vec!["necessary".into(), "analytics".into()],
        denied: vec!["marketing".into()],
        source: "banner".into(),
        language: "en-GB".into(),
        host: "www.example.com:8443".into(),
        gpc: receipt.is_multiple_of(2),
        dnt: false,
        under_16: receipt.is_multiple_of(3),
    }
}

struct Home {
    dir: tempfile::TempDir,
    ring: Arc<KeyRing>,
}

impl Home {
    fn new() -> Home {
        Home { dir: tempfile::tempdir().unwrap(), ring: Arc::new(KeyRing::ephemeral()) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("data/ledger")
    }

    fn opened(&self) -> (Ledger, Recovery) {
        Ledger::open(&self.path(), self.ring.clone(), 7, NOW).unwrap_or_else(|error| panic!("{error}"))
    }

    fn keys(&self) -> PublicKeys {
        PublicKeys::of(&self.ring)
    }

    /// Everything that stands there, as `consentry ledger verify` sees it.
    fn rows(&self) -> (Vec<Row>, usize) {
        let (mut rows, mut others) = (Vec::new(), 0);
        for found in Rows::of(&self.path()).unwrap() {
            match found {
                Found::Row { row, .. } => rows.push(*row),
                _ => others += 1,
            }
        }
        (rows, others)
    }

    /// Lines that are no rows, but for one that is being written.
    fn damaged(&self) -> usize {
        Rows::of(&self.path()).unwrap().filter(|found| matches!(found, Found::Unreadable { .. })).count()
    }

    fn findings(&self) -> Vec<Finding> {
        let notes = Notes::read(&self.path(), &self.keys());
        let last = notes.head.as_ref().map_or(0, |head| head.seq).max(notes.shipped);
        let beginning = notes.beginning.unwrap_or(Beginning::FIRST);
        super::verify::verify(&self.rows().0, notes.chain.unwrap(), &self.keys(), beginning, last)
    }

    fn segment(&self, month: &str) -> PathBuf {
        self.path().join(format!("{month}.jsonl"))
    }
}

async fn append(ledger: &Ledger, receipts: std::ops::RangeInclusive<u64>) -> Vec<Appended> {
    let mut done = Vec::new();
    for receipt in receipts {
        done.push(ledger.append(entry(receipt, NOW + receipt as i64)).await.unwrap());
    }
    done
}

fn modes(folder: &Path) -> Vec<u32> {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut modes = vec![mode(folder)];
    modes.extend(fs::read_dir(folder).unwrap().map(|entry| mode(&entry.unwrap().path())));
    modes
}

#[tokio::test]
async fn rule_p1_a_row_says_what_was_chosen_and_continues_the_one_before_it() {
    let home = Home::new();
    let (ledger, recovery) = home.opened();
    assert_eq!(recovery, Recovery::default());
    let done = append(&ledger, 1..=3).await;
    assert_eq!(done.iter().map(|done| done.seq).collect::<Vec<_>>(), [1, 2, 3]);
    // Durable before it is answered: another reader has it.
    let (rows, _) = home.rows();
    assert_eq!((rows.len(), *ledger.head().borrow()), (3, 3));
    for (at, row) in rows.iter().enumerate() {
        assert_eq!((row.seq, row.site_id, row.chain), (at as u64 + 1, 7, ledger.chain()));
        assert_eq!(row.entry, entry(row.seq, NOW + row.seq as i64));
        assert_eq!((row.hash, row.content_hash()), (done[at].hash, done[at].hash));
        assert_eq!(row.prev_hash, at.checked_sub(1).map_or([0; 32], |before| done[before].hash));
    }
    assert_eq!(home.findings(), []);
    assert!(modes(&home.path()).iter().all(|mode| mode & 0o077 == 0));
    let closing = ledger.clone();
    std::thread::spawn(move || closing.close()).join().unwrap();
    assert!(matches!(ledger.append(entry(4, NOW)).await, Err(LedgerError::Closed)));
}

#[test]
fn rule_p2_nothing_that_names_a_device_or_a_page_fits_into_an_entry() {
    assert_eq!(entry(1, NOW).check(), Ok(()));
    let agent = "Mozilla/5.0 (X11; Linux x86_64)";
    let refused = |change: &dyn Fn(&mut Entry, String)| {
        for text in [agent, "https://example.com/conditions/asthma", "/a?b=c", "jane@example.com", "2001:db8::1/64"] {
            let mut entry = entry(1, NOW);
            change(&mut entry, text.to_owned());
            let unfit = entry.check().unwrap_err();
            assert!(!unfit.to_string().contains(text), "{unfit}");
        }
    };
    refused(&|entry, text| entry.banner_version = text);
    refused(&|entry, text| entry.granted.push(text));
    refused(&|entry, text| entry.denied.push(text));
    refused(&|entry, text| entry.source = format!("import:{text}"));
    refused(&|entry, text| entry.source = text);
    refused(&|entry, text| entry.language = text);
    refused(&|entry, text| entry.host = text);
    for address in ["203.0.113.9", "::1"] {
        assert!(Entry { banner_version: address.into(), ..entry(1, NOW) }.check().is_err());
        assert!(Entry { language: address.into(), ..entry(1, NOW) }.check().is_err());
        assert!(Entry { granted: vec![address.into()], ..entry(1, NOW) }.check().is_err());
    }
    for fit in ["import:klaro", "import:cookieconsent-v3", "gpc", "withdrawal", "api", "preferences"] {
        assert_eq!(Entry { source: fit.into(), ..entry(1, NOW) }.check(), Ok(()));
    }
    assert!(Entry { at_ms: i64::MIN, ..entry(1, NOW) }.check().is_err());
}

/// The encoding, written a second time from its description: what a stranger would do.
#[tokio::test]
async fn rule_p3_a_stranger_can_recompute_the_hash_from_the_line() {
    use sha2::Digest as _;
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=2).await;
    let text = fs::read_to_string(home.segment("2026-11")).unwrap();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        let raw = |name: &str| -> Vec<u8> {
            let digits = word(name);
            (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
        };
        let mut bytes = Vec::new();
        let mut add = |more: &[u8]| bytes.extend_from_slice(more);
        let text = |text: &str| [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
        add(&text("consentry-ledger-1"));
        add(&raw("chain"));
        add(&row["seq"].as_u64().unwrap().to_be_bytes());
        add(&(row["site"].as_u64().unwrap() as u32).to_be_bytes());
        add(&raw("receipt"));
        match row["previous"].is_null() {
            true => add(&[0]),
            false => add(&[&[1], &raw("previous")[..]].concat()),
        }
        add(&row["at_ms"].as_i64().unwrap().to_be_bytes());
        add(&text(&word("action")));
        add(&(row["policy_version"].as_u64().unwrap() as u16).to_be_bytes());
        add(&raw("text_hash"));
        add(&text(&word("banner_version")));
        add(&raw("banner_hash"));
        for list in ["granted", "denied"] {
            let list = row[list].as_array().unwrap();
            add(&(list.len() as u32).to_be_bytes());
            list.iter().for_each(|id| add(&text(id.as_str().unwrap())));
        }
        ["source", "language", "host"].iter().for_each(|name| add(&text(&word(name))));
        ["gpc", "dnt", "under_16"].iter().for_each(|name| add(&[u8::from(row[*name].as_bool().unwrap())]));
        add(&raw("prev_hash"));
        add(&(row["key"].as_u64().unwrap() as u32).to_be_bytes());
        let hash = sha2::Sha256::digest(&bytes).to_vec();
        assert_eq!(hash, raw("hash"));
        let public = home.keys().to_json()["keys"][0]["x"].as_str().unwrap().to_owned();
        use base64::Engine as _;
        let public = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(public).unwrap();
        let key = ::ring::signature::UnparsedPublicKey::new(&::ring::signature::ED25519, public);
        key.verify(&[b"consentry-ledger-row-1", &hash[..]].concat(), &raw("signature")).unwrap();
    }
}

#[tokio::test]
async fn time_never_goes_back_within_a_chain() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    for (at_ms, stands) in [(NOW, NOW), (NOW - DAY, NOW), (NOW + 5, NOW + 5), (0, NOW + 5)] {
        assert_eq!(ledger.append(entry(1, at_ms)).await.unwrap().at_ms, stands);
    }
    drop(ledger);
    let (ledger, recovery) = home.opened();
    assert_eq!((recovery.seq, recovery.torn_bytes, recovery.damaged), (4, 0, 0));
    assert_eq!(ledger.append(entry(2, NOW)).await.unwrap().at_ms, NOW + 5);
    assert_eq!(home.findings(), []);
}

#[test]
fn many_workers_append_at_once_and_each_has_its_own_row() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let workers: Vec<_> = (0..4u64)
        .map(|worker| {
            let ledger = ledger.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let receipts = worker * 100 + 1..=worker * 100 + 50;
                runtime.block_on(append(&ledger, receipts.clone())).into_iter().zip(receipts).collect::<Vec<_>>()
            })
        })
        .collect();
    let done: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    let (rows, others) = home.rows();
    assert_eq!((rows.len(), others, done.len()), (200, 0, 200));
    for (appended, receipt) in done {
        let row = &rows[appended.seq as usize - 1];
        assert_eq!((row.entry.receipt, row.hash), (receipt, appended.hash));
    }
    assert_eq!(home.findings(), []);
}

#[tokio::test]
async fn months_have_files_of_their_own_and_go_when_they_are_over() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    for days in [0, 20, 45, 80] {
        ledger.append(entry(days as u64 + 1, NOW + days * DAY)).await.unwrap();
    }
    for month in ["2026-11", "2026-12", "2027-01", "2027-02"] {
        assert!(home.segment(month).is_file(), "{month}");
    }
    let over = |until: u16| move |day: u16| day <= until;
    assert_eq!(ledger.remove_expired(over(0)).unwrap(), 0);
    // 31 December 2026 is day 20 818.
    assert_eq!(ledger.remove_expired(over(20_818)).unwrap(), 2);
    assert_eq!(home.rows().0.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(home.findings(), []);
    // The month in use stays, however old.
    assert_eq!(ledger.remove_expired(over(u16::MAX)).unwrap(), 1);
    assert_eq!(home.findings(), []);
    drop(ledger);
    let (ledger, _) = home.opened();
    assert_eq!(append(&ledger, 9..=9).await[0].seq, 5);
    assert_eq!(home.findings(), []);

    // Only what was signed explains a beginning.
    let note = fs::read_to_string(home.path().join("expired")).unwrap();
    fs::write(home.path().join("expired"), note.replace("\"seq\":3", "\"seq\":2")).unwrap();
    let notes = Notes::read(&home.path(), &home.keys());
    assert!(notes.beginning.is_none() && notes.beginning_is_forged);
    assert_eq!(home.findings()[0].kind, Kind::Removed);
}

#[tokio::test]
async fn the_shipper_reads_on_where_it_stopped_and_only_what_is_durable() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    append(&ledger, 1..=5).await;
    ledger.append(entry(6, NOW + 20 * DAY)).await.unwrap();
    let seqs = |rows: Vec<Row>| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    let mut place = Place::default();
    assert_eq!(seqs(ledger.rows_after(0, 2, &mut place).unwrap()), [1, 2]);
    assert_eq!(seqs(ledger.rows_after(2, 2, &mut place).unwrap()), [3, 4]);
    assert_eq!(seqs(ledger.rows_after(4, 100, &mut place).unwrap()), [5, 6]);
    assert!(ledger.rows_after(6, 100, &mut place).unwrap().is_empty());
    // What stands behind the durable end is nobody's yet.
    let newest = home.segment("2026-12");
    let line = fs::read_to_string(&newest).unwrap().replace("\"seq\":6", "\"seq\":7");
    fs::File::options()
        .append(true)
        .open(&newest)
        .and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()))
        .unwrap();
    assert!(ledger.rows_after(6, 100, &mut place).unwrap().is_empty());
    for (from, expected) in [(0, vec![1, 2, 3, 4, 5, 6]), (3, vec![4, 5, 6]), (5, vec![6])] {
        assert_eq!(seqs(ledger.rows_after(from, 100, &mut Place::default()).unwrap()), expected);
    }
    assert_eq!(ledger.shipped(), 0);
    ledger.note_shipped(6).unwrap();
    assert_eq!(ledger.shipped(), 6);
}

#[tokio::test]
async fn one_process_has_the_ledger() {
    let home = Home::new();
    let (ledger, _) = home.opened();
    let again = Ledger::open(&home.path(), home.ring.clone(), 7, NOW);
    let error = again.map(|_| ()).unwrap_err();
    assert!(matches!(error, LedgerError::Locked { .. }) && error.to_string().contains("data_dir"), "{error}");
    drop(ledger);
    home.opened();
}

#[tokio::test]
async fn what_was_signed_before_a_rotation_stays_verifiable_and_what_was_destroyed_does_not() {
    use crate::keys::RingFile;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    let ring = Arc::new(KeyRing::open_or_create(&path, 1, 0).unwrap());
    let home = Home { dir, ring };
    let (ledger, _) = home.opened();
    append(&ledger, 1..=2).await;
    let first = Signer::current(&home.ring).key();
    let windows = crate::config::Config::from_toml("[gateway]\nupstream = \"http://a\"", "x", std::iter::empty());
    let windows = windows.unwrap().key_windows;
    let change = |change: &dyn Fn(&mut crate::keys::Book)| {
        let told = |book: &mut crate::keys::Book| {
            change(book);
            true
        };
        RingFile::at(&path).change(told).unwrap();
        home.ring.tend(1, &windows).unwrap();
    };
    change(&|book| book.rotate(KeyPurpose::Receipt, 1, 1));
    append(&ledger, 3..=4).await;
    let (rows, _) = home.rows();
    assert!(rows[1].key == first && rows[2].key != first);
    assert_eq!(home.findings(), []);
    change(&|book| assert!(book.destroy(first, crate::keys::Why::Command, 1).is_ok()));
    let findings = home.findings();
    assert!(findings.iter().all(|finding| finding.kind == Kind::Unsigned), "{findings:?}");
    assert_eq!(findings.iter().filter_map(|finding| finding.seq).collect::<Vec<_>>(), [1, 2]);
    assert!(findings[0].what.contains(&format!("key {first}")), "{}", findings[0]);
}
