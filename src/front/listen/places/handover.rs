//! How all places go from one process to the next: each socket by what it is for, so that nobody needs to be told twice where
//! to listen. The file of a Unix socket is taken away by whoever listens there last.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::systemd::Handed;
use super::{ListenAt, Listening, Opened, Place, Places, SocketFile, identity, key, wanted};
use crate::config::{Doors, Tls};

/// What the places of a configuration and those that are listened at differ in.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherPlaces {
    /// Where it is configured.
    pub key: &'static str,
    /// Where the sockets are.
    pub found: String,
    /// Where they should be.
    pub wanted: String,
}

impl Places {
    /// The same sockets, to be closed apart.
    pub fn again(&self) -> io::Result<Places> {
        let again = |listening: &Listening| {
            let sockets = listening.sockets.iter().map(Opened::try_clone).collect::<io::Result<_>>()?;
            let (at, place) = (listening.at.clone(), listening.place.clone());
            Ok(Listening { at, place, tls: listening.tls, sockets })
        };
        Ok(Places(self.0.iter().map(again).collect::<io::Result<_>>()?))
    }

    /// By name, for the next process.
    pub fn into_named(self) -> Vec<(String, Vec<OwnedFd>)> {
        let descriptor = |socket| match socket {
            Opened::Tcp(listener) => OwnedFd::from(listener),
            Opened::Unix(listener, _) => OwnedFd::from(listener),
        };
        let named = |listening: Listening| {
            (name(&listening.at, listening.tls), listening.sockets.into_iter().map(descriptor).collect())
        };
        self.0.into_iter().map(named).collect()
    }

    /// From what the process before left; nothing where there is none of it, or it is not what it should be. Names that are
    /// no place's are left out. Until [`Places::keep_files`] the files of Unix sockets are that process's.
    pub fn from_named(named: Vec<(String, Vec<OwnedFd>)>) -> Option<Places> {
        let mut all = Vec::new();
        for (name, descriptors) in named {
            let Some((tls, kind, rest)) = parsed(&name) else { continue };
            all.push(listening(tls, kind, rest, descriptors).ok()??);
        }
        (!all.is_empty()).then_some(Places(all))
    }

    /// Whether this is where a configuration wants to listen.
    pub fn check(&self, doors: &Doors, tls: Option<&Tls>) -> Result<(), OtherPlaces> {
        let mut left: Vec<&Listening> = self.0.iter().collect();
        let mut missing = None;
        for (place, with_tls) in wanted(doors, tls) {
            let before = left.len();
            let fits = |found: &Listening| found.tls == with_tls && is_same(&found.at, place);
            match place {
                // One name of systemd's may have several.
                ListenAt::Systemd(_) => left.retain(|found| !fits(found)),
                _ => drop(left.iter().position(|found| fits(found)).map(|at| left.remove(at))),
            }
            if left.len() == before {
                missing.get_or_insert(with_tls);
            }
        }
        let Some(with_tls) = missing.or(left.first().map(|found| found.tls)) else { return Ok(()) };
        let all = |places: Vec<String>| if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") };
        let found = self.0.iter().filter(|found| found.tls == with_tls).map(|found| found.at.to_string());
        let wanted = wanted(doors, tls).filter(|(_, tls)| *tls == with_tls).map(|(place, _)| place.to_string());
        Err(OtherPlaces { key: key(with_tls), found: all(found.collect()), wanted: all(wanted.collect()) })
    }

    /// From now on the files of Unix sockets are this process's to take away.
    pub fn keep_files(&self) {
        self.files().for_each(|file| file.anothers.store(false, Ordering::Relaxed));
    }

    /// From now on they are another's.
    pub fn leave_files(&self) {
        self.files().for_each(|file| file.anothers.store(true, Ordering::Relaxed));
    }

    fn files(&self) -> impl Iterator<Item = &Arc<SocketFile>> {
        self.0.iter().flat_map(|listening| &listening.sockets).filter_map(|socket| match socket {
            Opened::Unix(_, file) => file.as_ref(),
            Opened::Tcp(_) => None,
        })
    }
}

/// Port 0 is any.
fn is_same(found: &ListenAt, wanted: &ListenAt) -> bool {
    match (found, wanted) {
        (ListenAt::Tcp(found), ListenAt::Tcp(wanted)) => {
            found.ip() == wanted.ip() && (wanted.port() == 0 || found.port() == wanted.port())
        }
        (found, wanted) => found == wanted,
    }
}

