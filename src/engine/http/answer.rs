//! An answer's body: a short text, or a result as it comes from the thread that waits for ClickHouse.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

use super::flushed::Flushed;
use crate::engine::ffi::Engine;
use crate::engine::run::{self, Piece};

/// Ends the statement in ClickHouse when the one who asked is gone.
pub(super) struct EndWhenDropped {
    pub(super) engine: Option<Engine>,
    pub(super) mark: String,
}

impl Drop for EndWhenDropped {
    fn drop(&mut self) {
        if let (Some(engine), Ok(runtime)) = (self.engine.take(), tokio::runtime::Handle::try_current()) {
            let mark = std::mem::take(&mut self.mark);
            runtime.spawn_blocking(move || run::end_statement(&engine, &mark));
        }
    }
}

/// Where an answer's body stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The last bytes have been written, and they were not the end of the result.
    Breaks,
    Ended,
}

/// An answer's body.
pub enum AnswerBody {
    /// A short text.
    Text(Option<Bytes>),
    /// A result as it comes.
    #[allow(private_interfaces, reason = "only the interface makes one")]
    Pieces {
        /// From the thread that waits for ClickHouse.
        pieces: mpsc::Receiver<Piece>,
        /// Where it stands.
        state: State,
        /// Ends the statement should this body be dropped before its end.
        waiting: EndWhenDropped,
        /// Tells when the connection has sent what it was given.
        flushed: Flushed,
    },
}

/// The answer ends before its result does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the statement failed while its result was being sent")]
pub struct Interrupted;

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        match self.get_mut() {
            AnswerBody::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            AnswerBody::Pieces { pieces, state, waiting, flushed } => {
                if *state == State::Open {
                    match ready!(pieces.poll_recv(context)) {
                        Some(Piece::Data(piece)) => return Poll::Ready(Some(Ok(Frame::data(piece)))),
                        Some(Piece::Whole) => *state = State::Ended,
                        None => *state = State::Breaks,
                    }
                    waiting.engine = None;
                }
                if *state == State::Breaks {
                    // What was written, an exception most likely, must reach the client before the connection breaks.
                    ready!(flushed.poll(context));
                    *state = State::Ended;
                    return Poll::Ready(Some(Err(Interrupted)));
                }
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Text(text) => text.is_none(),
            AnswerBody::Pieces { state, .. } => *state == State::Ended,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            AnswerBody::Text(text) => {
                http_body::SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            AnswerBody::Pieces { .. } => http_body::SizeHint::default(),
        }
    }
}
