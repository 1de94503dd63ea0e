//! A worker's HTTP/2 connections to one server.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http_body::Body;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::super::UpstreamError;
use super::super::head::MAX_HEAD;
use super::super::places::Place;
use super::super::server::{Busy, Server};
use super::super::wire::Wire;

/// Exchanges at once over one connection, if there can be another connection.
const MAX_STREAMS: usize = 100;

/// Connections to one server.
const MAX_LANES: usize = 16;

/// What a visitor who does not read may keep in memory of an answer, in bytes.
const STREAM_WINDOW: u32 = 128 * 1024;

/// How long a connection without an exchange is kept.
const MAX_QUIET: Duration = Duration::from_secs(60);

/// How often a server with exchanges under way is asked whether it is there, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// A request's body on its way.
pub(super) type Outgoing = Pin<Box<dyn Body<Data = Bytes, Error = UpstreamError>>>;

/// One connection.
pub(in super::super) struct Lane {
    sender: SendRequest<Outgoing>,
    tls: bool,
    peer: Option<SocketAddr>,
    streams: Cell<usize>,
    /// Whether an exchange went over it before.
    used: Cell<bool>,
    quiet_since: Cell<Instant>,
}

/// An exchange over a lane; it counts until it is dropped.
pub(super) struct Stream {
    lane: Rc<Lane>,
    _busy: Option<Busy>,
}

/// All connections to one server.
#[derive(Default)]
pub(in super::super) struct Lanes {
    open: RefCell<Vec<Rc<Lane>>>,
    /// Held by who opens one, so that the others wait for it instead of opening one each.
    pub(in super::super) opening: Mutex<()>,
}

impl Lane {
    /// Begins to speak HTTP/2 over a new connection. Runs within the worker's own set of tasks.
    pub(in super::super) async fn open(
        wire: Wire,
        place: Place,
        peer: Option<SocketAddr>,
        deadline: Instant,
    ) -> Result<Rc<Lane>, UpstreamError> {
        let tls = matches!(wire, Wire::Tls(_));
        let mut builder = Builder::new(Here);
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            // So much that visitors who do not read take nothing from those who do.
            .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS as u32)
            .max_header_list_size(MAX_HEAD as u32)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
        let greeted = timeout_at(deadline, builder.handshake(TokioIo::new(wire))).await;
        let (sender, connection) = greeted
            .map_err(|_| UpstreamError::ConnectTimeout)?
            .map_err(|error| UpstreamError::Unanswered(super::kind(&error)))?;
        // How it ends each of its exchanges is told.
        tokio::task::spawn_local(async move {
            let _ended = connection.await;
            drop(place);
        });
        let (streams, used, quiet_since) = (Cell::new(0), Cell::new(false), Cell::new(Instant::now()));
        Ok(Rc::new(Lane { sender, tls, peer, streams, used, quiet_since }))
    }

    /// Whether it was used before.
    pub(in super::super) fn is_used(&self) -> bool {
        self.used.get()
    }

    pub(super) fn scheme(&self) -> Scheme {
        if self.tls { Scheme::HTTPS } else { Scheme::HTTP }
    }

    pub(super) fn sender(&self) -> SendRequest<Outgoing> {
        self.sender.clone()
    }

    pub(super) fn stream(self: &Rc<Self>, busy: Option<Busy>) -> Stream {
        self.used.set(true);
        self.streams.set(self.streams.get() + 1);
        Stream { lane: self.clone(), _busy: busy }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.lane.streams.set(self.lane.streams.get() - 1);
        self.lane.quiet_since.set(Instant::now());
    }
}

impl Lanes {
    /// One with room; where there are many already, the one with the most room.
    pub(in super::super) fn find(&self) -> Option<Rc<Lane>> {
        let mut open = self.open.borrow_mut();
        open.retain(|lane| !lane.sender.is_closed());
        let lane = open.iter().min_by_key(|lane| lane.streams.get())?;
        (lane.streams.get() < MAX_STREAMS || open.len() >= MAX_LANES).then(|| lane.clone())
    }

    pub(in super::super) fn add(&self, lane: &Rc<Lane>) {
        self.open.borrow_mut().push(lane.clone());
    }

    /// Lets go of those without use for too long, and of those to where the server no longer is. What is under way over them
    /// goes on.
    pub(in super::super) fn sweep(&self, server: &Server) {
        self.open.borrow_mut().retain(|lane| {
            let in_use = lane.streams.get() > 0 || lane.quiet_since.get().elapsed() < MAX_QUIET;
            in_use && !lane.sender.is_closed() && server.leads_to(lane.peer)
        });
    }
}

/// Tasks stay on the worker's thread.
#[derive(Clone)]
struct Here;

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move { drop(task.await) });
    }
}
