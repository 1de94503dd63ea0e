//! Certificates that are ordered and renewed by themselves (ACME, RFC 8555). One task for the process: it orders when the
//! stored certificate does not cover the hosts or two thirds of its life are over, keeps account and certificate in a folder
//! that is the owner's alone, and leaves the last good certificate in use whatever goes wrong.
//!
//! | module | |
//! |---|---|
//! | `due` | when to order, all pure |
//! | `order` | one order from its beginning to its end |
//! | `stored` | account and certificate on disk |
//! | `web` | the way to the authority |

mod due;
mod order;
mod stored;
mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::certificates::{CertificateError, Certificates};
use super::challenges::Challenges;
use super::tend;
use crate::config;
use crate::keys::private_folder::NotPrivate;
use crate::observe::Metrics;
use order::OrderError;
use stored::Stored;
use web::Web;

/// The folder of account and certificate within the data folder.
pub const FOLDER: &str = "acme";
/// How often it is looked whether something is due: a clock that was put right counts within this time.
const LOOK: Duration = Duration::from_secs(60);

/// Why there is nothing to order with.
#[derive(Debug, thiserror::Error)]
pub enum AcmeSetupError {
    /// The folder cannot be used.
    #[error("the folder of ordered certificates cannot be used: {0}")]
    Folder(#[from] NotPrivate),
    /// What is stored there cannot be used; it is not thrown away unseen.
    #[error("{0}; move it away to have a new one ordered")]
    Stored(#[from] CertificateError),
    /// The roots the directory is believed by.
    #[error("{path}: {what}. It is directory_ca in [gateway.tls.acme]", path = path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// What is wrong with a file of roots that an authority's directory is to be believed by.
pub fn check_roots(file: &std::path::Path) -> Result<(), String> {
    match Web::new(Some(file)) {
        Err(AcmeSetupError::Roots { what, .. }) => Err(what),
        other => other.map(drop).map_err(|error| error.to_string()),
    }
}

/// Orders certificates.
pub struct Acme {
    settings: config::Acme,
    stored: Stored,
    web: Web,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
    metrics: Arc<Metrics>,
}

impl Acme {
    /// With what is stored in `data_dir` taken into use.
    pub fn open(
        settings: &config::Acme,
        data_dir: &std::path::Path,
        (certificates, challenges): (Arc<Certificates>, Arc<Challenges>),
        metrics: Arc<Metrics>,
    ) -> Result<Acme, AcmeSetupError> {
        let stored = Stored::open(&data_dir.join(FOLDER))?;
        let web = Web::new(settings.directory_ca.as_deref())?;
        if let Some(certificate) = stored.certificate()? {
            certificates.take_ordered(certificate);
        }
        Ok(Acme { settings: settings.clone(), stored, web, certificates, challenges, metrics })
    }

    /// Orders whenever it is time, for as long as the process lives.
    pub async fn tend(self) {
        let mut failures = 0;
        // Where nothing has failed the certificate itself says when.
        let mut not_before = 0;
        loop {
            let now = tend::now();
            let due = self.due(now).max(not_before);
            if due > now {
                let wait = Duration::from_secs(due.abs_diff(now));
                tokio::time::sleep(wait.min(LOOK)).await;
                continue;
            }
            let ordered = self.order().await;
            self.challenges.close();
            let now = tend::now();
            match ordered {
                Ok(()) => {
                    (failures, not_before) = (0, 0);
                    self.metrics.doors.certificates_ordered.count();
                    self.metrics.doors.orders_failing.set(0);
                    tracing::info!(hosts = self.settings.hosts.len(), "the authority has given a certificate");
                    tend::tell(&self.certificates, &self.metrics, now);
                }
                Err(error) => {
                    let pause = self.web.told_to_wait().unwrap_or_else(|| due::pause(failures, due::chance()));
                    failures = failures.saturating_add(1);
                    not_before = now.saturating_add(i64::try_from(pause.as_secs()).unwrap_or(i64::MAX));
                    self.metrics.doors.orders_failing.set(1);
                    let seconds = pause.as_secs();
                    tracing::error!(%error, "no certificate was given; what is there stays in use, and it is tried again in {seconds} s");
                }
            }
        }
    }

    /// When the next certificate is to be ordered, in seconds since 1970.
    fn due(&self, now: i64) -> i64 {
        match self.stored.current() {
            Some(facts) if due::covers(&facts, &self.settings.hosts) => {
                due::renewal(&facts, self.stored.chance()).min(facts.not_after)
            }
            _ => now,
        }
    }

    async fn order(&self) -> Result<(), OrderError> {
        let given = order::order(&self.settings, &self.stored, &self.web, &self.challenges).await?;
        let certificate = self.stored.keep(&given)?;
        self.certificates.take_ordered(certificate);
        Ok(())
    }
}
