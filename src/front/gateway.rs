//! What a worker holds while it serves, and what it knows of the request in hand.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::request::Parts;

use super::client_addr::{Client, TrustedProxies};
use super::conditions::Plain;
use super::keep;
use super::known_calls::KnownCalls;
use super::watched::RequestLogs;
use crate::asked::Asked;
use crate::capture::event::Event;
use crate::capture::{self, Capture, Draws, Pace};
use crate::config::Limits;
use crate::consent::import::Import;
use crate::consent::{self, Choice, Decision, Mode, Modes, NoChoice, Policy, PurposeSet};
use crate::cookies::{self, Catalogue, ChoiceCookie, Ours, Seen};
use crate::enrich::DeviceCache;
use crate::keys::{KeyRing, Remembered, Token};
use crate::ledger::{Declaration, Later, Ledger, Replaced};
use crate::observe::Metrics;
use crate::observe::latency::Latencies;
use crate::page::gate::Tags;
use crate::privacy::Pages;
use crate::rights;
use crate::spool::{Partition, Spool};
use crate::statistics::{Counting, Lane};
use crate::upstream::Upstream;

/// Agents a worker remembers.
const AGENTS: usize = 1024;

/// What all workers know of the site they stand in front of.
pub struct Site {
    /// The declared purposes.
    pub policy: Policy,
    /// Signs choices.
    pub ring: Arc<KeyRing>,
    /// The consent manager the site has already, if it is believed (C12).
    pub import: Option<Import>,
    /// Where a choice is read and how it is set.
    pub choice_cookie: ChoiceCookie,
    /// The declared cookies.
    pub catalogue: Catalogue,
    /// What was seen of the site's optional cookies.
    pub seen: Arc<Seen>,
    /// The declared third-party tags.
    pub tags: Arc<Tags>,
    /// The visitors' pages and what is put into the site's.
    pub pages: Pages,
    /// The folder of the visitors' endpoints.
    pub privacy_path: String,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Bounds of time and size.
    pub limits: Limits,
    /// How long open exchanges may take once the process was asked to end.
    pub drain: Duration,
    /// What may be done without a choice, and where (C10).
    pub modes: Modes,
    /// Whether `DNT: 1` counts (C8).
    pub honour_dnt: bool,
    /// Whether answers say what was decided and why.
    pub decision_header: bool,
    /// Where views are counted, if anywhere.
    pub statistics: Option<Arc<Lane>>,
    /// How visitors answer when they are asked.
    pub asked: Arc<Asked>,
    /// The header of the site's answers that names who is logged in.
    pub login_header: Option<HeaderName>,
    /// File endings that make a path a download, in small letters.
    pub download_endings: Vec<String>,
    /// Who has withdrawn from the recording of e-mail openings; nothing where none are recorded.
    pub mail_withdrawals: Option<rights::Watch>,
    /// What is needed to take calls; nothing where no telephone system hands any over.
    pub calls: Option<CallsImport>,
    /// How many choices one address may make.
    pub choices: Arc<Pace>,
    /// As it is configured.
    pub choices_per_minute: u32,
    /// Of how many objections the browsers behind one address may leave a row.
    pub objections: Arc<Pace>,
    /// The choices that later ones have replaced.
    pub replaced: Arc<Replaced>,
    /// What was seen of answers that are no pages.
    pub plain: Arc<Plain>,
    /// The proof of what was chosen: appended to before a choice is answered (P1, C6).
    pub ledger: Ledger,
    /// Where events go.
    pub spool: Spool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The logs of single requests.
    pub logs: RequestLogs,
    /// Whether requests without a trace begin one, and then whether it is marked to be recorded.
    pub begin_traces: Option<bool>,
}

/// What is needed to take calls from a telephone system.
pub struct CallsImport {
    /// What it must know.
    pub token: Token,
    /// Remembers calls that were taken.
    pub known: Arc<KnownCalls>,
}

impl Site {
    /// Puts an event into the spool without waiting for anything, or counts that it is full; says whether it was taken.
    pub(super) fn keep(&self, event: &Event) -> bool {
        let partition = Partition::of(event.ts(), event.retention_days());
        let taken = self.spool.append(partition, |out| event.encode(out)).is_ok();
        let counter = if taken { &self.metrics.events_captured } else { &self.metrics.events_refused };
        counter.count();
        taken
    }

