//! Another configuration in the place of the one in effect: `SIGHUP` or `consentry reload`. It is read and checked as at a
//! start, everything that is made of it is made, its texts are kept in the ledger, and only then it takes effect, for every
//! worker at once and as a whole. Whatever is wrong before that changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::notify::Manager;
use super::secured::Tending;
use super::site::Lasting;
use super::workers::{Making, Workers};
use super::{LifeError, Told, now_ms};
use crate::capture;
use crate::config::reload::Changes;
use crate::config::{Config, ConfigError, Explained, KeyWindows};
use crate::front::named;
use crate::observe::{self, Lines};

/// Why the configuration of before stays in effect.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is no file to read again.
    #[error("this gateway was not started from a file, so there is nothing to read again")]
    NoFile,
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Keys that cannot change while the gateway runs.
    #[error(
        "{} cannot change while the gateway runs; nothing was changed. `consentry upgrade` starts a new process in its place without refusing a visitor (an address or a moved data_dir needs a stop and a start)",
        .0.join(", ")
    )]
    NeedsAStart(Vec<String>),
    /// Counting without a choice was off at the start.
    #[error(
        "consent.mode or consent.statistics_countries: counting without a choice begins at a start; nothing was changed. `consentry upgrade` starts a new process in its place without refusing a visitor"
    )]
    CountingBegins,
    /// A choice that a later one has replaced is known for as long as choices were kept at the start.
    #[error(
        "consent.choice_days can be lowered while the gateway runs, not raised; nothing was changed. `consentry upgrade` starts a new process in its place without refusing a visitor"
    )]
    LongerChoices,
    /// What is made of it cannot be made.
    #[error(transparent)]
    Life(#[from] LifeError),
}

impl ReloadError {
    /// Whether the configuration is what is wrong, rather than what it names.
    pub fn is_of_configuration(&self) -> bool {
        !matches!(self, ReloadError::Life(_))
    }

    /// The keys that stand in the way, where they are known.
    pub fn keys(&self) -> Vec<String> {
        match self {
            ReloadError::NeedsAStart(keys) => keys.clone(),
            ReloadError::CountingBegins => vec!["consent.mode".to_owned()],
            ReloadError::LongerChoices => vec!["consent.choice_days".to_owned()],
            ReloadError::Config(wrong) => wrong.problems().iter().map(|problem| problem.key.clone()).collect(),
            ReloadError::NoFile | ReloadError::Life(_) => Vec::new(),
        }
    }
}

/// What came of reading a configuration again.
pub struct Reloaded {
    /// What has changed.
    pub changes: Changes,
    /// What is wrong with files of certificates that were in use before, and stay so.
    pub kept: Vec<String>,
}

/// Puts one configuration in the place of another.
pub struct Reloader {
    file: Option<PathBuf>,
    in_effect: Arc<Explained>,
    making: Making,
    lasting: Lasting,
    tending: Tending,
    /// The longest that choices have been kept since the start, in seconds.
    choice_life: u64,
    windows: watch::Sender<KeyWindows>,
    capture: watch::Sender<Arc<capture::Shared>>,
}

impl Reloader {
    /// With what is in effect from the start. Within a runtime.
    pub fn new(told: &Told, making: Making, lasting: Lasting) -> Reloader {
        let in_effect = Arc::new(told.explained.clone());
        Reloader {
            file: told.file.clone(),
            choice_life: in_effect.config.policy.choice_life,
            windows: watch::Sender::new(in_effect.config.key_windows.clone()),
            capture: watch::Sender::new(making.capture.clone()),
            in_effect,
            tending: Tending::begin(&making, &lasting.metrics),
            making,
            lasting,
        }
    }

    /// Whether there is a file to read again.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Where `file` is not the one that is read again, words that say so.
    pub fn is_another(&self, file: &Path) -> Option<String> {
        let own = self.file.as_ref()?;
        let same = |path: &Path| std::fs::canonicalize(path).ok();
        let is_own = same(own).is_some() && same(own) == same(file);
        let shown = std::path::absolute(own).unwrap_or_else(|_| own.clone());
        (!is_own).then(|| {
            format!(
                "this gateway was started with {}, which is what it reads again, not {}",
                shown.display(),
                file.display()
            )
        })
    }

    /// The windows of the keys, now and later.
    pub fn windows(&self) -> watch::Receiver<KeyWindows> {
        self.windows.subscribe()
    }

