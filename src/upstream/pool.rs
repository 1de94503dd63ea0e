//! A worker's connections to one site: made, kept while idle, looked at before they are used again.
//!
//! The last one given back is the first one taken, so that the fewest stay warm and the rest grow old and are closed.
//!
//! Some sites send a body where there must be none, most often after the head of an answer to HEAD; the next visitor would get it
//! for an answer. Where a head names such a body, its connection rests until the body would be there, and the kernel is asked
//! before it is used again. A site that was seen to send one is trusted with no such connection any more.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::UpstreamError;
use super::deadline::Deadline;
use super::http2::{Lane, Lanes};
use super::places::Place;
use super::server::{Busy, Server};
use super::share::{Over, Share};
use super::wire::{Idle, Wire};

/// Idle connections a worker keeps.
const MAX_IDLE: usize = 256;

/// What cannot be sent twice goes over no connection that was idle for longer: servers close theirs after some seconds (gunicorn
/// after 2, uvicorn and Node after 5), and a request that meets that is lost.
const SURE: Duration = Duration::from_secs(1);

/// How long a connection rests that may bring a body which must not be there. A site that has one to send does so right after
/// the head; longer, and visitors who ask for nothing but heads would take up many of the site's connections.
pub(super) const REST: Duration = Duration::from_millis(100);

/// Connections that rest at once; the oldest is closed.
const MAX_RESTING: usize = 64;

/// One connection and what belongs to it.
pub(super) struct Connection {
    pub(super) wire: Wire,
    pub(super) deadline: Deadline,
    /// Whether an exchange went over it before.
    pub(super) reused: bool,
    /// Whether its last answer may bring a body that must not be there.
    pub(super) doubtful: bool,
    /// Whether any of its answers could: what is left over on it tells of the server.
    once_doubtful: bool,
    /// How long after its last use it may be used again.
    idle_time: Duration,
    /// When its current exchange began, or its last one. The clock is asked once for an exchange: a connection whose answer
    /// took long is older than it looks, never younger.
    pub(super) begun: Instant,
    /// The address at its other end, where it has one.
    peer: Option<SocketAddr>,
    /// Its place among all connections.
    pub(super) place: Place,
    /// Counts the exchange in hand, where there is a choice of servers.
    pub(super) busy: Option<Busy>,
    /// What the address that asks has by the exchange in hand.
    pub(super) share: Option<Share>,
}

/// What an exchange goes over.
pub(super) enum Link {
    Http1(Box<Connection>),
    Http2(Rc<Lane>),
}

/// The idle connections and how to make new ones.
pub struct Pool {
    pub(super) server: Arc<Server>,
    /// How long a connection may be idle, unless the server's `Keep-Alive` says less.
    keep_idle: Duration,
    /// Its connections that speak HTTP/2.
    lanes: Lanes,
    /// Whether it chose HTTP/1.1 where it might have chosen HTTP/2.
    declined_http2: Cell<bool>,
    /// In the order in which they became idle.
    idle: RefCell<VecDeque<Box<Connection>>>,
    /// Not idle yet, each with the time from which on it is; in that order.
    resting: RefCell<VecDeque<(Instant, Box<Connection>)>>,
    /// Whether the server was seen to send a body that must not be there.
    sends_surplus: Cell<bool>,
    counts: Cell<Counts>,
    /// What of it the server has been told.
    told: Cell<Counts>,
}

/// What a worker's pool has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections made.
    pub connected: u64,
    /// Exchanges over a connection that was used before.
    pub reused: u64,
    /// Requests sent a second time: a kept connection was closed under them, or a server failed and another was asked.
    pub retried: u64,
    /// Connections thrown away because the site sent bytes nobody had asked for.
    pub poisoned: u64,
    /// Requests that were not answered, and answers with a status of 500 and above.
    pub failed: u64,
}

impl std::ops::Add for Counts {
    type Output = Counts;

    fn add(self, other: Counts) -> Counts {
        Counts {
            connected: self.connected + other.connected,
            reused: self.reused + other.reused,
            retried: self.retried + other.retried,
            poisoned: self.poisoned + other.poisoned,
            failed: self.failed + other.failed,
        }
    }
}

