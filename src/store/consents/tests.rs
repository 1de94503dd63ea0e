//! The ledger into the real engine.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::*;
use crate::config::ClickHouse;
use crate::engine::{socket, testing};
use crate::keys::KeyRing;
use crate::ledger::verify::verify;
use crate::ledger::{Action, Beginning, Entry, PublicKeys};
use crate::store::{client, migrate};

const SIX_YEARS: Period = Period { months: 72, days: 0 };

async fn on(database: &str) -> Client {
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database(database);
    migrate::apply(&client).await.unwrap();
    client
}

fn open(dir: &Path, ring: &Arc<KeyRing>) -> Ledger {
    Ledger::open(&dir.join("ledger"), ring.clone(), 7, now_ms()).unwrap().0
}

fn entry(receipt: u64, at_ms: i64) -> Entry {
    Entry {
        receipt,
        previous: (receipt > 1).then(|| receipt - 1),
        at_ms,
        action: Action::Change,
        policy_version: 2,
        text_hash: [1; 32],
        banner_version: "1".into(),
        banner_hash: [0; 32],
        granted: vec!["necessary".into(), "analytics".into()],
        denied: if receipt.is_multiple_of(2) { vec![] } else { vec!["marketing".into()] },
        source: "import:klaro".into(),
        language: "de".into(),
        host: "www.example.com".into(),
        gpc: true,
        dnt: false,
        under_16: receipt == 3,
    }
}

async fn append(ledger: &Ledger, receipts: std::ops::RangeInclusive<u64>) {
    for receipt in receipts {
        ledger.append(entry(receipt, now_ms())).await.unwrap();
    }
}

/// From start to an end in order, at once.
async fn run(ledger: &Ledger, client: &Client) {
    Shipper::new(ledger.clone(), client.clone(), SIX_YEARS).run(async {}).await;
}

async fn seqs(client: &Client) -> Vec<u64> {
    client.query("select seq from consents order by chain, seq").fetch_all().await.unwrap()
}

