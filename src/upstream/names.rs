//! The addresses of a server's name: asked for off the workers, believed for a bounded time, kept where asking fails.
//!
//! The system's resolver tells no lifetimes, so one is configured. What is known is shared by all workers; a request waits
//! for the resolver only where nothing is known yet.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, timeout_at};

use super::UpstreamError;

/// How long a request waits for newer addresses where older ones are known.
const PATIENCE: Duration = Duration::from_millis(500);

/// A name and what is known of it.
pub(super) struct Names {
    host: String,
    port: u16,
    /// How long addresses are believed; nothing where `host` is an address itself.
    keep: Option<Duration>,
    known: Mutex<Known>,
}

struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When the resolver was last asked.
    asked: Option<Instant>,
}

impl Names {
    pub(super) fn new(host: &str, port: u16, keep: Duration) -> Names {
        let literal: Option<IpAddr> = host.parse().ok();
        let addresses = literal.map(|ip| SocketAddr::new(ip, port)).into_iter().collect();
        let keep = literal.is_none().then_some(keep);
        Names { host: host.to_owned(), port, keep, known: Mutex::new(Known { addresses, asked: None }) }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether there is anything to look up.
    pub(super) fn is_name(&self) -> bool {
        self.keep.is_some()
    }

    /// The addresses to connect to.
    pub(super) async fn addresses(&self, deadline: Instant) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        let Some(known) = self.stale() else { return Ok(self.known()) };
        let now = Instant::now();
        let until = if known.is_empty() { deadline } else { deadline.min(now + PATIENCE) };
        match timeout_at(until, lookup_host((self.host.as_str(), self.port))).await {
            Ok(found) => self.learn(found.map(Iterator::collect)),
            Err(_) if known.is_empty() => Err(UpstreamError::ConnectTimeout),
            Err(_) => Ok(known),
        }
    }

    /// Asks again if it is time; for the one task that looks after names.
    pub(super) async fn refresh(&self) {
        if self.stale().is_some() {
            // What goes wrong is told to the request that needs an address.
            let found = lookup_host((self.host.as_str(), self.port)).await;
            let _ = self.learn(found.map(Iterator::collect));
        }
    }

    /// What another one knows of the same name is good until the resolver is asked again.
    pub(super) fn take_over(&self, before: &Names) {
        if self.is_name() {
            let _ = self.learn(Ok(before.known().to_vec()));
        }
    }

    /// Whether a connection to `peer` leads to where the name leads now.
    pub(super) fn leads_to(&self, peer: SocketAddr) -> bool {
        self.keep.is_none() || self.known().contains(&peer)
    }

    /// What is known, where it is time to ask again; who is told so asks, the others go on with what is known.
    fn stale(&self) -> Option<Arc<[SocketAddr]>> {
        let keep = self.keep?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let fresh = known.asked.is_some_and(|asked| now.duration_since(asked) < keep);
        if fresh && !known.addresses.is_empty() {
            return None;
        }
        known.asked = Some(now);
        Some(known.addresses.clone())
    }

    fn known(&self) -> Arc<[SocketAddr]> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).addresses.clone()
    }

    /// Takes over what the resolver found; where it found nothing the old addresses stay.
    pub(super) fn learn(&self, found: io::Result<Vec<SocketAddr>>) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        let kind = match found {
            Ok(found) if !found.is_empty() => {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                known.addresses = found.into();
                return Ok(known.addresses.clone());
            }
            Ok(_) => io::ErrorKind::NotFound,
            Err(error) => error.kind(),
        };
        let old = self.known();
        if old.is_empty() { Err(UpstreamError::Unresolved(kind)) } else { Ok(old) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 80))
    }

    #[test]
    fn an_address_is_never_looked_up() {
        let names = Names::new("127.0.0.9", 80, Duration::ZERO);
        assert!(names.stale().is_none());
        assert_eq!(&*run(async { names.addresses(soon()).await.unwrap() }), [address(9)]);
        assert!(names.leads_to(address(1)), "a connection to it never grows wrong");
    }

    #[test]
    fn new_addresses_replace_old_ones_and_a_failure_keeps_them() {
        let names = Names::new("site.test", 80, Duration::from_secs(5));
        assert!(matches!(names.learn(Ok(Vec::new())), Err(UpstreamError::Unresolved(_))));
        assert_eq!(&*names.learn(Ok(vec![address(1), address(2)])).unwrap(), [address(1), address(2)]);
        assert!(names.leads_to(address(2)));
        assert_eq!(&*names.learn(Ok(vec![address(1), address(3)])).unwrap(), [address(1), address(3)]);
        assert!(!names.leads_to(address(2)) && names.leads_to(address(3)));
        let failed = Err(io::Error::from(io::ErrorKind::TimedOut));
        assert_eq!(&*names.learn(failed).unwrap(), [address(1), address(3)]);
    }

    #[test]
    fn a_name_is_asked_for_once_in_its_time() {
        let names = Names::new("localhost", 80, Duration::from_secs(3600));
        let found = run(async { names.addresses(soon()).await.unwrap() });
        assert!(found.iter().all(|address| address.ip().is_loopback()) && !found.is_empty());
        assert!(names.stale().is_none());
        let names = Names::new("localhost", 80, Duration::ZERO);
        run(async { names.refresh().await });
        assert!(names.stale().is_some_and(|known| !known.is_empty()));
    }
}
