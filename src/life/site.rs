//! What all workers know of the site, made of a configuration: at the start, and again for each configuration that takes its
//! place. What was counted, seen and chosen outlives that: it is [`Lasting`].

use std::sync::Arc;
use std::time::Duration;

use super::secured::Secured;
use super::workers::Making;
use super::{LifeError, now_ms};
use crate::asked::Asked;
use crate::capture::{self, Pace};
use crate::config::{self, Config};
use crate::cookies::{Catalogue, ChoiceCookie, Seen};
use crate::engine::limits;
use crate::enrich::Places;
use crate::front::client_addr::TrustedProxies;
use crate::front::gateway::{CallsImport, Site};
use crate::front::known_calls::{self, KnownCalls};
use crate::front::listen::Shared;
use crate::front::tls::Tls;
use crate::front::tls::challenges::Challenges;
use crate::front::watched::RequestLogs;
use crate::keys::{KeyRing, Token};
use crate::ledger::{Ledger, Replaced};
use crate::observe::metrics::LineFigures;
use crate::observe::{Lines, Metrics, Place};
use crate::page::gate::Tags;
use crate::privacy::{CollectorOptions, NoticeFacts, OwnCookieLives, Pages, Serves};
use crate::rights;
use crate::spool::Spool;
use crate::statistics::Lane;
use crate::upstream::Sites;

/// What every configuration finds and leaves.
#[derive(Clone)]
pub struct Lasting {
    /// The key ring.
    pub ring: Arc<KeyRing>,
    /// The proof of what was chosen.
    pub ledger: Ledger,
    /// Where events go.
    pub spool: Spool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The choices that later ones have replaced.
    pub replaced: Arc<Replaced>,
    /// What an authority may ask to see.
    pub challenges: Arc<Challenges>,
    /// What was seen of the site's optional cookies.
    pub seen: Arc<Seen>,
    /// How visitors answer when they are asked.
    pub asked: Arc<Asked>,
    /// Where views are counted, if the start wanted them to be.
    pub statistics: Option<Arc<Lane>>,
}

