//! What an authority asks to see while a certificate is ordered: a file on port 80 (RFC 8555 §8.3), or a certificate of its
//! own kind on port 443 (RFC 8737). Filled by the order, read by every worker, empty at all other times.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::ACME_TLS;

/// The folder of the files.
const FOLDER: &str = "/.well-known/acme-challenge/";

/// Why a challenge's certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// The certificate itself.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// What rustls said of it.
    #[error(transparent)]
    Rustls(#[from] tokio_rustls::rustls::Error),
}

/// Challenges that are open.
#[derive(Default)]
pub struct Challenges {
    open: RwLock<Open>,
}

#[derive(Default)]
struct Open {
    /// What each file holds, by its name.
    files: HashMap<String, String>,
    /// What is shown for each host.
    certificates: HashMap<String, Arc<ServerConfig>>,
}

impl Challenges {
    /// Opens one that is met by a file.
    pub fn open_file(&self, token: &str, content: &str) {
        self.write(|open| drop(open.files.insert(token.to_owned(), content.to_owned())));
    }

    /// Opens one that is met by a certificate with `digest` in it.
    pub fn open_certificate(&self, host: &str, digest: &[u8]) -> Result<(), ChallengeError> {
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().clone();
        let provider = Arc::new(ring::default_provider());
        // Taken together without a look: what is critical in it only an authority knows.
        let key = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        let shown = CertifiedKey::new(vec![certificate], key);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        config.alpn_protocols = vec![ACME_TLS.to_vec()];
        let config = Arc::new(config);
        self.write(|open| drop(open.certificates.insert(host.to_ascii_lowercase(), config)));
        Ok(())
    }

    /// Closes all of them.
    pub fn close(&self) {
        self.write(|open| *open = Open::default());
    }

    /// What the file at `path` holds, if it is one of an open challenge.
    pub fn file(&self, path: &str) -> Option<String> {
        let token = path.strip_prefix(FOLDER)?;
        self.open.read().unwrap_or_else(PoisonError::into_inner).files.get(token).cloned()
    }

    /// What is shown to an authority that asks for `host`.
    pub fn certificate(&self, host: &str) -> Option<Arc<ServerConfig>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.certificates.get(&host.to_ascii_lowercase()).cloned()
    }

    fn write(&self, change: impl FnOnce(&mut Open)) {
        change(&mut self.open.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_open_is_shown() {
        let challenges = Challenges::default();
        challenges.open_file("abc", "abc.thumb");
        challenges.open_certificate("A.example", &[7; 32]).unwrap();
        assert_eq!(challenges.file("/.well-known/acme-challenge/abc").as_deref(), Some("abc.thumb"));
        for path in ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/ab", "/abc", "abc"] {
            assert_eq!(challenges.file(path), None, "{path}");
        }
        assert!(challenges.certificate("a.EXAMPLE").is_some() && challenges.certificate("b.example").is_none());
        challenges.close();
        assert!(challenges.certificate("a.example").is_none());
        assert_eq!(challenges.file("/.well-known/acme-challenge/abc"), None);
    }
}
