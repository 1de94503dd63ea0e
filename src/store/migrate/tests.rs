//! The schema on a real engine.

use super::*;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::client;

fn on(database: &str) -> clickhouse::Client {
    client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap().with_database(database)
}

async fn count(client: &clickhouse::Client) -> u64 {
    client.query("select count() from events").fetch_one().await.unwrap()
}

#[tokio::test]
async fn applying_twice_applies_once() {
    let client = on("migrate_twice");
    assert!(status(&client).await.unwrap().iter().all(|status| status.applied.is_none()));
    assert_eq!(apply(&client).await.unwrap(), MIGRATIONS);
    assert_eq!(apply(&client).await.unwrap(), []);
    let status = status(&client).await.unwrap();
    assert_eq!(status[0].applied.as_ref().unwrap().sha256, MIGRATIONS[0].sha256());
}

#[tokio::test]
async fn a_changed_file_and_a_newer_database_are_refused() {
    let client = on("migrate_changed");
    let one = Migration { version: 1, name: "one", sql: "create table one (a UInt8) engine = Memory; -- done?\n" };
    let two = Migration { version: 2, name: "two", sql: "create table two (a String default '?;') engine = Memory" };
    assert_eq!(apply_all(&client, &[one]).await.unwrap(), [one]);
    assert_eq!(apply_all(&client, &[one, two]).await.unwrap(), [two]);
    let changed = Migration { sql: "select 1", ..one };
    let error = apply_all(&client, &[changed, two]).await.unwrap_err();
    assert!(matches!(&error, MigrateError::Changed { file, .. } if file == "0001_one.sql"), "{error}");
    assert!(matches!(apply_all(&client, &[one]).await.unwrap_err(), MigrateError::Newer(2, 1)));
}

#[tokio::test]
async fn a_number_that_was_left_out_is_applied_when_it_comes() {
    let client = on("migrate_gap");
    let file = |version, name, sql| Migration { version, name, sql };
    let one = file(1, "one", "create table one (a UInt8) engine = Memory");
    let two = file(2, "two", "create table two (a UInt8) engine = Memory");
    let three = file(3, "three", "create table three (a UInt8) engine = Memory");
    assert_eq!(apply_all(&client, &[one, three]).await.unwrap(), [one, three]);
    assert_eq!(apply_all(&client, &[one, two, three]).await.unwrap(), [two]);
    assert_eq!(apply_all(&client, &[one, two, three]).await.unwrap(), []);
}

#[tokio::test]
async fn rule_l3_the_statistics_have_no_column_that_names_a_visitor_or_a_view() {
    let client = on("migrate_statistics");
    apply(&client).await.unwrap();
    let columns = "select name from system.columns where database = currentDatabase() and table = 'statistics'";
    let mut columns: Vec<String> = client.query(columns).fetch_all().await.unwrap();
    columns.sort_unstable();
    let of_the_counter = ["country", "device", "hour", "path", "referrer", "region", "site_id", "views"];
    let of_the_insert = ["batch_id", "expires_at"];
    columns.retain(|column| !of_the_counter.contains(&column.as_str()) && !of_the_insert.contains(&column.as_str()));
    assert!(columns.is_empty(), "{columns:?}");
}

#[tokio::test]
async fn rule_r1_expired_statistics_disappear() {
    let client = on("migrate_statistics_ttl");
    apply(&client).await.unwrap();
    for days_ago in [100, 1] {
        let insert = "insert into statistics (site_id, hour, path, views, expires_at) select 1, \
                      toStartOfHour(now() - interval {ago:UInt16} day), '/', 10, today() - {ago:UInt16} + 90";
        client.query(insert).param("ago", days_ago).execute().await.unwrap();
    }
    client.query("optimize table statistics final").execute().await.unwrap();
    let left: u64 = client.query("select count() from statistics").fetch_one().await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_file_that_fails_is_named_and_not_noted() {
    let client = on("migrate_fails");
    let bad = Migration { version: 1, name: "bad", sql: "create table bad (a Nonsense) engine = Memory" };
    let error = apply_all(&client, &[bad]).await.unwrap_err().to_string();
    assert!(error.contains("0001_bad.sql") && error.contains("Code: 50."), "{error}");
    assert!(applied(&client).await.unwrap().is_empty());
}

#[tokio::test]
async fn rule_r1_an_expired_event_disappears() {
    let client = on("migrate_ttl");
    apply(&client).await.unwrap();
    // Merges wait, so that the row is seen before it goes.
    client.query("system stop ttl merges events").execute().await.unwrap();
    for (days_ago, retention) in [(400, 90), (400, 2192), (1, 90)] {
        client
            .query(
                "insert into events (site_id, ts, name, visitor_id, retention_days, expires_at) \
                 select 1, now64(3) - interval {ago:UInt16} day, 'pageview', 7, {keep:UInt16}, \
                 today() - {ago:UInt16} + {keep:UInt16}",
            )
            .param("ago", days_ago)
            .param("keep", retention)
            .execute()
            .await
            .unwrap();
    }
    assert_eq!(count(&client).await, 3);
    client.query("system start ttl merges events").execute().await.unwrap();
    client.query("optimize table events final").execute().await.unwrap();
    assert_eq!(count(&client).await, 2, "the one that expired 310 days ago is gone");
    let kept: Vec<u16> = client.query("select retention_days from events order by ts").fetch_all().await.unwrap();
    assert_eq!(kept, [2192, 90]);
}

#[tokio::test]
async fn a_cut_address_is_blanked_after_ninety_days() {
    let client = on("migrate_address");
    apply(&client).await.unwrap();
    let insert = "insert into events (site_id, ts, name, ip_net, retention_days, expires_at) \
                  select 1, now64(3) - interval number * 100 day, 'pageview', toIPv6('2001:db8::'), 2192, today() + 1000 \
                  from numbers(2)";
    client.query(insert).execute().await.unwrap();
    client.query("optimize table events final").execute().await.unwrap();
    let kept: Vec<String> = client.query("select toString(ip_net) from events order by ts").fetch_all().await.unwrap();
    assert_eq!(kept, ["::", "2001:db8::"]);
}

#[tokio::test]
async fn days_are_pruned_by_the_primary_key() {
    let client = on("migrate_pruned");
    apply(&client).await.unwrap();
    let key: String = client
        .query("select concat(primary_key, ' | ', sorting_key, ' | ', partition_key) from system.tables where database = currentDatabase() and name = 'events'")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(
        key,
        "site_id, toDate(ts), visitor_id | site_id, toDate(ts), visitor_id, ts | (toYYYYMM(ts), retention_days)"
    );
}
