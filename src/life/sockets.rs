//! The sockets the process listens at: bound by the first process, handed from one to the next when the program is upgraded, so
//! that no visitor ever finds nobody there. Who connects while neither accepts waits in the kernel's queue.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use super::LifeError;
use crate::config::Config;
use crate::front::listen;

/// Listening sockets, by what they are for.
pub struct Sockets {
    /// Visitors', one for each worker.
    pub gateway: Vec<TcpListener>,
    /// The dashboard's.
    pub dashboard: TcpListener,
}

impl Sockets {
    /// As it is configured.
    pub fn bind(config: &Config) -> Result<Sockets, LifeError> {
        let gateway_at = config.gateway.listen;
        let gateway = listen::bind(gateway_at, config.gateway.workers).map_err(taken(gateway_at, GATEWAY))?;
        let dashboard_at = config.dashboard.listen;
        let dashboard = TcpListener::bind(dashboard_at).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        Ok(Sockets { gateway, dashboard: dashboard.map_err(taken(dashboard_at, DASHBOARD))? })
    }

    /// The same sockets, to be closed apart.
    pub fn again(&self) -> io::Result<Sockets> {
        let gateway = self.gateway.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        Ok(Sockets { gateway, dashboard: self.dashboard.try_clone()? })
    }

    /// By name, for the next process.
    pub fn into_named(self) -> [(&'static str, Vec<OwnedFd>); 2] {
        let gateway = self.gateway.into_iter().map(OwnedFd::from).collect();
        [("gateway", gateway), ("dashboard", vec![self.dashboard.into()])]
    }

    /// From what the process before left under these names; nothing where it is not what it should be.
    pub fn from_named(named: Vec<(String, Vec<OwnedFd>)>) -> Option<Sockets> {
        let (mut gateway, mut dashboard) = (Vec::new(), None);
        for (name, sockets) in named {
            match name.as_str() {
                "gateway" => gateway = sockets.into_iter().map(TcpListener::from).collect(),
                "dashboard" => dashboard = sockets.into_iter().next().map(TcpListener::from),
                // Of a program that listens where this one does not.
                _ => {}
            }
        }
        let dashboard = dashboard.filter(|_| !gateway.is_empty())?;
        gateway.iter().chain([&dashboard]).try_for_each(|socket| socket.set_nonblocking(true)).ok()?;
        Some(Sockets { gateway, dashboard })
    }

    /// Where visitors connect.
    pub fn gateway_address(&self) -> io::Result<SocketAddr> {
        let first = self.gateway.first().ok_or_else(|| io::Error::other("there is no socket"))?;
        first.local_addr()
    }

    /// Refuses sockets that were handed over and are not where the configuration wants them.
    pub fn check(&self, config: &Config) -> Result<(), LifeError> {
        for (found, wanted, key) in [
            (self.gateway_address(), config.gateway.listen, GATEWAY),
            (self.dashboard.local_addr(), config.dashboard.listen, DASHBOARD),
        ] {
            let found = found.map_err(taken(wanted, key))?;
            // Port 0 is any.
            let same = found.ip() == wanted.ip() && (wanted.port() == 0 || found.port() == wanted.port());
            if !same {
                return Err(LifeError::OtherAddress { found, wanted, key });
            }
        }
        Ok(())
    }
}

const GATEWAY: &str = "[gateway] listen";
const DASHBOARD: &str = "[dashboard] listen";

fn taken(address: SocketAddr, key: &'static str) -> impl Fn(io::Error) -> LifeError {
    move |source| LifeError::Address { address, key, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str) -> Config {
        let text = format!(
            "[gateway]\nlisten = \"{listen}\"\nupstream = \"http://192.0.2.1\"\n[dashboard]\nlisten = \"127.0.0.1:0\""
        );
        Config::from_toml(&text, "consentry.toml", std::iter::empty()).unwrap()
    }

    #[test]
    fn sockets_that_are_handed_over_are_the_same_sockets() {
        let bound = Sockets::bind(&config("127.0.0.1:0")).unwrap();
        let (gateway, dashboard) = (bound.gateway_address().unwrap(), bound.dashboard.local_addr().unwrap());
        let handed = bound.again().unwrap().into_named();
        let handed = handed.into_iter().map(|(name, sockets)| (name.to_owned(), sockets)).collect();
        let taken = Sockets::from_named(handed).unwrap();
        drop(bound);
        assert_eq!(taken.gateway_address().unwrap(), gateway);
        assert_eq!(taken.dashboard.local_addr().unwrap(), dashboard);
        // Nobody accepts, and nobody is refused.
        std::net::TcpStream::connect(gateway).unwrap();
        assert!(taken.check(&config("127.0.0.1:0")).is_ok());
        assert!(taken.check(&config(&gateway.to_string())).is_ok());
        let elsewhere = taken.check(&config("127.0.0.2:0")).unwrap_err().to_string();
        assert!(elsewhere.contains("[gateway] listen"), "{elsewhere}");
        assert!(Sockets::from_named(Vec::new()).is_none());
    }
}
