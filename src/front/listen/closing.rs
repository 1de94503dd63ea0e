//! How a connection of HTTP/1.1 ends, from either side.
//!
//! A visitor who has closed its half after a whole request has nothing more to ask (`nc -N`, health checks, programs of few lines) or
//! has gone away. Both look the same until something is sent (RFC 9293 §3.6). So it gets its answer as long as that gets on;
//! where nothing moves either way for ten seconds it has gone, and what was asked of the site is broken off. That a request is whole
//! is known only when its last bytes are taken, so an end within one is told a little later, too, and not before somebody waits
//! for more of it.
//!
//! hyper reads on beside an answer only where nothing lies behind the request and all of it was taken. Where it does not, the
//! socket is looked at every two seconds instead: whoever has reset the connection has gone, and whoever has closed its half may
//! have.
//!
//! A visitor who is answered before its request is whole (too long, too slow, refused, no request at all) may still send. If the connection were closed
//! on that, the system would tell it of a reset and throw the answer away (RFC 9112 §9.6). So our half is closed, and what comes
//! is read and thrown away: until the visitor has closed too, pauses, or has had its time.

mod watch;

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::glance::{End, Glance};
use crate::front::turn::Turn;
use watch::Watch;

/// The time limits of an end.
#[derive(Clone, Copy)]
struct Limits {
    /// How long nothing may move to or from a visitor who has closed its half.
    half_closed: Duration,
    /// How long an end may be waited for within a request; so often is looked, too.
    taken: Duration,
    /// How long a visitor may pause who still sends what nobody reads any more.
    pause: Duration,
    /// How long it may send.
    all: Duration,
}

const LIMITS: Limits = Limits {
    half_closed: Duration::from_secs(10),
    taken: Duration::from_secs(2),
    pause: Duration::from_secs(2),
    all: Duration::from_secs(10),
};

/// A connection that ends as is said above; `turn` is the one of its requests.
pub(super) struct Closing<T> {
    line: T,
    turn: Turn,
    limits: Limits,
    /// How many requests there were when something was read last.
    read_after: Option<u32>,
    /// Whether the last one who wanted to read waits for something to come.
    listens: bool,
    /// Whether anything has moved, either way, since the watch looked last.
    moved: bool,
    watch: Option<Watch>,
    ours: Option<OursClosed>,
}

/// Our half is closed; what comes is thrown away.
struct OursClosed {
    pause: Pin<Box<Sleep>>,
    /// At the latest until then.
    last: Instant,
}

impl<T> Closing<T> {
    pub(super) fn new(line: T, turn: Turn) -> Closing<T> {
        Closing { line, turn, limits: LIMITS, read_after: None, listens: false, moved: false, watch: None, ours: None }
    }

    /// Who takes what is sent has not gone.
    fn sent(&mut self, bytes: &Poll<Result<usize>>) {
        self.moved |= matches!(bytes, Poll::Ready(Ok(1..)));
    }

    /// Watches a visitor who is `here` or may have gone; whether it was looked at just now, and what is known of it.
    fn watch(&mut self, cx: &mut Context<'_>, here: bool) -> (bool, &Watch) {
        let Closing { watch, turn, limits, moved, .. } = self;
        let watch = watch.get_or_insert_with(|| {
            *moved = false;
            Watch::begin(turn, limits.taken)
        });
        let looked = watch.poll_look(cx, turn, here, moved);
        (looked, watch)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Closing<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        let read = Pin::new(&mut self.line).poll_read(cx, buffer);
        self.listens = read.is_pending();
        ready!(read)?;
        if !has_room || buffer.filled().len() > before {
            self.read_after = Some(self.turn.count());
            self.turn.read();
            self.moved = true;
            return Poll::Ready(Ok(()));
        }
        if !self.turn.is_under_way() || self.ours.is_some() {
            return Poll::Ready(Ok(()));
        }
        let half_closed = self.limits.half_closed;
        let (_, watch) = self.watch(cx, false);
        if watch.is_starved() || watch.still() >= half_closed {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + AsyncWrite + Glance + Unpin> AsyncWrite for Closing<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.line).poll_write(cx, bytes);
        self.sent(&sent);
        sent
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let sent = Pin::new(&mut self.line).poll_write_vectored(cx, slices);
        self.sent(&sent);
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.line.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(Pin::new(&mut self.line).poll_flush(cx))?;
        if !self.turn.is_under_way() || self.ours.is_some() {
            self.watch = None;
            return Poll::Ready(Ok(()));
        }
        let (has_something, end) = self.line.glance();
        // Who listens is told of an end by itself.
        if self.listens && !has_something {
            return Poll::Ready(Ok(()));
        }
        let half_closed = self.limits.half_closed;
        let (looked, watch) = self.watch(cx, end == End::None);
        if end == End::Gone || end == End::HalfClosed && watch.still() >= half_closed {
            return Poll::Ready(Err(Error::from(ErrorKind::ConnectionReset)));
        }
        if looked {
            // Who reads has to see what this has seen.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Closing { line, turn, limits, ours, read_after, .. } = &mut *self;
        if ours.is_none() {
            ready!(Pin::new(&mut *line).poll_shutdown(cx))?;
            // What still comes through a tunnel is the site's.
            if turn.is_tunnel() {
                return Poll::Ready(Ok(()));
            }
            // What was read last became no request, or one that is not whole.
            if *read_after != Some(turn.count()) && !turn.is_theirs() {
                return Poll::Ready(Ok(()));
            }
            let last = Instant::now() + limits.all;
            *ours = Some(OursClosed { pause: Box::pin(sleep(limits.pause)), last });
        }
        let Some(OursClosed { pause, last }) = ours else { return Poll::Ready(Ok(())) };
        let mut bytes = [const { std::mem::MaybeUninit::uninit() }; 8 << 10];
        loop {
            let mut thrown_away = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut *line).poll_read(cx, &mut thrown_away) {
                Poll::Pending => return pause.as_mut().poll(cx).map(Ok),
                Poll::Ready(Ok(())) if !thrown_away.filled().is_empty() => {
                    let now = Instant::now();
                    if now >= *last {
                        return Poll::Ready(Ok(()));
                    }
                    pause.as_mut().reset((now + limits.pause).min(*last));
                }
                // It has closed its half, or all of it.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
