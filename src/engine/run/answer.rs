//! The answer as it is handed on: its head once, then its pieces, as fast as the client reads them.

use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::engine::blocks::Packing;
use crate::engine::exception::Exception;
use crate::engine::ffi::Summary;

/// How long a client may take to read a piece before its statement is ended: it holds a turn that others wait for.
const READ_PAUSE: Duration = Duration::from_secs(600);

/// The first thing known about the answer.
pub struct Head {
    /// The format of the bytes that follow.
    pub format: String,
    /// What it took; where the result is sent in pieces, as far as it is known.
    pub summary: Summary,
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head").field("format", &self.format).finish_non_exhaustive()
    }
}

/// A piece of the answer. Where the pieces end without [`Piece::Whole`] the answer is broken off: the statement failed
/// (then the last bytes are its exception), the client read nothing for too long, or this thread panicked.
#[derive(Debug)]
pub enum Piece {
    /// Bytes.
    Data(Bytes),
    /// Everything has been sent.
    Whole,
}

/// How much of a result was handed on.
pub(super) enum Sent {
    Whole,
    /// The client is gone, or as good as gone.
    Part,
}

pub(super) fn send(pieces: &mpsc::Sender<Piece>, piece: Piece) -> Result<(), Gone> {
    let sent = Handle::current().block_on(tokio::time::timeout(READ_PAUSE, pieces.send(piece)));
    if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Gone) }
}

/// ClickHouse's frame around an exception in the middle of a result.
pub(super) fn exception_at_the_end(exception: &Exception, tag: &str) -> Bytes {
    let message = format!("{}\n", exception.message.trim_end());
    let length = message.len();
    Bytes::from(format!("\r\n__exception__\r\n{tag}\r\n{message}{length} {tag}\r\n__exception__\r\n"))
}

/// The other end of the answer's channel is gone, or has taken nothing for too long.
pub(super) struct Gone;

pub(super) struct Answer<'a> {
    pub(super) head: Option<oneshot::Sender<Result<Head, Exception>>>,
    pub(super) pieces: &'a mpsc::Sender<Piece>,
    pub(super) packing: Packing,
}

impl Answer<'_> {
    pub(super) fn begin(&mut self, format: &str, summary: Summary) -> Result<(), Gone> {
        match self.head.take() {
            Some(head) => head.send(Ok(Head { format: format.to_owned(), summary })).map_err(|_| Gone),
            None => Ok(()),
        }
    }

    pub(super) fn piece(&mut self, piece: Bytes) -> Result<(), Gone> {
        if piece.is_empty() {
            return Ok(());
        }
        let piece = self.packing.pack(piece);
        send(self.pieces, Piece::Data(piece))
    }

    /// The bytes that end the answer, where there was one.
    pub(super) fn end(self) -> Result<(), Gone> {
        let rest = self.packing.finish();
        if rest.is_empty() { Ok(()) } else { send(self.pieces, Piece::Data(rest)) }
    }
}
