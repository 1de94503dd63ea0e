//! A connection after `101 Switching Protocols`: bytes both ways, no longer HTTP and never pooled.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::places::Place;
use super::share::Share;
use super::wire::Wire;

/// The site's end of a WebSocket. The front joins it with the visitor's end (`hyper::upgrade::on`), for example by
/// `tokio::io::copy_bidirectional`; how long it may be silent is the front's to decide.
pub struct Tunnel {
    /// What the site sent right after its head.
    early: Bytes,
    wire: Wire,
    _place: Place,
    _share: Option<Share>,
}

impl Tunnel {
    pub(super) fn new(early: Bytes, wire: Wire, place: Place, share: Option<Share>) -> Self {
        Tunnel { early, wire, _place: place, _share: share }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.wire).poll_read(cx, buf);
        }
        let length = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early[..length]);
        self.early.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
