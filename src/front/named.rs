//! What a configuration names, opened as a start opens it: who checks a configuration, starts with it or reads it again hears
//! of every file that is missing or wrong, with the key that names it. Starts nothing, writes nothing, and keeps nothing of
//! what it reads. Called by the command line and by the life of the process.

mod certificates;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::tls::acme;
use crate::config::reload::Changes;
use crate::config::{Config, ConfigError, Explained, Geo, Origin, Problem};
use crate::enrich::Places;
use crate::keys::private_folder::{self, NotPrivate};
use crate::keys::{KeyError, RingFile, Token};
use crate::observe::Destination;
use crate::store::client::{self, ConnectError};
use crate::upstream::settings::{Address, Route, TlsSettings};
use crate::upstream::{Settings, Sites, UpstreamSetupError};

const READABLE: &str = "a file that is there and that this user can read";
const WRITABLE: &str = "a file in a folder that is there and that this user can write to";

/// Opens all of it; `in_effect` is the configuration that this one is to take the place of, where there is one. What that
/// named too and is in use does not have to be right: it stays as it is.
pub fn check(explained: &Explained, in_effect: Option<&Explained>) -> Result<(), ConfigError> {
    let mut named = Named { explained, in_effect, problems: Vec::new() };
    // These cannot change while the gateway runs.
    if in_effect.is_none() {
        named.data_dir();
        named.database();
    }
    certificates::check(&mut named);
    named.authority();
    named.upstreams();
    named.error_pages();
    named.token();
    named.places();
    named.logs();
    Problem::sort(&mut named.problems);
    if named.problems.is_empty() { Ok(()) } else { Err(ConfigError::Wrong(named.problems)) }
}

struct Named<'a> {
    explained: &'a Explained,
    in_effect: Option<&'a Explained>,
    problems: Vec<Problem>,
}

