//! The shipper against a server that fails as it is told, and against the real engine.

mod fake;
mod real;

use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::engine::child::State;
use crate::spool::record::{ColumnKind, RecordWriter};
use crate::spool::{Durability, Partition, SpoolOptions};
use fake::{Fake, Fault};

const JULY: Partition = Partition { month: 202507, retention_days: 90 };

fn open(dir: &TempDir) -> Spool {
    open_with(dir, vec![Column { name: "n".into(), kind: ColumnKind::UInt32 }])
}

fn open_with(dir: &TempDir, columns: Vec<Column>) -> Spool {
    let batch_age = Duration::from_millis(20);
    let options = SpoolOptions {
        dir: dir.path().to_owned(),
        columns,
        max_bytes: 1 << 30,
        max_age: Duration::from_secs(3600),
        batch_rows: 10_000,
        batch_age,
        durability: Durability::Write,
    };
    Spool::open(options).unwrap().0
}

fn put(spool: &Spool, rows: u32) {
    for n in 0..rows {
        spool.append(JULY, |out| RecordWriter(out).u32(n)).unwrap();
    }
}

/// Waits until nothing waits in the spool.
async fn drained(spool: &Spool) {
    let wait = async {
        while spool.status().waiting_rows > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.expect("everything is shipped in time");
}

/// Ships with a shutdown that comes when the returned sender is dropped.
fn shipping(spool: &Spool, client: Client) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    shipping_after(spool, client, Comeback::default())
}

fn shipping_after(
    spool: &Spool,
    client: Client,
    comeback: Comeback,
) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let work = ship(spool.clone(), client, comeback, async {
        let _ = stopped.await;
    });
    (stop, tokio::spawn(work))
}

#[tokio::test]
async fn a_batch_arrives_and_is_acknowledged() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 10);
    drained(&spool).await;
    assert_eq!(fake.rows(), 10);
    assert!(fake.questions().is_empty(), "without doubt nothing is asked");
    assert_eq!(fake.settings("async_insert"), ["0"]);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn whatever_goes_wrong_rows_come_once() {
    let faults = [
        Fault::Error(241),
        Fault::StoreThenError(500),
        Fault::Disconnect,
        Fault::StoreThenDisconnect,
        Fault::Error(16),
        Fault::Busy,
        Fault::Error(81),
        Fault::Error(16),
        Fault::StoreThenError(209),
    ];
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start(faults).await);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    for batch in 1..=6 {
        put(&spool, batch);
        drained(&spool).await;
    }
    assert_eq!(fake.rows(), 21);
    assert_eq!((spool.status().shipped_batches, spool.status().quarantined_batches), (6, 0));
    let tokens = fake.settings("insert_deduplication_token");
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), tokens.len(), "no attempt has the token of another: {tokens:?}");
    drop(stop);
    task.await.unwrap();
}

/// The pauses between two starts of an engine that dies again and again grow, and so do those between two tries of a batch: what
/// matters is that they do not add up.
#[tokio::test]
async fn a_batch_is_tried_at_once_when_the_engine_answers_again_and_pauses_begin_anew() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([Fault::Busy]).await);
    fake.away(true);
    let spool = open(&dir);
    let (tell, state) = watch::channel(State::Down);
    let (stop, task) = shipping_after(&spool, fake.client(), Comeback::of(state));
    put(&spool, 5);
    let tried = async {
        while fake.settings("insert_deduplication_token").len() < 7 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    // By then a pause is 3.2 s at least, and one of the next would be twice that.
    timeout(Duration::from_secs(20), tried).await.expect("it is tried again and again");
    fake.away(false);
    let began = std::time::Instant::now();
    tell.send_replace(State::Up);
    drained(&spool).await;
    let took = began.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?} after the engine answered");
    assert_eq!(fake.rows(), 5);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_batch_found_at_the_start_is_asked_for_before_it_is_sent() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let spool = open(&dir);
    put(&spool, 3);
    spool.flush().await.unwrap();
    put(&spool, 4);
    spool.close().unwrap();
    // The process dies after the first was stored and before it was acknowledged.
    let stored = spool.try_next_batch().unwrap().batch_id();
    fake.store(stored, 3);
    drop(spool);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    drained(&spool).await;
    assert_eq!(fake.rows(), 7);
    assert_eq!(fake.settings("insert_deduplication_token").len(), 1, "only the second was sent");
    assert_eq!(fake.questions().iter().filter(|question| question.contains("from events")).count(), 2);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_still_runs_is_waited_for() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([Fault::Disconnect]).await);
    fake.running(3);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 5);
    drained(&spool).await;
    assert_eq!(fake.rows(), 5);
    let asked: Vec<bool> = fake.questions().iter().map(|question| question.contains("system.processes")).collect();
    assert_eq!(asked, [true, true, true, true, false]);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn only_rows_that_are_bad_go_to_quarantine_and_the_rest_goes_on() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    fake.refuses([3, 700]);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 1000);
    drained(&spool).await;
    put(&spool, 2);
    drained(&spool).await;
    let mut expected: Vec<u32> = (0..1000).filter(|n| ![3, 700].contains(n)).chain([0, 1]).collect();
    expected.sort_unstable();
    assert_eq!((fake.kept(), spool.status().quarantined_batches), (expected, 2));
    let aside: Vec<_> = std::fs::read_dir(dir.path().join("quarantine")).unwrap().map(|e| e.unwrap().path()).collect();
    let reasons = aside.iter().filter(|path| path.extension().is_some_and(|e| e == "reason"));
    assert!(reasons.map(|path| std::fs::read_to_string(path).unwrap()).all(|reason| reason.contains("Code: 53")));
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_batch_of_which_all_is_bad_goes_to_quarantine_in_few_parts() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    fake.refuses(0..1000);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 1000);
    drained(&spool).await;
    let parts = spool.status().quarantined_batches;
    assert!(fake.rows() == 0 && (1..=u64::from(SPLITS) + 1).contains(&parts), "{parts}");
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn another_table_that_is_missing_puts_the_batch_aside_whole() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([Fault::Error(60), Fault::Error(60)]).await);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 5);
    drained(&spool).await;
    assert_eq!((fake.rows(), spool.status().quarantined_batches), (0, 1));
    // Somebody has made the table, and wants it to be tried again.
    let aside = std::fs::read_dir(dir.path().join("quarantine")).unwrap().map(|e| e.unwrap().path());
    let aside = aside.into_iter().find(|path| path.extension().is_some_and(|e| e == "segment")).unwrap();
    std::fs::rename(&aside, aside.with_extension("retry")).unwrap();
    spool.watch().await;
    assert_eq!(spool.status().quarantined_batches, 0);
    drained(&spool).await;
    assert_eq!(fake.kept(), [0, 1, 2, 3, 4]);
    assert!(fake.questions().last().unwrap().contains("from events"), "it is asked for first");
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn rows_that_are_refused_once_are_sent_again() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([Fault::Error(33)]).await);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 5);
    drained(&spool).await;
    assert_eq!((fake.rows(), spool.status().quarantined_batches), (5, 0));
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn half_a_batch_in_the_table_is_an_alarm_and_is_never_completed() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let spool = open(&dir);
    put(&spool, 5);
    spool.flush().await.unwrap();
    let batch = spool.try_next_batch().unwrap();
    fake.store(batch.batch_id(), 4);
    drop(batch);
    let (stop, task) = shipping(&spool, fake.client());
    drained(&spool).await;
    let status = spool.status();
    assert_eq!((fake.rows(), status.quarantined_batches, status.miscounted_batches), (4, 1, 1));
    drop(stop);
    task.await.unwrap();
}

