//! What probes and Prometheus ask.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tokio::sync::Mutex;

use super::State;
use super::answer::{Answer, answer, json};
use crate::observe::Metrics;
use crate::query;

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long its answer is believed, so that probes, however many, cost it one question a second.
const BELIEVED: Duration = Duration::from_secs(1);

/// When the database last answered a probe, and whether well.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Instant, bool)>>);

/// `GET /healthz`: the process lives.
pub fn healthz() -> Answer {
    answer(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

/// `GET /readyz`: 200 where visitors are served, 503 where they are not: the process is ending, for good. In `alarms`
/// stands one word for each thing that wants somebody's eye.
///
/// A database that is away and a spool that is full are alarms and no reason for 503: a load balancer that believes it would
/// take a working site out, all gateways of a fleet at once, for want of statistics. The site comes first.
pub async fn readyz(state: &State) -> Answer {
    let database = database_answers(state).await;
    let metrics = &state.parts.metrics;
    let (spool, max_bytes) = (&state.parts.metrics.spool, state.parts.spool_max_bytes);
    let (rows, bytes) = (spool.waiting_rows.get(), spool.waiting_bytes.get());
    let takes_none = [&spool.disk_failing, &spool.writer_hanging, &spool.overdue].iter().any(|gauge| gauge.get() > 0);
    let room = bytes < max_bytes && !takes_none;
    let ready = metrics.draining.get() == 0;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(
        status,
        &json!({
            "ready": ready,
            "draining": !ready,
            "alarms": alarms(metrics, database, max_bytes),
            "database": { "ok": database },
            "spool": {
                "ok": room,
                "waiting_rows": rows,
                "waiting_bytes": bytes,
                "max_bytes": max_bytes,
                "oldest_seconds": spool.oldest_seconds.get(),
                "quarantined_batches": spool.quarantined_batches.get(),
            },
        }),
    )
}

/// What is wrong.
fn alarms(metrics: &Metrics, database: bool, max_bytes: u64) -> Vec<&'static str> {
    let spool = &metrics.spool;
    let bytes = spool.waiting_bytes.get();
    let all = [
        ("database-away", !database),
        ("ledger-failing", metrics.ledger_failing.get() > 0),
        ("configuration-refused", metrics.reloads.refused_last.get() > 0),
        ("spool-full", bytes >= max_bytes),
        ("spool-half-full", bytes < max_bytes && bytes >= max_bytes / 2),
        ("spool-overdue", spool.overdue.get() > 0),
        ("disk-failing", spool.disk_failing.get() > 0),
        ("disk-hanging", spool.disk_hanging.get() > 0 || spool.writer_hanging.get() > 0),
        ("rows-lost", spool.lost_rows.get() > 0),
        ("rows-damaged", spool.damaged_rows.get() > 0),
        ("quarantine", spool.quarantined_batches.get() > 0),
        ("miscounted", spool.miscounted_batches.get() > 0),
    ];
    all.into_iter().filter_map(|(word, is_so)| is_so.then_some(word)).collect()
}

/// `GET /metrics`
pub fn metrics(state: &State) -> Answer {
    answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", state.parts.metrics.prometheus())
}

async fn database_answers(state: &State) -> bool {
    // Held while asking: probes that come meanwhile share the answer.
    let mut last = state.readiness.0.lock().await;
    if let Some((asked, ok)) = *last
        && asked.elapsed() < BELIEVED
    {
        return ok;
    }
    let answered = tokio::time::timeout(PATIENCE, query::answers(&state.parts.client)).await;
    let ok = matches!(answered, Ok(Ok(())));
    *last = Some((Instant::now(), ok));
    ok
}
