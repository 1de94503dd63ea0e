//! What can go wrong between the gateway and the site, and which status the visitor gets for it.
//!
//! The messages are for the operator's log: they name what to look at and hold nothing of the request (D1).

use std::io::ErrorKind;
use std::path::PathBuf;

use http::StatusCode;

/// Where a bound is raised.
const WHERE: &str = "(in its [[gateway.route]] where it is set there, else in [gateway.limits])";

/// Why a request could not be passed on, or its answer not be read to the end.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The site's name has no address.
    #[error("the upstream's name could not be resolved ({0}); check it and the resolver")]
    Unresolved(ErrorKind),
    /// No address took the connection.
    #[error("the upstream takes no connections ({0}); check that the site is running")]
    Unreachable(ErrorKind),
    /// There are as many connections as there may be.
    #[error(
        "there are as many connections to the upstream as there may be; look at what holds them, or raise [gateway.limits] max_upstream_connections and the system's limit of open files"
    )]
    Full,
    /// The visitor's address has half of what there may be.
    #[error(
        "one address has half of the exchanges that may be open with the upstream at once; look at who that is, or raise [gateway.limits] max_upstream_connections and the system's limit of open files"
    )]
    HasHalf,
    /// Connecting took longer than `connect_timeout`.
    #[error("connecting to the upstream took too long; check the site, or raise connect_timeout {WHERE}")]
    ConnectTimeout,
    /// The TLS handshake failed: why, and what to do.
    #[error("the TLS handshake with the upstream failed: {0}")]
    Handshake(String),
    /// The connection ended before the first byte of an answer.
    #[error("the upstream closed the connection without an answer ({0})")]
    Unanswered(ErrorKind),
    /// The connection ended within an answer.
    #[error("the upstream closed the connection in the middle of an answer ({0})")]
    Truncated(ErrorKind),
    /// The server of a gRPC call broke it off and said why; whoever called may want to know (RFC 9113 §7).
    #[error("the upstream broke a call off in the middle of its answer ({0})")]
    Reset(#[source] h2::Error),
    /// The head did not come within `answer_timeout`.
    #[error("the upstream did not begin its answer in time; check the site, or raise answer_timeout {WHERE}")]
    AnswerTimeout,
    /// Either body paused for longer than `idle_timeout` on the site's side.
    #[error("the upstream paused for too long within a body; check the site, or raise idle_timeout {WHERE}")]
    IdleTimeout,
    /// The whole exchange took longer than `total_timeout`.
    #[error("the exchange with the upstream took longer than total_timeout; check the site, or raise it {WHERE}")]
    TotalTimeout,
    /// The answer's head is not HTTP/1, too large, or could be read in two ways.
    #[error("the upstream's answer was refused: {0}")]
    BadHead(&'static str),
    /// The answer's chunked framing is broken.
    #[error("the upstream's answer was cut off: {0}")]
    BadChunk(&'static str),
    /// No route is for the host and path that were asked for.
    #[error(
        "no [[gateway.route]] is for the host that was asked for, and there is no [gateway] upstream for all others"
    )]
    NoRoute,
    /// The request cannot be written as HTTP/1.1.
    #[error("the request cannot be passed on: {0}")]
    Unforwardable(&'static str),
    /// The visitor's body broke off or does not match its length.
    #[error("the visitor's request body broke off")]
    RequestBody,
    /// The visitor paused for longer than `idle_timeout` within the body.
    #[error("the visitor paused for too long within a request body")]
    RequestBodyTimeout,
    /// The visitor's body came slower than `min_body_rate`.
    #[error("the visitor sent a request body slower than min_body_rate {WHERE}")]
    RequestBodyTooSlow,
    /// The visitor's body is longer than `max_body_bytes`.
    #[error("the visitor's request body is longer than max_body_bytes {WHERE}")]
    RequestTooLong,
}

impl UpstreamError {
    /// The status for the visitor: 502, 503 or 504 where the site is at fault, 400, 408, 413 or 421 where the request is.
    pub fn status(&self) -> StatusCode {
        match self {
            UpstreamError::Unresolved(_)
            | UpstreamError::Unreachable(_)
            | UpstreamError::Full
            | UpstreamError::HasHalf => StatusCode::SERVICE_UNAVAILABLE,
            UpstreamError::ConnectTimeout
            | UpstreamError::AnswerTimeout
            | UpstreamError::IdleTimeout
            | UpstreamError::TotalTimeout => StatusCode::GATEWAY_TIMEOUT,
            UpstreamError::NoRoute => StatusCode::MISDIRECTED_REQUEST,
            UpstreamError::Handshake(_)
            | UpstreamError::Unanswered(_)
            | UpstreamError::Truncated(_)
            | UpstreamError::Reset(_)
            | UpstreamError::BadHead(_)
            | UpstreamError::BadChunk(_) => StatusCode::BAD_GATEWAY,
            UpstreamError::Unforwardable(_) | UpstreamError::RequestBody => StatusCode::BAD_REQUEST,
            UpstreamError::RequestBodyTimeout | UpstreamError::RequestBodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            UpstreamError::RequestTooLong => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl UpstreamError {
    /// Whether the server is at fault that was asked.
    pub(super) fn is_servers(&self) -> bool {
        self.status().is_server_error()
            && !matches!(self, UpstreamError::TotalTimeout | UpstreamError::Full | UpstreamError::HasHalf)
    }

    /// Whether another server may be asked for a request that this one has seen nothing of.
    pub(super) fn is_of_one_server(&self) -> bool {
        self.is_servers() || matches!(self, UpstreamError::Full)
    }

    /// After how many seconds it is worth asking again, where that is known.
    pub fn retry_after(&self) -> Option<u64> {
        matches!(self, UpstreamError::Full | UpstreamError::HasHalf).then_some(1)
    }
}

/// Why no way to the site could be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamSetupError {
    /// TLS needs a DNS name or an address to check the certificate against.
    #[error("{0:?} is not a name that an upstream's certificate can hold; write a DNS name or an IP address")]
    Name(String),
    /// Without roots no certificate could be believed.
    #[error("an upstream speaks https, but there are no root certificates; install ca-certificates or set tls_ca")]
    NoRoots,
    /// A file could not be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{path} cannot be used: it {what}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The TLS library refused its own settings.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}
