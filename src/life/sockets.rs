//! The sockets the process listens at: bound by the first process, handed from one to the next when the program is upgraded, so
//! that no visitor ever finds nobody there. Who connects while neither accepts waits in the kernel's queue.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use super::LifeError;
use crate::config::Config;
use crate::front::listen::{OtherPlaces, Place, Places};

/// Listening sockets, by what they are for.
pub struct Sockets {
    /// Visitors'.
    pub gateway: Places,
    /// The dashboard's.
    pub dashboard: TcpListener,
}

impl Sockets {
    /// As it is configured.
    pub fn bind(config: &Config) -> Result<Sockets, LifeError> {
        let settings = &config.gateway;
        let gateway = Places::open(&settings.doors, settings.tls.as_ref(), settings.workers)?;
        let dashboard_at = config.dashboard.listen;
        let dashboard = TcpListener::bind(dashboard_at).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        Ok(Sockets { gateway, dashboard: dashboard.map_err(taken(dashboard_at, DASHBOARD))? })
    }

    /// The same sockets, to be closed apart.
    pub fn again(&self) -> io::Result<Sockets> {
        Ok(Sockets { gateway: self.gateway.again()?, dashboard: self.dashboard.try_clone()? })
    }

    /// By name, for the next process.
    pub fn into_named(self) -> Vec<(String, Vec<OwnedFd>)> {
        let mut named = self.gateway.into_named();
        named.push((PAGES.to_owned(), vec![self.dashboard.into()]));
        named
    }

    /// From what the process before left under these names; nothing where it is not what it should be.
    pub fn from_named(named: Vec<(String, Vec<OwnedFd>)>) -> Option<Sockets> {
        let (dashboard, gateway): (Vec<_>, Vec<_>) = named.into_iter().partition(|(name, _)| name == PAGES);
        let dashboard = dashboard.into_iter().flat_map(|(_, sockets)| sockets).next().map(TcpListener::from)?;
        dashboard.set_nonblocking(true).ok()?;
        Some(Sockets { gateway: Places::from_named(gateway)?, dashboard })
    }

    /// Where visitors connect: the first place without TLS, else the first with it.
    pub fn gateway_place(&self) -> io::Result<Place> {
        let places = self.gateway.places(false).into_iter().chain(self.gateway.places(true));
        places.into_iter().next().ok_or_else(|| io::Error::other("there is no socket"))
    }

    /// Refuses sockets that were handed over and are not where the configuration wants them.
    pub fn check(&self, config: &Config) -> Result<(), LifeError> {
        let settings = &config.gateway;
        let elsewhere = |OtherPlaces { key, found, wanted }| LifeError::OtherAddress { found, wanted, key };
        self.gateway.check(&settings.doors, settings.tls.as_ref()).map_err(elsewhere)?;
        let wanted = config.dashboard.listen;
        let found = self.dashboard.local_addr().map_err(taken(wanted, DASHBOARD))?;
        // Port 0 is any.
        if found.ip() != wanted.ip() || wanted.port() != 0 && found.port() != wanted.port() {
            let (found, wanted) = (found.to_string(), wanted.to_string());
            return Err(LifeError::OtherAddress { found, wanted, key: DASHBOARD });
        }
        Ok(())
    }
}

/// What the dashboard's is called.
const PAGES: &str = "dashboard";
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
        let (gateway, dashboard) =
            (bound.gateway_place().unwrap().tcp().unwrap(), bound.dashboard.local_addr().unwrap());
        let handed = bound.again().unwrap().into_named();
        let taken = Sockets::from_named(handed).unwrap();
        drop(bound);
        assert_eq!(taken.gateway_place().unwrap().tcp().unwrap(), gateway);
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
