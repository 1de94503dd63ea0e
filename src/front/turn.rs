//! Whose turn it is on a connection of HTTP/1.1: the visitor's, until its request is whole; then ours, until the answer has ended.
//! It decides what the visitor's closing of its half means: in its own turn it has broken off or gone away, in ours it may only
//! have nothing more to ask.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// Of one connection; the visitor's at first. What a connection may be upgraded with has to be `Send`, though one thread has it.
#[derive(Clone, Default)]
pub struct Turn(Arc<AtomicBool>);

impl Turn {
    /// Whether the request is whole and its answer has not ended.
    pub fn is_ours(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn set_ours(&self, ours: bool) {
        self.0.store(ours, Relaxed);
    }

    #[cfg(test)]
    pub(super) fn begin(&self) -> Ours {
        self.set_ours(true);
        self.until_dropped()
    }

    /// Ends our turn when it is dropped.
    pub(super) fn until_dropped(&self) -> Ours {
        Ours(self.clone())
    }
}

/// Our turn, until this is dropped.
pub(super) struct Ours(Turn);

impl Drop for Ours {
    fn drop(&mut self) {
        self.0.set_ours(false);
    }
}

/// The body of a visitor's request.
pub struct RequestBody {
    body: Incoming,
    turn: Turn,
}

impl RequestBody {
    /// That of a new request, which is whole with the body's end.
    pub(super) fn new(body: Incoming, turn: &Turn) -> RequestBody {
        turn.set_ours(body.is_end_stream());
        RequestBody { body, turn: turn.clone() }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.turn.set_ours(true);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
