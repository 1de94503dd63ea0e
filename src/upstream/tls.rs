//! TLS to the site: certificates are checked against the system's roots, the name against the configured host.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::UpstreamSetupError;

/// What is needed to greet the site by TLS.
pub(super) struct Handshake {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Handshake {
    /// Believes what the system believes; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    pub(super) fn with_system_roots(host: &str) -> Result<Handshake, UpstreamSetupError> {
        let mut roots = RootCertStore::empty();
        // A root that cannot be read or parsed is left out: it can only make fewer sites believed.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Handshake::with_roots(host, roots)
    }

    /// Believes `roots` only.
    pub(super) fn with_roots(host: &str, roots: RootCertStore) -> Result<Handshake, UpstreamSetupError> {
        if roots.is_empty() {
            return Err(UpstreamSetupError::NoRoots);
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_| UpstreamSetupError::Name(host.to_owned()))?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Handshake { connector: TlsConnector::from(Arc::new(config)), name })
    }

    pub(super) async fn greet(&self, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), tcp).await
    }
}