#[tokio::test]
async fn rule_p3_the_tables_rows_are_the_ledgers_and_prove_themselves() {
    let (client, dir, ring) = (on("consents_rows").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let ledger = open(dir.path(), &ring);
    append(&ledger, 1..=5).await;
    run(&ledger, &client).await;
    append(&ledger, 6..=7).await;
    run(&ledger, &client).await;
    run(&ledger, &client).await;
    assert_eq!(ledger.shipped(), 7);
    let stored = rows_behind(&client, ChainId(0), 0, 3).await.unwrap();
    assert_eq!(stored.iter().map(|row| row.name().1).collect::<Vec<_>>(), [1, 2, 3]);
    let rest = rows_behind(&client, ledger.chain(), 3, 100).await.unwrap();
    let rows: Vec<Row> = stored.iter().chain(&rest).map(|stored| stored.row().unwrap()).collect();
    assert_eq!(rows, ledger.rows_after(0, 100, &mut Place::default()).unwrap());
    assert_eq!(verify(&rows, ledger.chain(), &PublicKeys::of(&ring), Beginning::FIRST, 7), []);
    let kept: u64 = client
        .query("select countIf(dateDiff('month', toDate(at), expires_at) = 72) from consents")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(kept, 7);
}

#[tokio::test]
async fn rows_of_before_are_not_sent_again_and_those_of_two_months_are_two_blocks() {
    let (client, dir, ring) =
        (on("consents_again").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let earlier = now_ms() - 40 * 86_400_000;
    let ledger = open(dir.path(), &ring);
    for (receipt, at_ms) in [(1, earlier), (2, earlier), (3, now_ms()), (4, now_ms())] {
        ledger.append(entry(receipt, at_ms)).await.unwrap();
    }
    run(&ledger, &client).await;
    drop(ledger);
    for _ in 0..2 {
        // As after a crash right behind the insert: nothing says what came of it but the table.
        let _ = std::fs::remove_file(dir.path().join("ledger/shipped"));
        let ledger = open(dir.path(), &ring);
        run(&ledger, &client).await;
        assert_eq!(seqs(&client).await, [1, 2, 3, 4]);
    }
    let parts: u64 = client
        .query("select uniqExact(partition) from system.parts where database = 'consents_again' and table = 'consents' and active")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(parts, 2);
}

#[tokio::test]
async fn a_row_shows_up_within_two_seconds() {
    let (client, dir, ring) = (on("consents_soon").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let ledger = open(dir.path(), &ring);
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let shipper = Shipper::new(ledger.clone(), client.clone(), SIX_YEARS);
    let running = tokio::spawn(shipper.run(async { drop(ended.await) }));
    for receipt in 1..=3 {
        let begun = Instant::now();
        append(&ledger, receipt..=receipt).await;
        while seqs(&client).await.len() < receipt as usize {
            assert!(begun.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(20)).await;
        }
        // A loaded machine takes its time; what it should take is in the name.
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
    end.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn while_clickhouse_is_away_rows_wait_where_they_are() {
    let (dir, ring) = (tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let nobody = client::connect(&ClickHouse::Embedded { listen: None }, dir.path()).unwrap();
    let ledger = open(dir.path(), &ring);
    append(&ledger, 1..=3).await;
    run(&ledger, &nobody).await;
    assert_eq!(ledger.shipped(), 0);
    let client = on("consents_away").await;
    run(&ledger, &client).await;
    assert_eq!(seqs(&client).await, [1, 2, 3]);
}

#[tokio::test]
async fn what_was_taken_out_at_the_end_of_the_table_comes_back_and_a_row_of_somebody_else_holds_nothing_up() {
    let (client, dir, ring) = (on("consents_lost").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let ledger = open(dir.path(), &ring);
    append(&ledger, 1..=4).await;
    run(&ledger, &client).await;
    let sql = |text: &str| client.query(text).with_setting("mutations_sync", "1").execute();
    sql("alter table consents delete where seq in (2, 4)").await.unwrap();
    sql(
        "insert into consents (chain, seq, at, expires_at) select any(chain), 1000, max(at), today() + 9 from consents",
    )
    .await
    .unwrap();
    append(&ledger, 5..=5).await;
    run(&ledger, &client).await;
    // The middle is for `verify` to name.
    assert_eq!(seqs(&client).await, [1, 3, 4, 5, 1000]);
}

#[tokio::test]
async fn months_whose_time_is_over_leave_the_disk() {
    let (client, dir, ring) =
        (on("consents_expired").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let ledger = open(dir.path(), &ring);
    for (receipt, days) in [(1, 200), (2, 0)] {
        ledger.append(entry(receipt, now_ms() - days * 86_400_000)).await.unwrap();
    }
    let days = Period { months: 0, days: 90 };
    Shipper::new(ledger.clone(), client.clone(), days).run(async {}).await;
    assert_eq!(seqs(&client).await, [2], "what has expired is not sent");
    let left = ledger.rows_after(0, 10, &mut Place::default()).unwrap();
    assert_eq!(left.iter().map(|row| row.seq).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_has_expired_in_the_month_that_is_written_is_not_sent_and_not_sent_again() {
    let (client, dir, ring) =
        (on("consents_short").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let ledger = open(dir.path(), &ring);
    let hour = 3_600_000;
    ledger.append(entry(1, now_ms() - 60 * 24 * hour)).await.unwrap();
    let days = |days| Period { months: 0, days };
    Shipper::new(ledger.clone(), client.clone(), days(30)).run(async {}).await;
    assert_eq!((seqs(&client).await, ledger.shipped()), (vec![], 1));
    append(&ledger, 2..=3).await;
    Shipper::new(ledger.clone(), client.clone(), days(30)).run(async {}).await;
    assert_eq!((seqs(&client).await, ledger.shipped()), (vec![2, 3], 3));
}

/// How the way to the engine breaks while a block is sent.
#[derive(Clone, Copy, PartialEq)]
enum Break {
    /// Before it arrives.
    Lost,
    /// Once it is stored, before the answer is back.
    Stored,
}

async fn relay(mut client: TcpStream, mut engine: UnixStream, breaks: Arc<Mutex<VecDeque<Break>>>) -> Option<()> {
    let (mut sent, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut swallow = false;
    loop {
        tokio::select! {
            n = client.read(&mut sent) => {
                let piece = sent.get(..n.ok().filter(|n| *n > 0)?)?;
                if memchr::memmem::find(piece, b"INSERT").is_some() {
                    let next = breaks.lock().unwrap().pop_front();
                    swallow = next == Some(Break::Stored);
                    if next == Some(Break::Lost) {
                        return None;
                    }
                }
                engine.write_all(piece).await.ok()?;
            }
            n = engine.read(&mut answered) => {
                let piece = answered.get(..n.ok().filter(|n| *n > 0 && !swallow)?)?;
                client.write_all(piece).await.ok()?;
            }
        }
    }
}

#[tokio::test]
async fn a_row_comes_once_however_often_the_connection_breaks() {
    let (direct, dir, ring) =
        (on("consents_breaks").await, tempfile::tempdir().unwrap(), Arc::new(KeyRing::ephemeral()));
    let breaks = Arc::new(Mutex::new(VecDeque::from([Break::Lost, Break::Stored, Break::Lost, Break::Stored])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let left = breaks.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let engine = UnixStream::connect(socket::recorded(testing::shared())).await.unwrap();
            tokio::spawn(relay(client, engine, breaks.clone()));
        }
    });
    let server = ClickHouse::Server { url, user: "default".into(), password_file: None };
    let client = client::connect(&server, dir.path()).unwrap().with_database("consents_breaks");
    let ledger = open(dir.path(), &ring);
    for receipts in [1..=10, 11..=20] {
        append(&ledger, receipts).await;
        run(&ledger, &client).await;
    }
    assert!(left.lock().unwrap().is_empty());
    assert_eq!(seqs(&direct).await, (1..=20).collect::<Vec<_>>());
}
