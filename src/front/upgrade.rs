//! After `101 Switching Protocols`: bytes both ways until either side ends, nothing has come for too long, or the process
//! ends. A tunnel lives in the task of its connection, so it is counted, bounded and drained like any other.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client_addr::Peer;
use super::tls::opened::Opened;
use super::turn::{RequestBody, Turn};
use crate::observe::metrics::Gauge;
use crate::upstream::{Deadline, Tunnel};

/// A tunnel in which neither side says anything for so long is cut; whoever needs it connects anew.
const SILENCE: Duration = Duration::from_secs(3600);

/// Who is at the other end of a connection, and the tunnel it has become.
pub struct Caller {
    /// The connection's peer: the visitor, or a proxy in between.
    pub peer: Peer,
    /// The name it was opened for, where that says what may be asked.
    pub(super) opened: Option<Opened>,
    /// Whose turn it is, where the connection is one of HTTP/1.1.
    pub(super) turn: Turn,
    tunnel: RefCell<Option<(OnUpgrade, Tunnel)>>,
    /// Whether a request has come.
    heard: watch::Sender<bool>,
    has_heard: Cell<bool>,
    /// Whether the connection closes after the next answer.
    leaves: Cell<bool>,
    /// What bodies of ours are waited for with, where nothing waits with it just now.
    deadline: Cell<Option<Deadline>>,
}

/// What was waited for did not come in time.
pub(super) struct TooLate;

impl Caller {
    /// For a new connection.
    pub fn new(peer: Peer, opened: Option<Opened>) -> Rc<Caller> {
        let (tunnel, heard) = (RefCell::default(), watch::Sender::new(false));
        let (has_heard, leaves, deadline) = (Cell::new(false), Cell::new(false), Cell::new(None));
        Rc::new(Caller { peer, opened, turn: Turn::default(), tunnel, heard, has_heard, leaves, deadline })
    }

    /// A request has come.
    pub(super) fn hear(&self) {
        // Only the first is news; telling takes a lock.
        if !self.has_heard.replace(true) {
            self.heard.send_replace(true);
        }
    }

    /// The request with its body in its turn.
    pub(super) fn read(&self, request: Request<Incoming>) -> Request<RequestBody> {
        let is_stream = request.version() >= Version::HTTP_2;
        request.map(|body| RequestBody::new(body, &self.turn, is_stream))
    }

    /// Waits until a request has come, the first one.
    pub(super) async fn heard(&self) {
        let _ = self.heard.subscribe().wait_for(|heard| *heard).await;
    }

    /// From now on each answer of HTTP/1.1 says that it is the last one.
    pub(super) fn leave(&self) {
        self.leaves.set(true);
    }

    /// Says so in an answer, where it is so (RFC 9112 §9.6).
    pub(super) fn say_farewell<B>(&self, response: &mut Response<B>) {
        if (self.leaves.get() || self.turn.is_trailed()) && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// What comes of `future` within `patience`. No time is taken where that is there at once, as a small body often is; where
    /// it is not, the connection has a timer that is moved on when it fires too early, not with each request.
    pub(super) async fn within<F: Future>(&self, patience: Duration, future: F) -> Result<F::Output, TooLate> {
        let mut future = pin!(future);
        let mut deadline = None;
        let done = poll_fn(|cx| {
            if let Poll::Ready(done) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            let deadline = deadline.get_or_insert_with(|| {
                let mut deadline = self.deadline.take().unwrap_or_else(Deadline::over);
                deadline.set(Instant::now() + patience);
                deadline
            });
            deadline.poll_over(cx).map(|()| Err(TooLate))
        });
        let done = done.await;
        if deadline.is_some() {
            self.deadline.set(deadline);
        }
        done
    }

    /// Once the visitor has our `101`, the connection is joined with `site`.
    pub(super) fn tunnel_after(&self, visitor: OnUpgrade, site: Tunnel) {
        *self.tunnel.borrow_mut() = Some((visitor, site));
    }

    /// Carries bytes until the tunnel ends, which is among those that are `open` until then; at once where there is none. To be
    /// called when HTTP on the connection has ended.
    pub(super) async fn carry(&self, open: &Gauge) {
        let Some((visitor, site)) = self.tunnel.take() else { return };
        // It is ready by now, or never will be: hyper keeps its side of one whose `101` could not be written.
        let mut visitor = pin!(tokio::task::unconstrained(visitor));
        let Poll::Ready(Ok(visitor)) = poll_fn(|cx| Poll::Ready(visitor.as_mut().poll(cx))).await else { return };
        self.turn.becomes_tunnel();
        let _open = open.one_more();
        join(TokioIo::new(visitor), site, SILENCE).await;
    }
}

async fn join<A, B>(visitor: A, site: B, silence: Duration)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let heard = Cell::new(Instant::now());
    let mut visitor = Heard { io: visitor, at: &heard };
    let mut site = Heard { io: site, at: &heard };
    let mut carried = pin!(copy_bidirectional(&mut visitor, &mut site));
    loop {
        tokio::select! {
            _ = carried.as_mut() => return,
            () = tokio::time::sleep_until(heard.get() + silence) => {
                if heard.get().elapsed() >= silence {
                    return;
                }
            }
        }
    }
}

/// Notes when something was last read.
struct Heard<'a, T> {
    io: T,
    at: &'a Cell<Instant>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<'_, T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.at.set(Instant::now());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<'_, T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn what_is_waited_for_has_its_time_each_time() {
        let peer =
            Peer { ip: std::net::Ipv4Addr::LOCALHOST.into(), https: false, through_unix: false, spoken_for: false };
        let caller = Caller::new(peer, None);
        let (short, long) = (Duration::from_millis(40), Duration::from_secs(20));
        let soon = |milliseconds| tokio::time::sleep(Duration::from_millis(milliseconds));
        assert!(caller.within(Duration::ZERO, std::future::ready(())).await.is_ok(), "it is there at once");
        for _ in 0..2 {
            let began = Instant::now();
            assert!(caller.within(short, std::future::pending::<()>()).await.is_err());
            assert!(began.elapsed() >= short);
            assert!(caller.within(long, soon(80)).await.is_ok(), "the time of the one before is not its own");
        }
        // Two at once, as with HTTP/2, have each their own.
        let (one, other) = tokio::join!(caller.within(short, soon(400_000)), caller.within(long, soon(80)));
        assert!(one.is_err() && other.is_ok());
    }

    #[tokio::test]
    async fn a_tunnel_that_falls_silent_is_cut_and_a_busy_one_is_not() {
        let silence = Duration::from_secs(1);
        let ((mut visitor, near), (far, mut site)) = (duplex(64), duplex(64));
        let began = Instant::now();
        let tunnel = async { join(near, far, silence).await };
        let talk = async {
            for _ in 0..4 {
                tokio::time::sleep(silence / 4).await;
                visitor.write_all(b"hello").await.unwrap();
                let mut heard = [0; 5];
                site.read_exact(&mut heard).await.unwrap();
            }
            Instant::now()
        };
        let ((), last) = tokio::join!(tunnel, talk);
        assert!(began.elapsed() >= silence * 2 && last.elapsed() >= silence / 2);
        assert_eq!(visitor.read(&mut [0; 1]).await.unwrap(), 0, "the visitor's end is closed");
    }
}
