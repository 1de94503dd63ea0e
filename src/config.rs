//! The typed configuration: what was typed (`tree`, `read`) is separate from what it means (here), and every field says why
//! it is there. After [`load`](Config::load) a configuration is valid: wrong values ended the program before a port was
//! bound, all of them reported at once with their place and what is allowed.
//!
//! A configuration is a TOML file, `consentry.toml` unless another is named, and the environment: a variable
//! `CONSENTRY__SECTION__KEY` overrides a key (`CONSENTRY__GATEWAY__LIMITS__MAX_HEAD_BYTES`; a list such as
//! `CONSENTRY__COOKIE` as a whole). A variable's value is read as TOML where it is TOML, else as text. Relative paths count
//! from the current directory. The smallest file has two lines:
//!
//! ```toml
//! [gateway]
//! upstream = "http://127.0.0.1:3000"
//! ```
//!
//! [`example`] is a whole one with every key. This room opens no socket and reads no file but the configuration; whether
//! a named file exists is for those who open it. Called by the command line; everyone below gets the values they need.

mod capture;
mod explain;
mod import;
mod kind;
mod known;
mod language;
mod listen;
mod load;
mod meaning;
mod names;
mod observe_log;
mod period;
mod problem;
mod rate;
mod read;
pub mod reload;
mod route;
mod shares;
mod substance;
#[cfg(test)]
mod tests;
mod tls;
mod together;
mod tree;
mod unclosed;
mod units;
mod upstream;
mod web;
mod windows;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::consent::import::Import;
use crate::consent::{Modes, Policy};
use crate::patience::LeastRate;
use crate::pseudonym::IpPrefixes;
use crate::spool::Durability;
use crate::upstream::Settings;
pub use capture::{Capture, Item};
pub use explain::{Explained, Setting};
pub use language::{BUILT_IN, LinkPosition, OwnWords, PurposeText};
pub use listen::{Doors, ForwardedHeader, ListenAt, RequestPace, VisitorLimits};
pub use observe_log::Logs;
pub use problem::{ConfigError, Origin, Problem};
pub use shares::Shares;
pub use tls::{Acme, AcmeChallenge, CertificateFiles, Tls, TlsVersion};
pub use upstream::Upstreams;
pub use windows::{KeyWindow, KeyWindows};

/// The configuration file where none is named.
pub const DEFAULT_FILE: &str = "consentry.toml";

/// The data folder where none is named.
pub const DEFAULT_DATA_DIR: &str = "./consentry-data";

/// The key ring's file within the data folder.
pub const RING_FILE: &str = "keys.json";

/// The ledger's folder within the data folder.
pub const LEDGER_FOLDER: &str = "ledger";

/// The folder of the queue on disk within the data folder.
pub const SPOOL_FOLDER: &str = "spool";

/// A whole configuration with every key, its default and its reason.
pub fn example() -> &'static str {
    include_str!("config/example.toml")
}

/// Everything the program was told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where spool, keys and the embedded database live.
    pub data_dir: PathBuf,
    /// The reverse proxy.
    pub gateway: Gateway,
    /// The purposes and how long a choice is kept.
    pub policy: Policy,
    /// What visitors read and where they find it.
    pub consent: Consent,
    /// The consent manager the site has already, believed in the banner's place (C12); default none.
    pub import: Option<Import>,
    /// What may be done without a choice, and where (C10); default nothing, everywhere.
    pub modes: Modes,
    /// Whether `DNT: 1` counts like `Sec-GPC: 1` (C8); default no.
    pub honour_dnt: bool,
    /// The declared cookies (K1).
    pub cookies: Vec<DeclaredCookie>,
    /// The declared third-party tags (K4).
    pub tags: Vec<DeclaredTag>,
    /// What is captured.
    pub capture: Capture,
    /// How long rows are kept (R1).
    pub retention: Period,
    /// How long the ledger's rows are kept: the proof of what was chosen (P1); default 6 years.
    pub consents_retention: Period,
    /// How much of an address is kept.
    pub ip_prefixes: IpPrefixes,
    /// The key ring's file.
    pub key_ring: PathBuf,
    /// How long its keys are used and kept (D2).
    pub key_windows: KeyWindows,
    /// The geo database.
    pub geo: Geo,
    /// The queue on disk.
    pub spool: SpoolConfig,
    /// Where rows go.
    pub clickhouse: ClickHouse,
    /// Marketing's pages, health and metrics.
    pub dashboard: Dashboard,
    /// Logging.
    pub observe: Observe,
}

