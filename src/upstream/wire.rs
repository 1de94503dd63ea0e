//! The bytes below HTTP: a TCP connection, plain or inside TLS, or a Unix socket.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::buffers::{self, Lent};

/// One connection to the site.
pub(super) enum Wire {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What an idle connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// Open and silent, as it must be.
    Quiet,
    /// Closed or broken by the site.
    Closed,
    /// The site sent bytes nobody asked for: the next request would take them for its answer.
    Poisoned,
}

impl Wire {
    /// Looks whether an idle connection may be used again, without waiting.
    ///
    /// What the runtime has seen so far costs no system call. It may lag behind the kernel by one turn of the event
    /// loop, which is enough for a request that may be sent twice; `thoroughly` asks the kernel.
    pub(super) fn look(&mut self, thoroughly: bool) -> Idle {
        if thoroughly {
            let socket = match self {
                Wire::Plain(tcp) => SockRef::from(&*tcp),
                Wire::Unix(unix) => SockRef::from(&*unix),
                Wire::Tls(tls) => SockRef::from(tls.get_ref().0),
            };
            match socket.peek(&mut [MaybeUninit::uninit()]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(1..) if !matches!(self, Wire::Tls(_)) => return Idle::Poisoned,
                // Within TLS a byte may be the end, or a session ticket; a new connection is the safe answer to both.
                Ok(_) | Err(_) => return Idle::Closed,
            }
        }
        match self {
            Wire::Plain(tcp) => read_says(tcp.try_read(&mut [0])),
            Wire::Unix(unix) => read_says(unix.try_read(&mut [0])),
            Wire::Tls(tls) => {
                let mut byte = [0];
                let mut byte = ReadBuf::new(&mut byte);
                match Pin::new(tls.as_mut()).poll_read(&mut Context::from_waker(Waker::noop()), &mut byte) {
                    Poll::Pending => Idle::Quiet,
                    Poll::Ready(Ok(())) if !byte.filled().is_empty() => Idle::Poisoned,
                    Poll::Ready(_) => Idle::Closed,
                }
            }
        }
    }

    /// Whether HTTP/2 is spoken over it, for a server that may be spoken to so: within TLS it was agreed on or not, without it
    /// was written down.
    pub(super) fn chose_http2(&self) -> bool {
        match self {
            Wire::Plain(_) | Wire::Unix(_) => true,
            Wire::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }

    /// Reads what is there into `buffer`, which is borrowed from the thread once there is something; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut Option<Lent>) -> Poll<io::Result<usize>> {
        match self {
            Wire::Plain(tcp) => ready!(tcp.poll_read_ready(cx))?,
            Wire::Unix(unix) => ready!(unix.poll_read_ready(cx))?,
            Wire::Tls(_) => {}
        }
        let buffer = buffer.get_or_insert_with(buffers::lend);
        buffer.make_room();
        pin!(self.read_buf(&mut **buffer)).poll(cx)
    }
}

/// What reading from an idle connection says about it.
fn read_says(read: io::Result<usize>) -> Idle {
    match read {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Idle::Quiet,
        Ok(1..) => Idle::Poisoned,
        Ok(0) | Err(_) => Idle::Closed,
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Unix(unix) => Pin::new(unix).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Wire::Unix(unix) => Pin::new(unix).poll_write_vectored(cx, bufs),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Wire::Plain(tcp) => tcp.is_write_vectored(),
            Wire::Unix(unix) => unix.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Unix(unix) => Pin::new(unix).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}