    /// A choice that a cookie carries, unless a later one has taken its place. Who has said to be under 16 has said so all the
    /// same (C11): what says it permits nothing that a copy could bring back, and the browser may never have got the answer to
    /// what came after it, or to the declaration itself, which then counts as the ledger has it.
    pub(super) fn as_it_stands(&self, choice: Choice, now_ms: u64) -> Result<Choice, NoChoice> {
        match self.replaced.by(choice.receipt) {
            None => Ok(choice),
            Some(_) if choice.under_16 => Ok(choice),
            Some(Later::Declaration(said)) => self.declared(said, now_ms),
            Some(Later::Choice) => Err(NoChoice::Replaced),
        }
    }

    /// The choice of a declaration that no cookie carries, until it expires.
    fn declared(&self, said: Declaration, now_ms: u64) -> Result<Choice, NoChoice> {
        let at_ms = said.at_ms.unsigned_abs();
        let choice = Choice::new(&self.policy, PurposeSet::default(), said.source, at_ms);
        if now_ms / 1000 >= choice.until {
            return Err(NoChoice::Replaced);
        }
        let Declaration { receipt, policy_version, signals, row, .. } = said;
        Ok(Choice { receipt, policy_version, signals, row, under_16: true, ..choice })
    }

    /// Whether a path names a file to be saved.
    pub(super) fn is_download(&self, path: &str) -> bool {
        // Bytes are searched, not letters: both marks are ASCII.
        let bytes = path.as_bytes();
        let Some(mark) = bytes.iter().rposition(|byte| matches!(byte, b'.' | b'/')) else { return false };
        let Some((b".", ending)) = path.get(mark..).and_then(|end| end.as_bytes().split_at_checked(1)) else {
            return false;
        };
        self.download_endings
            .iter()
            .any(|known| known.len() == ending.len() && known.as_bytes().eq_ignore_ascii_case(ending))
    }
}

/// One worker's gateway.
pub struct Gateway {
    pub(super) site: Arc<Site>,
    pub(super) capture: Capture,
    /// Of which the keys of pages are made.
    pub(super) draws: Draws,
    pub(super) counting: Option<Counting>,
    /// Agents it has seen, to tell programs from people where the banner is shown.
    pub(super) agents: RefCell<DeviceCache>,
    pub(super) shared: Arc<capture::Shared>,
    /// The choices it has verified.
    pub(super) choices: Remembered<Choice>,
    pub(super) upstream: Upstream,
    pub(super) latencies: Arc<Latencies>,
}

/// What is known of a request once it was let in.
pub(super) struct Visit<'a> {
    pub parts: &'a Parts,
    /// The host the request names.
    pub named: &'a str,
    /// The host the visitor asked for; the same unless a proxy asks for another.
    pub host: &'a str,
    pub client: Client,
    pub ours: Ours<'a>,
    pub now: Duration,
    pub choice: Result<Choice, NoChoice>,
    /// The stamp of what the site's consent manager says; all zero where it says nothing.
    pub stamp: [u8; 6],
    pub decision: Decision,
}

impl<'a> Visit<'a> {
    /// Where and when, as a cookie of ours needs it.
    pub(super) fn asked(&self) -> cookies::Asked<'a> {
        cookies::Asked { host: self.host, https: self.client.https, now_ms: keep::milliseconds(self.now) as u64 }
    }

    /// What was withdrawn while the site thought about its answer is withdrawn for this answer too (C6): nothing of it is
    /// captured, and none of its cookies pass.
    pub(super) fn look_again(&mut self, site: &Site) {
        if self.choice.as_ref().is_ok_and(|choice| site.replaced.contains(choice.receipt)) {
            let choice = self.choice.clone().and_then(|choice| site.as_it_stands(choice, self.asked().now_ms));
            self.decision = consent::decide(&site.policy, choice.clone(), self.decision.signals, Mode::OptIn);
            self.choice = choice;
        }
    }
}

impl Gateway {
    /// For one worker.
    pub fn new(
        site: Arc<Site>,
        capture: Arc<capture::Shared>,
        upstream: Upstream,
        latencies: Arc<Latencies>,
    ) -> Gateway {
        let counting = site.statistics.clone().map(Counting::new);
        let agents = RefCell::new(DeviceCache::new(AGENTS));
        Gateway {
            site,
            capture: Capture::new(capture.clone()),
            draws: Draws::default(),
            counting,
            agents,
            shared: capture,
            choices: Remembered::default(),
            upstream,
            latencies,
        }
    }

    /// Closes idle connections to the site that have grown old.
    pub(super) fn sweep(&self) {
        self.upstream.sweep();
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.site.limits
    }

    /// How long open exchanges may take once the process was asked to end.
    pub(super) fn drain(&self) -> Duration {
        self.site.drain
    }
}