impl Config {
    /// The folder of the queue on disk.
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join(SPOOL_FOLDER)
    }

    /// The folder of the ledger.
    pub fn ledger_dir(&self) -> PathBuf {
        self.data_dir.join(LEDGER_FOLDER)
    }
}

/// `[gateway]`
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Where visitors connect, and who may speak for them.
    pub doors: Doors,
    /// TLS to visitors; default none.
    pub tls: Option<Tls>,
    /// The site behind the gateway; none where every upstream is a route's.
    pub upstream: Upstreams,
    /// Which requests go to which upstreams, and how; `upstream` among them.
    pub site: Settings,
    /// The number that stands in `events.site_id`; default 1.
    pub site_id: u32,
    /// Whose `X-Forwarded-For`, `X-Forwarded-Proto` and `Forwarded` are believed; default nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that serve visitors; default one for each core.
    pub workers: usize,
    /// How long open exchanges may take once the process was asked to end; default 10 s.
    pub drain: Duration,
    /// Bounds of time and size.
    pub limits: Limits,
}

/// A server's address over HTTP, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port, the scheme's own by default.
    pub port: u16,
}

/// `[gateway.limits]`
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request's head; default 32 KiB.
    pub max_head_bytes: usize,
    /// Bytes of a request's body; default 1 GiB.
    pub max_body_bytes: u64,
    /// Connections at once over all workers, as far as the system has descriptors ([`Shares`]); default 10 000.
    pub max_connections: usize,
    /// Connections to each upstream at once over all workers, likewise; default 10 000.
    pub max_upstream_connections: usize,
    /// How long a visitor may take to send a request's head; default 30 s.
    pub head_timeout: Duration,
    /// How long a connection is kept between two requests; default 75 s.
    pub keep_alive: Duration,
    /// How long connecting to the upstream may take; default 5 s.
    pub connect_timeout: Duration,
    /// How long the upstream may take to begin its answer; default 60 s.
    pub answer_timeout: Duration,
    /// How long either side may pause within a body; default 60 s.
    pub idle_timeout: Duration,
    /// How slowly a visitor may send or take a body; default 240 bytes a second once 20 s were waited.
    pub least_rate: LeastRate,
    /// What one address and one connection may do.
    pub visitor: VisitorLimits,
    /// How long a whole exchange with the upstream may take; default as long as it takes.
    pub total_timeout: Option<Duration>,
}

/// `[consent]`
#[derive(Clone, Debug)]
pub struct Consent {
    /// The folder of the visitor's endpoints, without a slash at its end; default `/_privacy`.
    pub path: String,
    /// The banner's heading in the default language; nothing where it is the built-in one.
    pub banner_title: Option<String>,
    /// The banner's text, likewise; `{purposes}` in it stands for the names of the purposes.
    pub banner_text: Option<String>,
    /// The text of the link that stands on every page (C5), likewise.
    pub link_text: Option<String>,
    /// The site's own privacy notice, linked from banner and preferences page.
    pub notice_url: Option<String>,
    /// The domain whose hosts share one choice; each host has its own unless set.
    pub cookie_domain: Option<String>,
    /// Whether pages tell Google's tags what is granted (K8); default no.
    pub google_consent_mode: bool,
    /// How many choices one address may make in a minute; default 6,000.
    pub choices_per_minute: u32,
    /// The default language, a tag of BCP 47; `en-GB` by default. The texts above, and those of purposes and cookies, are in it.
    pub language: String,
    /// Languages beside the built-in ones, and own words in those.
    pub languages: Vec<OwnWords>,
    /// Own words of purposes in languages other than the default one.
    pub purpose_texts: Vec<PurposeText>,
    /// Where the link stands; default left.
    pub link_position: LinkPosition,
    /// Who answers for the data: name and postal address.
    pub controller: Option<String>,
    /// A mail address or a link.
    pub contact: Option<String>,
    /// What the operator calls this version of the banner; default `1`.
    pub banner_version: String,
}

