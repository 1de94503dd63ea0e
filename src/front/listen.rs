//! Sockets: one listener for each worker on the same address (`SO_REUSEPORT`), the accept loop, and the graceful end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use super::current::Current;
use super::ending::Ending;
use super::handle::handle;
use super::patience::Patient;
use super::upgrade::Caller;

/// Connections that wait to be accepted, for each worker.
const BACKLOG: i32 = 1024;
/// How long a worker waits when the system has no descriptors left.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);
/// How long a connection that was let in may take to its first request once the process was asked to end.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// How often idle connections to the site are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// Binds `address` once for each worker. Port 0 is settled by the first socket and shared by the rest.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let mut address = address;
    if address.port() != 0 {
        // Sockets that share a port would share it with another gateway too, without a word; one that does not is refused.
        let alone = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        alone.set_reuse_address(true)?;
        alone.bind(&address.into())?;
        alone.listen(1)?;
    }
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener: std::net::TcpListener = socket.into();
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Open connections over all workers, held to a bound.
#[derive(Default)]
pub struct Connections(AtomicUsize);

struct Place(Arc<Connections>);

impl Connections {
    fn take(self: &Arc<Self>, bound: usize) -> Option<Place> {
        let taken = self.0.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.clone());
        (taken < bound).then_some(place)
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves visitors on one worker until nobody is to be let in any more, then lets open exchanges finish.
pub async fn work(
    listener: std::net::TcpListener,
    current: Rc<Current>,
    connections: Arc<Connections>,
    ending: Ending,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let tasks = LocalSet::new();
    let mut open = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    tasks
        .run_until(async {
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, peer)) => {
                            // A place that is not to be had closes the connection at once: nobody waits for nothing.
                            let Some(place) = connections.take(current.get().limits().max_connections) else { continue };
                            let ends = ending.connection();
                            let connection = serve(stream, peer.ip(), current.clone(), ends.stop.clone());
                            open.spawn_local(async move {
                                ends.serve(connection).await;
                                drop(place);
                            });
                        }
                        Err(error) => {
                            tracing::warn!(%error, "a connection could not be accepted");
                            tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
                        }
                    },
                    Some(_) = open.join_next(), if !open.is_empty() => {}
                    _ = sweep.tick() => current.get().sweep(),
                    () = ending.all() => break,
                }
            }
            drop(listener);
            let drain = current.get().drain();
            let drained = tokio::time::timeout(drain, async { while open.join_next().await.is_some() {} }).await;
            if drained.is_err() {
                tracing::warn!(connections = open.len(), "connections still open after {drain:?} are closed");
            }
        })
        .await;
    Ok(())
}

async fn serve(stream: TcpStream, peer: IpAddr, current: Rc<Current>, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let gateway = current.get();
    let limits = gateway.limits();
    let caller = Caller::new(peer);
    let service = service_fn(|request| {
        caller.hear();
        handle(current.get(), caller.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(limits.max_head_bytes.max(8192) + 8192)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.idle_timeout)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // What ends here - a visitor who went away, a head that never came - is between hyper and the visitor.
    let asked_to_end = tokio::select! {
        _ = connection.as_mut() => false,
        _ = stop.wait_for(|stop| *stop) => true,
    };
    if asked_to_end {
        // Who has only just come has a request on its way, and would find the door closed behind it.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = tokio::time::timeout(FIRST_REQUEST, caller.heard()) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
        return;
    }
    // A tunnel has no end of its own to wait for.
    tokio::select! {
        () = caller.carry() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
