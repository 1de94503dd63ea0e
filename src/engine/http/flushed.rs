//! A connection that tells when everything was handed to the system: an answer that ends with an exception breaks its
//! connection, and must not do so while the exception still waits in a buffer.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

/// Shared by a connection and the answers on it.
#[derive(Clone, Debug, Default)]
pub struct Flushed(Arc<Mutex<Wait>>);

#[derive(Debug, Default)]
enum Wait {
    #[default]
    Nobody,
    Waiting(Waker),
    Done,
}

impl Flushed {
    /// Ready once the connection was flushed after this was first asked.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut wait = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Wait::Done = *wait {
            *wait = Wait::Nobody;
            return Poll::Ready(());
        }
        *wait = Wait::Waiting(context.waker().clone());
        Poll::Pending
    }

    /// hyper flushes the connection below only after it wrote all it held.
    fn happened(&self) {
        let mut wait = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Wait::Waiting(_) = *wait
            && let Wait::Waiting(waker) = std::mem::replace(&mut *wait, Wait::Done)
        {
            waker.wake();
        }
    }
}

/// A connection with a [`Flushed`].
pub struct Watched<I> {
    io: I,
    flushed: Flushed,
}

impl<I> Watched<I> {
    /// Watches `io`.
    pub fn new(io: I, flushed: Flushed) -> Watched<I> {
        Watched { io, flushed }
    }
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(context);
        if flushed.is_ready() {
            this.flushed.happened();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }
}
