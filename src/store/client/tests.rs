//! The `clickhouse` crate, with its defaults, on a real engine.

use std::io::Write;

use clickhouse::Row;
use clickhouse::error::Error;
use serde::{Deserialize, Serialize};

use super::*;
use crate::engine::testing;

const EMBEDDED: ClickHouse = ClickHouse::Embedded { listen: None };

/// A client on a database of the test's own.
async fn on(database: &str) -> clickhouse::Client {
    let client = connect(&EMBEDDED, testing::shared()).unwrap();
    let make = format!("create database {database}");
    client.clone().with_database("default").query(&make).execute().await.unwrap();
    client.with_database(database)
}

#[derive(Clone, Debug, PartialEq, Row, Serialize, Deserialize)]
struct Visit {
    id: u64,
    path: String,
    seconds: Option<f64>,
    tags: Vec<String>,
}

fn visits(count: u64) -> Vec<Visit> {
    (0..count)
        .map(|id| Visit {
            id,
            path: format!("/page/{}", id % 50),
            seconds: id.is_multiple_of(3).then_some(0.5),
            tags: vec!["a".to_owned(); (id % 3) as usize],
        })
        .collect()
}

async fn make_visits(client: &clickhouse::Client) {
    let make = "create table visits (id UInt64, path String, seconds Nullable(Float64), tags Array(String)) \
                engine = MergeTree order by id";
    client.query(make).execute().await.unwrap();
}

#[tokio::test]
async fn typed_rows_come_back_as_they_went_in() {
    let client = on("client_typed").await;
    make_visits(&client).await;
    let rows = visits(200_000);
    let mut insert = client.insert::<Visit>("visits").await.unwrap();
    for row in &rows {
        insert.write(row).await.unwrap();
    }
    insert.end().await.unwrap();
    let found = client.query("select ?fields from visits order by id").fetch_all::<Visit>().await.unwrap();
    assert!(found == rows, "{} rows", found.len());

    let one = client.query("select ?fields from visits where path = ? and id > ?").bind("/page/7").bind(100_000_u64);
    assert_eq!(one.fetch_all::<Visit>().await.unwrap().len(), 2000);
}

#[tokio::test]
async fn an_insert_that_is_dropped_halfway_leaves_nothing() {
    let client = on("client_dropped").await;
    make_visits(&client).await;
    let mut insert = client.insert::<Visit>("visits").await.unwrap();
    for row in &visits(100_000) {
        insert.write(row).await.unwrap();
    }
    drop(insert);
    let marks = client.query("select count() from system.processes where query like 'INSERT INTO%client_dropped%'");
    while marks.clone().fetch_one::<u64>().await.unwrap() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(client.query("select count() from visits").fetch_one::<u64>().await.unwrap(), 0);
}

#[tokio::test]
async fn a_large_insert_that_is_refused_hears_why() {
    let client = on("client_refused").await;
    let mut insert = client.insert_formatted_with("insert into nowhere format TSV");
    let line = Bytes::from("some text\n".repeat(100_000));
    let mut error = None;
    for _ in 0..40 {
        if let Err(refused) = insert.send(line.clone()).await {
            error = Some(refused);
            break;
        }
    }
    let error = match error {
        Some(error) => error,
        None => insert.end().await.unwrap_err(),
    };
    assert!(matches!(&error, Error::BadResponse(text) if text.starts_with("Code: 60.")), "{error:?}");
}

#[tokio::test]
async fn a_statement_nobody_waits_for_is_ended() {
    let client = on("client_gone").await;
    let running = client.query(
        "select count() from system.processes where query like '%nobody waits%' and query not like '%processes%'",
    );
    let long = client
        .query("select sum(sleepEachRow(0.1)) from numbers(1000) -- nobody waits")
        .with_setting("max_block_size", "1");
    let long = tokio::spawn(long.with_setting("function_sleep_max_microseconds_per_block", "0").execute());
    let begun = std::time::Instant::now();
    while running.clone().fetch_one::<u64>().await.unwrap() == 0 {
        assert!(begun.elapsed().as_secs() < 20 && !long.is_finished(), "it begins");
    }
    long.abort();
    while running.clone().fetch_one::<u64>().await.unwrap() > 0 {
        assert!(begun.elapsed().as_secs() < 20, "it ends");
    }
}

