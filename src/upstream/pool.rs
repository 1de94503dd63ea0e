//! A worker's connections to one site: made, kept while idle, looked at before they are used again.
//!
//! The last one given back is the first one taken, so that the fewest stay warm and the rest grow old and are closed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::UpstreamError;
use super::tls::Handshake;
use super::wire::{Idle, Wire};

/// Idle connections a worker keeps.
const MAX_IDLE: usize = 256;

/// How long a connection may be idle, unless the site's `Keep-Alive` says less. Below the time after which most servers
/// close theirs, so that we seldom meet one that is about to be closed.
const MAX_IDLE_TIME: Duration = Duration::from_secs(12);

/// After this much silence within an exchange the kernel asks whether the other side is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);

/// Where the site is.
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Handshake>,
}

/// One connection and what belongs to it.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) deadline: Deadline,
    /// Whether an exchange went over it before.
    pub(super) reused: bool,
    /// How long after its last use it may be used again.
    idle_time: Duration,
    /// When its current exchange began, or its last one. The clock is asked once for an exchange: a connection whose answer
    /// took long is older than it looks, never younger.
    pub(super) begun: Instant,
}

/// The idle connections and how to make new ones.
pub struct Pool {
    origin: Origin,
    connect_timeout: Duration,
    /// In the order in which they became idle.
    idle: RefCell<VecDeque<Box<Connection>>>,
    counts: Cell<Counts>,
}

/// What a worker's pool has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections made.
    pub connected: u64,
    /// Exchanges over a connection that was used before.
    pub reused: u64,
    /// Requests sent a second time because a kept connection was closed under them.
    pub retried: u64,
    /// Connections thrown away because the site sent bytes nobody had asked for.
    pub poisoned: u64,
}

impl Pool {
    pub(super) fn new(origin: Origin, connect_timeout: Duration) -> Self {
        Pool { origin, connect_timeout, idle: RefCell::default(), counts: Cell::default() }
    }

    /// An idle connection that looks sound; `replayable` says that a wrong guess does no harm.
    pub(super) fn take(&self, replayable: bool) -> Option<Box<Connection>> {
        let mut idle = self.idle.borrow_mut();
        let now = Instant::now();
        while let Some(mut connection) = idle.pop_back() {
            if now.duration_since(connection.begun) >= connection.idle_time {
                continue;
            }
            connection.begun = now;
            match connection.wire.look(!replayable) {
                Idle::Quiet => {
                    self.count(|counts| counts.reused += 1);
                    return Some(connection);
                }
                Idle::Poisoned => self.count(|counts| counts.poisoned += 1),
                Idle::Closed => {}
            }
        }
        None
    }

    /// Keeps a connection whose exchange ended cleanly.
    pub(super) fn give(&self, mut connection: Box<Connection>) {
        connection.reused = true;
        let mut idle = self.idle.borrow_mut();
        idle.push_back(connection);
        if idle.len() > MAX_IDLE {
            idle.pop_front();
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|connection| now.duration_since(connection.begun) < connection.idle_time);
    }

    /// A new connection: the name is looked up each time, every address tried in turn, all within `connect_timeout`.
    pub(super) async fn connect(&self) -> Result<Box<Connection>, UpstreamError> {
        let deadline = Instant::now() + self.connect_timeout;
        let addresses: Vec<SocketAddr> =
            timeout_at(deadline, lookup_host((self.origin.host.as_str(), self.origin.port)))
                .await
                .map_err(|_| UpstreamError::ConnectTimeout)?
                .map_err(|error| UpstreamError::Unresolved(error.kind()))?
                .collect();
        let tcp = connect_any(&addresses, deadline).await?;
        // Failing here would show in the exchange itself; the connection works without.
        let _ = tcp.set_nodelay(true);
        let _ = SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_AFTER));
        let wire = match &self.origin.tls {
            None => Wire::Plain(tcp),
            Some(handshake) => match timeout_at(deadline, handshake.greet(tcp)).await {
                Err(_) => return Err(UpstreamError::ConnectTimeout),
                Ok(Err(error)) => return Err(UpstreamError::Handshake(error.kind())),
                Ok(Ok(tls)) => Wire::Tls(Box::new(tls)),
            },
        };
        self.count(|counts| counts.connected += 1);
        Ok(Box::new(Connection {
            wire,
            deadline: Deadline::over(),
            reused: false,
            idle_time: MAX_IDLE_TIME,
            begun: Instant::now(),
        }))
    }

    /// Whether the connection that would be taken next looks sound.
    #[cfg(test)]
    pub(super) fn looks_quiet(&self) -> bool {
        self.idle.borrow_mut().back_mut().is_some_and(|connection| connection.wire.look(false) == Idle::Quiet)
    }

    pub(super) fn count_retry(&self) {
        self.count(|counts| counts.retried += 1);
    }

    pub(super) fn count_poisoned(&self) {
        self.count(|counts| counts.poisoned += 1);
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts.get()
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }
}

/// The first address that answers; each has its share of the time that is left, so that a dead one cannot use it all.
async fn connect_any(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, UpstreamError> {
    let mut last = UpstreamError::Unresolved(ErrorKind::NotFound);
    for (tried, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let left = (addresses.len() - tried) as u32;
        let share = now + deadline.saturating_duration_since(now) / left;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => last = UpstreamError::Unreachable(error.kind()),
            Err(_) => last = UpstreamError::ConnectTimeout,
        }
    }
    Err(last)
}

impl Connection {
    /// Takes the site's `Keep-Alive: timeout=…` into account, a second early.
    pub(super) fn site_keeps_it(&mut self, seconds: u64) {
        self.idle_time = MAX_IDLE_TIME.min(Duration::from_secs(seconds.saturating_sub(1)));
    }
}

/// A time limit that costs next to nothing to move: the runtime's timer stays where it is set and is moved on only
/// when it fires too early, about once in a time-out instead of twice in an exchange.
pub struct Deadline {
    at: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Deadline {
    /// One that is over.
    pub fn over() -> Self {
        let at = Instant::now();
        Deadline { at, timer: Box::pin(sleep_until(at)) }
    }

    /// This long from `now`.
    pub fn restart(&mut self, now: Instant, period: Duration) {
        self.set(now + period);
    }

    /// At a given time.
    pub fn set(&mut self, at: Instant) {
        self.at = at;
        if self.at < self.timer.deadline() {
            self.timer.as_mut().reset(self.at);
        }
    }

    /// Ready when the time is over.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= self.at {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.at);
        }
    }
}

/// Gives a connection back, or closes it.
pub(super) fn finish(pool: &Rc<Pool>, connection: Box<Connection>, reusable: bool, unread: usize) {
    if unread > 0 {
        // More than the answer: the surplus would be taken for the answer to somebody else's request.
        pool.count_poisoned();
    } else if reusable {
        pool.give(connection);
    }
}
