//! TLS to visitors across configurations, and what is tended beside requests: certificates' files, orders at an authority, how
//! the upstreams are. Where a new configuration changes nothing of it, it goes on as it was, with what it knows.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;

use super::workers::Making;
use super::{LifeError, now_ms};
use crate::config::{self, Config};
use crate::front::tls::acme::Acme;
use crate::front::tls::challenges::Challenges;
use crate::front::tls::{Tls, tend};
use crate::observe::Metrics;

/// TLS to visitors, where there is any.
#[derive(Clone)]
pub struct Secured {
    /// What visitors are greeted with.
    pub tls: Arc<Tls>,
    settings: config::Tls,
    /// Until somebody tends it.
    acme: Arc<Mutex<Option<Acme>>>,
}

impl Secured {
    /// As it is configured; the one of `before` where nothing of it has changed. Reads files that were not there before: of the
    /// others [`Tending::change`] takes what is new.
    pub fn new(
        config: &Config,
        challenges: &Arc<Challenges>,
        metrics: &Arc<Metrics>,
        before: Option<&Secured>,
    ) -> Result<Option<Secured>, LifeError> {
        let Some(settings) = &config.gateway.tls else { return Ok(None) };
        if let Some(before) = before.filter(|before| is_same(&before.settings, settings)) {
            return Ok(Some(Secured { settings: settings.clone(), ..before.clone() }));
        }
        let tls = Arc::new(Tls::new(settings, challenges.clone(), before.map(|before| &*before.tls))?);
        let open = |acme| {
            let parts = (tls.certificates().clone(), challenges.clone());
            Acme::open(acme, &config.data_dir, parts, metrics.clone())
        };
        let acme = settings.acme.as_ref().map(open).transpose()?;
        Ok(Some(Secured { tls, settings: settings.clone(), acme: Arc::new(Mutex::new(acme)) }))
    }
}

/// Whether certificates and handshakes are the same; what is said over them may differ.
fn is_same(one: &config::Tls, other: &config::Tls) -> bool {
    let of = |tls: &config::Tls| (tls.certificates.clone(), tls.acme.clone());
    let rest = |tls: &config::Tls| (tls.min_version, tls.handshake_timeout, tls.look_every);
    of(one) == of(other) && rest(one) == rest(other)
}

/// Tasks of the configuration in effect; they end when this is dropped.
pub struct Tending {
    upstreams: JoinHandle<()>,
    /// Whose certificates the others are about.
    tls: Option<Arc<Tls>>,
    certificates: Vec<JoinHandle<()>>,
}

impl Tending {
    /// Within a runtime.
    pub fn begin(making: &Making, metrics: &Arc<Metrics>) -> Tending {
        let secured = making.secured.as_ref();
        Tending {
            upstreams: upstreams(making, metrics),
            tls: secured.map(|secured| secured.tls.clone()),
            certificates: secured.map(|secured| certificates(secured, metrics)).unwrap_or_default(),
        }
    }

    /// For another configuration, from now on. Looks at the certificates' files at once, and says what is wrong with those whose
    /// certificates of before stay in use.
    pub async fn change(&mut self, making: &Making, metrics: &Arc<Metrics>) -> Vec<String> {
        self.upstreams.abort();
        self.upstreams = upstreams(making, metrics);
        let tls = making.secured.as_ref().map(|secured| secured.tls.clone());
        match (&self.tls, &tls) {
            (Some(before), Some(now)) if Arc::ptr_eq(before, now) => {}
            _ => {
                self.certificates.drain(..).for_each(|task| task.abort());
                self.certificates =
                    making.secured.as_ref().map(|secured| certificates(secured, metrics)).unwrap_or_default();
            }
        }
        self.tls = tls.clone();
        let (Some(tls), metrics) = (tls, metrics.clone()) else { return Vec::new() };
        let looked = tokio::task::spawn_blocking(move || tend::look(tls.certificates(), &metrics, now_ms() / 1000));
        looked.await.unwrap_or_default()
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.certificates.iter().chain([&self.upstreams]).for_each(JoinHandle::abort);
    }
}

fn upstreams(making: &Making, metrics: &Metrics) -> JoinHandle<()> {
    let (sites, figures) = (making.sites.clone(), making.sites.clone());
    metrics.upstreams.set(move |out| figures.write_prometheus(out));
    tokio::spawn(async move { sites.tend().await })
}

fn certificates(secured: &Secured, metrics: &Arc<Metrics>) -> Vec<JoinHandle<()>> {
    let certificates = secured.tls.certificates().clone();
    metrics.doors.orders_failing.set(0);
    tend::tell(&certificates, metrics, now_ms() / 1000);
    let looking = tokio::spawn(tend::tend(certificates, secured.settings.look_every, metrics.clone()));
    let acme = secured.acme.lock().unwrap_or_else(PoisonError::into_inner).take();
    [Some(looking), acme.map(|acme| tokio::spawn(acme.tend()))].into_iter().flatten().collect()
}
