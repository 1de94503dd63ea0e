//! The schema on a real engine.

use super::*;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::client;

fn on(database: &str) -> clickhouse::Client {
    client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap().with_database(database)
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
