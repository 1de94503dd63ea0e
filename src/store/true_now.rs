//! Asking what the table has, where the answer decides whether rows are sent again: one that is old, or cut short by a bound
//! on what may be read, would double them. Called by the shippers and the writers of the statistics.

use std::time::Duration;

use clickhouse::error::{Error, Result};
use clickhouse::query::Query;
use clickhouse::{RowOwned, RowRead};
use tokio::time::timeout;

/// How long the server may take to say what it has.
pub(super) const ASK: Duration = Duration::from_secs(60);

/// Whatever the profile of our user says: nothing from a cache, and nothing that was counted in part.
const WHOLE: [(&str, &str); 4] = [
    ("use_query_cache", "0"),
    ("read_overflow_mode", "throw"),
    ("timeout_overflow_mode", "throw"),
    ("result_overflow_mode", "throw"),
];

/// The one row a question has for an answer, true at this moment.
pub(super) async fn ask<T: RowOwned + RowRead>(question: Query) -> Result<T> {
    let question = WHOLE.iter().fold(question, |question, (name, value)| question.with_setting(*name, *value));
    timeout(ASK, question.fetch_one::<T>()).await.unwrap_or(Err(Error::TimedOut))
}
