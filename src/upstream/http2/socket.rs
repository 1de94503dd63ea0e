//! A connection of HTTP/2 as hyper has it: its place among all connections is held until the socket is closed, whoever of hyper's
//! tasks is the last to have it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;

use super::super::places::Place;
use super::super::wire::Wire;

/// The bytes, and the place they take. The bytes end first.
pub(super) struct Socket {
    wire: TokioIo<Wire>,
    _place: Place,
}

impl Socket {
    pub(super) fn new(wire: Wire, place: Place) -> Socket {
        Socket { wire: TokioIo::new(wire), _place: place }
    }

    fn wire(self: Pin<&mut Self>) -> Pin<&mut TokioIo<Wire>> {
        Pin::new(&mut self.get_mut().wire)
    }
}

impl Read for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_read(cx, buffer)
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wire().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_shutdown(cx)
    }
}
