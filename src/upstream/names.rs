//! The addresses of a server's name: asked for off the workers, believed for a bounded time, kept where asking fails.
//!
//! The system's resolver tells no lifetimes, so one is configured. What is known is shared by all workers, and so is the question:
//! a resolver that is silent is asked once at a time, however many wait. A request waits for it only where nothing is known yet.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::UpstreamError;

/// How long a request waits for newer addresses where older ones are known.
const PATIENCE: Duration = Duration::from_millis(500);

/// A name and what is known of it.
pub(super) struct Names {
    /// How long addresses are believed; nothing where the name is an address itself.
    keep: Option<Duration>,
    name: Arc<Name>,
}

struct Name {
    host: String,
    port: u16,
    resolve: Resolve,
    known: Mutex<Known>,
    /// Changes whenever an answer has come.
    answered: watch::Sender<()>,
}

/// Asks the resolver, and waits for it.
type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

struct Known {
    addresses: Arc<[SocketAddr]>,
    /// When the resolver was last asked.
    asked: Option<Instant>,
    /// Whether it has not answered yet.
    asking: bool,
    /// Why the last answer was none.
    failed: io::ErrorKind,
}

impl Names {
    pub(super) fn new(host: &str, port: u16, keep: Duration) -> Names {
        Names::by(system, host, port, keep)
    }

    fn by(resolve: Resolve, host: &str, port: u16, keep: Duration) -> Names {
        let literal: Option<IpAddr> = host.parse().ok();
        let addresses = literal.map(|ip| SocketAddr::new(ip, port)).into_iter().collect();
        let known = Mutex::new(Known { addresses, asked: None, asking: false, failed: io::ErrorKind::NotFound });
        let name = Name { host: host.to_owned(), port, resolve, known, answered: watch::Sender::new(()) };
        Names { keep: literal.is_none().then_some(keep), name: Arc::new(name) }
    }

    /// Host and port.
    pub(super) fn authority(&self) -> String {
        let Name { host, port, .. } = &*self.name;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Whether there is anything to look up.
    pub(super) fn is_name(&self) -> bool {
        self.keep.is_some()
    }

    /// The addresses to connect to.
    pub(super) async fn addresses(&self, deadline: Instant) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        // Before it is asked, so that no answer is missed.
        let mut answered = self.name.answered.subscribe();
        let (known, asked) = self.ask_if_stale();
        let until = match known.is_empty() {
            true => deadline,
            // Whoever asks waits a little; the others go on with what is known.
            false if asked => deadline.min(Instant::now() + PATIENCE),
            false => return Ok(known),
        };
        match timeout_at(until, answered.changed()).await {
            Ok(_) => self.name.now(),
            Err(_) if known.is_empty() => Err(UpstreamError::ConnectTimeout),
            Err(_) => Ok(known),
        }
    }

    /// Asks again if it is time; for the one task that looks after names.
    pub(super) async fn refresh(&self) {
        let mut answered = self.name.answered.subscribe();
        if self.ask_if_stale().1 {
            // What goes wrong is told to the request that needs an address.
            let _ = answered.changed().await;
        }
    }

    /// What another one knows of the same name is good until the resolver is asked again.
    pub(super) fn take_over(&self, before: &Names) {
        if self.is_name() {
            let known = before.name.known().addresses.to_vec();
            if !known.is_empty() {
                self.name.learn(Ok(known));
            }
        }
    }

    /// Whether a connection to `peer` leads to where the name leads now.
    pub(super) fn leads_to(&self, peer: SocketAddr) -> bool {
        self.keep.is_none() || self.name.known().addresses.contains(&peer)
    }

    /// What is known, and whether the resolver was asked now since it is time to: nobody else asks until it has answered.
    fn ask_if_stale(&self) -> (Arc<[SocketAddr]>, bool) {
        let mut known = self.name.known();
        let addresses = known.addresses.clone();
        let Some(keep) = self.keep else { return (addresses, false) };
        let now = Instant::now();
        let fresh = known.asked.is_some_and(|asked| now.duration_since(asked) < keep);
        if known.asking || fresh && !addresses.is_empty() {
            return (addresses, false);
        }
        (known.asked, known.asking) = (Some(now), true);
        drop(known);
        let name = self.name.clone();
        // A thread of its own: one that hangs keeps no worker from ending.
        let thread = thread::Builder::new().name("names".to_owned()).spawn(move || {
            let found = (name.resolve)(&name.host, name.port);
            name.learn(found);
        });
        if let Err(error) = thread {
            self.name.learn(Err(error));
        }
        (addresses, true)
    }

    /// Takes over what the resolver found; where it found nothing the old addresses stay.
    #[cfg(test)]
    pub(super) fn learn(&self, found: io::Result<Vec<SocketAddr>>) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        self.name.learn(found);
        self.name.now()
    }
}

impl Name {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, found: io::Result<Vec<SocketAddr>>) {
        let mut known = self.known();
        known.asking = false;
        match found {
            Ok(found) if !found.is_empty() => known.addresses = found.into(),
            Ok(_) => known.failed = io::ErrorKind::NotFound,
            Err(error) => known.failed = error.kind(),
        }
        drop(known);
        self.answered.send_replace(());
    }

    fn now(&self) -> Result<Arc<[SocketAddr]>, UpstreamError> {
        let known = self.known();
        match known.addresses.is_empty() {
            true => Err(UpstreamError::Unresolved(known.failed)),
            false => Ok(known.addresses.clone()),
        }
    }
}

/// The system's resolver.
fn system(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    (host, port).to_socket_addrs().map(Iterator::collect)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
        assert_eq!(&*run(async { names.addresses(soon()).await.unwrap() }), [address(9)]);
        assert!(!names.ask_if_stale().1);
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
        assert!(!names.ask_if_stale().1);
        let names = Names::new("localhost", 80, Duration::ZERO);
        run(async { names.refresh().await });
        let (known, asked) = names.ask_if_stale();
        assert!(asked && !known.is_empty());
    }

    #[test]
    fn a_silent_resolver_is_asked_once_however_many_wait() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static SILENT: Mutex<()> = Mutex::new(());
        fn silent(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            ASKED.fetch_add(1, Relaxed);
            drop(SILENT.lock().unwrap());
            Ok(vec![address(7)])
        }
        let silence = SILENT.lock().unwrap();
        let names = Names::by(silent, "site.test", 80, Duration::from_secs(5));
        run(async {
            let gave_up = names.addresses(Instant::now() + Duration::from_millis(20)).await;
            assert!(matches!(gave_up, Err(UpstreamError::ConnectTimeout)));
            let names = Rc::new(names);
            let local = tokio::task::LocalSet::new();
            let waiting: Vec<_> = (0..200)
                .map(|_| {
                    let names = names.clone();
                    local.spawn_local(async move { names.addresses(soon()).await.map(|found| found.to_vec()) })
                })
                .collect();
            local
                .run_until(async {
                    tokio::task::yield_now().await;
                    drop(silence);
                    for found in waiting {
                        assert_eq!(found.await.unwrap().unwrap(), [address(7)]);
                    }
                })
                .await;
            assert_eq!(ASKED.load(Relaxed), 1);
        });
    }
}