impl<'a> Named<'a> {
    fn config(&self) -> &'a Config {
        &self.explained.config
    }

    /// Notes what is wrong with what a key names; `allowed` is empty where `what` says what to do.
    fn refuse(&mut self, key: &str, what: String, allowed: &str) {
        let setting = self.explained.settings.iter().find(|setting| setting.key == key);
        let origin = setting.map_or(Origin::Default, |setting| setting.origin.clone());
        self.problems.push(Problem { origin, key: key.to_owned(), value: None, what, allowed: allowed.to_owned() });
    }

    /// Whether the configuration in effect says something else, if there is one.
    fn is_new(&self, key: &str) -> bool {
        let value = |explained: &'a Explained| {
            explained.settings.iter().find(|setting| setting.key == key).and_then(|setting| setting.value.as_ref())
        };
        self.in_effect.is_none_or(|before| value(before) != value(self.explained))
    }

    /// The keys that end in `name` and were written, each with the path it holds.
    fn paths(&self, name: &str) -> Vec<(String, PathBuf)> {
        let named = self.explained.settings.iter().filter(|setting| setting.key.rsplit('.').next() == Some(name));
        named.filter_map(|setting| Some((setting.key.clone(), setting.text()?.into()))).collect()
    }

    fn data_dir(&mut self) {
        let config = self.config();
        if let Err(error) = private_folder::look(&config.data_dir) {
            let allowed = match error {
                NotPrivate::Io { .. } => "a folder that is this user's, or that this user can make",
                _ => "",
            };
            return self.refuse("data_dir", format!("the data folder cannot be used: {error}"), allowed);
        }
        match RingFile::at(&config.key_ring).read() {
            // A start makes it.
            Ok(_) | Err(KeyError::Missing { .. }) => {}
            Err(error @ KeyError::Io { .. }) => self.refuse("pseudonym.key_ring", error.to_string(), READABLE),
            Err(error) => self.refuse("pseudonym.key_ring", error.to_string(), ""),
        }
    }

    fn database(&mut self) {
        match client::connect(&self.config().clickhouse, &self.config().data_dir) {
            Ok(_) => {}
            Err(ConnectError::Password { path, source }) => {
                self.refuse("clickhouse.password_file", unreadable(&path, &source), READABLE);
            }
            Err(error) => self.refuse("clickhouse.url", error.to_string(), ""),
        }
    }

    fn authority(&mut self) {
        let acme = self.config().gateway.tls.as_ref().and_then(|tls| tls.acme.as_ref());
        if let Some(file) = acme.and_then(|acme| acme.directory_ca.as_deref())
            && let Err(what) = acme::check_roots(file)
        {
            let what = format!("{} cannot be used: {what}", file.display());
            self.refuse("gateway.tls.acme.directory_ca", what, "a PEM file with the authority's root certificates");
        }
    }

    /// Authorities and our own certificates, whether an upstream that speaks TLS needs them now or not.
    fn upstreams(&mut self) {
        for (key, ca) in self.paths("tls_ca") {
            if let Err(error) = self.spoken_by(TlsSettings { ca: Some(ca), ..TlsSettings::default() }) {
                self.refuse(&key, error.to_string(), "a PEM file with the certificates of authorities");
            }
        }
        for ((key, certificate), (key_key, key_file)) in
            self.paths("tls_certificate").into_iter().zip(self.paths("tls_key"))
        {
            let client = Some((certificate, key_file.clone()));
            // Whoever answers is believed, so that no root is read for this.
            let Err(error) = self.spoken_by(TlsSettings { client, insecure: true, ..TlsSettings::default() }) else {
                continue;
            };
            match &error {
                UpstreamSetupError::Unreadable { path, .. } | UpstreamSetupError::Unusable { path, .. }
                    if *path == key_file =>
                {
                    self.refuse(&key_key, error.to_string(), "the certificate's private key in PEM, its owner's alone");
                }
                _ => self.refuse(&key, error.to_string(), "a certificate in PEM, and its key in tls_key"),
            }
        }
    }

    /// What would be wrong with an upstream that is spoken to in this way.
    fn spoken_by(&self, tls: TlsSettings) -> Result<(), UpstreamSetupError> {
        let Some(route) = self.config().gateway.site.routes.first() else { return Ok(()) };
        let servers = vec![Address::Tcp { tls: true, host: "localhost".into(), port: 443 }];
        let routes = vec![Route { servers, tls, ..route.clone() }];
        Sites::new(Settings { routes, ..Settings::default() }).map(drop)
    }

    fn error_pages(&mut self) {
        for page in &self.config().gateway.site.error_pages {
            let error_pages = vec![page.clone()];
            if let Err(error) = Sites::new(Settings { error_pages, ..Settings::default() }) {
                let key = format!("gateway.error_pages.{}", page.0.as_str());
                self.refuse(&key, error.to_string(), "an HTML file in UTF-8 of at most 1 MiB that this user can read");
            }
        }
    }

    fn token(&mut self) {
        let file = self.config().capture.calls_token_file.as_deref();
        if let Some(Err(error)) = file.map(Token::read) {
            self.refuse("capture.calls_token_file", error.to_string(), "");
        }
    }

    /// The database of places is opened again where what is captured has changed.
    fn places(&mut self) {
        let Geo::File(path) = &self.config().geo else { return };
        let is_opened = self.in_effect.is_none_or(|before| Changes::between(before, self.explained).touch_capturing());
        if is_opened && let Err(error) = Places::open(path) {
            self.refuse("geo.database", error.to_string(), "a MaxMind database (.mmdb) that knows countries");
        }
    }

    /// A log is made where there is none, in a folder that is there.
    fn logs(&mut self) {
        let logs = &self.config().observe.logs;
        if let Some(Destination::File(path)) = &logs.access
            && self.is_new("observe.access_log")
            && let Err(error) = appendable(path)
        {
            self.refuse("observe.access_log", unwritable(path, &error), WRITABLE);
        }
        if let Some(path) = &logs.security
            && self.is_new("observe.security_log")
            && let Err(error) = private_folder::writable(folder(path))
        {
            self.refuse("observe.security_log", unwritable(path, &error), WRITABLE);
        }
    }
}

/// Whether a file can be written to at its end, or made.
fn appendable(path: &Path) -> std::io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() || found.is_dir() => File::options().append(true).open(path).map(drop),
        // Opening a pipe would wait for who reads it.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => private_folder::writable(folder(path)),
        Err(error) => Err(error),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

#[cfg(test)]
mod tests;