/// `plain:tcp`, `tls:unix:/path` or `plain:systemd:NAME`; letters that may not stand in a name are written as `%` and two
/// digits.
fn name(at: &ListenAt, tls: bool) -> String {
    let (kind, rest): (_, &[u8]) = match at {
        ListenAt::Tcp(_) => ("tcp", b""),
        ListenAt::Unix(path) => ("unix", path.as_os_str().as_bytes()),
        ListenAt::Systemd(name) => ("systemd", name.as_bytes()),
    };
    let mut name = format!("{}:{kind}:", if tls { "tls" } else { "plain" });
    for byte in rest {
        match byte {
            b'%' | b'=' => name.push_str(&format!("%{byte:02x}")),
            byte if byte.is_ascii_graphic() => name.push(char::from(*byte)),
            byte => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

/// Whether TLS is spoken there, what kind of place it is, and which.
fn parsed(name: &str) -> Option<(bool, &str, Vec<u8>)> {
    let (tls, rest) = name.split_once(':')?;
    let tls = match tls {
        "tls" => true,
        "plain" => false,
        _ => return None,
    };
    let (kind, rest) = rest.split_once(':')?;
    let mut bytes = Vec::new();
    let mut parts = rest.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, plain) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(plain.as_bytes());
    }
    Some((tls, kind, bytes))
}

/// Nothing where there is no such kind of place, or no socket for it.
fn listening(tls: bool, kind: &str, rest: Vec<u8>, descriptors: Vec<OwnedFd>) -> io::Result<Option<Listening>> {
    let mut sockets = Vec::new();
    let (mut at, mut place) = (None, None);
    for descriptor in descriptors {
        let socket = match kind {
            "tcp" => {
                let listener = TcpListener::from(descriptor);
                at = Some(ListenAt::Tcp(listener.local_addr()?));
                Handed::Tcp(listener)
            }
            "unix" => {
                let path = PathBuf::from(std::ffi::OsString::from_vec(rest.clone()));
                let listener = UnixListener::from(descriptor);
                listener.set_nonblocking(true)?;
                let file = SocketFile::of_another(&path)?;
                let at = ListenAt::Unix(path.clone());
                let sockets = vec![Opened::Unix(listener, Some(file))];
                return Ok(Some(Listening { at, place: Place::Unix(path), tls, sockets }));
            }
            "systemd" => {
                at = Some(ListenAt::Systemd(String::from_utf8_lossy(&rest).into_owned()));
                Handed::of(descriptor)?
            }
            _ => return Ok(None),
        };
        socket.set_nonblocking()?;
        place = Some(socket.place()?);
        sockets.push(socket.into_opened());
    }
    Ok(at.zip(place).map(|(at, place)| Listening { at, place, tls, sockets }))
}

impl SocketFile {
    /// The file of a socket that another process listens at, too.
    fn of_another(path: &Path) -> io::Result<Arc<SocketFile>> {
        let identity = identity(path)?;
        Ok(Arc::new(SocketFile { path: path.to_owned(), identity, anothers: AtomicBool::new(true) }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::doors;
    use super::*;

    fn handed(places: Places) -> Places {
        Places::from_named(places.into_named()).unwrap()
    }

    #[test]
    fn every_kind_of_place_is_the_same_place_in_the_next_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b=c%.sock");
        let listen = vec![ListenAt::Tcp("127.0.0.1:0".parse().unwrap()), ListenAt::Unix(path.clone())];
        let bound = Places::open(&doors(listen.clone()), None, 2).unwrap();
        let next = handed(bound.again().unwrap());
        assert_eq!(next.places(false), bound.places(false));
        assert_eq!(next.check(&doors(listen.clone()), None), Ok(()));
        let exact = next.0[0].at.clone();
        assert_eq!(next.check(&doors(vec![exact, listen[1].clone()]), None), Ok(()));
        for others in [listen[..1].to_vec(), [listen.clone(), listen[..1].to_vec()].concat(), Vec::new()] {
            let wrong = next.check(&doors(others), None).unwrap_err();
            assert_eq!(wrong.key, "[gateway] listen");
            assert!(wrong.found.contains("unix:"), "{wrong:?}");
        }
        assert!(Places::from_named(Vec::new()).is_none());
        assert!(Places::from_named(vec![("dashboard".into(), Vec::new())]).is_none());

        // Whoever gives way leaves the file, and whoever does not take over leaves it, too.
        drop(handed(bound.again().unwrap()));
        assert!(path.exists());
        next.keep_files();
        bound.leave_files();
        drop(bound);
        assert!(path.exists());
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn a_name_of_systemds_may_have_several_sockets() {
        let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
        let web = ListenAt::Systemd("web".into());
        let named = [(name(&web, true), vec![listener()]), (name(&web, true), vec![listener()])];
        let places = Places::from_named(named.into()).unwrap();
        assert_eq!((places.places(true).len(), places.places(false).len()), (2, 0));
        let wrong = places.check(&doors(vec![web]), None).unwrap_err();
        assert_eq!((wrong.key, &*wrong.found), ("[gateway] listen", "nowhere"));
    }

    proptest::proptest! {
        #[test]
        fn any_path_comes_back(path in "[^\0]{1,40}") {
            let name = name(&ListenAt::Unix(path.clone().into()), true);
            proptest::prop_assert!(!name.contains([' ', '=']));
            proptest::prop_assert_eq!(parsed(&name), Some((true, "unix", path.into_bytes())));
        }
    }
}
