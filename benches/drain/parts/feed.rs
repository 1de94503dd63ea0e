//! The engine's own pace: blocks through the library, nothing between.

use std::path::Path;
use std::time::{Duration, Instant};

use consentry::engine::{ffi::Engine, provision};
use consentry::spool::Spool;
use consentry::store::native;

use crate::{insert_statement, processor_seconds, thread_seconds};

/// The shipper's settings, and the server's default of the library's connections.
const SETTINGS: &[u8] = b"set async_insert = 0";

/// Inserts every batch into the database's table, which must have the schema and no engine running on it.
pub fn feed(spool: &Spool, database: &Path) -> String {
    let engine = Engine::open(&provision::library().expect("npm fetches it"), database).expect("opens");
    let mut connection = engine.connect().expect("connects");
    connection.query(SETTINGS, "Null", &[]).expect("is set");
    let insert = insert_statement("consentry.events");
    let (mut inserting, mut processor, mut others) = (Duration::ZERO, 0.0, 0.0);
    let (mut events, mut batches, mut block_bytes) = (0u64, 0u64, 0u64);
    while let Some(batch) = spool.try_next_batch() {
        let (before, own) = (processor_seconds(), thread_seconds());
        let records = batch.read().expect("is readable");
        let block = native::encode(&records).expect("can be encoded");
        let encoding = thread_seconds() - own;

        let started = Instant::now();
        let mut inserted = connection.insert(insert.as_bytes(), "Native", &[]).expect("is taken");
        inserted.append(&block).expect("is taken");
        inserted.finish().expect("is stored");
        inserting += started.elapsed();

        others += encoding;
        processor += processor_seconds() - before - encoding;
        (events, batches, block_bytes) = (events + records.len() as u64, batches + 1, block_bytes + block.len() as u64);
        // It stays in the spool, in hand: dropped, it would be the next one again.
        std::mem::forget(batch);
    }
    let stored = connection.query(b"select count() from consentry.events", "TSV", &[]).expect("is answered");
    let stored: u64 = String::from_utf8_lossy(stored.bytes()).trim().parse().expect("a number");
    assert_eq!(stored, events, "all of them are in the table");
    drop(connection);
    engine.shutdown();
    format!(
        r#"{{"events": {events}, "batches": {batches}, "block_bytes": {block_bytes}, "insert_seconds": {:.3}, "engine_processor_seconds": {processor:.3}, "encoding_processor_seconds": {others:.3}}}"#,
        inserting.as_secs_f64(),
    )
}