impl std::ops::Sub for Counts {
    type Output = Counts;

    fn sub(self, other: Counts) -> Counts {
        Counts {
            connected: self.connected - other.connected,
            reused: self.reused - other.reused,
            retried: self.retried - other.retried,
            poisoned: self.poisoned - other.poisoned,
            failed: self.failed - other.failed,
        }
    }
}

impl Pool {
    pub(super) fn new(server: Arc<Server>, keep_idle: Duration) -> Self {
        Pool {
            server,
            keep_idle,
            lanes: Lanes::default(),
            declined_http2: Cell::new(false),
            idle: RefCell::default(),
            resting: RefCell::default(),
            sends_surplus: Cell::new(false),
            counts: Cell::default(),
            told: Cell::default(),
        }
    }

    /// An idle connection that looks sound; `replayable` says that a wrong guess does no harm. Where it would, those that
    /// were idle for long stay for whom it would not.
    pub(super) fn take(&self, replayable: bool) -> Option<Box<Connection>> {
        let now = Instant::now();
        self.wake(now);
        let mut idle = self.idle.borrow_mut();
        while let Some(mut connection) = idle.pop_back() {
            let unused = now.duration_since(connection.begun);
            if unused >= connection.idle_time {
                continue;
            }
            if !replayable && unused >= SURE {
                idle.push_back(connection);
                break;
            }
            connection.begun = now;
            match connection.wire.look(!replayable || connection.doubtful) {
                Idle::Quiet => {
                    self.count(|counts| counts.reused += 1);
                    return Some(connection);
                }
                Idle::Poisoned => self.poisoned(&connection),
                Idle::Closed => {}
            }
        }
        None
    }

    /// Keeps a connection whose exchange ended cleanly.
    pub(super) fn give(&self, mut connection: Box<Connection>) {
        connection.reused = true;
        (connection.busy, connection.share) = (None, None);
        // Where places are scarce, whoever comes next may be another worker's, or be for another server.
        if connection.place.is_scarce() {
            return;
        }
        if connection.doubtful {
            return self.rest(connection);
        }
        let mut idle = self.idle.borrow_mut();
        idle.push_back(connection);
        if idle.len() > MAX_IDLE {
            idle.pop_front();
        }
    }

    /// Lets a connection rest before it is idle.
    fn rest(&self, mut connection: Box<Connection>) {
        connection.once_doubtful = true;
        if self.sends_surplus.get() {
            return;
        }
        let mut resting = self.resting.borrow_mut();
        resting.push_back((Instant::now() + REST, connection));
        if resting.len() > MAX_RESTING {
            resting.pop_front();
        }
    }

    /// Makes idle what has rested.
    #[inline]
    fn wake(&self, now: Instant) {
        let mut resting = self.resting.borrow_mut();
        while resting.front().is_some_and(|(at, _)| *at <= now) {
            self.idle.borrow_mut().extend(resting.pop_front().map(|(_, connection)| connection));
        }
    }

    /// Takes note of a connection on which there were bytes nobody had asked for.
    fn poisoned(&self, connection: &Connection) {
        self.count(|counts| counts.poisoned += 1);
        if (connection.doubtful || connection.once_doubtful) && !self.sends_surplus.replace(true) {
            let server = &self.server.name;
            tracing::warn!(
                server,
                "an upstream sends bodies where there must be none, as after HEAD; those connections are closed"
            );
        }
    }

