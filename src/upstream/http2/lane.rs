//! A worker's HTTP/2 connections to one server.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http_body::Body;
use hyper::client::conn::http2::{self, Builder, SendRequest};
use hyper_util::rt::TokioTimer;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::super::UpstreamError;
use super::super::head::MAX_HEAD;
use super::super::places::Place;
use super::super::server::{Busy, Server};
use super::super::share::{Over, Share};
use super::super::wire::Wire;
use super::socket::Socket;

/// Exchanges at once over one connection, if there can be another connection; fewer where the server allows fewer.
const MAX_STREAMS: usize = 100;

/// What stands for the server's bound until it has said one (RFC 9113 §6.5.2): no server is likely to choose it.
const UNSAID: usize = MAX_STREAMS + 1;

/// How long the server's bound is waited for, which it says before anything else (RFC 9113 §3.4); and how often it is looked for.
const GREETING: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(1));

/// Connections to one server.
const MAX_LANES: usize = 16;

/// What a visitor who does not read may keep in memory of an answer, in bytes.
const STREAM_WINDOW: u32 = 128 * 1024;

/// How long a connection without an exchange is kept.
const MAX_QUIET: Duration = Duration::from_secs(60);

/// How often a server with exchanges under way is asked whether it is there, and how long it may take to say so.
const PING: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// A request's body on its way.
pub(super) type Outgoing = Pin<Box<dyn Body<Data = Bytes, Error = h2::Error>>>;

type Http2 = http2::Connection<Socket, Outgoing, Here>;

/// One connection.
pub(in super::super) struct Lane {
    sender: SendRequest<Outgoing>,
    /// Driven by a task of its own, which takes it away with its end; here it is only asked what the server allows.
    connection: Rc<RefCell<Option<Http2>>>,
    here: Here,
    tls: bool,
    peer: Option<SocketAddr>,
    streams: Cell<usize>,
    /// Whether an exchange went over it before.
    used: Cell<bool>,
    quiet_since: Cell<Instant>,
}

/// An exchange over a lane. It counts until neither the answer nor what is sent of the request holds it any more: so long the
/// server has it open.
pub(super) struct Stream {
    lane: Rc<Lane>,
    /// What sends the request's body, once that could not be sent at once.
    upload: Cell<Option<AbortHandle>>,
    _counted: (Option<Busy>, Option<Share>),
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
        let here = Here::default();
        let mut builder = Builder::new(here.clone());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            // So much that visitors who do not read take nothing from those who do.
            .initial_connection_window_size(STREAM_WINDOW * MAX_STREAMS as u32)
            .initial_max_send_streams(UNSAID)
            .max_header_list_size(MAX_HEAD as u32)
            .keep_alive_interval(PING.0)
            .keep_alive_timeout(PING.1);
        let greeted = timeout_at(deadline, builder.handshake(Socket::new(wire, place))).await;
        let (sender, connection) = greeted
            .map_err(|_| UpstreamError::ConnectTimeout)?
            .map_err(|error| UpstreamError::Unanswered(super::kind(&error)))?;
        let connection = Rc::new(RefCell::new(Some(connection)));
        let driven = connection.clone();
        // How it ends each of its exchanges is told.
        tokio::task::spawn_local(poll_fn(move |cx| {
            let mut slot = driven.borrow_mut();
            let ended = slot.as_mut().is_none_or(|connection| Pin::new(connection).poll(cx).is_ready());
            if !ended {
                return Poll::Pending;
            }
            *slot = None;
            Poll::Ready(())
        }));
        let (streams, used, quiet_since) = (Cell::new(0), Cell::new(false), Cell::new(Instant::now()));
        let lane = Lane { sender, connection, here, tls, peer, streams, used, quiet_since };
        lane.is_greeted(deadline.min(Instant::now() + GREETING.0)).await;
        Ok(Rc::new(lane))
    }

    /// Waits until the server has said how many exchanges it allows, or until `at`.
    async fn is_greeted(&self, at: Instant) {
        // Nobody is told when it has.
        while self.most_said() == UNSAID && !self.sender.is_closed() && Instant::now() < at {
            sleep(GREETING.1).await;
        }
    }

    fn most_said(&self) -> usize {
        self.connection.borrow().as_ref().map_or(0, |connection| connection.current_max_send_streams())
    }

    /// Whether another exchange would go out at once. A server may change its mind (RFC 9113 §6.5.3), so it is asked each time.
    fn has_room(&self) -> bool {
        self.streams.get() < self.most_said().min(MAX_STREAMS)
    }

    /// Whether the server has said that it takes another exchange.
    fn takes_more(&self) -> bool {
        let most = self.most_said();
        most != UNSAID && self.streams.get() < most
    }

    /// Whether the server takes no other exchange; never so of one that has ended.
    pub(in super::super) fn is_full(&self) -> bool {
        !self.has_room() && !self.sender.is_closed()
    }

    /// What an exchange over it is of what there may be.
    pub(in super::super) fn over(&self) -> Over {
        match self.most_said().min(MAX_STREAMS) {
            // It has ended.
            0 => Lanes::LIKELY,
            streams => Over::Http2 { lanes: MAX_LANES, streams },
        }
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

    pub(super) fn stream(self: &Rc<Self>, counted: (Option<Busy>, Option<Share>)) -> Stream {
        self.used.set(true);
        self.streams.set(self.streams.get() + 1);
        Stream { lane: self.clone(), upload: Cell::new(None), _counted: counted }
    }
}

