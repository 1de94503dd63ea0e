//! One server of the site, as all workers know it: where it is, how it is greeted, whether it is well.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout_at};

use super::UpstreamError;
use super::health::{Health, clock};
use super::names::Names;
use super::places::Places;
use super::pool::Counts;
use super::settings::{Address, Ejection, Most};
use super::tls::{self, Handshake};
use super::wire::Wire;

/// After this much silence within an exchange the kernel asks whether the other side is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// One server.
pub(super) struct Server {
    /// As the operator wrote it, for logs, metrics and the ring.
    pub(super) name: String,
    at: At,
    pub(super) tls: Option<Handshake>,
    /// Whether HTTP/2 is spoken, where it is to be had.
    pub(super) http2: bool,
    /// Like all that is known of it, it outlives a configuration in which the server stays what it is.
    pub(super) health: Arc<Health>,
    ejection: Ejection,
    /// Exchanges under way over all workers; counted where there is a choice of servers.
    busy: Arc<AtomicUsize>,
    /// Connections to it over all workers.
    pub(super) places: Arc<Places>,
    tally: Arc<Tally>,
}

/// What all workers' pools have done, as far as they have told.
#[derive(Default)]
struct Tally {
    connected: AtomicU64,
    reused: AtomicU64,
    retried: AtomicU64,
    poisoned: AtomicU64,
    failed: AtomicU64,
}

enum At {
    Tcp(Names),
    Unix(PathBuf),
}

impl Server {
    pub(super) fn new(
        address: &Address,
        tls: Option<Handshake>,
        http2: bool,
        ejection: Ejection,
        names_kept: Duration,
    ) -> Server {
        let at = match address {
            Address::Tcp { host, port, .. } => At::Tcp(Names::new(host, *port, names_kept)),
            Address::Unix(path) => At::Unix(path.clone()),
        };
        let (health, busy, places, tally) = Default::default();
        Server { name: address.to_string(), at, tls, http2, health, ejection, busy, places, tally }
    }

    /// The same as one of so many `servers`, with so many connections at most.
    pub(super) fn with(self, most: Most, servers: usize) -> Server {
        Server { places: Arc::new(Places::of(most, servers)), ..self }
    }

    /// The same, with everything that is known of `before`, which is the same server in another configuration.
    pub(super) fn knowing(self, before: &Server) -> Server {
        if let (At::Tcp(names), At::Tcp(known)) = (&self.at, &before.at) {
            names.take_over(known);
        }
        let (health, busy, tally) = (before.health.clone(), before.busy.clone(), before.tally.clone());
        let places = Arc::new(self.places.held_as(&before.places));
        Server { health, busy, places, tally, ..self }
    }

    /// A new connection, greeted by TLS where that is spoken; and to which address, where it has one. `http1` keeps HTTP/2
    /// out of the greeting.
    pub(super) async fn connect(
        &self,
        http1: bool,
        deadline: Instant,
    ) -> Result<(Wire, Option<SocketAddr>), UpstreamError> {
        let names = match &self.at {
            At::Tcp(names) => names,
            At::Unix(path) => {
                return match timeout_at(deadline, UnixStream::connect(path)).await {
                    Ok(Ok(unix)) => Ok((Wire::Unix(unix), None)),
                    Ok(Err(error)) => Err(UpstreamError::Unreachable(error.kind())),
                    Err(_) => Err(UpstreamError::ConnectTimeout),
                };
            }
        };
        let (tcp, peer) = connect_any(&names.addresses(deadline).await?, deadline).await?;
        // Failing here would show in the exchange itself; the connection works without.
        let _ = tcp.set_nodelay(true);
        let _ = SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER));
        let wire = match &self.tls {
            None => Wire::Plain(tcp),
            Some(handshake) => match timeout_at(deadline, handshake.greet(tcp, http1)).await {
                Err(_) => return Err(UpstreamError::ConnectTimeout),
                Ok(Err(error)) => return Err(UpstreamError::Handshake(tls::advice(&error))),
                Ok(Ok(tls)) => Wire::Tls(Box::new(tls)),
            },
        };
        Ok((wire, Some(peer)))
    }

    /// Whether it may be spoken to by HTTP/1.1, which a WebSocket needs.
    pub(super) fn speaks_http1(&self) -> bool {
        !self.http2 || self.tls.is_some()
    }

    /// Host and port, as in a `Host` header.
    pub(super) fn authority(&self) -> String {
        match &self.at {
            At::Tcp(names) => names.authority(),
            At::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Whether it has a name whose addresses may change.
    pub(super) fn has_name(&self) -> bool {
        matches!(&self.at, At::Tcp(names) if names.is_name())
    }

    /// Whether a kept connection to `peer` is one that would be made today.
    pub(super) fn leads_to(&self, peer: Option<SocketAddr>) -> bool {
        match (&self.at, peer) {
            (At::Tcp(names), Some(peer)) => names.leads_to(peer),
            _ => true,
        }
    }

    /// Looks its name up again if it is time.
    pub(super) async fn refresh(&self) {
        if let At::Tcp(names) = &self.at {
            names.refresh().await;
        }
    }

    /// An exchange failed at its hands.
    pub(super) fn failed(&self) {
        if let Some(period) = self.health.failed(clock(), self.ejection) {
            tracing::warn!(
                server = self.name,
                ?period,
                "an upstream fails again and again; it is left alone for a while if there are others"
            );
        }
    }

    /// Takes a pool's figures over.
    pub(super) fn tell(&self, more: Counts) {
        self.tally.connected.fetch_add(more.connected, Relaxed);
        self.tally.reused.fetch_add(more.reused, Relaxed);
        self.tally.retried.fetch_add(more.retried, Relaxed);
        self.tally.poisoned.fetch_add(more.poisoned, Relaxed);
        self.tally.failed.fetch_add(more.failed, Relaxed);
    }

    /// What all pools have done; a second old at most.
    pub(super) fn told(&self) -> Counts {
        Counts {
            connected: self.tally.connected.load(Relaxed),
            reused: self.tally.reused.load(Relaxed),
            retried: self.tally.retried.load(Relaxed),
            poisoned: self.tally.poisoned.load(Relaxed),
            failed: self.tally.failed.load(Relaxed),
        }
    }

    /// Its name leads elsewhere now.
    #[cfg(test)]
    pub(super) fn moves_to(&self, addresses: Vec<SocketAddr>) {
        if let At::Tcp(names) = &self.at {
            let _ = names.learn(Ok(addresses));
        }
    }

    /// Exchanges under way.
    pub(super) fn load(&self) -> usize {
        self.busy.load(Relaxed)
    }
}

/// An exchange under way; counts until it is dropped.
pub(super) struct Busy(Arc<Server>);

impl Busy {
    pub(super) fn with(server: &Arc<Server>) -> Busy {
        server.busy.fetch_add(1, Relaxed);
        Busy(server.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// The first address that answers; each has its share of the time that is left, so that a dead one cannot use it all.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr), UpstreamError> {
    let mut last = UpstreamError::Unresolved(std::io::ErrorKind::NotFound);
    for (tried, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let left = (addresses.len() - tried) as u32;
        let share = now + deadline.saturating_duration_since(now) / left;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok((tcp, *address)),
            Ok(Err(error)) => last = UpstreamError::Unreachable(error.kind()),
            Err(_) => last = UpstreamError::ConnectTimeout,
        }
    }
    Err(last)
}
