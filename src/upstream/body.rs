//! The body of an answer: read from the connection in the request's own task, handed on as slices of the read buffer.
//!
//! With its last byte the connection goes back to the pool, before the visitor has it. A body that is dropped before its end
//! takes the connection with it, and so does one that breaks off: then it ends in an error, never in a clean end.

use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::UpstreamError;
use super::buffers::Lent;
use super::chunked::Chunked;
use super::head::Framing;
use super::http2::Http2Body;
use super::pool::{self, Connection, Pool};
use super::request::Unsent;
use super::tunnel::Tunnel;

/// An answer's body.
pub struct UpstreamBody {
    state: State,
}

enum State {
    Done,
    /// All that is left, and its connection is in the pool again.
    Last(Bytes),
    Streaming(Streaming),
    Switched(Box<Tunnel>),
    Http2(Box<Http2Body>),
}

/// How much is left.
enum Left {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
}

struct Streaming {
    left: Left,
    connection: Box<Connection>,
    buffer: Option<Lent>,
    /// What of the request the site does not have yet.
    unsent: Option<Box<dyn Unsent>>,
    pool: Rc<Pool>,
    reusable: bool,
    /// How long the site may pause; `None` for ever.
    idle: Option<Duration>,
    /// Whether the time of a pause is running.
    paused: bool,
}

impl UpstreamBody {
    pub(super) fn empty() -> Self {
        UpstreamBody { state: State::Done }
    }

    pub(super) fn http2(body: Http2Body) -> Self {
        UpstreamBody { state: State::Http2(Box::new(body)) }
    }

    pub(super) fn switched(tunnel: Tunnel) -> Self {
        UpstreamBody { state: State::Switched(Box::new(tunnel)) }
    }

    pub(super) fn streaming(
        framing: Framing,
        connection: Box<Connection>,
        buffer: Option<Lent>,
        unsent: Option<Box<dyn Unsent>>,
        pool: &Rc<Pool>,
        reusable: bool,
        idle: Option<Duration>,
    ) -> Self {
        let left = match framing {
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunked(Chunked::new()),
            Framing::UntilClose => Left::UntilClose,
            Framing::Empty | Framing::Switched => return UpstreamBody::empty(),
        };
        let mut buffer = buffer;
        // A body that came whole with its head leaves the connection free at once.
        if let (Left::Length(length), Some(read)) = (&left, &mut buffer)
            && read.len() as u64 >= *length
        {
            let piece = read.split_to(*length as usize).freeze();
            pool::finish(pool, connection, reusable, read.len());
            return UpstreamBody { state: State::Last(piece) };
        }
        // Nothing is held for a body of which nothing has come.
        let buffer = buffer.filter(|buffer| !buffer.is_empty());
        let pool = pool.clone();
        let streaming = Streaming { left, connection, buffer, unsent, pool, reusable, idle, paused: false };
        UpstreamBody { state: State::Streaming(streaming) }
    }

    /// The connection as a tunnel, where the answer's status is `101 Switching Protocols`.
    pub fn into_tunnel(self) -> Option<Tunnel> {
        match self.state {
            State::Switched(tunnel) => Some(*tunnel),
            State::Done | State::Last(_) | State::Streaming(_) | State::Http2(_) => None,
        }
    }
}

impl Streaming {
    /// The next piece; `None` is the end.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UpstreamError>> {
        if self.connection.deadline.is_past_end() {
            return Poll::Ready(Err(UpstreamError::TotalTimeout));
        }
        if let Some(unsent) = &mut self.unsent
            && unsent.poll_send(cx, &mut self.connection.wire).is_ready()
        {
            // Sent, or no longer wanted; the connection is not used again either way.
            self.unsent = None;
        }
        loop {
            if let Some(piece) = self.take()? {
                self.paused = false;
                return Poll::Ready(Ok(Some(piece)));
            }
            if self.is_over() {
                return Poll::Ready(Ok(None));
            }
            match self.connection.wire.poll_fill(cx, &mut self.buffer) {
                Poll::Ready(Ok(0)) if matches!(self.left, Left::UntilClose) => return Poll::Ready(Ok(None)),
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(UpstreamError::Truncated(ErrorKind::UnexpectedEof)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(UpstreamError::Truncated(error.kind()))),
                Poll::Pending => {
                    self.buffer = None;
                    ready!(self.connection.deadline.poll_pause(cx, self.idle, &mut self.paused));
                    return Poll::Ready(Err(self.connection.deadline.pause_error()));
                }
            }
        }
    }

    /// The next piece that is in the buffer, which is given back once it is empty.
    fn take(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        let Some(buffer) = &mut self.buffer else { return Ok(None) };
        let piece = match &mut self.left {
            _ if buffer.is_empty() => None,
            Left::Length(left) => {
                let length = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= length as u64;
                Some(buffer.split_to(length).freeze())
            }
            Left::Chunked(chunked) => chunked.take(buffer).map_err(UpstreamError::BadChunk)?,
            Left::UntilClose => Some(buffer.split().freeze()),
        };
        if buffer.is_empty() {
            self.buffer = None;
        }
        Ok(piece)
    }

    fn is_over(&self) -> bool {
        match &self.left {
            Left::Length(left) => *left == 0,
            Left::Chunked(chunked) => chunked.is_done(),
            Left::UntilClose => false,
        }
    }

    fn finish(self) {
        let over = self.is_over();
        pool::finish(&self.pool, self.connection, self.reusable && over, self.buffer.map_or(0, |buffer| buffer.len()));
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let state = &mut self.get_mut().state;
        let State::Streaming(streaming) = state else {
            if let State::Http2(body) = state {
                let frame = ready!(body.poll_frame(cx));
                // With its last byte the server has its stream back, before the visitor has it.
                if !matches!(frame, Some(Ok(_))) || body.is_end_stream() {
                    *state = State::Done;
                }
                return Poll::Ready(frame);
            }
            return Poll::Ready(match std::mem::replace(state, State::Done) {
                State::Last(piece) => Some(Ok(Frame::data(piece))),
                other => {
                    *state = other;
                    None
                }
            });
        };
        let piece = ready!(streaming.poll_piece(cx));
        let ends = !matches!(piece, Ok(Some(_))) || streaming.is_over();
        if ends && let State::Streaming(streaming) = std::mem::replace(state, State::Done) {
            match piece {
                Ok(_) => streaming.finish(),
                // What broke off is closed.
                Err(_) => drop(streaming),
            }
        }
        Poll::Ready(piece.transpose().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Done | State::Switched(_) => true,
            State::Http2(body) => body.is_end_stream(),
            State::Last(_) | State::Streaming(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Done | State::Switched(_) => SizeHint::with_exact(0),
            State::Last(piece) => SizeHint::with_exact(piece.len() as u64),
            State::Streaming(Streaming { left: Left::Length(left), .. }) => SizeHint::with_exact(*left),
            State::Http2(body) => body.size_hint(),
            State::Streaming(_) => SizeHint::default(),
        }
    }
}
