//! The certificates visitors are shown: read from files, looked at for new ones, chosen by the host a visitor names (SNI).
//! Where new files are wrong, or hold a certificate that is not good now, the pair's certificate of before serves on and somebody
//! is told; the others are taken.

mod pair;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use super::table::Table;
use super::x509;
use crate::config::CertificateFiles;
use pair::{Found, Pair};

/// No file of a certificate or key is larger, in bytes; a bundle of roots by mistake may be.
const MAX_FILE: u64 = 1 << 20;

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Someone besides the owner can read the key.
    #[error("the key {path} can be read by others (mode {mode:o}); run: chmod 600 {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no certificate in the file.
    #[error("{path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", path = path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("{path} holds no private key in PEM that is not locked by a password", path = path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate are not each other's, or of a kind that is not known.
    #[error("{path} cannot be used with its key: {source}", path = path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What rustls said.
        source: tokio_rustls::rustls::Error,
    },
    /// It names no host, so nobody could be shown it.
    #[error("{path} names no host (subjectAltName)", path = path.display())]
    NoHost {
        /// The file.
        path: PathBuf,
    },
    /// It is no longer good, and another one is.
    #[error("{path} holds a certificate that was good until {}; put one there that is good now", x509::date(*.until), path = path.display())]
    Over {
        /// The file.
        path: PathBuf,
        /// In seconds since 1970.
        until: i64,
    },
    /// It is not good yet, and another one is.
    #[error("{path} holds a certificate that is good from {} on, and is taken then", x509::date(*.from), path = path.display())]
    Early {
        /// The file.
        path: PathBuf,
        /// In seconds since 1970.
        from: i64,
    },
}

/// One that can be shown.
#[derive(Debug)]
pub struct Certificate {
    /// What rustls needs.
    pub key: Arc<CertifiedKey>,
    /// What stands in it.
    pub facts: x509::Facts,
}

impl Certificate {
    /// From its files.
    pub fn read(files: &CertificateFiles) -> Result<Certificate, CertificateError> {
        pair::read(files)
    }

    /// From PEM; `path` stands in errors.
    pub fn of(chain: &[u8], key: &[u8], path: &Path) -> Result<Certificate, CertificateError> {
        let no_certificate = || CertificateError::NoCertificate { path: path.to_owned() };
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(no_certificate)?;
        let facts = chain.first().and_then(|leaf| x509::read(leaf)).ok_or_else(no_certificate)?;
        if facts.hosts.is_empty() {
            return Err(CertificateError::NoHost { path: path.to_owned() });
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey { path: path.to_owned() })?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|source| CertificateError::Unusable { path: path.to_owned(), source })?;
        Ok(Certificate { key: Arc::new(key), facts })
    }
}

/// The certificates in use, shared by all workers.
pub struct Certificates {
    /// Those from files, in their order; held by who looks at the files, and by nobody who greets a visitor.
    pairs: Mutex<Vec<Pair>>,
    current: RwLock<Current>,
}

struct Current {
    table: Arc<Table>,
    /// Those from files, in their order.
    from_files: Vec<Arc<Certificate>>,
    /// The one from an authority, once there is one.
    ordered: Option<Arc<Certificate>>,
}

/// What a look at all files has led to.
#[derive(Debug, Default)]
pub struct Looked {
    /// Whether there is a certificate that is in use from now on and was not.
    pub is_new: bool,
    /// Whether files that could not be taken are those in use again.
    pub is_right_again: bool,
    /// What is wrong with the files of each pair whose certificate of before stays in use.
    pub wrong: Vec<Wrong>,
}

/// What is wrong with the files of one pair.
#[derive(Debug)]
pub struct Wrong {
    /// In words, with the file's name.
    pub said: String,
    /// Whether it was not so at the look before.
    pub is_new: bool,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads all of them. What is wrong with one is wrong with all: a gateway without a site's certificate is not started.
    pub fn read(files: &[CertificateFiles]) -> Result<Certificates, CertificateError> {
        Certificates::after(files, None)
    }

    /// The same in the place of `before`: a pair that is there too is as it was, and the next look finds what is new of it.
    /// Only a pair that was not there has to be right.
    pub fn after(files: &[CertificateFiles], before: Option<&Certificates>) -> Result<Certificates, CertificateError> {
        let known = before.map(|before| before.pairs().clone()).unwrap_or_default();
        let pair = |files: &CertificateFiles| {
            let pair = known.iter().find(|pair| pair.files == *files);
            pair.cloned().map_or_else(|| Pair::read(files), Ok)
        };
        let pairs = files.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let from_files = of(&pairs);
        let table = Arc::new(Table::new(from_files.clone()));
        let current = Current { table, from_files, ordered: None };
        Ok(Certificates { pairs: Mutex::new(pairs), current: RwLock::new(current) })
    }

    /// Looks at the files, pair by pair, and takes what can be taken; `now` is in seconds since 1970.
    pub fn look(&self, now: i64) -> Looked {
        let (mut pairs, mut looked) = (self.pairs(), Looked::default());
        for pair in pairs.iter_mut() {
            match pair.look(now) {
                Found::Same => {}
                Found::SameAgain => looked.is_right_again = true,
                Found::New => looked.is_new = true,
                Found::Wrong { said, is_new } => looked.wrong.push(Wrong { said, is_new }),
            }
        }
        if looked.is_new {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.from_files = of(&pairs);
            current.table = table(&current);
        }
        looked
    }

    /// Takes over a certificate from an authority.
    pub fn take_ordered(&self, certificate: Certificate) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.ordered = Some(Arc::new(certificate));
        current.table = table(&current);
    }

    /// Those in use.
    pub fn table(&self) -> Arc<Table> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).table.clone()
    }

    fn pairs(&self) -> std::sync::MutexGuard<'_, Vec<Pair>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(pairs: &[Pair]) -> Vec<Arc<Certificate>> {
    pairs.iter().map(|pair| pair.certificate.clone()).collect()
}

fn table(current: &Current) -> Arc<Table> {
    Arc::new(Table::new(current.from_files.iter().chain(&current.ordered).cloned().collect()))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.table().choose(hello.server_name(), hello.signature_schemes())
    }
}

#[cfg(test)]
mod tests;
