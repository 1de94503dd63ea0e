//! What systemd is told of the process (sd_notify(3)): that it serves, reads its configuration again, ends or gives way, and
//! that its workers are alive. Without `NOTIFY_SOCKET` nobody is told anything.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::front::listen::Shared;

/// However soon the watchdog bites, a worker that was busy for so long is not taken for dead.
const BUSY: Duration = Duration::from_secs(5);

/// Who started us and wants to know.
#[derive(Clone)]
pub struct Manager(Option<Arc<Told>>);

struct Told {
    socket: UnixDatagram,
    /// How often it wants to hear that we are alive, if at all.
    watchdog: Option<Duration>,
}

impl Manager {
    /// As the environment says.
    pub fn from_environment() -> Manager {
        let get = |name: &str| std::env::var_os(name);
        match Manager::new(get, std::process::id()) {
            Ok(manager) => manager,
            Err(error) => {
                tracing::warn!(%error, "systemd's socket (NOTIFY_SOCKET) cannot be used; it is told nothing");
                Manager(None)
            }
        }
    }

    fn new(get: impl Fn(&str) -> Option<OsString>, id: u32) -> io::Result<Manager> {
        let Some(name) = get("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(Manager(None)) };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address(&name)?)?;
        let number = |name: &str| get(name)?.to_str()?.parse::<u64>().ok();
        let for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(id));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| for_us && *usec > 0).map(Duration::from_micros);
        Ok(Manager(Some(Arc::new(Told { socket, watchdog }))))
    }

    fn say(&self, words: &str) {
        if let Some(told) = &self.0
            && let Err(error) = told.socket.send(words.as_bytes())
        {
            tracing::debug!(%error, "systemd could not be told");
        }
    }

    /// Visitors are served; also after a reload.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=Serving visitors");
    }

    /// A reload has begun; [`ready`](Manager::ready) says that it is over.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=Reloading"));
    }

    /// From now on the service is another process.
    pub fn main_process(&self, id: u32) {
        self.say(&format!("MAINPID={id}"));
    }

    /// The process ends in order.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=Ending: open exchanges finish first");
    }

    /// Says that all is well as often as it is wanted and as long as every worker is alive.
    pub async fn keep_told(self, workers: Arc<Shared>) {
        let Some(every) = self.0.as_ref().and_then(|told| told.watchdog) else { return };
        let mut beat = tokio::time::interval(every / 2);
        loop {
            beat.tick().await;
            if workers.all_alive(every.max(BUSY)) {
                self.say("WATCHDOG=1");
            } else {
                tracing::error!("a worker does not move any more; systemd is not told that all is well");
            }
        }
    }
}

/// A path, or with `@` a name without a file.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a path nor a name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_how_it_goes_and_whoever_has_none_is_not_disturbed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let manager = |variables: &[(&str, &str)]| {
            let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            Manager::new(get, 7)
        };
        let socket = ("NOTIFY_SOCKET", path.to_str().unwrap());
        let told = manager(&[socket, ("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "7")]).unwrap();
        assert_eq!(told.0.as_ref().unwrap().watchdog, Some(Duration::from_secs(3)));
        let next = || {
            let mut bytes = [0; 256];
            let length = heard.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        told.reloading();
        let said = next();
        assert!(said.starts_with("RELOADING=1\nMONOTONIC_USEC=") && !said.contains("USEC=0\n"), "{said}");
        told.ready();
        assert!(next().starts_with("READY=1\n"));
        told.main_process(8);
        assert_eq!(next(), "MAINPID=8");
        told.stopping();
        assert!(next().starts_with("STOPPING=1\n"));
        let of_another = manager(&[socket, ("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "8")]).unwrap();
        assert_eq!(of_another.0.unwrap().watchdog, None);
        assert!(manager(&[]).unwrap().0.is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "notify")]).is_err());
    }
}
