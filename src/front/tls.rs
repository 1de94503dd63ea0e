//! TLS to visitors: certificates by host, versions, tickets and HTTP/2 by ALPN. A visitor who names a host that no
//! certificate covers is told so (`unrecognized_name`); none is ever shown another site's certificate.
//!
//! | module | |
//! |---|---|
//! | `certificates` | files, read and looked at for new ones |
//! | `table` | which certificate a visitor is shown |
//! | `x509` | what stands in a certificate |
//! | `tend` | who looks, and tells what is wrong |
//! | `acme` | certificates from an authority |
//! | `challenges` | what an authority asks to see |
//! | `opened` | the name a connection was opened for, and what may be asked over it |

pub mod acme;
pub mod certificates;
pub mod challenges;
pub mod opened;
pub mod table;
pub mod tend;
#[cfg(test)]
pub mod testing;
pub mod x509;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{Acceptor, ClientHello};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::server::TlsStream;

use crate::config::{self, TlsVersion};
use certificates::{CertificateError, Certificates};
use challenges::Challenges;

/// The protocol of RFC 8737, spoken by authorities alone.
const ACME_TLS: &[u8] = b"acme-tls/1";
/// A fatal alert, as a record of its own: `unrecognized_name` (RFC 6066 §3).
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// A certificate.
    #[error("{0}. It is [[gateway.tls.certificate]] in the configuration")]
    Certificate(#[from] CertificateError),
    /// What rustls said.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

/// What became of a greeting that did not become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGreeted {
    /// It named a host that no certificate covers.
    UnknownHost,
    /// It was no TLS, of no version or kind we speak, or broke off.
    Failed,
    /// It took too long.
    TooSlow,
    /// It was an authority that has seen what it wanted.
    Challenge,
}

/// TLS for all workers: one set of certificates, and one of the keys by which sessions are resumed.
pub struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
    handshake_timeout: Duration,
}

impl Tls {
    /// With the certificates read, and those that an authority will give coming later. Of `before` sessions can be resumed, and
    /// pairs of files that stay are as they were.
    pub fn new(
        settings: &config::Tls,
        challenges: Arc<Challenges>,
        before: Option<&Tls>,
    ) -> Result<Tls, TlsSetupError> {
        let known = before.map(|before| &*before.certificates);
        let certificates = Arc::new(Certificates::after(&settings.certificates, known)?);
        let versions: &[_] = match settings.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12],
            TlsVersion::V1_3 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        // Tickets under keys that change every few hours; nothing of a session is kept here.
        config.ticketer = match before {
            Some(before) => before.config.ticketer.clone(),
            None => ring::Ticketer::new()?,
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls { config: Arc::new(config), certificates, challenges, handshake_timeout: settings.handshake_timeout })
    }

    /// The certificates in use.
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// Greets a visitor. The deadline is for all of it.
    pub async fn greet<S>(&self, stream: S) -> Result<TlsStream<S>, NotGreeted>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + self.handshake_timeout;
        match timeout_at(deadline, self.shake_hands(stream)).await {
            Ok(greeted) => greeted,
            Err(_) => Err(NotGreeted::TooSlow),
        }
    }

    async fn shake_hands<S>(&self, stream: S) -> Result<TlsStream<S>, NotGreeted>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let failed = |_: io::Error| NotGreeted::Failed;
        let mut started = LazyConfigAcceptor::new(Acceptor::default(), stream).await.map_err(failed)?;
        let hello = started.client_hello();
        if is_challenge(&hello) {
            let answer = hello.server_name().and_then(|host| self.challenges.certificate(host));
            let Some(answer) = answer else { return Err(NotGreeted::UnknownHost) };
            let mut shown = started.into_stream(answer).await.map_err(failed)?;
            let _ = shown.shutdown().await;
            return Err(NotGreeted::Challenge);
        }
        if !self.certificates.table().covers(hello.server_name()) {
            let _ = started.io.write_all(&UNRECOGNIZED_NAME).await;
            let _ = started.io.shutdown().await;
            return Err(NotGreeted::UnknownHost);
        }
        started.into_stream(self.config.clone()).await.map_err(failed)
    }
}

/// RFC 8737 §3: it offers that protocol and no other.
fn is_challenge(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.next() == Some(ACME_TLS) && offered.next().is_none())
}
