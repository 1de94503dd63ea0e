//! The next connection of any of a worker's listeners. Where the system has no descriptors or memory left, nothing is accepted
//! for a while that doubles each time; those who are being served are not disturbed.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};

use super::places::{Door, Opened, SocketFile};
use super::socket::{Listener, Socket};

/// How long nothing is accepted at first.
const SHORTEST: Duration = Duration::from_millis(10);
/// And at most: then there is room again, or somebody has to look.
const LONGEST: Duration = Duration::from_secs(1);

/// A connection that was accepted.
pub(super) struct Accepted {
    pub socket: Socket,
    /// Nothing for a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether TLS is spoken where it came.
    pub tls: bool,
}

/// A worker's listeners.
pub(super) struct Acceptor {
    doors: Vec<(Listener, bool)>,
    /// Which is asked first, so that a busy one starves no other.
    first: Cell<usize>,
    /// How long the last pause was; none while all is well.
    pause: Cell<Duration>,
    /// The files of Unix sockets go with their listeners.
    _files: Vec<Arc<SocketFile>>,
}

impl Acceptor {
    /// Within a runtime.
    pub fn new(doors: Vec<Door>) -> io::Result<Acceptor> {
        let (mut listeners, mut files) = (Vec::new(), Vec::new());
        for door in doors {
            let listener = match door.listener {
                Opened::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
                Opened::Unix(listener, file) => {
                    files.extend(file);
                    Listener::Unix(UnixListener::from_std(listener)?)
                }
            };
            listeners.push((listener, door.tls));
        }
        Ok(Acceptor { doors: listeners, first: Cell::new(0), pause: Cell::new(Duration::ZERO), _files: files })
    }

    /// The next connection, or why there is none: then [`Acceptor::rest`] before it is asked again. Nothing is lost where it
    /// is not waited for to its end.
    pub async fn next(&self) -> io::Result<Accepted> {
        let accepted = poll_fn(|cx| {
            let first = self.first.get();
            for step in 0..self.doors.len() {
                let index = (first + step) % self.doors.len();
                let Some((listener, tls)) = self.doors.get(index) else { continue };
                loop {
                    match listener.poll_accept(cx) {
                        Poll::Ready(Ok((socket, peer))) => {
                            self.first.set(index + 1);
                            return Poll::Ready(Ok(Accepted { socket, peer, tls: *tls }));
                        }
                        // Whoever has gone again is nobody's trouble.
                        Poll::Ready(Err(error)) if is_the_visitors(&error) => {}
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => break,
                    }
                }
            }
            Poll::Pending
        })
        .await;
        if accepted.is_ok() && !self.pause.get().is_zero() {
            self.pause.set(Duration::ZERO);
            tracing::info!("connections are accepted again");
        }
        accepted
    }

    /// How long to wait after a failure, which is logged when it begins.
    pub fn rest(&self, error: &io::Error) -> Duration {
        let before = self.pause.get();
        if before.is_zero() {
            tracing::warn!(%error, "no connection can be accepted; those that are open are served on");
        }
        let pause = (before * 2).clamp(SHORTEST, LONGEST);
        self.pause.set(pause);
        pause
    }
}

/// Errors of the one connection that was to be accepted (accept(2)).
fn is_the_visitors(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pause_doubles_up_to_a_bound_and_ends_with_the_next_connection() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Acceptor::new(vec![Door { listener: Opened::Tcp(listener), tls: false }]).unwrap();
        let none_left = io::Error::from_raw_os_error(libc::EMFILE);
        let pauses: Vec<u64> = (0..9).map(|_| acceptor.rest(&none_left).as_millis() as u64).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        let _visitor = tokio::net::TcpStream::connect(address).await.unwrap();
        assert!(acceptor.next().await.is_ok());
        assert_eq!(acceptor.rest(&none_left), SHORTEST);
        assert!(!is_the_visitors(&none_left));
    }
}
