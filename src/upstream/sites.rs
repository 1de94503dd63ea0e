//! What all workers know of the site: its parts, their servers, how those are. Made once for a configuration.

use std::sync::Arc;
use std::time::Duration;

use super::UpstreamSetupError;
use super::balance::{Balancer, Ring};
use super::error_pages::ErrorPages;
use super::routes::Routes;
use super::server::Server;
use super::settings::{Address, Balance, Bounds, HashBy, HostPattern, Probing, Route, Settings, TlsSettings};
use super::tls::Handshake;

/// The site behind the gateway, as it is configured.
pub struct Sites {
    pub(super) routes: Routes,
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) names_kept: Duration,
    pub(super) error_pages: ErrorPages,
}

/// What one route leads to.
pub(super) struct Part {
    /// Host and path, for the metrics.
    pub(super) name: String,
    pub(super) host: HostPattern,
    pub(super) servers: Vec<Arc<Server>>,
    pub(super) balancer: Balancer,
    pub(super) bounds: Bounds,
    pub(super) keep_idle: Duration,
    pub(super) probing: Option<Probing>,
    /// What is taken off the path.
    pub(super) strip: Option<String>,
    /// The host that is told instead of the request's.
    pub(super) told_host: Option<String>,
    /// How its servers are spoken to.
    spoken: (bool, TlsSettings),
}

impl Sites {
    /// Connects to nothing yet. Where a server speaks TLS it reads the root certificates.
    pub fn new(settings: Settings) -> Result<Arc<Sites>, UpstreamSetupError> {
        Sites::after(settings, None)
    }

    /// The same in the place of `before`: of a server that stays in its route, and is spoken to as it was, is known what was
    /// known, above all that it is left alone or ill. What is under way there counts, and figures go on.
    pub fn after(settings: Settings, before: Option<&Sites>) -> Result<Arc<Sites>, UpstreamSetupError> {
        let Settings { routes, ejection, names_kept, error_pages, most } = settings;
        let error_pages = ErrorPages::read(&error_pages)?;
        let pattern = |route: &Route| (route.host.clone(), route.path.clone());
        let count = routes.iter().map(|route| route.servers.len()).sum();
        let chosen = Routes::new(routes.iter().map(pattern));
        let part = |route: Route| {
            let part = before.and_then(|before| before.parts.iter().find(|part| part.is_for(&route)));
            let mut known: Vec<&Arc<Server>> = part.map(|part| part.servers.iter().collect()).unwrap_or_default();
            let server = |address: &Address| {
                let tls = match address {
                    Address::Tcp { tls: true, host, .. } => Some(Handshake::new(host, route.http2, &route.tls)?),
                    Address::Tcp { .. } | Address::Unix(_) => None,
                };
                let server = Server::new(address, tls, route.http2, ejection, names_kept).with(most, count);
                let same = known.iter().position(|known| known.name == server.name);
                Ok(Arc::new(match same.map(|same| known.swap_remove(same)) {
                    Some(before) => server.knowing(before),
                    None => server,
                }))
            };
            let servers = route.servers.iter().map(server).collect::<Result<_, UpstreamSetupError>>()?;
            Ok(Arc::new(Part::new(servers, &route)))
        };
        let parts = routes.into_iter().map(part).collect::<Result<_, UpstreamSetupError>>()?;
        Ok(Arc::new(Sites { routes: chosen, parts, names_kept, error_pages }))
    }

    /// One part with servers that are made already.
    #[cfg(test)]
    pub(super) fn of(servers: Vec<Arc<Server>>, route: &Route) -> Arc<Sites> {
        let routes = Routes::new([(route.host.clone(), route.path.clone())].into_iter());
        let parts = vec![Arc::new(Part::new(servers, route))];
        let error_pages = ErrorPages::read(&[] as &[(_, &str)]).unwrap();
        Arc::new(Sites { routes, parts, names_kept: Duration::ZERO, error_pages })
    }
}

impl Part {
    pub(super) fn new(servers: Vec<Arc<Server>>, route: &Route) -> Part {
        let balancer = match &route.balance {
            Balance::LeastConnections => Balancer::Least,
            Balance::Hash(by) => Balancer::Ring {
                ring: Ring::new(servers.iter().map(|server| &*server.name)),
                header: match by {
                    HashBy::Client => None,
                    HashBy::Header(name) => Some(name.clone()),
                },
            },
        };
        let strip = (route.strip_path && route.path != "/").then(|| route.path.clone());
        let (name, spoken) = (name_of(route), (route.http2, route.tls.clone()));
        let (bounds, keep_idle, probing) = (route.bounds.clone(), route.keep_idle, route.probing.clone());
        let (host, told_host) = (route.host.clone(), route.told_host.clone());
        Part { name, host, servers, balancer, bounds, keep_idle, probing, strip, told_host, spoken }
    }

    /// Whether it is for the same requests as `route`, whose servers are spoken to in the same way.
    fn is_for(&self, route: &Route) -> bool {
        self.name == name_of(route) && self.spoken.0 == route.http2 && self.spoken.1 == route.tls
    }
}

/// Host and path.
fn name_of(route: &Route) -> String {
    match &route.host {
        HostPattern::Any => route.path.clone(),
        HostPattern::Exact(host) => format!("{host}{}", route.path),
        HostPattern::Below(host) => format!("*.{host}{}", route.path),
    }
}
