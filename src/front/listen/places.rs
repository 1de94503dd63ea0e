//! Where visitors connect: addresses, Unix sockets and what systemd hands over, opened before anybody is served. Each worker
//! has a listener of its own at an address (`SO_REUSEPORT`); a socket that cannot be opened twice is shared. All of them can
//! be [handed](handover) from one process to the next.

mod handover;

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use socket2::{Domain, Protocol, Socket, Type};

use super::systemd;
use crate::config::{Doors, ListenAt, Tls};
pub use handover::OtherPlaces;

/// Connections that wait to be accepted, for each listener.
const BACKLOG: i32 = 1024;
/// Who may connect to a Unix socket: its owner and its group.
const MODE: u32 = 0o660;

/// Why a place cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {place}: {source}; {} It is {key} in the configuration", advice(.source, .place.tcp().is_some()))]
pub struct PlaceError {
    /// As it is configured.
    pub place: ListenAt,
    /// Where it is configured.
    pub key: &'static str,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// What to do where an address, or else a path, cannot be listened at.
pub fn advice(source: &io::Error, is_address: bool) -> &'static str {
    match (source.kind(), is_address) {
        (io::ErrorKind::PermissionDenied, true) => {
            "a port below 1024 needs CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE); choose one above 1023, or grant that."
        }
        (io::ErrorKind::PermissionDenied, false) => "may this user write in its folder?",
        _ => "is another program there?",
    }
}

/// Where visitors can connect, once it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At an address.
    Tcp(SocketAddr),
    /// At a path.
    Unix(PathBuf),
}

impl Place {
    /// The address, where it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Place::Tcp(address) => Some(*address),
            Place::Unix(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp(address) => write!(f, "{address}"),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listener of one worker.
pub struct Door {
    /// Its socket; does not block.
    pub(super) listener: Opened,
    /// Whether TLS is spoken there.
    pub(super) tls: bool,
}

/// A socket that listens.
pub enum Opened {
    /// At an address.
    Tcp(std::net::TcpListener),
    /// At a path.
    Unix(UnixListener, Option<Arc<SocketFile>>),
}

impl Opened {
    fn try_clone(&self) -> io::Result<Opened> {
        Ok(match self {
            Opened::Tcp(listener) => Opened::Tcp(listener.try_clone()?),
            Opened::Unix(listener, file) => Opened::Unix(listener.try_clone()?, file.clone()),
        })
    }
}

/// All listeners. They stay open, whoever serves at them, until this is dropped.
pub struct Places(Vec<Listening>);

/// The listeners at one place.
struct Listening {
    /// As it is configured; an address with the port it was given.
    at: ListenAt,
    place: Place,
    tls: bool,
    /// At least one; where each worker has its own they are as many as there were workers.
    sockets: Vec<Opened>,
}

impl Places {
    /// Opens them all, or none.
    pub fn open(doors: &Doors, tls: Option<&Tls>, workers: usize) -> Result<Places, PlaceError> {
        let mut handed_over = systemd::Sockets::from_environment();
        let mut all = Vec::new();
        for (wanted, tls) in wanted(doors, tls) {
            let failed = |source| PlaceError { place: wanted.clone(), key: key(tls), source };
            for (place, sockets) in open(wanted, workers, &mut handed_over).map_err(failed)? {
                let at = place.tcp().filter(|_| matches!(wanted, ListenAt::Tcp(_)));
                let at = at.map_or_else(|| wanted.clone(), ListenAt::Tcp);
                all.push(Listening { at, place, tls, sockets });
            }
        }
        Ok(Places(all))
    }

    /// For each worker its listeners. Every socket is somebody's, however many workers there were when it was opened.
    pub fn doors(&self, workers: usize) -> io::Result<Vec<Vec<Door>>> {
        let mut doors: Vec<Vec<Door>> = (0..workers).map(|_| Vec::new()).collect();
        for listening in &self.0 {
            let sockets = &listening.sockets;
            for index in 0..sockets.len().max(workers) {
                if let (Some(worker), Some(socket)) =
                    (doors.get_mut(index % workers.max(1)), sockets.get(index % sockets.len().max(1)))
                {
                    worker.push(Door { listener: socket.try_clone()?, tls: listening.tls });
                }
            }
        }
        Ok(doors)
    }

    /// Where visitors connect by TLS, or without it.
    pub fn places(&self, tls: bool) -> Vec<Place> {
        self.0.iter().filter(|listening| listening.tls == tls).map(|listening| listening.place.clone()).collect()
    }
}

/// Every place of a configuration, and whether TLS is spoken there.
fn wanted<'c>(doors: &'c Doors, tls: Option<&'c Tls>) -> impl Iterator<Item = (&'c ListenAt, bool)> {
    let plain = doors.listen.iter().map(|place| (place, false));
    plain.chain(tls.into_iter().flat_map(|tls| &tls.listen).map(|place| (place, true)))
}

/// Where such a place is configured.
fn key(tls: bool) -> &'static str {
    if tls { "[gateway.tls] listen" } else { "[gateway] listen" }
}

type Sockets = Vec<Opened>;

