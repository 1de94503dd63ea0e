//! Where the site is and how it is spoken to: `[gateway] upstream`, `[gateway.forward]`, `[gateway.health]` and
//! `[gateway.error_pages]`. What it means is in the types of [`upstream::settings`](crate::upstream::settings).

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use super::kind::{self, Kind, parsed, quoted};
use super::known::{Key, key, open};
use super::read::{Place, Reader};
use super::tree::Value;
use super::{Limits, web};
use crate::upstream::settings::{Address, Balance, Bounds, Ejection, HashBy, Probing, TlsSettings};

const NO_PATH: &str =
    "the site must answer at / as its visitors see it; a [[gateway.route]] with strip_path takes a prefix off";

/// The most servers of one route.
const MAX_SERVERS: usize = 64;

/// The keys of `[gateway.forward]`.
pub(super) const FORWARD: &[Key] = &[
    key("balance", r#""least-connections""#, "which of several upstreams is asked"),
    open("hash_header", "the header that decides where balance is hash; the visitor's address unless set"),
    key("http2", "false", "HTTP/2 to upstreams: as the TLS handshake agrees, without TLS always; gRPC needs it"),
    open("upstream_host", "the Host upstreams are told, and asked for by TLS; the visitor's unless set"),
    key("resolve_every", r#""5s""#, "how long the addresses of an upstream's name are believed"),
    key(
        "keep_idle",
        r#""12s""#,
        "how long a kept connection may be idle; less where the upstream's Keep-Alive says so",
    ),
    key("failures", "3", "so many in a row and an upstream is left alone, where there are others"),
    key("eject_for", r#""5s""#, "for how long at first; longer each time, up to 5 minutes"),
    open("tls_ca", "a PEM file with the authorities of upstreams; the system's unless set"),
    open("tls_name", "the name to ask for and to find in the certificate; the upstream's host unless set"),
    open("tls_certificate", "a PEM file with our own certificate, for upstreams that want one"),
    open("tls_key", "its key, readable by its owner alone"),
    key("tls_verify", r#""full""#, "whether certificates are checked; \"insecure\" believes anyone"),
];

/// The keys of `[gateway.health]`.
pub(super) const HEALTH: &[Key] = &[
    open(
        "path",
        "what upstreams are asked for, to see how they are; they are not asked unless set, here or in a route",
    ),
    open("host", "the Host they are asked with; upstream_host, the route's, or the upstream's own, unless set"),
    key("interval", r#""10s""#, "from one question to the next"),
    key("timeout", r#""2s""#, "for connecting and the head of the answer"),
    key("healthy", "2", "good answers in a row that make an upstream well again"),
    key("unhealthy", "3", "bad ones that make it ill"),
    open("status", "the one good status; 200 to 399 unless set"),
];

/// The keys of `[gateway.error_pages]`.
pub(super) const ERROR_PAGES: &[Key] = &[
    open("421", "an HTML file shown where no route is for the host, or another certificate is"),
    open("502", "shown where the site's answer was none"),
    open("503", "shown where the site takes no connections"),
    open("504", "shown where the site takes too long"),
];

/// One or more servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams(pub Vec<Address>);

impl Deref for Upstreams {
    type Target = [Address];

    fn deref(&self) -> &[Address] {
        &self.0
    }
}

impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Address::to_string).collect();
        match names.is_empty() {
            true => f.write_str("the upstreams of its routes"),
            false => f.write_str(&names.join(" and ")),
        }
    }
}

/// How upstreams are spoken to where a route says nothing else.
pub(super) struct Forward {
    pub balance: Word,
    pub hash_header: Option<HeaderName>,
    pub http2: bool,
    pub told_host: Option<String>,
    pub resolve_every: Duration,
    pub keep_idle: Duration,
    pub ejection: Ejection,
    pub tls: TlsSettings,
}

impl Forward {
    /// The name that is asked for by TLS where a route has none of its own: an upstream is asked for by the name it is told.
    pub(super) fn tls_name(&self, told_host: &Option<String>) -> Option<String> {
        self.tls.name.as_ref().or(told_host.as_ref()).cloned()
    }
}

/// What `balance` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    LeastConnections,
    Hash,
}

/// The words of `balance`.
pub(super) const BALANCES: [(&str, Word); 2] = [("least-connections", Word::LeastConnections), ("hash", Word::Hash)];

/// The words of `tls_verify`, and whether anyone is believed.
pub(super) const VERIFY: [(&str, bool); 2] = [("full", false), ("insecure", true)];

impl Word {
    pub(super) fn with(self, header: Option<HeaderName>) -> Balance {
        match self {
            Word::LeastConnections => Balance::LeastConnections,
            Word::Hash => Balance::Hash(header.map_or(HashBy::Client, HashBy::Header)),
        }
    }
}

/// Reads `[gateway.forward]`.
pub(super) fn forward(reader: &mut Reader<'_>) -> Forward {
    let place = reader.section("gateway.forward");
    Forward {
        balance: reader.get(&place, "balance", kind::word(&BALANCES)),
        hash_header: reader.maybe(&place, "hash_header", header()),
        http2: reader.get(&place, "http2", kind::truth()),
        told_host: reader.maybe(&place, "upstream_host", web::plain_host()),
        resolve_every: reader.get(&place, "resolve_every", kind::duration(Duration::from_secs(1), HOUR)),
        keep_idle: reader.get(&place, "keep_idle", keep_idle()),
        ejection: Ejection {
            failures: reader.get(&place, "failures", kind::whole(1, 1000)),
            period: reader.get(&place, "eject_for", kind::duration(Duration::from_millis(100), MINUTES)),
        },
        tls: TlsSettings {
            ca: reader.maybe(&place, "tls_ca", kind::path()),
            name: reader.maybe(&place, "tls_name", web::plain_host()),
            client: client(reader, &place, None),
            insecure: reader.get(&place, "tls_verify", kind::word(&VERIFY)),
        },
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const MINUTES: Duration = Duration::from_secs(300);

/// Our own certificate and its key: both or neither.
pub(super) fn client(
    reader: &mut Reader<'_>,
    place: &Place<'_>,
    usual: Option<&(PathBuf, PathBuf)>,
) -> Option<(PathBuf, PathBuf)> {
    let certificate = reader.maybe(place, "tls_certificate", kind::path());
    let key = reader.maybe(place, "tls_key", kind::path());
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => usual.cloned(),
        (certificate, _) => {
            let (lone, other) =
                if certificate.is_some() { ("tls_certificate", "tls_key") } else { ("tls_key", "tls_certificate") };
            if !reader.any_wrong(&[&place.path(other)]) {
                let what = format!("is there without {other}");
                reader.refuse(place, lone, None, what, "both, or neither".into());
            }
            None
        }
    }
}

/// How upstreams are asked how they are, where a route says nothing else.
pub(super) struct Health {
    /// What they are asked for; they are not asked where there is nothing.
    path: Option<String>,
    /// Everything else.
    usual: Probing,
}

/// What a route says of what its upstreams are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HealthPath {
    Off,
    Path(String),
}

impl Health {
    /// For a route that may say something else.
    pub(super) fn probing(&self, own: Option<HealthPath>) -> Option<Probing> {
        let path = match own {
            Some(HealthPath::Off) => None,
            Some(HealthPath::Path(path)) => Some(path),
            None => self.path.clone(),
        };
        path.map(|path| Probing { path, ..self.usual.clone() })
    }
}

/// Reads `[gateway.health]`.
pub(super) fn health(reader: &mut Reader<'_>) -> Health {
    let place = reader.section("gateway.health");
    let path = reader.maybe(&place, "path", probe_path());
    let host = reader.maybe(&place, "host", web::plain_host());
    let interval = reader.get(&place, "interval", kind::duration(Duration::from_millis(100), HOUR));
    let timeout = reader.get(&place, "timeout", kind::duration(Duration::from_millis(10), MINUTES));
    let healthy = reader.get(&place, "healthy", kind::whole(1, 1000));
    let unhealthy = reader.get(&place, "unhealthy", kind::whole(1, 1000));
    let status = reader.maybe(&place, "status", kind::whole::<u16>(200, 599));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let usual = Probing { path: String::new(), host, interval, timeout, healthy, unhealthy, status };
    Health { path, usual }
}

/// Reads `[gateway.error_pages]`.
pub(super) fn error_pages(reader: &mut Reader<'_>) -> Vec<(StatusCode, PathBuf)> {
    let place = reader.section("gateway.error_pages");
    let statuses = [
        ("421", StatusCode::MISDIRECTED_REQUEST),
        ("502", StatusCode::BAD_GATEWAY),
        ("503", StatusCode::SERVICE_UNAVAILABLE),
        ("504", StatusCode::GATEWAY_TIMEOUT),
    ];
    let page = |(name, status)| Some((status, reader.maybe(&place, name, kind::path())?));
    statuses.into_iter().filter_map(page).collect()
}

/// The bounds of the limits.
pub(super) fn bounds(limits: &Limits) -> Bounds {
    Bounds {
        connect: limits.connect_timeout,
        answer: limits.answer_timeout,
        idle: limits.idle_timeout,
        total: limits.total_timeout,
        max_request_body: limits.max_body_bytes,
        least_rate: limits.least_rate,
    }
}

/// How long a kept connection may be idle.
pub(super) fn keep_idle() -> Kind<Duration> {
    kind::duration(Duration::ZERO, HOUR)
}

/// How long a whole exchange may take.
pub(super) fn total() -> Kind<Duration> {
    kind::duration(Duration::from_millis(10), Duration::from_secs(7 * 24 * 3600))
}

/// One server, or a list of them.
pub(super) fn servers() -> Kind<Upstreams> {
    let one = || parsed(ALLOWED, parse_address, Address::to_string);
    let (single, many, show) = (one(), kind::list(MAX_SERVERS, one()), one().show);
    Kind {
        read: Box::new(move |node| match &node.value {
            Value::List(items) if items.is_empty() => Err(kind::Wrong::of(node, "is empty")),
            Value::List(_) => Ok(Upstreams((many.read)(node)?)),
            _ => Ok(Upstreams(vec![(single.read)(node)?])),
        }),
        show: Box::new(move |servers| match &servers.0[..] {
            [one] => show(one),
            many => format!("[{}]", many.iter().map(&show).collect::<Vec<_>>().join(", ")),
        }),
        allowed: format!("{ALLOWED}; or a list of them"),
    }
}

const ALLOWED: &str = "http:// or https://, a host and a port where it is not the scheme's own, such as \
                       \"http://127.0.0.1:3000\", or unix: and a socket's path, such as \"unix:/run/site.sock\"";

fn parse_address(text: &str) -> Result<Address, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.starts_with('/') => Err("has no whole path after unix:".into()),
        // The length of sockaddr_un's path, with its zero.
        Some(path) if path.len() > 107 => Err("has a path of more than 107 bytes, which no socket can have".into()),
        Some(path) if path.contains(char::is_control) => Err("has control characters".into()),
        Some(path) => Ok(Address::Unix(path.into())),
        None => {
            let web_server = web::parse_server(text, NO_PATH)?;
            Ok(Address::Tcp { tls: web_server.tls, host: web_server.host, port: web_server.port })
        }
    }
}

