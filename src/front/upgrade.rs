//! After `101 Switching Protocols`: bytes both ways until either side ends, nothing has come for too long, or the process
//! ends. A tunnel lives in the task of its connection, so it is counted, bounded and drained like any other.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client_addr::Peer;
use crate::upstream::Tunnel;

/// A tunnel in which neither side says anything for so long is cut; whoever needs it connects anew.
const SILENCE: Duration = Duration::from_secs(3600);

/// Who is at the other end of a connection, and the tunnel it has become.
pub struct Caller {
    /// The connection's peer: the visitor, or a proxy in between.
    pub peer: Peer,
    tunnel: RefCell<Option<(OnUpgrade, Tunnel)>>,
    /// Whether a request has come.
    heard: watch::Sender<bool>,
    has_heard: Cell<bool>,
}

impl Caller {
    /// For a new connection.
    pub fn new(peer: Peer) -> Rc<Caller> {
        Rc::new(Caller {
            peer,
            tunnel: RefCell::default(),
            heard: watch::Sender::new(false),
            has_heard: Cell::new(false),
        })
    }

    /// A request has come.
    pub(super) fn hear(&self) {
        // Only the first is news; telling takes a lock.
        if !self.has_heard.replace(true) {
            self.heard.send_replace(true);
        }
    }

    /// Waits until a request has come, the first one.
    pub(super) async fn heard(&self) {
        let _ = self.heard.subscribe().wait_for(|heard| *heard).await;
    }

    /// Once the visitor has our `101`, the connection is joined with `site`.
    pub(super) fn tunnel_after(&self, visitor: OnUpgrade, site: Tunnel) {
        *self.tunnel.borrow_mut() = Some((visitor, site));
    }

    /// Carries bytes until the tunnel ends; at once where there is none.
    pub(super) async fn carry(&self) {
        let Some((visitor, site)) = self.tunnel.take() else { return };
        let Ok(visitor) = visitor.await else { return };
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
