//! How a connection of HTTP/1.1 ends, from either side.
//!
//! A visitor who has closed its half after a whole request has nothing more to ask (`nc -N`, health checks, programs of few lines) or
//! has gone away. Both look the same until something is sent (RFC 9293 §3.6). So it gets its answer as long as that gets on;
//! where nothing could be sent for ten seconds it has gone, and what was asked of the site is broken off. That a request is whole
//! is known only when its last bytes are taken, so an end within one is told a little later, too.
//!
//! A visitor who is answered before its request is whole (too long, too slow, refused, no request at all) may still send. If the connection were closed
//! on that, the system would tell it of a reset and throw the answer away (RFC 9112 §9.6). So our half is closed, and what comes
//! is read and thrown away: until the visitor has closed too, pauses, or has had its time.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::front::turn::Turn;

/// The time limits of an end.
#[derive(Clone, Copy)]
struct Limits {
    /// How long nothing may be sent to a visitor who has closed its half.
    half_closed: Duration,
    /// How long the last bytes of a request may take to be taken.
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
    end: End,
    /// How many requests there were when something was read last.
    read_after: Option<u32>,
}

enum End {
    Open,
    /// The visitor's half is closed, which is told after this; whether that was in our turn.
    Theirs(Pin<Box<Sleep>>, bool),
    /// Our half is closed; what comes is thrown away, at the latest until then.
    Ours(Pin<Box<Sleep>>, Instant),
}

impl<T> Closing<T> {
    pub(super) fn new(line: T, turn: Turn) -> Closing<T> {
        Closing { line, turn, limits: LIMITS, end: End::Open, read_after: None }
    }

    /// Who takes what is sent has not gone.
    fn sent(&mut self, bytes: &Poll<Result<usize>>) {
        if let (End::Theirs(told, _), Poll::Ready(Ok(1..))) = (&mut self.end, bytes) {
            told.as_mut().reset(Instant::now() + self.limits.half_closed);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Closing<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.line).poll_read(cx, buffer))?;
        let is_end = has_room && buffer.filled().len() == before;
        if !is_end {
            self.read_after = Some(self.turn.count());
        }
        let ours = self.turn.is_ours();
        if !is_end || !ours && !self.turn.is_theirs() {
            return Poll::Ready(Ok(()));
        }
        let patience = if ours { self.limits.half_closed } else { self.limits.taken };
        match &mut self.end {
            End::Theirs(_, in_ours) if *in_ours == ours => {}
            End::Open | End::Theirs(..) => self.end = End::Theirs(Box::pin(sleep(patience)), ours),
            End::Ours(..) => {}
        }
        match &mut self.end {
            End::Theirs(told, _) => told.as_mut().poll(cx).map(Ok),
            End::Open | End::Ours(..) => Poll::Ready(Ok(())),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Closing<T> {
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
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Closing { line, turn, limits, end, read_after } = &mut *self;
        if !matches!(end, End::Ours(..)) {
            ready!(Pin::new(&mut *line).poll_shutdown(cx))?;
            // What still comes through a tunnel is the site's.
            if turn.is_tunnel() {
                return Poll::Ready(Ok(()));
            }
            // What was read last became no request, or one that is not whole.
            if *read_after != Some(turn.count()) && !turn.is_theirs() {
                return Poll::Ready(Ok(()));
            }
            *end = End::Ours(Box::pin(sleep(limits.pause)), Instant::now() + limits.all);
        }
        let End::Ours(pause, last) = end else { return Poll::Ready(Ok(())) };
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
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    fn closing(line: DuplexStream, turn: &Turn) -> Closing<DuplexStream> {
        Closing {
            limits: Limits { half_closed: SHORT, taken: SHORT / 4, pause: SHORT, all: SHORT * 3 },
            ..Closing::new(line, turn.clone())
        }
    }

    fn closed_after(bytes: &[u8]) -> (Closing<DuplexStream>, Turn, DuplexStream) {
        let (mut visitor, line) = duplex(64);
        let turn = Turn::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut visitor).poll_write(&mut cx, bytes).is_ready());
        assert!(Pin::new(&mut visitor).poll_shutdown(&mut cx).is_ready());
        (closing(line, &turn), turn, visitor)
    }

    #[tokio::test]
    async fn the_end_is_told_in_the_visitors_turn_and_in_ours_once_the_answer_has_ended() {
        let (mut line, turn, _visitor) = closed_after(b"ask");
        let mut heard = [0; 8];
        assert_eq!(line.read(&mut heard).await.unwrap(), 3);
        let ours = turn.begin(true);
        assert!(timeout(SHORT / 6, line.read(&mut heard)).await.is_err());
        drop(ours);
        assert_eq!(line.read(&mut heard).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_end_within_a_request_is_told_soon_unless_it_was_the_requests_own() {
        let (mut line, turn, _visitor) = closed_after(b"");
        let _answer = turn.begin(false);
        let began = Instant::now();
        assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT / 4, "{:?}", began.elapsed());

        let (mut line, turn, _visitor) = closed_after(b"");
        let _answer = turn.begin(false);
        let began = Instant::now();
        assert!(timeout(SHORT / 8, line.read(&mut [0; 8])).await.is_err());
        turn.heard();
        assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn whoever_takes_nothing_for_long_has_gone() {
        let (mut line, turn, mut visitor) = closed_after(b"");
        let _ours = turn.begin(true);
        let began = Instant::now();
        for _ in 0..4 {
            assert!(timeout(SHORT / 3, line.read(&mut [0; 8])).await.is_err());
            line.write_all(b"more").await.unwrap();
            visitor.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT * 2, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_connection_between_two_requests_is_closed_at_once() {
        let (_visitor, line) = duplex(64);
        let turn = Turn::default();
        drop(turn.begin(true));
        timeout(SHORT / 6, closing(line, &turn).shutdown()).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_still_comes_after_our_answer_is_thrown_away_until_the_visitor_closes_pauses_or_has_had_its_time() {
        // It closes.
        let (mut visitor, line) = duplex(64);
        let turn = Turn::default();
        drop(turn.begin(false));
        let mut line = closing(line, &turn);
        let talk = async {
            visitor.write_all(&[b'x'; 1 << 16]).await.unwrap();
            assert_eq!(visitor.read(&mut [0; 8]).await.unwrap(), 0, "our half is closed");
            drop(visitor);
        };
        let (closed, ()) = tokio::join!(timeout(SHORT * 2, line.shutdown()), talk);
        closed.unwrap().unwrap();

        // It pauses.
        let (_visitor, line) = duplex(64);
        let began = Instant::now();
        closing(line, &turn).shutdown().await.unwrap();
        assert!((SHORT..SHORT * 3).contains(&began.elapsed()), "{:?}", began.elapsed());

        // It goes on and on.
        let (mut visitor, line) = duplex(64);
        let mut line = closing(line, &turn);
        let began = Instant::now();
        let talk = async {
            while visitor.write_all(b"drop").await.is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        };
        tokio::select! {
            closed = line.shutdown() => closed.unwrap(),
            () = talk => unreachable!("it has no end"),
        }
        assert!((SHORT * 2..SHORT * 20).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
