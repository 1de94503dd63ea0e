//! Where visitors connect: addresses, Unix sockets and what systemd hands over, opened before anybody is served. Each worker
//! has a listener of its own at an address (`SO_REUSEPORT`); a socket that cannot be opened twice is shared.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::systemd;
use crate::config::{Doors, ListenAt, Tls};

/// Connections that wait to be accepted, for each listener.
const BACKLOG: i32 = 1024;
/// Who may connect to a Unix socket: its owner and its group.
const MODE: u32 = 0o660;

/// Why a place cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {place}: {source}; is another program there? It is {key} in the configuration")]
pub struct PlaceError {
    /// As it is configured.
    pub place: ListenAt,
    /// Where it is configured.
    pub key: &'static str,
    /// What the system said.
    #[source]
    pub source: io::Error,
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

/// All listeners.
pub struct Places {
    /// For each worker its listeners.
    pub doors: Vec<Vec<Door>>,
    /// Where visitors connect without TLS.
    pub plain: Vec<Place>,
    /// Where they connect by TLS.
    pub tls: Vec<Place>,
}

impl Places {
    /// Opens them all, or none.
    pub fn open(doors: &Doors, tls: Option<&Tls>, workers: usize) -> Result<Places, PlaceError> {
        let mut handed_over = systemd::Sockets::from_environment();
        let mut all = Places { doors: (0..workers).map(|_| Vec::new()).collect(), plain: Vec::new(), tls: Vec::new() };
        let plain = doors.listen.iter().map(|place| (place, "[gateway] listen", false));
        let tls = tls.into_iter().flat_map(|tls| &tls.listen).map(|place| (place, "[gateway.tls] listen", true));
        for (place, key, tls) in plain.chain(tls) {
            let failed = |source| PlaceError { place: place.clone(), key, source };
            for (at, sockets) in open(place, workers, &mut handed_over).map_err(failed)? {
                for (worker, listener) in all.doors.iter_mut().zip(sockets) {
                    worker.push(Door { listener, tls });
                }
                if tls { &mut all.tls } else { &mut all.plain }.push(at);
            }
        }
        Ok(all)
    }
}

type Sockets = Vec<Opened>;

/// One socket for each worker, and where it is; a name of systemd's may have several.
fn open(place: &ListenAt, workers: usize, handed: &mut systemd::Sockets) -> io::Result<Vec<(Place, Sockets)>> {
    match place {
        ListenAt::Tcp(address) => {
            let (at, listeners) = bind(*address, workers)?;
            Ok(vec![(Place::Tcp(at), listeners.into_iter().map(Opened::Tcp).collect())])
        }
        ListenAt::Unix(path) => {
            let (listener, file) = SocketFile::bind(path)?;
            let sockets = shared(workers, || Ok(Opened::Unix(listener.try_clone()?, Some(file.clone()))))?;
            Ok(vec![(Place::Unix(path.clone()), sockets)])
        }
        ListenAt::Systemd(name) => {
            let taken = handed.take(name)?;
            let share = |socket: systemd::Handed| {
                let at = socket.place()?;
                Ok((at, shared(workers, || socket.share())?))
            };
            taken.into_iter().map(share).collect()
        }
    }
}

fn shared(workers: usize, share: impl FnMut() -> io::Result<Opened>) -> io::Result<Sockets> {
    std::iter::repeat_with(share).take(workers).collect()
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
        Ok((listener, Arc::new(SocketFile { path: path.to_owned(), identity })))
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
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(listen: Vec<ListenAt>) -> Doors {
        Doors {
            listen,
            h2c: false,
            proxy_protocol_from: Vec::new(),
            trust_unix_peers: false,
            forwarded_header: Default::default(),
        }
    }

    #[test]
    fn each_worker_has_a_listener_at_each_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.sock");
        let listen = vec![ListenAt::Tcp("127.0.0.1:0".parse().unwrap()), ListenAt::Unix(path.clone())];
        let places = Places::open(&doors(listen.clone()), None, 3).unwrap();
        assert_eq!(places.doors.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
        assert_ne!(places.plain[0].tcp().unwrap().port(), 0);
        assert_eq!(places.plain[1], Place::Unix(path.clone()));
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
