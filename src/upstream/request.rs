//! A request on its way to the site: the head first, then the body as the visitor sends it, no faster than the site
//! takes it. At most one piece of the body is in memory.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::buffers::Lent;
use super::forward::RequestFraming;
use super::wire::Wire;
use super::{Bounds, UpstreamError};
use crate::patience::Meter;

/// A request that is being sent. Once it has been sent, it is empty.
pub(super) struct Request<B> {
    head: Option<Lent>,
    /// Chunk framing to go out before `piece`.
    line: BytesMut,
    piece: Bytes,
    body: Option<B>,
    framing: RequestFraming,
    /// Bytes of the body that may still come: to the announced length, or to the limit.
    left: u64,
    /// Whether a chunk has been written whose closing CRLF has not.
    chunk_open: bool,
    /// Whether the next byte must come from the visitor.
    waits_for_visitor: bool,
    progressed: bool,
    /// Of the body, where there is one.
    meter: Option<Box<Meter>>,
    /// Whether the site may have seen any of it.
    written: bool,
}

/// A [`Request`] whose kind of body is no longer of interest: the site has begun to answer before it had everything.
pub(super) trait Unsent {
    fn poll_send(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Result<(), UpstreamError>>;
}

impl<B: Body<Data = Bytes> + Unpin> Request<B> {
    pub(super) fn new(head: Lent, framing: RequestFraming, body: Option<B>, bounds: &Bounds) -> Self {
        let left = if let RequestFraming::Length(length) = framing { length } else { bounds.max_request_body };
        let meter = body.is_some().then(|| Box::new(Meter::new(bounds.least_rate)));
        Request {
            head: Some(head),
            line: BytesMut::new(),
            piece: Bytes::new(),
            body,
            framing,
            left,
            chunk_open: false,
            waits_for_visitor: false,
            // So that the first wait sets its time limit.
            progressed: true,
            meter,
            written: false,
        }
    }

    /// The same, whose body may come as slowly as it likes: the site has begun to answer, and the two may be talking.
    pub(super) fn at_ease(mut self) -> Self {
        self.meter = None;
        self
    }

    /// The body, where [`is_touched`](Request::is_touched) says that it is whole.
    pub(super) fn into_body(self) -> Option<B> {
        self.body
    }

    /// Whether some of the body was taken already.
    pub(super) fn is_touched(&self) -> bool {
        !self.piece.is_empty() || !self.line.is_empty()
    }

    /// Whether the site may have seen any of it; if not, it can go to another.
    pub(super) fn is_written(&self) -> bool {
        self.written
    }

    /// Whether the next byte must come from the visitor, rather than be taken by the site.
    pub(super) fn waits_for_visitor(&self) -> bool {
        self.waits_for_visitor
    }

    /// Whether anything moved since this was last asked.
    pub(super) fn progressed(&mut self) -> bool {
        std::mem::take(&mut self.progressed)
    }

    /// Takes the next piece of the body, if there is one; `Ready` when something is to be written or the body has ended.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        while let Some(body) = &mut self.body {
            let frame = Pin::new(body).poll_frame(cx);
            if let (Poll::Pending, Some(meter)) = (&frame, &mut self.meter) {
                meter.waits();
            }
            match ready!(frame) {
                Some(Ok(frame)) => {
                    self.progressed = true;
                    let moved = frame.data_ref().map_or(0, Bytes::len);
                    if self.meter.as_mut().is_some_and(|meter| !meter.moves(moved)) {
                        return Poll::Ready(Err(UpstreamError::RequestBodyTooSlow));
                    }
                    // Trailers are dropped: a site that joins them with its headers could be lied to.
                    let Ok(piece) = frame.into_data() else { continue };
                    if piece.is_empty() {
                        continue;
                    }
                    self.accept(piece)?;
                    return Poll::Ready(Ok(()));
                }
                Some(Err(_)) => return Poll::Ready(Err(UpstreamError::RequestBody)),
                None => {
                    self.body = None;
                    match self.framing {
                        RequestFraming::Chunked => {
                            self.line.extend_from_slice(if self.chunk_open { b"\r\n0\r\n\r\n" } else { b"0\r\n\r\n" });
                        }
                        RequestFraming::Length(_) if self.left > 0 => {
                            return Poll::Ready(Err(UpstreamError::RequestBody));
                        }
                        RequestFraming::Length(_) | RequestFraming::None => {}
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn accept(&mut self, piece: Bytes) -> Result<(), UpstreamError> {
        let Some(left) = self.left.checked_sub(piece.len() as u64) else {
            // More than was announced would be read as the next request.
            return Err(match self.framing {
                RequestFraming::Chunked => UpstreamError::RequestTooLong,
                RequestFraming::Length(_) | RequestFraming::None => UpstreamError::RequestBody,
            });
        };
        self.left = left;
        if self.framing == RequestFraming::Chunked {
            let close = if self.chunk_open { "\r\n" } else { "" };
            self.line.extend_from_slice(format!("{close}{:x}\r\n", piece.len()).as_bytes());
            self.chunk_open = true;
        }
        self.piece = piece;
        Ok(())
    }

    /// Writes once what is at hand.
    fn poll_write(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Result<(), UpstreamError>> {
        let head = self.head.as_deref().map_or(&[][..], |head| &head[..]);
        let wire = Pin::new(wire);
        let written = if self.line.is_empty() && self.piece.is_empty() {
            wire.poll_write(cx, head)
        } else {
            let slices = [IoSlice::new(head), IoSlice::new(&self.line), IoSlice::new(&self.piece)];
            wire.poll_write_vectored(cx, &slices)
        };
        let mut written = match ready!(written) {
            Ok(0) => return Poll::Ready(Err(UpstreamError::Unanswered(std::io::ErrorKind::WriteZero))),
            Ok(written) => written,
            Err(error) => return Poll::Ready(Err(UpstreamError::Unanswered(error.kind()))),
        };
        (self.progressed, self.written) = (true, true);
        if let Some(head) = &mut self.head {
            let part = written.min(head.len());
            head.advance(part);
            written -= part;
            if head.is_empty() {
                self.head = None;
            }
        }
        let part = written.min(self.line.len());
        self.line.advance(part);
        self.piece.advance(written - part);
        Poll::Ready(Ok(()))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Unsent for Request<B> {
    /// Ready when the last byte has been handed to the kernel. An error of the site's side is `Unanswered`.
    fn poll_send(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<Result<(), UpstreamError>> {
        loop {
            let mut body_is_pending = false;
            if self.piece.is_empty() {
                body_is_pending = self.poll_piece(cx)?.is_pending();
            }
            if self.head.is_none() && self.line.is_empty() && self.piece.is_empty() {
                self.waits_for_visitor = body_is_pending;
                // Within TLS written bytes may still wait for their record to be sent.
                if let Err(error) = ready!(Pin::new(&mut *wire).poll_flush(cx)) {
                    return Poll::Ready(Err(UpstreamError::Unanswered(error.kind())));
                }
                return if body_is_pending { Poll::Pending } else { Poll::Ready(Ok(())) };
            }
            self.waits_for_visitor = false;
            ready!(self.poll_write(cx, wire))?;
        }
    }
}
