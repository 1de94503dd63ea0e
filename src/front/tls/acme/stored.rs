//! Account and certificate on disk: files of the owner's alone, each whole or as it was before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use instant_acme::AccountCredentials;
use zeroize::Zeroizing;

use super::AcmeSetupError;
use super::due;
use crate::front::tls::certificates::{Certificate, CertificateError};
use crate::front::tls::x509::Facts;
use crate::keys::private_file::{self, Unusable};
use crate::keys::private_folder;

/// What an authority has given: key and chain, in PEM. One text, so that one never stands without the other.
pub(super) type Given = Zeroizing<String>;

/// The folder.
pub(super) struct Stored {
    folder: PathBuf,
    /// Of the certificate that is stored, with the chance by which its renewal comes earlier.
    current: Mutex<Option<(Facts, f64)>>,
}

/// The account, and with whom.
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredAccount {
    directory: String,
    credentials: AccountCredentials,
}

impl Stored {
    pub fn open(folder: &Path) -> Result<Stored, AcmeSetupError> {
        private_folder::make(folder)?;
        Ok(Stored { folder: folder.to_owned(), current: Mutex::default() })
    }

    fn account_file(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    fn certificate_file(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    /// The certificate, if there is one.
    pub fn certificate(&self) -> Result<Option<Certificate>, CertificateError> {
        let path = self.certificate_file();
        match private_file::read(&path) {
            Ok(None) => Ok(None),
            Ok(Some(text)) => self.parse(&text).map(Some),
            Err(Unusable::Io(source)) => Err(CertificateError::Io { path, source }),
            Err(Unusable::Open(mode)) => Err(CertificateError::Open { path, mode }),
        }
    }

    /// Keeps what an authority has given, where it can be used.
    pub fn keep(&self, given: &Given) -> Result<Certificate, CertificateError> {
        let certificate = self.parse(given)?;
        let path = self.certificate_file();
        private_file::write(&path, given).map_err(|source| CertificateError::Io { path, source })?;
        Ok(certificate)
    }

    fn parse(&self, text: &str) -> Result<Certificate, CertificateError> {
        let certificate = Certificate::of(text.as_bytes(), text.as_bytes(), &self.certificate_file())?;
        let noted = Some((certificate.facts.clone(), due::chance()));
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = noted;
        Ok(certificate)
    }

    /// What stands in the stored certificate.
    pub fn current(&self) -> Option<Facts> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(facts, _)| facts.clone())
    }

    /// The chance drawn for it.
    pub fn chance(&self) -> f64 {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0.0, |(_, chance)| *chance)
    }

    /// The account with this authority, if there is one.
    pub fn account(&self, directory: &str) -> io::Result<Option<AccountCredentials>> {
        let text = match private_file::read(&self.account_file()) {
            Ok(None) => return Ok(None),
            Ok(Some(text)) => text,
            Err(Unusable::Io(error)) => return Err(error),
            Err(Unusable::Open(mode)) => {
                let said = format!("the account's file can be read by others (mode {mode:o}); run: chmod 600 on it");
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, said));
            }
        };
        let stored: StoredAccount = serde_json::from_str(&text)?;
        Ok((stored.directory == directory).then_some(stored.credentials))
    }

    /// Keeps a new account.
    pub fn keep_account(&self, directory: &str, credentials: AccountCredentials) -> io::Result<()> {
        let stored = StoredAccount { directory: directory.to_owned(), credentials };
        let text = Zeroizing::new(serde_json::to_string(&stored)?);
        private_file::write(&self.account_file(), &text)
    }

    /// Forgets the account: the authority does not know it any more.
    pub fn forget_account(&self) {
        let _ = std::fs::remove_file(self.account_file());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::front::tls::testing::write_certificate;

    #[test]
    fn what_was_given_is_kept_for_its_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("acme");
        let stored = Stored::open(&folder).unwrap();
        assert!(stored.certificate().unwrap().is_none() && stored.current().is_none());
        let files = write_certificate(dir.path(), "given", &["a.example"]);
        let both = [files.key, files.certificate].map(|file| fs::read_to_string(file).unwrap()).concat();
        stored.keep(&Zeroizing::new(both)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&stored.certificate_file())), (0o700, 0o600));

        let again = Stored::open(&folder).unwrap();
        assert_eq!(again.certificate().unwrap().unwrap().facts.hosts, ["a.example"]);
        assert_eq!(again.current(), stored.current());
        assert!(again.keep(&Zeroizing::new("nothing".into())).is_err());
        assert!(again.certificate().unwrap().is_some(), "the last good one stays");
    }
}
