//! Whose turn it is on a connection of HTTP/1.1: the visitor's, until its request is whole; then ours, until the answer has ended.
//! It decides what the end of a connection means, whichever side closes its half first.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// Nobody's: between two requests.
const NONE: u8 = 0;
/// The visitor's: the head of a request has come, and not its end.
const THEIRS: u8 = 1;
/// Still the visitor's, though its answer has ended.
const LATE: u8 = 2;
/// Ours: a whole request has come, and its answer has not ended.
const OURS: u8 = 3;
/// Nobody's any more: the connection is a tunnel.
const TUNNEL: u8 = 4;

/// Of one connection. What a connection may be upgraded with has to be `Send`, though one thread has it.
#[derive(Clone, Default)]
pub struct Turn(Arc<State>);

#[derive(Default)]
struct State {
    whose: AtomicU8,
    asked: AtomicU32,
    begun: AtomicBool,
    wanted: AtomicBool,
    trailed: AtomicBool,
}

impl Turn {
    /// Whether the request is whole and its answer has not ended.
    pub fn is_ours(&self) -> bool {
        self.0.whose.load(Relaxed) == OURS
    }

    /// Whether a request has begun and is not whole, answered or not.
    pub fn is_theirs(&self) -> bool {
        matches!(self.0.whose.load(Relaxed), THEIRS | LATE)
    }

    /// Whether a request has begun and is not whole, or its answer has not ended.
    pub fn is_under_way(&self) -> bool {
        matches!(self.0.whose.load(Relaxed), THEIRS | LATE | OURS)
    }

    /// Whether somebody waits for more of a request than has come. One that has come to its end and is not taken yet is not
    /// known to be whole, and yet nobody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.0.wanted.load(Relaxed)
    }

    /// Whether a body had trailers. Where they end is not certain: hyper takes a bare LF for none of a line's, so that it may have read
    /// the head of the next request with them (RFC 9112 §7.1.2). Nothing more is read of such a connection.
    pub fn is_trailed(&self) -> bool {
        self.0.trailed.load(Relaxed)
    }

    fn has_trailers(&self) {
        self.0.trailed.store(true, Relaxed);
    }

    /// Somebody waits for more of it, or no longer does.
    pub(super) fn wants(&self, more: bool) {
        self.0.wanted.store(more, Relaxed);
    }

    /// Whether the connection is a tunnel, whose halves end each for itself.
    pub fn is_tunnel(&self) -> bool {
        self.0.whose.load(Relaxed) == TUNNEL
    }

    /// The connection is a tunnel from now on.
    pub(super) fn becomes_tunnel(&self) {
        self.0.whose.store(TUNNEL, Relaxed);
    }

    /// How many requests there were; it may begin anew.
    pub fn count(&self) -> u32 {
        self.0.asked.load(Relaxed)
    }

    /// Bytes have come. Unless they are a body's, they begin the next head: of a body that nobody waits for, since its answer
    /// has ended, hyper reads what is there at once, or closes the connection.
    pub fn read(&self) {
        if self.0.whose.load(Relaxed) != THEIRS {
            self.0.begun.store(true, Relaxed);
        }
    }

    /// Whether some of the next head has come. What came in one piece with the end of the request before is not known of.
    pub fn has_begun(&self) -> bool {
        self.0.begun.load(Relaxed)
    }

    /// A request has begun, whole or not.
    fn asked(&self, whole: bool) {
        self.0.asked.fetch_add(1, Relaxed);
        self.0.begun.store(false, Relaxed);
        self.wants(false);
        self.0.whose.store(if whole { OURS } else { THEIRS }, Relaxed);
    }

    /// It is whole.
    pub(super) fn heard(&self) {
        match self.0.whose.load(Relaxed) {
            THEIRS => self.0.whose.store(OURS, Relaxed),
            LATE => self.0.whose.store(NONE, Relaxed),
            _ => {}
        }
    }

    /// Its answer has ended.
    fn answered(&self) {
        match self.0.whose.load(Relaxed) {
            OURS => self.0.whose.store(NONE, Relaxed),
            THEIRS => self.0.whose.store(LATE, Relaxed),
            _ => {}
        }
    }

    #[cfg(test)]
    pub(super) fn begin(&self, whole: bool) -> Ours {
        self.asked(whole);
        self.until_dropped()
    }

    /// An answer that ends when what this gives is dropped.
    pub(super) fn until_dropped(&self) -> Ours {
        Ours(self.clone())
    }
}

/// An answer, which ends when this is dropped.
pub(super) struct Ours(Turn);

impl Drop for Ours {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// The body of a visitor's request.
pub struct RequestBody {
    body: Incoming,
    turn: Turn,
    /// Whether its end is a stream's, rather than told by a length or a last chunk.
    is_stream: bool,
}

/// Why a visitor's body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum BrokenOff {
    /// The connection ended, or what came was no body.
    #[error(transparent)]
    Connection(#[from] hyper::Error),
    /// The stream was reset.
    #[error("the stream was reset")]
    Stream,
}

impl RequestBody {
    /// That of a new request, which is whole with the body's end.
    pub(super) fn new(body: Incoming, turn: &Turn, is_stream: bool) -> RequestBody {
        turn.asked(body.is_end_stream());
        RequestBody { body, turn: turn.clone(), is_stream }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.turn.wants(frame.is_pending());
        let frame = ready!(frame);
        if frame.is_none() || self.body.is_end_stream() {
            self.turn.heard();
        }
        // To hyper a reset for no error is an end. A proxy in front may reset so for whoever broke off, and half an upload is not
        // a whole one.
        if frame.is_none() && self.is_stream && !self.body.is_end_stream() {
            return Poll::Ready(Some(Err(BrokenOff::Stream)));
        }
        if !self.is_stream && matches!(&frame, Some(Ok(frame)) if frame.is_trailers()) {
            self.turn.has_trailers();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::Connection)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_begins_a_head_unless_it_is_a_body() {
        let turn = Turn::default();
        assert!(!turn.has_begun());
        turn.read();
        assert!(turn.has_begun());
        let answer = turn.begin(false);
        turn.read();
        assert!(!turn.has_begun(), "it is the body");
        turn.heard();
        turn.read();
        assert!(turn.has_begun(), "it is the next one, however early");
        drop(answer);
        assert!(turn.has_begun());
        drop(turn.begin(false));
        assert!(!turn.has_begun());
        turn.read();
        assert!(turn.has_begun(), "nobody waits for the body");
    }

    #[test]
    fn it_is_nobodys_once_request_and_answer_have_ended_in_either_order() {
        let turn = Turn::default();
        assert!(!turn.is_ours() && !turn.is_theirs());
        let answer = turn.begin(true);
        assert!(turn.is_ours() && !turn.is_theirs());
        drop(answer);
        assert!(!turn.is_ours() && !turn.is_theirs());

        let answer = turn.begin(false);
        assert!(!turn.is_ours() && turn.is_theirs());
        turn.heard();
        assert!(turn.is_ours() && !turn.is_theirs());
        drop(answer);
        assert!(!turn.is_ours() && !turn.is_theirs());

        let early = turn.begin(false);
        drop(early);
        assert!(!turn.is_ours() && turn.is_theirs(), "it still sends");
        turn.heard();
        assert!(!turn.is_ours() && !turn.is_theirs());
    }
}
