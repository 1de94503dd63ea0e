//! A visitor who has closed its half of the connection after a whole request: it has nothing more to ask (`nc -N`, health checks,
//! programs of few lines) or it has gone away. Both look the same until something is sent (RFC 9293 §3.6). So it gets its answer
//! as long as that gets on; where nothing could be sent for [`PATIENCE`] it has gone, and what was asked of the site is broken off.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::front::turn::Turn;

/// How long the site may take for a visitor who may have gone away.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection whose end is not told while it is our turn, for so long.
pub(super) struct HalfClosed<T> {
    line: T,
    turn: Turn,
    patience: Duration,
    /// Since the visitor's half was closed in our turn: when it is told after all.
    told: Option<Pin<Box<Sleep>>>,
}

impl<T> HalfClosed<T> {
    pub(super) fn new(line: T, turn: Turn, patience: Duration) -> HalfClosed<T> {
        HalfClosed { line, turn, patience, told: None }
    }

    /// Who takes what is sent has not gone.
    fn sent(&mut self, bytes: &Poll<Result<usize>>) {
        if let (Some(told), Poll::Ready(Ok(1..))) = (&mut self.told, bytes) {
            told.as_mut().reset(Instant::now() + self.patience);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HalfClosed<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let (before, has_room) = (buffer.filled().len(), buffer.remaining() > 0);
        ready!(Pin::new(&mut self.line).poll_read(cx, buffer))?;
        let is_end = has_room && buffer.filled().len() == before;
        if !is_end || !self.turn.is_ours() {
            return Poll::Ready(Ok(()));
        }
        let patience = self.patience;
        self.told.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx).map(Ok)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HalfClosed<T> {
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
        Pin::new(&mut self.line).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    fn closed_after(bytes: &[u8]) -> (HalfClosed<DuplexStream>, Turn, DuplexStream) {
        let (mut visitor, line) = duplex(64);
        let turn = Turn::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut visitor).poll_write(&mut cx, bytes).is_ready());
        assert!(Pin::new(&mut visitor).poll_shutdown(&mut cx).is_ready());
        (HalfClosed::new(line, turn.clone(), SHORT), turn, visitor)
    }

    #[tokio::test]
    async fn the_end_is_told_in_the_visitors_turn_and_in_ours_once_the_answer_has_ended() {
        let (mut line, turn, _visitor) = closed_after(b"ask");
        let mut heard = [0; 8];
        assert_eq!(line.read(&mut heard).await.unwrap(), 3);
        let ours = turn.begin();
        assert!(timeout(SHORT / 6, line.read(&mut heard)).await.is_err());
        drop(ours);
        assert_eq!(line.read(&mut heard).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn whoever_takes_nothing_for_long_has_gone() {
        let (mut line, turn, mut visitor) = closed_after(b"");
        let _ours = turn.begin();
        let began = Instant::now();
        for _ in 0..4 {
            assert!(timeout(SHORT / 3, line.read(&mut [0; 8])).await.is_err());
            line.write_all(b"more").await.unwrap();
            visitor.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert_eq!(line.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() >= SHORT * 2, "{:?}", began.elapsed());
    }
}