impl Stream {
    /// The request's body is asked for the first time: what hyper sets going next is what sends the rest of it, if there is a
    /// rest.
    pub(super) fn begins(self: &Rc<Self>) {
        self.lane.here.begun.set(Some(Rc::downgrade(self)));
    }

    /// The answer has ended, or nobody wants it any more: nothing more is sent of the request, and the server is told (RFC 9113
    /// §8.1), though it may take no more bytes of it.
    pub(super) fn ends(&self) {
        if let Some(upload) = self.upload.take() {
            upload.abort();
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.lane.streams.set(self.lane.streams.get() - 1);
        self.lane.quiet_since.set(Instant::now());
    }
}

impl Lanes {
    /// What an exchange is before any connection is there to tell.
    pub(in super::super) const LIKELY: Over = Over::Http2 { lanes: MAX_LANES, streams: MAX_STREAMS };

    /// One with room: that with the fewest exchanges. Where there are as many as there may be, one whose server takes more than
    /// we would give it.
    pub(in super::super) fn find(&self) -> Option<Rc<Lane>> {
        let mut open = self.open.borrow_mut();
        open.retain(|lane| !lane.sender.is_closed());
        let fewest = |has_room: fn(&Lane) -> bool| {
            open.iter().filter(|lane| has_room(lane)).min_by_key(|lane| lane.streams.get()).cloned()
        };
        let is_last = open.len() >= MAX_LANES;
        fewest(Lane::has_room).or_else(|| is_last.then(|| fewest(Lane::takes_more)).flatten())
    }

    /// Whether there are as many as there may be.
    pub(in super::super) fn are_all(&self) -> bool {
        self.open.borrow().len() >= MAX_LANES
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
#[derive(Clone, Default)]
struct Here {
    /// The exchange whose request's body was asked for just now. Its first piece is asked for by hyper itself; where not all
    /// could be sent, what sends the rest is the next task. Else that is one that is over before the answer is here.
    begun: Rc<Cell<Option<Weak<Stream>>>>,
}

impl<F: Future + 'static> hyper::rt::Executor<F> for Here {
    fn execute(&self, task: F) {
        let begun = self.begun.take();
        let task = tokio::task::spawn_local(async move { drop(task.await) });
        if let Some(stream) = begun.and_then(|stream| stream.upgrade()) {
            stream.upload.set(Some(task.abort_handle()));
        }
    }
}