/// A header's name.
pub(super) fn header() -> Kind<HeaderName> {
    let parse = |text: &str| text.parse().map_err(|_| "is no header's name".into());
    parsed("a header's name such as \"x-tenant\"", parse, |name: &HeaderName| name.to_string())
}

/// What is asked for by a probe.
fn probe_path() -> Kind<String> {
    parsed("a path such as \"/healthz\", with a query where it needs one", parse_probe_path, String::clone)
}

/// The same in a route, which may ask for nothing.
pub(super) fn health_path() -> Kind<HealthPath> {
    let parse = |text: &str| match text {
        "off" => Ok(HealthPath::Off),
        path => parse_probe_path(path).map(HealthPath::Path),
    };
    let show = |path: &HealthPath| match path {
        HealthPath::Off => "off".to_owned(),
        HealthPath::Path(path) => path.clone(),
    };
    parsed("a path such as \"/healthz\", or \"off\"", parse, show)
}

fn parse_probe_path(text: &str) -> Result<String, String> {
    match text {
        _ if !text.starts_with('/') => Err("does not begin with a slash".into()),
        _ if text.len() > 1024 => Err("is longer than 1024 characters".into()),
        _ if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') => {
            Err("has characters that must be percent-encoded".into())
        }
        _ => Ok(text.to_owned()),
    }
}

/// A value in the form of a message.
pub(super) fn shown(text: &str) -> Option<String> {
    Some(quoted(text))
}
