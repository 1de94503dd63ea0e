//! Real batches of real columns into the real engine.

use std::net::Ipv6Addr;
use std::sync::OnceLock;

use super::*;
use crate::capture::event::COLUMNS;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::{client, migrate};

/// A time of today, the same for the whole run: of old rows a background merge may blank the address at any moment.
fn today() -> i64 {
    static TODAY: OnceLock<i64> = OnceLock::new();
    *TODAY.get_or_init(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64 - 3_600_000)
}

const SIX_YEARS: u16 = 2192;

async fn on(database: &str) -> Client {
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database(database);
    migrate::apply(&client).await.unwrap();
    client
}

fn open_real(dir: &TempDir, batch_age: Duration) -> Spool {
    let columns = COLUMNS.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect();
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

/// A record with a telling value in each column.
fn record(out: &mut Vec<u8>, number: u32) {
    let mut writer = RecordWriter(out);
    for (name, kind) in COLUMNS {
        match kind {
            ColumnKind::UInt8 => writer.u8(1),
            ColumnKind::UInt16 if name == "retention_days" => writer.u16(SIX_YEARS),
            ColumnKind::UInt16 => writer.u16(513),
            ColumnKind::UInt32 => writer.u32(number),
            ColumnKind::UInt64 => writer.u64(u64::MAX - 1),
            ColumnKind::UInt128 => writer.u128(u128::MAX - 2),
            ColumnKind::Milliseconds => writer.milliseconds(today() + i64::from(number)),
            ColumnKind::Date => writer.u16(30_000),
            ColumnKind::Ipv6 => writer.ipv6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
            ColumnKind::Thousandths => writer.thousandths(-1_234_567),
            ColumnKind::Text => writer.text(&format!("{name} é {}", number % 3)),
            ColumnKind::TextMap if number.is_multiple_of(2) => writer.text_map(&[]),
            ColumnKind::TextMap => writer.text_map(&[("plan".into(), "pro".into()), ("n".into(), number.to_string())]),
        }
    }
}

fn put_real(spool: &Spool, rows: u32) {
    for number in 0..rows {
        spool.append(Partition::of(today(), SIX_YEARS), |out| record(out, number)).unwrap();
    }
}

async fn one<T>(client: &Client, sql: &str) -> T
where
    T: clickhouse::RowOwned + clickhouse::RowRead,
{
    client.query(sql).fetch_one().await.unwrap()
}

#[tokio::test]
async fn every_column_arrives_as_it_was_written() {
    let client = on("ship_columns").await;
    let dir = TempDir::new().unwrap();
    let spool = open_real(&dir, Duration::from_secs(60));
    let (stop, task) = shipping(&spool, client.clone());
    put_real(&spool, 10_000);
    drained(&spool).await;
    let began = today();
    let as_written = format!(
        "select count() from events where name = concat('name é ', toString(site_id % 3)) \
        and path = concat('path é ', toString(site_id % 3)) and ts = fromUnixTimestamp64Milli({began} + site_id, 'UTC') \
        and visitor_id = toUInt128('340282366920938463463374607431768211453') and session_id = 18446744073709551614 \
        and ip_net = toIPv6('2001:db8::1') and seq = 513 and is_bot = 1 and expires_at = toDate(30000) \
        and retention_days = 2192 and engagement_ms = site_id \
        and props = if(site_id % 2 = 0, map(), map('plan', 'pro', 'n', toString(site_id)))"
    );
    assert_eq!(one::<u64>(&client, &as_written).await, 10_000);
    assert_eq!(one::<u64>(&client, "select uniqExact(site_id) from events").await, 10_000);
    assert_eq!(one::<u64>(&client, "select uniqExact(batch_id) from events").await, 1);
    assert_eq!(one::<u64>(&client, "select count() from system.parts where database = currentDatabase() and table = 'events' and rows = 10000 and active").await, 1);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_quiet_sites_event_can_be_queried_within_two_seconds() {
    let client = on("ship_quiet").await;
    let dir = TempDir::new().unwrap();
    let spool = open_real(&dir, Duration::from_secs(1));
    let (stop, task) = shipping(&spool, client.clone());
    let began = std::time::Instant::now();
    put_real(&spool, 1);
    while one::<u64>(&client, "select count() from events").await == 0 {
        // The bound is two seconds; twice that is for a machine that does ten other things.
        assert!(began.elapsed() < Duration::from_secs(4), "after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_batch_that_was_stored_before_the_crash_is_not_stored_again() {
    let client = on("ship_doubt").await;
    let dir = TempDir::new().unwrap();
    let spool = open_real(&dir, Duration::from_secs(1));
    put_real(&spool, 20);
    spool.close().unwrap();
    let batch = spool.try_next_batch().unwrap();
    let records = batch.read().unwrap();
    let block = native::encode(&records).unwrap();
    let mut insert = client.insert_formatted_with(insert_statement(records.columns()));
    insert.send(block.into()).await.unwrap();
    insert.end().await.unwrap();
    // Erased in between: hidden rows are stored rows.
    client.query("delete from events where site_id = 3").execute().await.unwrap();
    drop((batch, spool));

    let spool = open_real(&dir, Duration::from_secs(1));
    assert_eq!(spool.status().waiting_rows, 20);
    let (stop, task) = shipping(&spool, client.clone());
    drained(&spool).await;
    assert_eq!(one::<u64>(&client, "select count() from events").await, 19);
    assert_eq!(spool.status().quarantined_batches, 0);
    put_real(&spool, 5);
    drained(&spool).await;
    assert_eq!(one::<u64>(&client, "select count() from events").await, 24);
    drop(stop);
    task.await.unwrap();
}

#[tokio::test]
async fn a_running_insert_is_seen_by_its_token() {
    let client = on("ship_running").await;
    let dir = TempDir::new().unwrap();
    let spool = open_real(&dir, Duration::from_secs(1));
    put_real(&spool, 20);
    spool.flush().await.unwrap();
    let batch = spool.try_next_batch().unwrap();
    let records = batch.read().unwrap();
    let block = Bytes::from(native::encode(&records).unwrap());
    let mut insert = client
        .insert_formatted_with(insert_statement(records.columns()))
        .with_setting("insert_deduplication_token", token(batch.batch_id(), false));
    insert.send(block.slice(..100)).await.unwrap();
    let (_close, closing) = watch::channel(false);
    let shipper = Shipper {
        spool: spool.clone(),
        client: client.clone(),
        comeback: Comeback::default(),
        closing,
        splits_left: Mutex::default(),
    };
    let seen = async {
        while !matches!(shipper.rows_in_table(&batch).await, Err(Trouble::StillRunning)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), seen).await.expect("the insert is seen while it runs");
    insert.send(block.slice(100..)).await.unwrap();
    insert.end().await.unwrap();
    assert_eq!(shipper.rows_in_table(&batch).await.unwrap(), 20);
}

/// A profile may let an answer end where enough was read.
#[tokio::test]
async fn what_is_in_the_table_is_counted_whole_or_not_at_all_whatever_the_profile_says() {
    let plain = on("ship_profile").await;
    let cutting = plain.clone().with_setting("max_rows_to_read", "1").with_setting("read_overflow_mode", "break");
    let dir = TempDir::new().unwrap();
    let spool = open_real(&dir, Duration::from_secs(1));
    put_real(&spool, 9_000);
    spool.flush().await.unwrap();
    let batch = spool.try_next_batch().unwrap();
    let shipper = |client: &Client| {
        let (_close, closing) = watch::channel(false);
        Shipper {
            spool: spool.clone(),
            client: client.clone(),
            comeback: Comeback::default(),
            closing,
            splits_left: Mutex::default(),
        }
    };
    let records = batch.read().unwrap();
    let mut insert = plain.insert_formatted_with(insert_statement(records.columns()));
    insert.send(native::encode(&records).unwrap().into()).await.unwrap();
    insert.end().await.unwrap();
    assert_eq!(shipper(&plain).rows_in_table(&batch).await.unwrap(), 9_000);
    let told = shipper(&cutting).rows_in_table(&batch).await;
    assert!(matches!(&told, Err(Trouble::Passing(text)) if text.contains("158")), "{told:?}");
}

#[tokio::test]
async fn rows_of_a_wrong_type_go_to_quarantine_and_a_missing_table_is_waited_for() {
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database("ship_wrong");
    let dir = TempDir::new().unwrap();
    let spool = {
        let columns = vec![
            Column { name: "ts".into(), kind: ColumnKind::Milliseconds },
            Column { name: "site_id".into(), kind: ColumnKind::Text },
        ];
        let batch_age = Duration::from_millis(20);
        let options = SpoolOptions {
            dir: dir.path().to_owned(),
            columns,
            max_bytes: 1 << 30,
            max_age: Duration::from_secs(3600),
            batch_rows: 100,
            batch_age,
            durability: Durability::Write,
        };
        Spool::open(options).unwrap().0
    };
    let (stop, task) = shipping(&spool, client.clone());
    let put = |site_id: &str| {
        let written = spool.append(Partition::of(today(), 0), |out| {
            let mut writer = RecordWriter(out);
            writer.milliseconds(today());
            writer.text(site_id);
        });
        written.unwrap();
    };
    put("not a number");
    spool.flush().await.unwrap();
    put("12");
    migrate::apply(&client).await.unwrap();
    drained(&spool).await;
    assert_eq!(spool.status().quarantined_batches, 1);
    assert_eq!(one::<u64>(&client, "select count() from events where site_id = 12").await, 1);
    assert_eq!(one::<u64>(&client, "select count() from events").await, 1);
    drop(stop);
    task.await.unwrap();
}