/// Its halves would be batches of their own, and bring what is there a second time.
#[tokio::test]
async fn a_batch_that_cannot_be_encoded_is_an_alarm_where_rows_of_it_are_in_the_table() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let spool = open(&dir);
    put(&spool, 4);
    spool.append(JULY, |out| out.extend_from_slice(b"no")).unwrap();
    spool.flush().await.unwrap();
    let batch = spool.try_next_batch().unwrap();
    fake.store(batch.batch_id(), 4);
    drop(batch);
    let (stop, task) = shipping(&spool, fake.client());
    drained(&spool).await;
    let status = spool.status();
    assert_eq!((fake.rows(), status.quarantined_batches, status.miscounted_batches), (4, 1, 1));
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn rule_r3_a_withdrawal_while_a_batch_waits_leaves_its_rows_out_of_the_next_attempt() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let columns = [("n", ColumnKind::UInt32), ("visitor_id", ColumnKind::UInt128)];
    let spool = open_with(&dir, columns.map(|(name, kind)| Column { name: name.into(), kind }).into());
    fake.away(true);
    let (stop, task) = shipping(&spool, fake.client());
    for n in 0..6 {
        let written = spool.append(JULY, |out| {
            let mut writer = RecordWriter(out);
            writer.u32(n);
            writer.u128(u128::from(n % 3));
        });
        written.unwrap();
    }
    let refused = async {
        while fake.settings("insert_deduplication_token").is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), refused).await.expect("an attempt was made with all of them");
    spool.forget(&[crate::spool::Whose::Visitor(1)], i64::MAX).await.unwrap();
    fake.away(false);
    drained(&spool).await;
    assert_eq!((fake.kept(), spool.status().forgotten), (vec![0, 2, 3, 5], 2));
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_batch_damaged_since_it_was_sealed_ships_what_is_whole_and_knows_it_again() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([Fault::StoreThenDisconnect]).await);
    let spool = open(&dir);
    put(&spool, 5);
    spool.close().unwrap();
    drop(spool);
    let segment = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.into_iter().find(|path| path.extension().is_some_and(|e| e == "segment")).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.len() - 32 - 1;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    drained(&spool).await;
    let status = spool.status();
    assert_eq!((fake.rows(), status.damaged, status.quarantined_batches), (4, 1, 0));
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_shutdown_ships_what_is_sealed_and_leaves_the_rest_when_nobody_answers() {
    let (dir, fake) = (TempDir::new().unwrap(), Fake::start([]).await);
    let spool = open(&dir);
    let (stop, task) = shipping(&spool, fake.client());
    put(&spool, 5);
    spool.close().unwrap();
    drop(stop);
    timeout(Duration::from_secs(4), task).await.expect("it ends").unwrap();
    assert_eq!((fake.rows(), spool.status().waiting_rows), (5, 0));
    drop(spool);

    let spool = open(&dir);
    let nobody = Client::default().with_url("http://127.0.0.1:9/");
    put(&spool, 5);
    spool.close().unwrap();
    let (stop, task) = shipping(&spool, nobody);
    drop(stop);
    timeout(Duration::from_secs(4), task).await.expect("it ends").unwrap();
    assert_eq!(spool.status().waiting_rows, 5);
    drop(spool);
    assert_eq!(open(&dir).status().waiting_rows, 5);
}
