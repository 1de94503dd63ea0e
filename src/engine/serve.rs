//! The life of the engine's process: open the database, listen, answer, end. Two listeners at most: a Unix socket that only
//! this user can reach, and on request TCP on loopback, where **anyone on this machine may read** every table (unless
//! `writable`, nothing more than read; then they may also write, and read this user's files through table functions).
//!
//! It ends on SIGTERM, SIGINT and SIGHUP; as a child (`--child`) on none of them, but when its standard input closes: a
//! terminal and a service manager send their signals to parent and child alike, and the parent still has something for
//! the database. Called by the command line.

use std::fs;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::ffi::{Closed, Engine, OpenError};
use super::http::{Flushed, Interface, Watched, answer, refused};
use super::run::{self, Access};
use super::{database_folder, limits, lock, loopback, socket, sys};
use crate::keys::private_folder::{self, NotPrivate};

/// Statements at once on one listener: more only wait for each other inside.
const TURNS: usize = 16;
/// Connections at once on one listener.
const CONNECTIONS: usize = 256;
/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long running requests may take to end when the process is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long the engine of a gateway that was killed may take to end.
const ENDING: Duration = Duration::from_secs(30);
/// As ClickHouse's server: deep statements are parsed by recursion.
const STACK_BYTES: usize = 8 << 20;

/// What the process is asked to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the database, the socket and the lock live.
    pub data_dir: PathBuf,
    /// `libchdb.so`.
    pub library: PathBuf,
    /// Where to put the socket; chosen and noted in `data_dir` where `None`.
    pub socket: Option<PathBuf>,
    /// HTTP on loopback too.
    pub listen: Option<SocketAddr>,
    /// Whether `listen` may write.
    pub writable: bool,
    /// Started by a parent that holds our standard input open.
    pub child: bool,
}

/// Why the engine's process could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No place for the socket.
    #[error(transparent)]
    Socket(#[from] socket::SocketError),
    /// ClickHouse's folder.
    #[error(transparent)]
    Folder(#[from] NotPrivate),
    /// The lock or a listener.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The data folder is in use.
    #[error(
        "another engine already runs on {data_dir} (process {process}). Only one process can open a database: stop that one, use another `data_dir`, or ask the running one with `consentry query`"
    )]
    InUse {
        /// The folder.
        data_dir: PathBuf,
        /// Whose it is.
        process: String,
    },
    /// The address is not of this machine.
    #[error(
        "the engine's HTTP interface has no password, so it listens on loopback only: {0} is not allowed; use 127.0.0.1:{port} or [::1]:{port}",
        port = .0.port()
    )]
    NotLoopback(SocketAddr),
    /// The library or the database.
    #[error(transparent)]
    Open(#[from] OpenError),
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> ServeError {
    let what = what.into();
    move |source| ServeError::Io { what, source }
}

/// Where the engine answers.
#[derive(Clone, Debug)]
pub struct Ready {
    /// ClickHouse's version.
    pub version: String,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The TCP address, where one was asked for.
    pub listen: Option<SocketAddr>,
}

/// Runs the engine until it is asked to end. `ready` is called once, when it answers.
///
/// Afterwards the process should end by [`leave`]: threads of ClickHouse may be left, under which its destructors fault.
pub fn serve(options: &Options, ready: impl FnOnce(&Ready)) -> Result<(), ServeError> {
    if let Some(address) = options.listen.filter(|address| !address.ip().is_loopback()) {
        return Err(ServeError::NotLoopback(address));
    }
    if options.child {
        // First of all: one that comes now would end the process by itself.
        sys::ignore_requests_to_end();
        limits::step_back();
    }
    limits::large_pages(true);
    let parent_gone = options.child.then(watch_parent);
    let chosen = socket::choose(&options.data_dir)?;
    let socket_path = options.socket.clone().unwrap_or(chosen);
    let _lock = lock::take(&options.data_dir, if options.child { ENDING } else { Duration::ZERO })?;
    let folder = database_folder(&options.data_dir);
    private_folder::make(&folder)?;
    // A relative path is resolved twice by ClickHouse when it syncs a folder.
    let folder = fs::canonicalize(&folder).map_err(failed(format!("cannot find {}", folder.display())))?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("statement")
        .thread_stack_size(STACK_BYTES)
        .max_blocking_threads(4 * TURNS)
        .build()
        .map_err(failed("cannot start the runtime"))?;
    let engine = Engine::open(&options.library, &folder)?;
    let served = runtime.block_on(listen_and_answer(options, &engine, socket_path, parent_gone, ready));
    runtime.shutdown_timeout(GRACE);
    if engine.shutdown() == Closed::No {
        tracing::warn!("a statement did not end in time; the database recovers it at the next start");
    }
    served
}

/// Ends the process without running destructors; to be called last, after [`serve`].
pub fn leave(code: u8) -> ! {
    use std::io::Write as _;
    let _closed = io::stdout().flush();
    sys::exit_at_once(i32::from(code))
}

/// Tells when the parent closed our standard input, by ending or on purpose.
fn watch_parent() -> oneshot::Receiver<()> {
    // Where memory runs out, the kernel should end the engine rather than the gateway.
    #[cfg(target_os = "linux")]
    let _best_effort = fs::write("/proc/self/oom_score_adj", "500");
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut byte = [0_u8; 64];
        loop {
            match io::stdin().read(&mut byte) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Without a standard input nobody could ask us to end.
                Ok(0) | Err(_) => break,
            }
        }
        let _ended_before = sender.send(());
    });
    receiver
}