impl Default for Consent {
    /// What an empty `[consent]` means.
    fn default() -> Self {
        Consent {
            path: "/_privacy".into(),
            banner_title: None,
            banner_text: None,
            link_text: None,
            notice_url: None,
            cookie_domain: None,
            google_consent_mode: false,
            choices_per_minute: 6000,
            language: BUILT_IN[0].into(),
            languages: Vec::new(),
            purpose_texts: Vec::new(),
            link_position: LinkPosition::default(),
            controller: None,
            contact: None,
            banner_version: "1".into(),
        }
    }
}

/// `[[cookie]]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredCookie {
    /// The name, or the beginning of it where `prefix` is set.
    pub name: String,
    /// Whether `name` is only the beginning (written `name*`).
    pub prefix: bool,
    /// Index of its purpose in the policy.
    pub purpose: usize,
    /// Who sets it, for the preferences page.
    pub provider: Option<String>,
    /// How long it lives, for the preferences page.
    pub period: Option<String>,
    /// What it is for, for the preferences page.
    pub description: Option<String>,
    /// The path it is set for, where that is not `/`: needed to make it expire (C6). A browser does not send it along.
    pub path: Option<String>,
    /// The domain it is set for, in lower case and without a dot before it, where it is not for one host alone.
    pub domain: Option<String>,
}

/// `[[tag]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredTag {
    /// The host a third-party resource is loaded from, with port where it has one; `*.example.com` is any host below.
    pub host: String,
    /// Texts by which a script in the page itself is known to be its, such as `fbq(`.
    pub inline: Vec<String>,
    /// Index of its purpose in the policy.
    pub purpose: usize,
}

/// A period by the calendar, such as `6 years`, `48 months` or `90 days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Whole months (a year has 12).
    pub months: u16,
    /// Days on top.
    pub days: u16,
}

/// `[geo]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Geo {
    /// No lookup.
    Off,
    /// The free country database, fetched on first use (`database = "country"`, the default).
    Country,
    /// A file of the operator's own (`database = "/path/to/file.mmdb"`).
    File(PathBuf),
}

/// `[spool]`
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// The most bytes that may wait on disk; default 4 GiB.
    pub max_bytes: u64,
    /// How long events may wait before new ones are refused; default 30 days.
    pub max_age: Duration,
    /// What an acknowledgement waits for; default `write`.
    pub durability: Durability,
    /// Rows after which a batch is sealed; default 10 000.
    pub batch_rows: u32,
    /// Age after which a batch is sealed; default 1 s.
    pub batch_age: Duration,
}

/// `[clickhouse]`
#[derive(Clone, Debug)]
pub enum ClickHouse {
    /// The embedded engine; `listen` opens its HTTP interface on loopback beside the Unix socket.
    Embedded {
        /// Where, such as `127.0.0.1:8123`.
        listen: Option<SocketAddr>,
    },
    /// A server.
    Server {
        /// As in `http://db.internal:8123`.
        url: String,
        /// The user; default `default`.
        user: String,
        /// A file that holds the password.
        password_file: Option<PathBuf>,
    },
}

/// `[dashboard]`
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Where marketing connects, and health checks and metrics; default `127.0.0.1:8090`.
    pub listen: SocketAddr,
}

/// `[observe]`
#[derive(Clone, Debug)]
pub struct Observe {
    /// `error`, `warn`, `info` or `debug`; default `info`.
    pub log: tracing::Level,
    /// Whether answers say in `Consentry-Decision` what was decided and why; default no, except where `log` is `debug`.
    pub decision_header: bool,
    /// What is written of single requests, and what the site is told of traces.
    pub logs: Logs,
}
