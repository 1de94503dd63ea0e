//! What a service manager is told (`sd_notify`): one datagram to the socket that `NOTIFY_SOCKET` names, where it names one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::net::UnixDatagram;

use crate::engine::monotonic_micros;

/// Everything is there.
pub fn ready() {
    say("READY=1");
}

/// The configuration is being read again; [`ready`] says that it is over, well or not.
pub fn reloading() {
    say(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
}

/// The process is ending.
pub fn stopping() {
    say("STOPPING=1");
}

/// From now on the service is this process.
pub fn main_process(id: u32) {
    say(&format!("MAINPID={id}"));
}

fn say(what: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, what) {
        tracing::warn!(%error, "the service manager cannot be told how the gateway is");
    }
}

fn send(socket: &OsStr, what: &str) -> io::Result<()> {
    let datagram = UnixDatagram::unbound()?;
    match abstract_name(socket) {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt as _;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name.as_encoded_bytes())?;
            datagram.send_to_addr(what.as_bytes(), &address)?
        }
        _ => datagram.send_to(what.as_bytes(), socket)?,
    };
    Ok(())
}

/// The name of a socket that stands in no folder, which is written with `@` before it.
fn abstract_name(socket: &OsStr) -> Option<OsString> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    socket.as_bytes().strip_prefix(b"@").map(|name| OsString::from_vec(name.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_is_told_through_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), "READY=1").unwrap();
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        assert!(send(folder.path().join("nobody").as_os_str(), "READY=1").is_err());
        assert_eq!(abstract_name(OsStr::new("@/x")), Some("/x".into()));
        assert_eq!(abstract_name(OsStr::new("/run/notify")), None);
    }
}