#[tokio::test]
async fn parameters_and_settings_reach_the_statement() {
    let client = on("client_parameters").await;
    let query = client.query(
        "select {text:String}, {id:UInt128}, toString({list:Array(UInt8)}), toUInt64(getSetting('max_block_size'))",
    );
    let query = query.param("text", "it's\ta \\ 'test'\n;").param("id", u128::MAX).param("list", vec![1_u8, 2]);
    let row = query.with_setting("max_block_size", "1234").fetch_one::<(String, u128, String, u64)>().await.unwrap();
    assert_eq!(row, ("it's\ta \\ 'test'\n;".to_owned(), u128::MAX, "[1,2]".to_owned(), 1234));
    // Each request has a session of its own.
    let after = client.query("select toUInt64(getSetting('max_block_size'))").fetch_one::<u64>().await.unwrap();
    assert_ne!(after, 1234);
}

#[tokio::test]
async fn an_exception_carries_clickhouses_code() {
    let client = on("client_exceptions").await;
    let cases = [
        ("select * from nowhere", "Code: 60."),
        ("selec 1", "Code: "),
        ("select 1 from (", "Code: 62."),
        ("select 1; select 2", "Code: 62."),
        ("select toUInt8('x')", "Code: 6."),
        ("drop table nowhere", "Code: 60."),
    ];
    for (sql, code) in cases {
        match client.query(sql).execute().await {
            Err(Error::BadResponse(text)) => assert!(text.starts_with(code), "{sql}: {text}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    let unknown = client.query("select 1").with_setting("no_such_setting", "1").execute().await;
    assert!(matches!(unknown, Err(Error::BadResponse(text)) if text.starts_with("Code: 115.")));
    let elsewhere = client.clone().with_database("no_such_database").query("select 1").execute().await;
    assert!(matches!(elsewhere, Err(Error::BadResponse(text)) if text.starts_with("Code: 81.")));
}

#[tokio::test]
async fn an_exception_in_the_middle_of_a_result_is_an_error() {
    let client = on("client_middle").await;
    for client in [client.clone(), client.with_compression(clickhouse::Compression::None)] {
        let sql = "select number, throwIf(number = 900000) as thrown from numbers(1000000)";
        let mut rows = client.query(sql).fetch::<(u64, u8)>().unwrap();
        let mut count = 0_u64;
        let error = loop {
            match rows.next().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => panic!("{count} rows and no error"),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, Error::BadResponse(text) if text.starts_with("Code: 395.")), "{count} {error:?}");
        assert!(count > 100_000, "the rows before it arrive: {count}");
    }
}

#[tokio::test]
async fn native_columns_are_inserted_as_they_are() {
    let client = on("client_native").await;
    client.query("create table n (id UInt64, name String) engine = MergeTree order by id").execute().await.unwrap();
    // One block: 2 columns, 2 rows; a leading blank in a body must not be taken for the statement's.
    let mut block = vec![2, 2];
    block.extend_from_slice(b"\x02id\x06UInt64");
    block.extend_from_slice(&32_u64.to_le_bytes());
    block.extend_from_slice(&33_u64.to_le_bytes());
    block.extend_from_slice(b"\x04name\x06String\x01a\x02\n ");
    for client in [client.clone(), client.clone().with_compression(clickhouse::Compression::None)] {
        let mut insert = client.insert_formatted_with("insert into n (id, name) format Native");
        for piece in block.chunks(7) {
            insert.send(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        insert.end().await.unwrap();
    }
    let rows = client.query("select id, name from n order by id, name").fetch_all::<(u64, String)>().await.unwrap();
    let (first, second) = ((32, "a".to_owned()), (33, "\n ".to_owned()));
    assert_eq!(rows, [first.clone(), first, second.clone(), second]);

    let mut cut = client.insert_formatted_with("insert into n (id, name) format Native");
    cut.send(Bytes::copy_from_slice(&block[..block.len() - 3])).await.unwrap();
    assert!(cut.end().await.is_err(), "half a block is refused");
    assert_eq!(client.query("select count() from n").fetch_one::<u64>().await.unwrap(), 4);
}

#[tokio::test]
async fn a_batch_sent_twice_with_one_token_is_stored_once() {
    let client = on("client_token").await;
    let make =
        "create table t (id UInt64) engine = MergeTree order by id settings non_replicated_deduplication_window = 10";
    client.query(make).execute().await.unwrap();
    for _ in 0..2 {
        let mut insert = client
            .insert_formatted_with("insert into t format TSV")
            .with_setting("insert_deduplication_token", "batch-1")
            .with_setting("insert_deduplicate", "1");
        insert.send(Bytes::from_static(b"1\n2\n")).await.unwrap();
        insert.end().await.unwrap();
    }
    assert_eq!(client.query("select count() from t").fetch_one::<u64>().await.unwrap(), 2);
}

#[tokio::test]
async fn five_million_rows_are_passed_on_in_flat_memory() {
    /// Counts, so that nothing is held.
    struct Counter {
        bytes: usize,
        lines: usize,
        largest: usize,
    }
    impl Write for Counter {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.bytes += data.len();
            self.lines += memchr::memchr_iter(b'\n', data).count();
            self.largest = self.largest.max(data.len());
            Ok(data.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    // An engine of its own: in the shared one other tests take memory at the same time.
    let own = tempfile::tempdir().unwrap();
    let engine = testing::start(own.path(), None).await.unwrap();
    let folder = own.path();
    // The engine's own memory, while it has three such results under way and before.
    let memory = async || {
        let sql = "select value from system.metrics where metric = 'MemoryTracking'";
        let question = Question { sql: sql.to_owned(), format: "TSV".to_owned(), parameters: vec![] };
        let mut out = Vec::new();
        ask_anywhere(folder, &question, &mut out).await.unwrap();
        String::from_utf8(out).unwrap().trim().parse::<i64>().unwrap()
    };
    let before = memory().await;
    let sql = "select number, toString(number) as text, cityHash64(number) as hash from numbers(5000000)";
    for format in ["TabSeparated", "CSVWithNames", "RowBinaryWithNamesAndTypes"] {
        let question = Question { sql: sql.to_owned(), format: format.to_owned(), parameters: vec![] };
        let mut counter = Counter { bytes: 0, lines: 0, largest: 0 };
        ask_anywhere(folder, &question, &mut counter).await.unwrap();
        match format {
            "TabSeparated" => assert_eq!(counter.lines, 5_000_000),
            "CSVWithNames" => assert_eq!(counter.lines, 5_000_001, "one header"),
            // A header of 39 bytes; 8 + 8 bytes a row, and the text with its length.
            _ => assert_eq!(counter.bytes, 39 + 5_000_000 * 17 + 33_888_890),
        }
        assert!(counter.largest < 8 << 20, "pieces, not the whole: {}", counter.largest);
    }
    let grown = memory().await - before;
    assert!(grown < 200 << 20, "a result of 5 M rows made the engine grow by {grown} bytes");
    engine.stop().await;
}

/// As [`ask`], on a database that is always there.
async fn ask_anywhere(data_dir: &Path, question: &Question, out: &mut dyn Write) -> Result<(), AskError> {
    on_database(data_dir).await;
    ask(&EMBEDDED, data_dir, question, out).await
}

async fn on_database(data_dir: &Path) {
    let client = connect(&EMBEDDED, data_dir).unwrap().with_database("default");
    client.query(&format!("create database if not exists {DATABASE}")).execute().await.unwrap();
}

#[tokio::test]
async fn a_persons_statement_is_answered_in_any_format() {
    let folder = testing::shared();
    let answer = async |sql: &str, format: &str, parameters: &[(&str, &str)]| {
        let parameters = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let question = Question { sql: sql.to_owned(), format: format.to_owned(), parameters };
        let mut out = Vec::new();
        ask_anywhere(folder, &question, &mut out).await.map(|()| String::from_utf8(out).unwrap())
    };
    assert_eq!(answer("select 1 as a, 'x' as b", "CSVWithNames", &[]).await.unwrap(), "\"a\",\"b\"\n1,\"x\"\n");
    assert_eq!(answer("select {a:String}", "TSV", &[("a", "q?&=%")]).await.unwrap(), "q?&=%\n");
    assert!(answer("select 1 as n", "PrettyCompact", &[]).await.unwrap().contains("─n─"));
    assert_eq!(answer("show databases like 'default'", "TSV", &[]).await.unwrap(), "default\n");
    let totals =
        answer("select number % 2 as k, count() from numbers(5) group by k with totals order by k", "JSONCompact", &[]);
    let totals: serde_json::Value = serde_json::from_str(&totals.await.unwrap()).unwrap();
    assert_eq!(totals["totals"][1], 5);
    let many = answer("select number from numbers(300000)", "JSON", &[]).await.unwrap();
    let many: serde_json::Value = serde_json::from_str(&many).unwrap();
    assert_eq!(many["rows"], 300_000, "a document is one document");

    let error = answer("select throwIf(number = 900000) from numbers(1000000)", "TSV", &[]).await.unwrap_err();
    assert!(
        matches!(&error, AskError::ClickHouse(text) if text.starts_with("Code: 395.") && text.ends_with(')')),
        "{error}"
    );
    let error = answer("select nope", "TSV", &[]).await.unwrap_err();
    assert!(matches!(error, AskError::ClickHouse(text) if text.starts_with("Code: 47.")));
}

#[tokio::test]
async fn an_engine_that_does_not_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let question = Question { sql: "select 1".to_owned(), format: "TSV".to_owned(), parameters: vec![] };
    let error = ask(&EMBEDDED, folder.path(), &question, &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("clickhouse.sock"), "{error}");
}

#[test]
fn a_servers_url_is_checked_before_it_is_used() {
    let server = |url: &str| ClickHouse::Server { url: url.to_owned(), user: "u".to_owned(), password_file: None };
    for url in ["http://db.internal:8123", "https://db.internal", "http://db.internal/path/"] {
        assert!(connect(&server(url), Path::new("/nowhere")).is_ok(), "{url}");
    }
    for url in ["db.internal:8123", "ftp://db.internal", "/path", ""] {
        assert!(matches!(connect(&server(url), Path::new("/nowhere")), Err(ConnectError::Url { .. })), "{url}");
    }
    let missing = ClickHouse::Server {
        url: "http://db".to_owned(),
        user: "u".to_owned(),
        password_file: Some("/nowhere/password".into()),
    };
    assert!(matches!(connect(&missing, Path::new("/nowhere")), Err(ConnectError::Password { .. })));
}

proptest::proptest! {
    #[test]
    fn a_result_without_the_mark_passes_unchanged_whatever_the_cut(data in proptest::collection::vec(0_u8..=255, 0..300), cut in 1_usize..40) {
        let mut headers = HeaderMap::new();
        headers.insert("x-clickhouse-exception-tag", HeaderValue::from_static("abcdefghijklmnop"));
        let mut watch = ExceptionWatch::new(&headers);
        let mut out = Vec::new();
        for piece in data.chunks(cut) {
            watch.pass(piece, &mut out).unwrap();
        }
        watch.end(&mut out).unwrap();
        proptest::prop_assert_eq!(out, data);
    }

    #[test]
    fn an_exception_is_found_whatever_the_cut(data in proptest::collection::vec(0_u8..=255, 0..100), cut in 1_usize..40) {
        let mut headers = HeaderMap::new();
        headers.insert("x-clickhouse-exception-tag", HeaderValue::from_static("abcdefghijklmnop"));
        let mut sent = data.clone();
        sent.extend_from_slice(b"\r\n__exception__\r\nabcdefghijklmnop\r\nCode: 1. DB::Exception: a\nb (X)\n34 abcdefghijklmnop\r\n__exception__\r\n");
        let mut watch = ExceptionWatch::new(&headers);
        let mut out = Vec::new();
        for piece in sent.chunks(cut) {
            watch.pass(piece, &mut out).unwrap();
        }
        let error = watch.end(&mut out).unwrap_err();
        proptest::prop_assert_eq!(error.to_string(), "Code: 1. DB::Exception: a\nb (X)");
        proptest::prop_assert_eq!(out, data);
    }
}
