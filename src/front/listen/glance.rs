//! What can be seen of a connection's other side without reading what it has sent: the runtime was told of it by the system and
//! remembers it, so looking costs no call.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{Interest, Ready};
use tokio::net::{TcpStream, UnixStream};

use crate::patience::Patient;

/// How far the other side has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Not, as far as is known.
    None,
    /// It sends nothing more.
    HalfClosed,
    /// It takes nothing more either.
    Gone,
}

/// A connection that can be looked at.
pub(super) trait Glance {
    /// Whether there is something to read (an end is, too), and how far the other side has ended.
    fn glance(&self) -> (bool, End);
}

impl Glance for TcpStream {
    fn glance(&self) -> (bool, End) {
        seen(self.ready(Interest::READABLE | Interest::WRITABLE))
    }
}

impl Glance for UnixStream {
    fn glance(&self) -> (bool, End) {
        seen(self.ready(Interest::READABLE | Interest::WRITABLE))
    }
}

impl<S: Glance> Glance for Patient<S> {
    fn glance(&self) -> (bool, End) {
        self.get_ref().glance()
    }
}

fn seen(ready: impl Future<Output = std::io::Result<Ready>>) -> (bool, End) {
    match pin!(ready).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) if ready.is_write_closed() => (true, End::Gone),
        Poll::Ready(Ok(ready)) if ready.is_read_closed() => (true, End::HalfClosed),
        Poll::Ready(Ok(ready)) => (ready.is_readable(), End::None),
        // Without a runtime nothing is known any more; nobody is there to be told either.
        Poll::Ready(Err(_)) | Poll::Pending => (false, End::None),
    }
}
