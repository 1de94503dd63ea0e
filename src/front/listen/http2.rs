//! HTTP/2 to visitors. What hyper and h2 do not bound is bounded here: a stream whose visitor takes nothing is ended, and a
//! connection on which nothing is asked for is closed, like one of HTTP/1.1; what waits to be sent on all streams together
//! has a [budget](pace). Streams at once, the size of a head, resets and what waits on one stream are h2's to hold to what it is told.

mod body;
mod pace;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::{Instant, sleep_until, timeout};

use super::doorstep;
use super::greet::FIRST_REQUEST;
use super::keeping::Keeping;
use super::socket::Line;
use super::work::Room;
use crate::front::check;
use crate::front::current::Current;
use crate::front::ending::Stop;
use crate::front::upgrade::Caller;
use body::PacedBody;
use pace::{Budget, StreamPace};

/// How often a connection is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// What may wait to be sent on one stream, in bytes.
const WAITING: usize = 64 << 10;
/// What may wait to be taken of an upload, in bytes, on one stream and on all of a connection.
const UNREAD: u32 = 128 << 10;
const UNREAD_IN_ALL: u32 = 256 << 10;
/// Streams that a visitor may open and reset before we have looked at them (CVE-2023-44487).
const RESETS: usize = 20;
/// Streams a visitor may make us reset by mistakes (CVE-2025-8671).
const OUR_RESETS: usize = 64;
/// How long a connection without streams is kept once it was told that it ends, and nothing of what still waits goes out.
const FAREWELL: Duration = Duration::from_secs(3);

tokio::task_local! {
    /// The pace of the stream whose task this is.
    static PACE: Rc<StreamPace>;
}

/// Serves a connection to its end. `moved` is set whenever bytes go out.
pub(super) async fn serve(
    line: Line,
    moved: Arc<AtomicBool>,
    caller: Rc<Caller>,
    current: Rc<Current>,
    mut stop: Stop,
) {
    let room = current.get();
    let limits = room.gateway.limits();
    let (keeping, idle_timeout) = (room.keeping(), limits.idle_timeout);
    let streams = Streams(Rc::new(Open {
        room: room.clone(),
        patience: idle_timeout,
        count: Cell::new(0),
        any: Cell::new(false),
        since: Cell::new(Instant::now()),
        budget: Rc::default(),
    }));
    let service = service_fn(|request: Request<Incoming>| {
        let is_one = check::is_well_formed(request.uri(), request.headers());
        caller.hear();
        let answer = is_one.then(|| doorstep::answer(&current.get(), &caller, caller.read(request)));
        async move {
            let Some(answer) = answer else { return Err(h2::Error::from(h2::Reason::PROTOCOL_ERROR)) };
            let Ok(response) = answer.await;
            let pace = PACE.try_with(Rc::clone).unwrap_or_default();
            Ok(response.map(|body| PacedBody::new(body, pace)))
        }
    });
    let connection = http2::Builder::new(streams.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.visitor.max_streams)
        .max_header_list_size(u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(OUR_RESETS)
        .max_send_buf_size(WAITING)
        .initial_stream_window_size(UNREAD)
        .initial_connection_window_size(UNREAD_IN_ALL)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .serve_connection(TokioIo::new(line), service);
    let mut connection = pin!(connection);
    let (mut asked_to_end, mut ending) = (false, false);
    loop {
        let look = match ending {
            false => streams.0.kept_until(&keeping).unwrap_or_else(Instant::now),
            // What a visitor asked for may still wait in h2 when its stream has ended here.
            true if streams.0.any.get() && !asked_to_end => Instant::now() + idle_timeout,
            true => Instant::now() + FAREWELL,
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.asked(), if !asked_to_end => {
                (asked_to_end, ending) = (true, true);
                // Who has only just come has a request on its way, and would find the door closed behind it.
                tokio::select! {
                    _ = connection.as_mut() => return,
                    _ = timeout(FIRST_REQUEST, caller.heard()) => {}
                }
                moved.store(false, Ordering::Relaxed);
                connection.as_mut().graceful_shutdown();
            }
            // While streams are open each has its own patience.
            () = sleep_until(look.max(Instant::now() + Duration::from_millis(10))) => {
                if streams.0.count.get() > 0 {
                    streams.0.since.set(Instant::now());
                } else if !ending {
                    if streams.0.kept_until(&keeping).is_none() {
                        ending = true;
                        moved.store(false, Ordering::Relaxed);
                        connection.as_mut().graceful_shutdown();
                    }
                } else if !moved.swap(false, Ordering::Relaxed) || !streams.0.any.get() {
                    // Told that it ends, and nothing of what may still wait has gone out.
                    return;
                }
            }
        }
    }
}

/// The streams of one connection: each is a task of this thread.
#[derive(Clone)]
struct Streams(Rc<Open>);

struct Open {
    room: Rc<Room>,
    patience: Duration,
    count: Cell<usize>,
    /// Whether there ever was one.
    any: Cell<bool>,
    /// When the last one ended.
    since: Cell<Instant>,
    /// What waits to be sent on all of them.
    budget: Rc<Budget>,
}

impl Open {
    /// Until when a connection is kept on which no stream is open, as far as is known; nothing where it is not any more.
    fn kept_until(&self, keeping: &Keeping) -> Option<Instant> {
        let (since, now) = (self.since.get(), Instant::now());
        if self.any.get() {
            return keeping.look(since, now);
        }
        Some(since + keeping.head).filter(|until| *until > now)
    }
}

impl<F: Future + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.count.set(self.0.count.get() + 1);
        self.0.any.set(true);
        let place = StreamPlace(self.0.clone());
        let pace = Rc::new(StreamPace::within(self.0.budget.clone()));
        // In a place of its own: whatever is moved into a future takes its room twice.
        let stream = Box::pin(PACE.scope(pace.clone(), stream));
        tokio::task::spawn_local(async move {
            let open = place.0.clone();
            let stalled = pace.stalled(open.patience, move || open.room.gateway.upstream.is_scarce());
            tokio::select! {
                biased;
                _ = stream => {}
                // What is dropped here tells the visitor so (RST_STREAM), and frees the way to the site.
                () = stalled => place.0.room.shared.metrics.doors.stalled_streams.count(),
            }
            drop(place);
        });
    }
}

/// A stream's place among those of its connection; given up however the stream ends.
struct StreamPlace(Rc<Open>);

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.since.set(Instant::now());
    }
}
