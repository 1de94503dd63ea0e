//! Sockets that systemd has opened for us (sd_listen_fds(3)): they stay open while the process is replaced, and a port below
//! 1024 needs no rights of ours. They are taken by the names of `FileDescriptorName=`; one without is called `unknown`, and
//! where there is a single socket unit and no name is set, by the unit's.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::places::{Opened, Place};

/// What was handed over and not yet taken.
pub(super) struct Sockets {
    all: ListenFd,
    names: Vec<String>,
}

/// One of them.
pub(super) enum Handed {
    Tcp(std::net::TcpListener),
    Unix(UnixListener),
}

impl Sockets {
    /// As the environment says; nothing where it speaks of another process.
    pub fn from_environment() -> Sockets {
        let all = ListenFd::from_env();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(str::to_owned).collect();
        Sockets { all, names }
    }

    /// All sockets of a name; at least one, or there is an error.
    pub fn take(&mut self, name: &str) -> io::Result<Vec<Handed>> {
        let mut taken = Vec::new();
        for index in 0..self.all.len() {
            if self.names.get(index).map_or("unknown", String::as_str) != name {
                continue;
            }
            let socket = match self.all.take_tcp_listener(index) {
                Ok(socket) => socket.map(Handed::Tcp),
                Err(_) => self.all.take_unix_listener(index)?.map(Handed::Unix),
            };
            taken.extend(socket);
        }
        if taken.is_empty() {
            let said =
                format!("systemd has handed over no socket called {name} (FileDescriptorName= in the .socket unit)");
            return Err(io::Error::new(io::ErrorKind::NotFound, said));
        }
        taken.iter().try_for_each(Handed::set_nonblocking)?;
        Ok(taken)
    }
}

impl Handed {
    /// Where it is.
    pub fn place(&self) -> io::Result<Place> {
        Ok(match self {
            Handed::Tcp(listener) => Place::Tcp(listener.local_addr()?),
            Handed::Unix(listener) => {
                Place::Unix(listener.local_addr()?.as_pathname().map(ToOwned::to_owned).unwrap_or_default())
            }
        })
    }

    /// To be listened at. Its file is systemd's.
    pub fn into_opened(self) -> Opened {
        match self {
            Handed::Tcp(listener) => Opened::Tcp(listener),
            Handed::Unix(listener) => Opened::Unix(listener, None),
        }
    }

    /// Of either kind.
    pub fn of(descriptor: OwnedFd) -> io::Result<Handed> {
        let socket = socket2::Socket::from(descriptor);
        Ok(match socket.local_addr()?.is_unix() {
            true => Handed::Unix(OwnedFd::from(socket).into()),
            false => Handed::Tcp(socket.into()),
        })
    }

    /// Or a worker would wait at it alone.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Handed::Tcp(listener) => listener.set_nonblocking(true),
            Handed::Unix(listener) => listener.set_nonblocking(true),
        }
    }
}