/// The sockets for the workers, and where they are; a name of systemd's may have several.
fn open(place: &ListenAt, workers: usize, handed: &mut systemd::Sockets) -> io::Result<Vec<(Place, Sockets)>> {
    match place {
        ListenAt::Tcp(address) => {
            let (at, listeners) = bind(*address, workers)?;
            Ok(vec![(Place::Tcp(at), listeners.into_iter().map(Opened::Tcp).collect())])
        }
        ListenAt::Unix(path) => {
            let (listener, file) = SocketFile::bind(path)?;
            Ok(vec![(Place::Unix(path.clone()), vec![Opened::Unix(listener, Some(file))])])
        }
        ListenAt::Systemd(name) => {
            let taken = handed.take(name)?;
            taken.into_iter().map(|socket| Ok((socket.place()?, vec![socket.into_opened()]))).collect()
        }
    }
}

/// Binds `address` once for each worker. Port 0 is settled by the first socket and shared by the rest.
fn bind(mut address: SocketAddr, workers: usize) -> io::Result<(SocketAddr, Vec<std::net::TcpListener>)> {
    if address.port() != 0 {
        // Sockets that share a port would share it with another gateway too, without a word; one that does not is refused.
        let alone = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        alone.set_reuse_address(true)?;
        alone.bind(&address.into())?;
        alone.listen(1)?;
    }
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener: std::net::TcpListener = socket.into();
        address = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok((address, listeners))
}

/// The file of a Unix socket, removed when the last listener is closed, unless another has taken its place.
pub struct SocketFile {
    path: PathBuf,
    /// Device and number.
    identity: (u64, u64),
    /// Whether another process listens there, too, and takes care of it.
    anothers: AtomicBool,
}

impl SocketFile {
    /// Makes the socket beside its name and renames it: nobody can connect before its permissions are set. One that a
    /// killed process left behind gives way; one that somebody listens at does not.
    fn bind(path: &Path) -> io::Result<(UnixListener, Arc<SocketFile>)> {
        match UnixStream::connect(path) {
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !is_socket(&found)) => {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket"));
            }
            Err(_) => {}
        }
        let draft = PathBuf::from(format!("{}.{}", path.display(), std::process::id()));
        let _ = fs::remove_file(&draft);
        let listener = UnixListener::bind(&draft)?;
        listener.set_nonblocking(true)?;
        let placed = fs::set_permissions(&draft, Permissions::from_mode(MODE)).and_then(|()| fs::rename(&draft, path));
        if let Err(error) = placed {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        let identity = identity(path)?;
        Ok((listener, Arc::new(SocketFile { path: path.to_owned(), identity, anothers: AtomicBool::new(false) })))
    }
}

fn is_socket(found: &fs::Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&found.file_type())
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !*self.anothers.get_mut() && identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_cannot_be_had_says_what_to_do() {
        let said = |place: ListenAt, errno: i32| {
            PlaceError { place, key: "gateway.listen", source: io::Error::from_raw_os_error(errno) }.to_string()
        };
        let address = || ListenAt::Tcp("0.0.0.0:80".parse().unwrap());
        let denied = said(address(), libc::EACCES);
        assert!(denied.contains("CAP_NET_BIND_SERVICE") && denied.contains("above 1023"), "{denied}");
        assert!(!denied.contains("another program"), "{denied}");
        assert!(said(address(), libc::EADDRINUSE).contains("is another program there?"));
        let denied = said(ListenAt::Unix("/run/a.sock".into()), libc::EACCES);
        assert!(denied.contains("write in its folder") && !denied.contains("CAP_NET"), "{denied}");
    }

    pub(super) fn doors(listen: Vec<ListenAt>) -> Doors {
        Doors {
            listen,
            h2c: false,
            proxy_protocol_from: Vec::new(),
            trust_unix_peers: false,
            trust_forwarded_host: false,
            forwarded_header: Default::default(),
        }
    }

    #[test]
    fn each_worker_has_a_listener_at_each_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.sock");
        let listen = vec![ListenAt::Tcp("127.0.0.1:0".parse().unwrap()), ListenAt::Unix(path.clone())];
        let places = Places::open(&doors(listen.clone()), None, 3).unwrap();
        let doors_of = |workers| places.doors(workers).unwrap().iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(doors_of(3), [2, 2, 2]);
        assert_eq!(doors_of(2), [3, 2], "no socket is nobody's where there are fewer workers now");
        assert_eq!(doors_of(4), [2, 2, 2, 2]);
        let plain = places.places(false);
        assert_ne!(plain[0].tcp().unwrap().port(), 0);
        assert_eq!(plain[1], Place::Unix(path.clone()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);

        let again = Places::open(&doors(vec![listen[1].clone()]), None, 1).err().unwrap().to_string();
        assert!(again.contains("unix:") && again.contains("[gateway] listen"), "{again}");
        drop(places);
        assert!(!path.exists(), "the socket's file goes with its listeners");
    }

    #[test]
    fn a_socket_that_was_left_behind_gives_way_and_a_file_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let first = SocketFile::bind(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        fs::remove_file(&path).unwrap();
        let second = SocketFile::bind(&path).unwrap();
        drop(first);
        assert!(path.exists(), "what another has put there stays");
        drop(second);
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(SocketFile::bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