async fn listen_and_answer(
    options: &Options,
    engine: &Engine,
    socket_path: PathBuf,
    parent_gone: Option<oneshot::Receiver<()>>,
    ready: impl FnOnce(&Ready),
) -> Result<(), ServeError> {
    let mut end = End::watch(parent_gone).map_err(failed("cannot watch signals"))?;
    let (version, time_zone) = about(engine);
    let interface = |access| {
        let turns = Arc::new(Semaphore::new(TURNS));
        Arc::new(Interface { engine: engine.clone(), access, turns, time_zone: time_zone.clone() })
    };

    // The lock is ours, so a socket that is still there belongs to nobody.
    let _none_there = fs::remove_file(&socket_path);
    let cannot = || failed(format!("cannot listen on {}", socket_path.display()));
    let unix = UnixListener::bind(&socket_path).map_err(cannot())?;
    fs::set_permissions(&socket_path, fs::Permissions::from_mode(0o600)).map_err(cannot())?;
    let tcp = match options.listen {
        None => None,
        Some(address) => Some(TcpListener::bind(address).await.map_err(failed(format!("cannot listen on {address}")))?),
    };
    let listen = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
    ready(&Ready { version, socket: socket_path.clone(), listen });

    let own = interface(Access::Full);
    let open = interface(if options.writable { Access::Full } else { Access::ReadTables });
    let places = [(); 2].map(|()| Arc::new(Semaphore::new(CONNECTIONS)));
    let [unix_places, tcp_places] = places;
    let (closing, closed) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = end.comes() => break,
            accepted = accept(unix_places.clone(), unix.accept()) => {
                if let Some((place, (stream, _))) = accepted {
                    let connection = connection(stream, own.clone(), false, closed.clone());
                    connections.spawn(async move { connection.await; drop(place) });
                }
            }
            accepted = accept_tcp(tcp.as_ref(), tcp_places.clone()) => {
                if let Some((place, (stream, _))) = accepted {
                    let connection = connection(stream, open.clone(), true, closed.clone());
                    connections.spawn(async move { connection.await; drop(place) });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop((unix, tcp));
    let _none_there = fs::remove_file(&socket_path);
    drop(closed);
    let _nobody_listens = closing.send(());
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, all_ended).await.is_err() {
        run::end_all_statements(engine);
        let all_ended = async { while connections.join_next().await.is_some() {} };
        let _aborted_at_drop = tokio::time::timeout(GRACE, all_ended).await;
    }
    Ok(())
}

/// ClickHouse's version and time zone.
fn about(engine: &Engine) -> (String, HeaderValue) {
    let answer = engine.connect().and_then(|mut connection| {
        let output = connection.query(b"select version(), timezone()", "TSV", &[])?;
        Ok(String::from_utf8_lossy(output.bytes()).trim().to_owned())
    });
    let (version, time_zone) = match answer.as_deref().map(|answer| answer.split_once('\t')) {
        Ok(Some((version, time_zone))) => (version.to_owned(), time_zone.to_owned()),
        _ => ("unknown".to_owned(), "UTC".to_owned()),
    };
    (version, HeaderValue::from_str(&time_zone).unwrap_or(HeaderValue::from_static("UTC")))
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once there is a place for it.
async fn accept<S>(places: Arc<Semaphore>, accepted: impl Future<Output = io::Result<S>>) -> Option<(Place, S)> {
    let place = places.acquire_owned().await.ok()?;
    match accepted.await {
        Ok(stream) => Some((place, stream)),
        Err(error) => {
            // Out of descriptors, most likely: give the others time to end.
            tracing::warn!(%error, "cannot accept a connection to the engine");
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn accept_tcp(
    listener: Option<&TcpListener>,
    places: Arc<Semaphore>,
) -> Option<(Place, (tokio::net::TcpStream, SocketAddr))> {
    match listener {
        Some(listener) => accept(places, listener.accept()).await,
        None => std::future::pending().await,
    }
}

/// Serves one connection until it ends or the process does. On TCP (`guarded`) a browser could be made to ask for a page of
/// someone else; see [`loopback`].
async fn connection<I>(stream: I, interface: Arc<Interface>, guarded: bool, mut closed: watch::Receiver<()>)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let flushed = Flushed::default();
    let io = Watched::new(TokioIo::new(stream), flushed.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let refusal = if guarded { loopback::refusal(request.headers()) } else { None };
        let (interface, flushed) = (interface.clone(), flushed.clone());
        async move {
            match refusal {
                Some(text) => Ok(refused(text)),
                None => answer(interface, flushed, request).await,
            }
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(1 << 20);
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closed.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _client_gone = connection.await;
}

/// What ends the process.
enum End {
    /// It runs by itself.
    Signals { terminate: Signal, interrupt: Signal, hang_up: Option<Signal> },
    /// Its parent decides.
    Parent(oneshot::Receiver<()>),
}

impl End {
    fn watch(parent_gone: Option<oneshot::Receiver<()>>) -> io::Result<End> {
        Ok(match parent_gone {
            Some(gone) => End::Parent(gone),
            None => End::Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: if sys::hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) },
            },
        })
    }

    async fn comes(&mut self) {
        match self {
            End::Parent(gone) => drop(gone.await),
            End::Signals { terminate, interrupt, hang_up } => {
                let hang_up = async {
                    match hang_up {
                        Some(signal) => drop(signal.recv().await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    () = hang_up => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_network_is_refused() {
        let options = Options {
            data_dir: "/nowhere".into(),
            library: "/nowhere/libchdb.so".into(),
            socket: None,
            listen: Some("0.0.0.0:8123".parse().unwrap()),
            writable: false,
            child: false,
        };
        assert!(matches!(serve(&options, |_| {}), Err(ServeError::NotLoopback(_))));
    }
}