impl Lasting {
    /// What capturing needs, with what is known of events and calls that were kept before.
    pub fn capture(&self, config: &Config, places: Places) -> Result<Arc<capture::Shared>, LifeError> {
        let capture = Arc::new(capture::Shared::new(config, self.ring.clone(), places));
        if config.capture.calls_token_file.is_some() {
            let known = KnownCalls::read(&config.data_dir, now_ms()).map_err(unusable(config))?;
            capture.know_calls(&known.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
        }
        self.know_events(&capture);
        Ok(capture)
    }

    /// Tells it of the events that wait in the spool or left it a short while ago.
    pub fn know_events(&self, capture: &capture::Shared) {
        self.spool.known_events(|visitor, event| capture.know_event(visitor, event));
    }

    /// Everything that is made of `config`; `before` is what it takes the place of. Reads and writes files.
    pub fn making(
        &self,
        config: &Config,
        capture: Arc<capture::Shared>,
        before: Option<&Making>,
    ) -> Result<Making, LifeError> {
        let shares = config::Shares::of(&config.gateway, limits::descriptors());
        if let (None, Some(shortfall)) = (before, shares.shortfall()) {
            tracing::warn!("{shortfall}");
        }
        let mut settings = config.gateway.site.clone();
        settings.most = shares.most(settings.most);
        let sites = Sites::after(settings, before.map(|before| &*before.sites))?;
        let secured = before.and_then(|before| before.secured.as_ref());
        let secured = Secured::new(config, &self.challenges, &self.metrics, secured)?;
        let tls = secured.as_ref().map(|secured| secured.tls.clone());
        let shared = before.map(|before| &*before.shared);
        let shared = Shared::new(&config.gateway, shares, tls, self.challenges.clone(), self.metrics.clone(), shared);
        let site = Arc::new(self.site(config, before.map(|before| &*before.site))?);
        Ok(Making { site, capture, sites, shared: Arc::new(shared), secured })
    }

    /// The site as `config` wants it; `before` is the one whose place it takes. Its texts are kept in the ledger before
    /// anybody is shown them (P5). Reads and writes files.
    fn site(&self, config: &Config, before: Option<&Site>) -> Result<Site, LifeError> {
        let mut site = self.made(config, before)?;
        // What visitors are shown can be reproduced from the hash in their rows (P5), and the notice says since when it is
        // so (R6).
        for text in site.pages.shown_texts() {
            site.ledger.keep_text(&text.bytes)?;
        }
        site.pages.note_since(|hash| self.ledger.text_kept_at(hash));
        Ok(site)
    }

    fn made(&self, config: &Config, before: Option<&Site>) -> Result<Site, LifeError> {
        let visitor = Duration::from_secs(config.policy.choice_life);
        let lives = OwnCookieLives { visitor, visit: config.capture.visit_timeout };
        // Who has had their share has had it, whatever else changes.
        let pace = |of: fn(&Site) -> &Arc<Pace>| match before {
            Some(site) if site.choices_per_minute == config.consent.choices_per_minute => of(site).clone(),
            _ => Arc::new(Pace::new(config.consent.choices_per_minute)),
        };
        let contacts = Contacts::open(config, before)?;
        Ok(Site {
            pages: Pages::new(&config.policy, &config.consent, &config.cookies, lives, self.ring.clone())
                .with_collector(&CollectorOptions::of(&config.capture))
                .with(Serves { statistics: config.modes.differ() })
                .with_notice(NoticeFacts::of(config)),
            import: config.import.clone(),
            choice_cookie: ChoiceCookie::new(config.consent.cookie_domain.as_deref()),
            catalogue: Catalogue::new(&config.cookies, config.policy.analytics()),
            seen: self.seen.clone(),
            tags: Tags::new(&config.tags, &config.policy),
            policy: config.policy.clone(),
            modes: config.modes.clone(),
            honour_dnt: config.honour_dnt,
            decision_header: config.observe.decision_header,
            statistics: self.statistics.clone().filter(|_| config.modes.differ()),
            asked: self.asked.clone(),
            ring: self.ring.clone(),
            privacy_path: config.consent.path.clone(),
            trusted_proxies: trusted_proxies(&config.gateway),
            limits: config.gateway.limits.clone(),
            drain: config.gateway.drain,
            login_header: config.capture.login_header.clone(),
            download_endings: config.capture.download_endings.clone(),
            mail_withdrawals: contacts.mail_withdrawals,
            calls: contacts.calls,
            choices: pace(|site| &site.choices),
            objections: pace(|site| &site.objections),
            choices_per_minute: config.consent.choices_per_minute,
            replaced: self.replaced.clone(),
            plain: before.map(|before| before.plain.clone()).unwrap_or_default(),
            ledger: self.ledger.clone(),
            spool: self.spool.clone(),
            metrics: self.metrics.clone(),
            logs: self.logs(config, before)?,
            begin_traces: config.observe.logs.traceparent.then_some(config.observe.logs.trace_sampled),
        })
    }

    /// The logs of single requests; those of before where they go to the same place.
    fn logs(&self, config: &Config, before: Option<&Site>) -> Result<RequestLogs, LifeError> {
        let wanted = &config.observe.logs;
        let open = |place: Place, before: Option<&Arc<Lines>>, figures: &Arc<LineFigures>| match before {
            Some(log) if *log.place() == place => Ok(log.clone()),
            _ => {
                let failed = |source| LifeError::Log { place: place.to_string(), source };
                Lines::open(place.clone(), figures.clone()).map(Arc::new).map_err(failed)
            }
        };
        let before = before.map(|site| &site.logs);
        let access = wanted
            .access
            .clone()
            .map(|to| open(Place::Plain(to), before.and_then(|logs| logs.access.as_ref()), &self.metrics.access_lines));
        let security = wanted.security.clone().map(|path| {
            let place = Place::Daily { path, days: wanted.security_days };
            open(place, before.and_then(|logs| logs.security.as_ref()), &self.metrics.security_lines)
        });
        Ok(RequestLogs { access: access.transpose()?, security: security.transpose()? })
    }
}

/// What may be wrong with the ways to the site and with certificates, which two processes may read at once.
pub fn check(config: &Config) -> Result<(), LifeError> {
    Sites::new(config.gateway.site.clone())?;
    if let Some(tls) = &config.gateway.tls {
        Tls::new(tls, Arc::default(), None)?;
    }
    Ok(())
}

/// What openings of e-mails and imported calls need, where they are switched on.
struct Contacts {
    mail_withdrawals: Option<rights::Watch>,
    calls: Option<CallsImport>,
}

impl Contacts {
    /// Nothing is served without the list of who has withdrawn, or with a token that others can read.
    fn open(config: &Config, before: Option<&Site>) -> Result<Contacts, LifeError> {
        let (capture, data_dir) = (&config.capture, &config.data_dir);
        let mail_withdrawals = capture.mail_opens.then(|| rights::Watch::open(data_dir)).transpose()?;
        let Some(file) = &capture.calls_token_file else { return Ok(Contacts { mail_withdrawals, calls: None }) };
        let token = Token::read(file)?;
        let known = match before.and_then(|site| site.calls.as_ref()) {
            Some(calls) => calls.known.clone(),
            None => Arc::new(KnownCalls::open(data_dir, now_ms()).map_err(unusable(config))?.0),
        };
        Ok(Contacts { mail_withdrawals, calls: Some(CallsImport { token, known }) })
    }
}

fn trusted_proxies(gateway: &config::Gateway) -> TrustedProxies {
    let doors = &gateway.doors;
    let networks = gateway.trusted_proxies.clone();
    let (unix, host) = (doors.trust_unix_peers, doors.trust_forwarded_host);
    TrustedProxies { networks, unix, header: doors.forwarded_header, host }
}

fn unusable(config: &Config) -> impl FnOnce(std::io::Error) -> LifeError {
    let path = config.data_dir.join(known_calls::FILE);
    |source| LifeError::DataDir { path, source }
}
