//! TLS to a server: certificates are checked against the system's roots or the operator's own, the name against the
//! configured host or the name given instead.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, InvalidMessage, RootCertStore};

use super::UpstreamSetupError;
use super::settings::TlsSettings;
use crate::keys::private_file::{self, Unusable};

mod anyone;

/// What is needed to greet a server by TLS.
#[derive(Clone)]
pub(super) struct Handshake {
    connector: TlsConnector,
    /// The same without HTTP/2.
    http1: TlsConnector,
    name: ServerName<'static>,
}

impl Handshake {
    /// As configured. Without an authority of the operator's own it believes what the system believes; `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` are honoured.
    pub(super) fn new(host: &str, http2: bool, settings: &TlsSettings) -> Result<Handshake, UpstreamSetupError> {
        let name = settings.name.as_deref().unwrap_or(host);
        if settings.insecure {
            return Handshake::made(name, http2, settings, None);
        }
        let mut roots = RootCertStore::empty();
        match &settings.ca {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|_| unusable(path, "holds a certificate that is none"))?;
                }
            }
            // A root that cannot be read or parsed is left out: it can only make fewer sites believed.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        Handshake::made(name, http2, settings, Some(roots))
    }

    /// Believes `roots` only.
    #[cfg(test)]
    pub(super) fn with_roots(host: &str, roots: RootCertStore) -> Result<Handshake, UpstreamSetupError> {
        Handshake::made(host, false, &TlsSettings::default(), Some(roots))
    }

    /// Believes anyone where there are no roots at all.
    fn made(
        name: &str,
        http2: bool,
        settings: &TlsSettings,
        roots: Option<RootCertStore>,
    ) -> Result<Handshake, UpstreamSetupError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| UpstreamSetupError::Name(name.to_owned()))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match roots {
            Some(roots) if roots.is_empty() => return Err(UpstreamSetupError::NoRoots),
            Some(roots) => builder.with_root_certificates(roots),
            None => builder.dangerous().with_custom_certificate_verifier(anyone::verifier(provider)),
        };
        let mut config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder.with_client_auth_cert(certificates(certificate)?, private_key(key)?)?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = TlsConnector::from(Arc::new(config.clone()));
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        Ok(Handshake { connector: TlsConnector::from(Arc::new(config)), http1, name })
    }

    pub(super) async fn greet(&self, tcp: TcpStream, http1: bool) -> io::Result<TlsStream<TcpStream>> {
        let connector = if http1 { &self.http1 } else { &self.connector };
        connector.connect(self.name.clone(), tcp).await
    }
}

/// Why a greeting failed, and what to do. What the TLS library says is of the server's certificate, not of a visitor.
pub(super) fn advice(error: &io::Error) -> String {
    let why = error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string);
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        // The first bytes of an answer in the clear are taken for the head of a record.
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            format!("it speaks no TLS ({why}); write http:// for it")
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            format!("nobody known here has signed its certificate ({why}); name the authority's file with tls_ca")
        }
        _ => format!("{why}; check its certificate and name"),
    }
}

/// All certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, UpstreamSetupError> {
    let text = std::fs::read(path).map_err(|source| unreadable(path, source))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(unusable(path, "holds no certificates in PEM")),
    }
}

/// The key of a PEM file that is its owner's alone.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, UpstreamSetupError> {
    let text = match private_file::read(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(unreadable(path, io::ErrorKind::NotFound.into())),
        Err(Unusable::Io(source)) => return Err(unreadable(path, source)),
        Err(Unusable::Open(_)) => return Err(unusable(path, "can be read by others; run: chmod 600")),
    };
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| unusable(path, "holds no private key in PEM"))
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> UpstreamSetupError {
    UpstreamSetupError::Unreadable { path: PathBuf::from(path), source }
}

pub(super) fn unusable(path: &Path, what: &'static str) -> UpstreamSetupError {
    UpstreamSetupError::Unusable { path: PathBuf::from(path), what }
}