    /// What capturing needs, now and later.
    pub fn capture(&self) -> watch::Receiver<Arc<capture::Shared>> {
        self.capture.subscribe()
    }

    /// What is in effect.
    pub fn in_effect(&self) -> &Explained {
        &self.in_effect
    }

    /// Reads the file again and puts it into effect; says what has changed. The outcome is in the log and the metrics too.
    pub async fn reload(&mut self, workers: &Workers, manager: &Manager) -> Result<Reloaded, ReloadError> {
        manager.reloading();
        // Whoever rotates logs asks in this way, whatever the configuration is like.
        self.reopen_logs();
        let outcome = self.attempt(workers).await;
        let figures = &self.lasting.metrics.reloads;
        match &outcome {
            Ok(Reloaded { changes, .. }) => {
                figures.succeeded.count();
                figures.refused_last.set(0);
                figures.last_success.set(now_ms().unsigned_abs() / 1000);
                let keys = changes.keys().join(", ");
                tracing::info!(changed = keys, "the configuration was read again and is in effect");
            }
            Err(error) => {
                figures.refused.count();
                figures.refused_last.set(1);
                tracing::error!(%error, "the configuration was read again and is not taken over; the one of before stays in effect");
            }
        }
        manager.ready();
        outcome
    }

    /// Opens log files anew; never waits.
    pub fn reopen_logs(&self) {
        self.logs().for_each(|log| log.reopen());
    }

    /// Lets what was written of single requests out.
    pub async fn flush_logs(&self) {
        let logs: Vec<_> = self.logs().cloned().collect();
        let _ = tokio::task::spawn_blocking(move || logs.iter().for_each(|log| log.flush())).await;
    }

    fn logs(&self) -> impl Iterator<Item = &Arc<Lines>> {
        let logs = &self.making.site.logs;
        logs.access.iter().chain(&logs.security)
    }

    async fn attempt(&mut self, workers: &Workers) -> Result<Reloaded, ReloadError> {
        let file = self.file.clone().ok_or(ReloadError::NoFile)?;
        let (in_effect, lasting, before) = (self.in_effect.clone(), self.lasting.clone(), self.making.clone());
        let choice_life = self.choice_life;
        // Of what lies in a batch that is still open nothing could be known. A queue that is closed has none.
        let _ = lasting.spool.flush().await;
        let made = tokio::task::spawn_blocking(move || make(&file, &in_effect, &lasting, before, choice_life));
        let (explained, changes, making) = made
            .await
            .unwrap_or_else(|_| Err(LifeError::Worker("reading the configuration panicked".into()).into()))?;
        workers.change(&making).await;
        let kept = self.tending.change(&making, &self.lasting.metrics).await;
        // What the gateway before kept while this one was made is known too.
        if !Arc::ptr_eq(&making.capture, &self.making.capture) {
            let _ = self.lasting.spool.flush().await;
            let (lasting, capture) = (self.lasting.clone(), making.capture.clone());
            let _ = tokio::task::spawn_blocking(move || lasting.know_events(&capture)).await;
        }
        observe::set_level(explained.config.observe.log);
        self.windows.send_replace(explained.config.key_windows.clone());
        self.capture.send_replace(making.capture.clone());
        (self.in_effect, self.making) = (Arc::new(explained), making);
        Ok(Reloaded { changes, kept })
    }
}

/// Everything that can go wrong, before anything takes effect.
fn make(
    file: &Path,
    in_effect: &Explained,
    lasting: &Lasting,
    before: Making,
    choice_life: u64,
) -> Result<(Explained, Changes, Making), ReloadError> {
    let explained = Config::load_explained(file)?;
    let (config, changes) = (&explained.config, Changes::between(in_effect, &explained));
    let need_a_start: Vec<String> = changes.need_a_start().into_iter().map(str::to_owned).collect();
    if !need_a_start.is_empty() {
        return Err(ReloadError::NeedsAStart(need_a_start));
    }
    if config.modes.differ() && lasting.statistics.is_none() {
        return Err(ReloadError::CountingBegins);
    }
    if config.policy.choice_life > choice_life {
        return Err(ReloadError::LongerChoices);
    }
    named::check(&explained, Some(in_effect))?;
    let capture = match changes.touch_capturing() {
        true => lasting.capture(config, super::open::places(&config.geo)?)?,
        false => before.capture.clone(),
    };
    let making = lasting.making(config, capture, Some(&before))?;
    Ok((explained, changes, making))
}
