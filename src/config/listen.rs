//! Where visitors connect, who may speak for somebody else, and what one address may do: the keys of `[gateway]` and
//! `[gateway.limits]` that are about visitors' connections.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::kind::{self, Kind, Wrong, parsed, quoted};
use super::read::{Place, Reader};
use super::tree::Value;

/// The longest path of a Unix socket that every system takes, in bytes (`sun_path` with its end).
const UNIX_PATH: usize = 103;

/// One place where visitors connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// An address and a port, such as `0.0.0.0:8080`.
    Tcp(SocketAddr),
    /// A Unix socket, written `unix:/path`; made with mode 0660.
    Unix(PathBuf),
    /// The sockets systemd hands over under this name (`FileDescriptorName=`), written `systemd:NAME`.
    Systemd(String),
}

impl ListenAt {
    /// The address, where it is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            ListenAt::Tcp(address) => Some(*address),
            ListenAt::Unix(_) | ListenAt::Systemd(_) => None,
        }
    }
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAt::Tcp(address) => write!(f, "{address}"),
            ListenAt::Unix(path) => write!(f, "unix:{}", path.display()),
            ListenAt::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// Which header of a trusted proxy names the visitor where both are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How visitors' connections are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doors {
    /// Where visitors connect without TLS; default `0.0.0.0:8080`. May be empty beside a `[gateway.tls]`.
    pub listen: Vec<ListenAt>,
    /// Whether HTTP/2 is spoken without TLS to who begins with it; default no.
    pub h2c: bool,
    /// Peers whose connections must begin with a header of the PROXY protocol; default none. Nobody else's is read.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Whether whoever reaches a Unix socket is a trusted proxy; default no.
    pub trust_unix_peers: bool,
    /// Whether trusted proxies say which host the visitor asked for; default no.
    pub trust_forwarded_host: bool,
    /// Which header counts where a trusted proxy sends both; default `X-Forwarded-For`.
    pub forwarded_header: ForwardedHeader,
}

/// What one address may do, and one connection of HTTP/2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitorLimits {
    /// Connections of one address at once, over all workers; an IPv6 address counts by its /64; default 1,000.
    pub max_connections_per_address: usize,
    /// What one address may ask for; default no bound.
    pub requests_per_address: Option<RequestPace>,
    /// Requests at once on one connection of HTTP/2; default 100.
    pub max_streams: u32,
    /// How long a proxy may take to send its header of the PROXY protocol; default 1 s.
    pub proxy_protocol_timeout: Duration,
}

/// A bucket that fills with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPace {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

const HEADERS: [(&str, ForwardedHeader); 2] =
    [("x-forwarded-for", ForwardedHeader::XForwardedFor), ("forwarded", ForwardedHeader::Forwarded)];

/// What is in `[gateway]`.
pub(super) fn doors(reader: &mut Reader<'_>, place: &Place<'_>) -> Doors {
    Doors {
        listen: reader.get(place, "listen", places()),
        h2c: reader.get(place, "h2c", kind::truth()),
        proxy_protocol_from: reader.get(place, "proxy_protocol_from", kind::list(1024, kind::network())),
        trust_unix_peers: reader.get(place, "trust_unix_peers", kind::truth()),
        trust_forwarded_host: reader.get(place, "trust_forwarded_host", kind::truth()),
        forwarded_header: reader.get(place, "forwarded_header", kind::word(&HEADERS)),
    }
}

/// What is in `[gateway.limits]`.
pub(super) fn limits(reader: &mut Reader<'_>, place: &Place<'_>) -> VisitorLimits {
    let max_connections_per_address = reader.get(place, "max_connections_per_address", kind::whole(1, 1_000_000));
    let per_second = reader.maybe(place, "requests_per_second_per_address", kind::whole(1, 1_000_000));
    let burst = match per_second {
        Some(per_second) => {
            Some(reader.or(place, "request_burst_per_address", kind::whole(1, 1_000_000), per_second * 10))
        }
        None => reader.maybe(place, "request_burst_per_address", kind::whole(1, 1_000_000)),
    };
    if per_second.is_none() && burst.is_some() && !reader.any_wrong(&["gateway.limits.requests_per_second"]) {
        let what = "bounds nothing without a pace";
        let allowed = "only together with requests_per_second_per_address";
        reader.refuse(place, "request_burst_per_address", None, what.into(), allowed.into());
    }
    VisitorLimits {
        max_connections_per_address,
        requests_per_address: per_second.zip(burst).map(|(per_second, burst)| RequestPace { per_second, burst }),
        max_streams: reader.get(place, "max_streams", kind::whole(1, 10_000)),
        proxy_protocol_timeout: reader.get(
            place,
            "proxy_protocol_timeout",
            kind::duration(Duration::from_millis(10), Duration::from_secs(60)),
        ),
    }
}

/// One place or a list of them. A single one is written without brackets.
pub(super) fn places() -> Kind<Vec<ListenAt>> {
    let one = place();
    let (read_one, show_one) = (one.read, one.show);
    let many = kind::list(64, place());
    let read = move |node: &super::tree::Node| match node.value {
        Value::List(_) => (many.read)(node),
        _ => Ok(vec![read_one(node)?]),
    };
    let show = move |places: &Vec<ListenAt>| match &places[..] {
        [only] => show_one(only),
        places => format!("[{}]", places.iter().map(&show_one).collect::<Vec<_>>().join(", ")),
    };
    let allowed = format!("{}; or a list of those", one.allowed);
    Kind { read: Box::new(read), show: Box::new(show), allowed }
}

/// Where a listener stands.
fn place() -> Kind<ListenAt> {
    let tcp = kind::address();
    let unix = parsed("", unix_path, ListenAt::to_string);
    let systemd = parsed("", systemd_name, ListenAt::to_string);
    let allowed = format!("{}; \"unix:/path\", or \"systemd:NAME\" for a socket systemd has opened", tcp.allowed);
    let read = move |node: &super::tree::Node| match node.text() {
        Some(text) if text.starts_with("unix:") => (unix.read)(node),
        Some(text) if text.starts_with("systemd:") => (systemd.read)(node),
        Some(_) => (tcp.read)(node).map(ListenAt::Tcp),
        None => Err(Wrong::of(node, format!("is {}, not a text in quotes", node.kind()))),
    };
    Kind { read: Box::new(read), show: Box::new(|place| quoted(&place.to_string())), allowed }
}

fn unix_path(text: &str) -> Result<ListenAt, String> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    match path {
        "" => Err("has no path".into()),
        _ if path.contains(char::is_control) => Err("has control characters".into()),
        _ if path.len() > UNIX_PATH => Err(format!("is longer than a socket's path may be ({UNIX_PATH} bytes)")),
        _ => Ok(ListenAt::Unix(PathBuf::from(path))),
    }
}

fn systemd_name(text: &str) -> Result<ListenAt, String> {
    let name = text.strip_prefix("systemd:").unwrap_or(text);
    // systemd.socket(5), FileDescriptorName=.
    let fits = !name.is_empty() && name.len() <= 255 && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    match fits {
        true => Ok(ListenAt::Systemd(name.to_owned())),
        false => Err("is no name of a socket".into()),
    }
}
