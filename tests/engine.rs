//! The embedded ClickHouse is ClickHouse to a client that knows nothing of it.

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use crate::support::gateway::Folder;
use crate::support::process::Process;

#[derive(Debug, PartialEq, Row, Serialize, Deserialize)]
struct Reading {
    number: u64,
    label: String,
    optional: Option<i32>,
    wide: u128,
    list: Vec<String>,
}

#[test]
fn the_clickhouse_crate_creates_inserts_and_fetches_over_tcp() {
    let folder = Folder::empty();
    let command = folder.logged(&["engine", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
    let (_engine, lines) = Process::start(command, folder.path());
    let url = std::iter::from_fn(|| lines.next()).find_map(|line| {
        let url = line.trim();
        url.starts_with("http://").then(|| url.to_owned())
    });
    let url = url.unwrap_or_else(|| panic!("the engine said no address:\n{}", folder.log()));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // As the crate's own documentation begins: default features, default settings.
        let client = Client::default().with_url(url);
        let create = "create table readings (number UInt64, label String, optional Nullable(Int32), wide UInt128, \
                      list Array(String)) engine = MergeTree order by number";
        client.query(create).execute().await.expect("a table");
        let reading = |number: u64| Reading {
            number,
            label: format!("läbel {number}"),
            optional: number.is_multiple_of(2).then_some(-1),
            wide: u128::MAX - u128::from(number),
            list: vec![String::new(); (number % 4) as usize],
        };
        let mut insert = client.insert::<Reading>("readings").await.expect("an insert begins");
        for number in 0..5000 {
            insert.write(&reading(number)).await.expect("a row is taken");
        }
        insert.end().await.expect("the insert is whole");
        let sql = "select ?fields from readings where number >= ? order by number";
        let fetched: Vec<Reading> = client.query(sql).bind(4990).fetch_all().await.expect("rows");
        assert_eq!(fetched, (4990..5000).map(reading).collect::<Vec<_>>());
        let mut cursor =
            client.query("select ?fields from readings order by number").fetch::<Reading>().expect("a cursor");
        let mut count = 0;
        while let Some(row) = cursor.next().await.expect("a row") {
            assert_eq!(row, reading(count));
            count += 1;
        }
        assert_eq!(count, 5000);
        let wrong = client.query("select nothing from nowhere").execute().await.expect_err("there is no such table");
        assert!(wrong.to_string().contains("UNKNOWN_TABLE"), "{wrong}");
    });
}
