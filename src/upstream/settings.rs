//! What a caller says about the site: which requests go where, and how. Plain values; what is wrong with them comes out
//! when the [`Sites`](super::Sites) are made of them.

use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::patience::LeastRate;

/// Everything about the site and the way to it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which requests go where; no two have the same host and path.
    pub routes: Vec<Route>,
    /// When a server that fails is left alone.
    pub ejection: Ejection,
    /// How long the addresses of a name are believed.
    pub names_kept: Duration,
    /// Pages of the operator's own for what the gateway answers itself, and the files they are in.
    pub error_pages: Vec<(StatusCode, PathBuf)>,
    /// How many connections there may be.
    pub most: Most,
}

/// How many connections to the site may be open at once, over all workers; health checks are not held to it.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// To one server.
    pub each: usize,
    /// To all of them together.
    pub all: usize,
}

impl Default for Most {
    /// No bound.
    fn default() -> Self {
        Most { each: usize::MAX, all: usize::MAX }
    }
}

/// One part of the site: the requests it takes and the servers that answer them.
#[derive(Clone, Debug)]
pub struct Route {
    /// The hosts it is for.
    pub host: HostPattern,
    /// The path it is for, with everything below, segment by segment: `/` or `/shop`, without a slash at its end.
    pub path: String,
    /// Who answers; at least one.
    pub servers: Vec<Address>,
    /// Which of them is asked.
    pub balance: Balance,
    /// Whether `path` is taken off before a server is asked.
    pub strip_path: bool,
    /// The `Host` that servers are told, where it is not the request's.
    pub told_host: Option<String>,
    /// Whether HTTP/2 is spoken: where the server chooses it in the TLS handshake, without TLS always.
    pub http2: bool,
    /// How TLS is spoken, where it is.
    pub tls: TlsSettings,
    /// How long things may take.
    pub bounds: Bounds,
    /// How long a connection of HTTP/1.1 that is kept may be idle.
    pub keep_idle: Duration,
    /// Whether its servers are asked how they are; nothing where they are not.
    pub probing: Option<Probing>,
}

/// The hosts a route is for; without port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This one.
    Exact(String),
    /// Every host below this one, at any depth, and not the host itself.
    Below(String),
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Over TCP.
    Tcp {
        /// Whether it speaks TLS.
        tls: bool,
        /// A name, or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// On this machine, without TLS.
    Unix(PathBuf),
}

/// Which of several servers is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// The one with the fewest exchanges under way.
    #[default]
    LeastConnections,
    /// The same one for the same visitor.
    Hash(HashBy),
}

/// What makes a visitor the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashBy {
    /// The address, as far as it is told apart; who changes it, or comes after a restart, may meet another server.
    Client,
    /// A header of the request; without it the address.
    Header(HeaderName),
}

/// How TLS is spoken to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// A PEM file with the authorities that are believed instead of the system's.
    pub ca: Option<PathBuf>,
    /// The name that is asked for and must stand in the certificate, where it is not the server's host.
    pub name: Option<String>,
    /// PEM files with a certificate of ours and its key, for servers that want one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether any certificate will do: anyone in between could read and change everything.
    pub insecure: bool,
}

/// How long things may take, and how much may be sent.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// For name lookup, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's head.
    pub answer: Duration,
    /// For a pause within a body, in either direction.
    pub idle: Duration,
    /// For everything from the first attempt to the last byte of the answer; nothing where it may take what it takes.
    pub total: Option<Duration>,
    /// The longest request body, in bytes.
    pub max_request_body: u64,
    /// How slowly a request's body may come.
    pub least_rate: LeastRate,
}

/// When a server that fails is left alone.
#[derive(Clone, Copy, Debug)]
pub struct Ejection {
    /// Failures in a row: connections it did not take, dropped or kept waiting.
    pub failures: u32,
    /// For how long at first; twice as long each time it fails again, up to [`MAX_EJECTION`](super::health::MAX_EJECTION).
    pub period: Duration,
}

impl Default for Ejection {
    fn default() -> Self {
        Ejection { failures: 3, period: Duration::from_secs(5) }
    }
}

/// How servers are asked how they are.
#[derive(Clone, Debug)]
pub struct Probing {
    /// What is asked for by GET.
    pub path: String,
    /// The `Host` it is asked with; the route's own, or the server's, unless set.
    pub host: Option<String>,
    /// From one question to the next.
    pub interval: Duration,
    /// For connecting and the head of the answer.
    pub timeout: Duration,
    /// So many good answers in a row make a server well again.
    pub healthy: u32,
    /// So many bad ones make it ill.
    pub unhealthy: u32,
    /// The status of a good answer; any from 200 to 399 unless set.
    pub status: Option<StatusCode>,
}

impl std::fmt::Display for Address {
    /// As it would be written in a configuration.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp { tls, host, port } => {
                let scheme = if *tls { "https" } else { "http" };
                let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
                write!(f, "{scheme}://{open}{host}{close}:{port}")
            }
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
