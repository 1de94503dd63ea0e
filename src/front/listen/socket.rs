//! A visitor's connection, whatever it came through: TCP or a Unix socket, plain or within TLS. Bytes that had to be looked at
//! before it was known what they are (a PROXY header's end, the first of HTTP/2) are read again.

use std::io::{IoSlice, Result};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::server::TlsStream;

use super::glance::{End, Glance};
use crate::patience::Patient;

/// Takes connections in.
pub enum Listener {
    /// At an address.
    Tcp(TcpListener),
    /// At a path.
    Unix(UnixListener),
}

/// Bytes of an answer that wait in the kernel for a visitor to take what went before, at most; in flight there may be more.
const NOT_SENT: u32 = 128 << 10;

impl Listener {
    /// The next connection, and its peer's address; nothing for a Unix socket, whose peers have none.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Result<(Socket, Option<IpAddr>)>> {
        match self {
            Listener::Tcp(listener) => listener.poll_accept(cx).map_ok(|(stream, peer)| {
                let _ = stream.set_nodelay(true);
                // Who reads slowly fills no more of the kernel's memory than this, which all share.
                let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(NOT_SENT);
                (Socket::new(Raw::Tcp(stream)), Some(peer.ip().to_canonical()))
            }),
            Listener::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(stream, _)| (Socket::new(Raw::Unix(stream)), None))
            }
        }
    }
}

/// A connection as it was accepted.
pub struct Socket {
    /// Read before anything else.
    first: Bytes,
    raw: Raw,
}

enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn new(raw: Raw) -> Socket {
        Socket { first: Bytes::new(), raw }
    }

    /// Puts bytes back that were read; they are read again before anything else.
    pub fn put_back(&mut self, bytes: Bytes) {
        debug_assert!(self.first.is_empty(), "what was put back is read before more is");
        self.first = bytes;
    }
}

/// Calls the same method of whichever it is.
macro_rules! either {
    ($self:ident, $raw:ident => $call:expr) => {
        match &mut $self.get_mut().raw {
            Raw::Tcp(stream) => {
                let $raw = Pin::new(stream);
                $call
            }
            Raw::Unix(stream) => {
                let $raw = Pin::new(stream);
                $call
            }
        }
    };
}

impl Glance for Socket {
    fn glance(&self) -> (bool, End) {
        let (has_something, end) = match &self.raw {
            Raw::Tcp(stream) => stream.glance(),
            Raw::Unix(stream) => stream.glance(),
        };
        (has_something || !self.first.is_empty(), end)
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if !self.first.is_empty() {
            let count = self.first.len().min(buffer.remaining());
            buffer.put_slice(self.first.get(..count).unwrap_or_default());
            self.first.advance(count);
            return Poll::Ready(Ok(()));
        }
        either!(self, raw => raw.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        either!(self, raw => raw.poll_write(cx, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        either!(self, raw => raw.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, raw => raw.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        either!(self, raw => raw.poll_shutdown(cx))
    }
}

/// What HTTP is spoken over.
pub enum Line {
    /// As it was accepted.
    Plain(Patient<Socket>),
    /// Within TLS; its state is large.
    Tls(Box<TlsStream<Patient<Socket>>>),
}

macro_rules! line {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Line::Plain(stream) => {
                let $io = Pin::new(stream);
                $call
            }
            Line::Tls(stream) => {
                let $io = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl Glance for Line {
    fn glance(&self) -> (bool, End) {
        match self {
            Line::Plain(stream) => stream.glance(),
            Line::Tls(stream) => stream.get_ref().0.glance(),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        line!(self, io => io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        line!(self, io => io.poll_write(cx, bytes))
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        line!(self, io => io.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Line::Plain(stream) => stream.is_write_vectored(),
            Line::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        line!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        line!(self, io => io.poll_shutdown(cx))
    }
}
