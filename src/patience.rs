//! A connection that ends where its other side takes nothing for too long. hyper's deadlines guard what is read; without this one,
//! visitors who stop reading would hold places, and connections to the site, for as long as they like. Called by whoever takes
//! connections in.

mod meter;

use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

pub use meter::{LeastRate, Meter};

/// A stream whose writes fail once none has moved for `patience`, or once they move too slowly.
pub struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits; most never do.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Set whenever a write has moved.
    moved: Option<Arc<AtomicBool>>,
    meter: Meter,
}

impl<S> Patient<S> {
    /// Wraps a stream; `rate` is the least at which writes move while they wait.
    pub fn new(stream: S, patience: Duration, rate: LeastRate) -> Patient<S> {
        Patient { stream, patience, waiting: None, moved: None, meter: Meter::new(rate) }
    }

    /// The same; it sets `moved` whenever a write has moved.
    pub fn telling(self, moved: Arc<AtomicBool>) -> Patient<S> {
        Patient { moved: Some(moved), ..self }
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Starts, keeps or ends the wait, as a write went.
    fn watch(&mut self, cx: &mut Context<'_>, write: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if let Poll::Ready(written) = &write {
            self.waiting = None;
            if !self.meter.moves(written.as_ref().map_or(0, |written| *written)) {
                return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
            }
            if let Some(moved) = &self.moved {
                moved.store(true, Ordering::Relaxed);
            }
            return write;
        }
        self.meter.waits();
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Error::from(ErrorKind::TimedOut))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_visitor_who_takes_nothing_is_let_go() {
        let (_visitor, ours) = duplex(16);
        let mut ours = Patient::new(ours, Duration::from_millis(20), LeastRate::ANY);
        let ended = ours.write_all(&[0; 64]).await;
        assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_visitor_who_takes_something_is_waited_for_anew() {
        let (mut visitor, ours) = duplex(16);
        let mut ours = Patient::new(ours, Duration::from_secs(600), LeastRate::ANY);
        ours.write_all(&[0; 16]).await.unwrap();
        let full = poll_fn(|cx| Poll::Ready(Pin::new(&mut ours).poll_write(cx, &[0; 16]).is_pending())).await;
        assert!(full);
        assert!(ours.waiting.is_some());
        visitor.read_exact(&mut [0; 16]).await.unwrap();
        ours.write_all(&[0; 16]).await.unwrap();
        assert!(ours.waiting.is_none());
    }

    #[tokio::test]
    async fn a_visitor_who_takes_a_byte_at_a_time_is_let_go() {
        let (mut visitor, ours) = duplex(16);
        let rate = LeastRate { bytes_per_second: 1_000_000, grace: Duration::from_millis(50) };
        let mut ours = Patient::new(ours, Duration::from_secs(600), rate);
        let trickle = async {
            while visitor.read_exact(&mut [0]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::select! {
            ended = ours.write_all(&[0; 100_000]) => ended,
            () = trickle => unreachable!("it is ours to end"),
        };
        assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
    }
}
