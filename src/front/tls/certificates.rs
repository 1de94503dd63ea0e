//! The certificates visitors are shown: read from files, looked at for new ones, chosen by the host a visitor names (SNI).
//! Where new files are wrong those of before serve on, and somebody is told.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use super::table::Table;
use super::x509;
use crate::config::CertificateFiles;

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
    files: Vec<CertificateFiles>,
    current: RwLock<Current>,
}

struct Current {
    table: Arc<Table>,
    /// Those from files, in their order.
    from_files: Vec<Arc<Certificate>>,
    /// The one from an authority, once there is one.
    ordered: Option<Arc<Certificate>>,
    /// A hash of the files' bytes, to see when they change.
    seen: [u8; 32],
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificates {
    /// Reads all of them. What is wrong with one is wrong with all: a gateway without a site's certificate is not started.
    pub fn read(files: &[CertificateFiles]) -> Result<Certificates, CertificateError> {
        let (seen, from_files) = read_all(files)?;
        let table = Arc::new(Table::new(from_files.clone()));
        Ok(Certificates {
            files: files.to_vec(),
            current: RwLock::new(Current { table, from_files, ordered: None, seen }),
        })
    }

    /// Looks at the files: whether there was something new, which is in use from now on, or what is wrong with it.
    pub fn look(&self) -> Result<bool, CertificateError> {
        let bytes = read_files(&self.files)?;
        let seen = hash(&bytes);
        if seen == self.current.read().unwrap_or_else(PoisonError::into_inner).seen {
            return Ok(false);
        }
        let from_files = parse(&self.files, &bytes)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.seen = seen;
        current.from_files = from_files;
        current.table = table(&current);
        Ok(true)
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
}

fn table(current: &Current) -> Arc<Table> {
    Arc::new(Table::new(current.from_files.iter().chain(&current.ordered).cloned().collect()))
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.table().choose(hello.server_name(), hello.signature_schemes())
    }
}

type Bytes = Vec<(Vec<u8>, Zeroizing<Vec<u8>>)>;

fn read_all(files: &[CertificateFiles]) -> Result<([u8; 32], Vec<Arc<Certificate>>), CertificateError> {
    let bytes = read_files(files)?;
    Ok((hash(&bytes), parse(files, &bytes)?))
}

fn read_files(files: &[CertificateFiles]) -> Result<Bytes, CertificateError> {
    let read = |file: &CertificateFiles| Ok((read(&file.certificate, false)?.to_vec(), read(&file.key, true)?));
    files.iter().map(read).collect()
}

/// A key is read only where it is its owner's alone.
fn read(path: &Path, is_key: bool) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let failed = |source| CertificateError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if is_key && mode & 0o077 != 0 {
        return Err(CertificateError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn parse(files: &[CertificateFiles], bytes: &Bytes) -> Result<Vec<Arc<Certificate>>, CertificateError> {
    let both = files.iter().zip(bytes);
    both.map(|(file, (chain, key))| Certificate::of(chain, key, &file.certificate).map(Arc::new)).collect()
}

fn hash(bytes: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (chain, key) in bytes {
        for file in [&chain[..], &key[..]] {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;
    use crate::front::tls::testing::write_certificate;

    #[test]
    fn new_files_are_taken_and_wrong_ones_leave_those_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let files = write_certificate(dir.path(), "one", &["a.example"]);
        let certificates = Certificates::read(std::slice::from_ref(&files)).unwrap();
        let serial = || certificates.table().certificates()[0].key.cert[0].to_vec();
        let first = serial();
        assert!(!certificates.look().unwrap(), "nothing is new");

        fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\n").unwrap();
        let said = certificates.look().unwrap_err().to_string();
        assert!(said.contains("holds no certificate"), "{said}");
        assert_eq!(serial(), first, "the last good one serves on");
        assert!(certificates.look().is_err(), "and it is said as long as it is so");

        write_certificate(dir.path(), "one", &["a.example", "b.example"]);
        assert!(certificates.look().unwrap());
        assert_ne!(serial(), first);
        assert!(!certificates.look().unwrap());
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let files = write_certificate(dir.path(), "one", &["a.example"]);
        let other = write_certificate(dir.path(), "two", &["b.example"]);
        let said = |files: &CertificateFiles| Certificates::read(std::slice::from_ref(files)).unwrap_err().to_string();
        let mixed = CertificateFiles { certificate: files.certificate.clone(), key: other.key };
        assert!(said(&mixed).contains("cannot be used with its key"), "{}", said(&mixed));
        let swapped = CertificateFiles { certificate: files.key.clone(), key: files.key.clone() };
        assert!(said(&swapped).contains("no certificate"), "{}", said(&swapped));
        fs::set_permissions(&files.key, Permissions::from_mode(0o640)).unwrap();
        assert!(said(&files).contains("mode 640") && said(&files).contains("chmod 600"), "{}", said(&files));
        fs::remove_file(&files.key).unwrap();
        assert!(said(&files).contains("cannot be read"), "{}", said(&files));
    }
}
