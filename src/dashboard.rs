//! Marketing's pages and their JSON API, and what operators watch: health, readiness and metrics. It has a listener of
//! its own, so that a busy site cannot keep marketing out nor the other way round. It answers with counts; it never
//! shows a row or an identifier, and never writes to the database. Called by the life of the process.
//!
//! | path | who | answer |
//! |---|---|---|
//! | `GET /`, `GET /static/…` | anyone | the app, without any figure |
//! | `GET /healthz`, `/readyz`, `/metrics` | anyone | alive, able to work, counters |
//! | `GET /api/session` | anyone | whether this browser is signed in |
//! | `POST /api/sign-in`, `/api/sign-out` | same origin | a session cookie, or none |
//! | `GET /api/totals`, `/series`, `/pages`, `/sources` and the like | signed in | the figures: [`api`] |
//!
//! A listener on loopback answers only to loopback's names, so that no page elsewhere can reach it by pointing a name
//! of its own at 127.0.0.1.

mod answer;
pub mod api;
mod assets;
mod attempts;
mod check;
mod health;
pub mod password;
mod places;
mod route;
mod session;
mod sign_in;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::observe::Metrics;
use crate::patience::{LeastRate, Patient};
use attempts::Attempts;
use health::Readiness;
use password::Verifier;
use places::{Place, Places};
use session::Sessions;

/// How long a request's head may take, and a connection sit idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of an answer.
const TAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long answers under way may take when the process ends.
const DRAIN: Duration = Duration::from_secs(5);

/// What the dashboard needs of the rest of the program.
pub struct Parts {
    /// The connection to ClickHouse, with its database chosen.
    pub client: clickhouse::Client,
    /// The counters of the whole process.
    pub metrics: Arc<Metrics>,
    /// Knows the right password.
    pub verifier: Verifier,
    /// The site that is shown when a request names none.
    pub site_id: u32,
    /// The most bytes that may wait in the spool; with more the process is not ready.
    pub spool_max_bytes: u64,
}

/// Everything the dashboard holds, shared by its connections.
pub struct State {
    parts: Parts,
    sessions: Sessions,
    attempts: Attempts,
    /// One password is checked at a time: each check costs 19 MiB and a good part of a core.
    checking: Semaphore,
    readiness: Readiness,
}

impl State {
    /// A dashboard nobody is signed in to yet.
    pub fn new(parts: Parts) -> State {
        State {
            parts,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            checking: Semaphore::new(1),
            readiness: Readiness::default(),
        }
    }
}

/// Serves the dashboard until `shutdown` comes; answers under way are finished, for five seconds at most.
pub async fn serve(listener: TcpListener, state: Arc<State>, shutdown: impl Future<Output = ()>) {
    let local = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let (ending, _) = watch::channel(false);
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (state, ending, place) = (Arc::clone(&state), ending.subscribe(), places.take(peer.ip()));
                connections.spawn(async move {
                    tokio::select! {
                        () = connection(stream, peer, local, state, ending, &place) => {}
                        () = place.given_up() => {}
                    }
                });
            }
            // Out of file descriptors, most likely: trying again at once would only burn the core.
            Err(error) => {
                tracing::warn!(%error, "the dashboard cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let _ = ending.send(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    local: bool,
    state: Arc<State>,
    mut ending: watch::Receiver<bool>,
    place: &Place,
) {
    let service = service_fn(move |request| {
        place.asks();
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(route::handle(&state, peer.ip(), local, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(Patient::new(stream, TAKE_TIMEOUT, LeastRate::ANY)), service);
    tokio::pin!(connection);
    // An error here is a client that went away or spoke no HTTP; neither is worth a line.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// Seconds since 1970.
fn now_s() -> u64 {
    u64::try_from(now_ms() / 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests;