    /// Closes what has been idle for too long, or leads to where the server no longer is.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.wake(now);
        let is_good = |connection: &Connection| {
            now.duration_since(connection.begun) < connection.idle_time && self.server.leads_to(connection.peer)
        };
        self.idle.borrow_mut().retain(|connection| is_good(connection));
        self.lanes.sweep(&self.server);
        self.tell();
    }

    /// Tells the server what was done since it was last told.
    fn tell(&self) {
        let (counts, told) = (self.counts.get(), self.told.replace(self.counts.get()));
        self.server.tell(counts - told);
    }

    /// What an exchange of an address will have of the server; nothing where the address has half of all there may be.
    pub(super) fn share(&self, bucket: u64) -> Option<Share> {
        let over = if self.server.http2 && !self.declined_http2.get() { Lanes::LIKELY } else { Over::Http1 };
        Share::take(&self.server.places, bucket, over)
    }

    /// A connection for an exchange: a kept one unless it must be `fresh`, else a new one. `http1` is for what HTTP/2 cannot
    /// carry.
    pub(super) async fn link(
        &self,
        replayable: bool,
        fresh: bool,
        http1: bool,
        deadline: Instant,
    ) -> Result<Link, UpstreamError> {
        let http2 = self.server.http2 && !http1;
        // A lane that has ended is never found, so one that is found is fresh enough.
        if http2 && let Some(lane) = self.lanes.find() {
            self.count(|counts| counts.reused += 1);
            return Ok(Link::Http2(lane));
        }
        if !fresh && let Some(connection) = self.take(replayable) {
            return Ok(Link::Http1(connection));
        }
        if !http2 || self.declined_http2.get() {
            return self.connect(http1, deadline).await;
        }
        let opening = timeout_at(deadline, self.lanes.opening.lock()).await;
        let _opening = opening.map_err(|_| UpstreamError::ConnectTimeout)?;
        match self.lanes.find() {
            Some(lane) => Ok(Link::Http2(lane)),
            None if self.lanes.are_all() => Err(UpstreamError::Full),
            None => self.connect(http1, deadline).await,
        }
    }

    /// A new connection.
    async fn connect(&self, http1: bool, deadline: Instant) -> Result<Link, UpstreamError> {
        let place = self.server.places.take().ok_or(UpstreamError::Full)?;
        let (wire, peer) = self.server.connect(http1, deadline).await?;
        self.count(|counts| counts.connected += 1);
        if self.server.http2 && !http1 {
            if wire.chose_http2() {
                let lane = Lane::open(wire, place, peer, deadline).await?;
                self.lanes.add(&lane);
                // One that has ended already tells why when it is asked.
                return if lane.is_full() { Err(UpstreamError::Full) } else { Ok(Link::Http2(lane)) };
            }
            self.declined_http2.set(true);
        }
        Ok(Link::Http1(Box::new(Connection {
            wire,
            deadline: Deadline::over(),
            reused: false,
            doubtful: false,
            once_doubtful: false,
            idle_time: self.keep_idle,
            begun: Instant::now(),
            peer,
            place,
            busy: None,
            share: None,
        })))
    }

    /// Idle connections.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.idle.borrow().len() + self.resting.borrow().len()
    }

    /// Whether the connection that would be taken next looks sound.
    #[cfg(test)]
    pub(super) fn looks_quiet(&self) -> bool {
        self.idle.borrow_mut().back_mut().is_some_and(|connection| connection.wire.look(false) == Idle::Quiet)
    }

    pub(super) fn count_retry(&self) {
        self.count(|counts| counts.retried += 1);
    }

    pub(super) fn count_failure(&self) {
        self.count(|counts| counts.failed += 1);
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

impl Drop for Pool {
    /// Where another configuration takes its place, nothing is left out of the figures.
    fn drop(&mut self) {
        self.tell();
    }
}

impl Connection {
    /// Takes the site's `Keep-Alive: timeout=…` into account, a second early; `pool` is its own.
    pub(super) fn site_keeps_it(&mut self, seconds: u64, pool: &Pool) {
        self.idle_time = pool.keep_idle.min(Duration::from_secs(seconds.saturating_sub(1)));
    }
}

/// Gives a connection back, or closes it.
pub(super) fn finish(pool: &Rc<Pool>, connection: Box<Connection>, reusable: bool, unread: usize) {
    if unread > 0 {
        // More than the answer: the surplus would be taken for the answer to somebody else's request.
        pool.poisoned(&connection);
    } else if reusable {
        pool.give(connection);
    }
}
