//! What the shipper does with a batch, step by step, timed.

use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use consentry::config::ClickHouse;
use consentry::spool::{SealedBatch, Spool};
use consentry::store::{client, native};

use crate::insert_statement;

/// As the shipper sends: `PIECE` of `store::ship`.
const PIECE: usize = 256 << 10;
const STEPS: [&str; 6] = ["ask_running", "ask_stored", "read", "encode", "insert", "acknowledge"];

/// Ships every batch over the socket of the engine that runs in `data_dir`.
pub fn stages(spool: &Spool, data_dir: &Path) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = client::connect(&ClickHouse::Embedded { listen: None }, data_dir).expect("is configured");
        let insert = format!("{} format Native", insert_statement("events"));
        let mut taken: [Vec<f64>; STEPS.len()] = Default::default();
        while let Some(batch) = spool.try_next_batch() {
            let mut step = {
                let (mut last, mut at) = (Instant::now(), 0);
                let taken = &mut taken;
                move || {
                    taken[at].push(last.elapsed().as_secs_f64() * 1e3);
                    (last, at) = (Instant::now(), at + 1);
                }
            };
            ask_running(&client, &batch).await;
            step();
            ask_stored(&client, &batch).await;
            step();
            let records = batch.read().expect("is readable");
            step();
            let block = Bytes::from(native::encode(&records).expect("can be encoded"));
            step();
            let token = batch.batch_id().to_string();
            let insert = client.insert_formatted_with(insert.as_str());
            let mut insert = insert.with_setting("async_insert", "0").with_setting("insert_deduplication_token", token);
            for at in (0..block.len()).step_by(PIECE) {
                insert.send(block.slice(at..block.len().min(at + PIECE))).await.expect("is taken");
            }
            insert.end().await.expect("is stored");
            step();
            spool.acknowledge(batch.batch_id()).await.expect("is removed");
            step();
        }
        let shown = STEPS.iter().zip(&mut taken).map(|(step, times)| {
            times.sort_unstable_by(f64::total_cmp);
            let (median, worst) = (times[times.len() / 2], times[times.len() * 99 / 100]);
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            format!(r#""{step}": {{"mean_ms": {mean:.2}, "median_ms": {median:.2}, "p99_ms": {worst:.2}}}"#)
        });
        format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
    })
}

async fn ask_running(client: &clickhouse::Client, batch: &SealedBatch) {
    let sql = "select count() from system.processes where splitByChar('#', \
               Settings['insert_deduplication_token'])[1] = {token:String}";
    let running = client.query(sql).param("token", batch.batch_id().to_string());
    assert_eq!(running.fetch_one::<u64>().await.expect("is answered"), 0);
}

async fn ask_stored(client: &clickhouse::Client, batch: &SealedBatch) {
    let sql = "select count() from events where toYYYYMM(ts) = {month:UInt32} and retention_days = {days:UInt16} \
               and batch_id = {batch_id:UInt64} settings apply_deleted_mask = 0";
    let partition = batch.partition();
    let stored = client.query(sql).param("month", partition.month).param("days", partition.retention_days);
    let stored = stored.param("batch_id", batch.batch_id());
    assert_eq!(stored.fetch_one::<u64>().await.expect("is answered"), 0);
}
