//! A certificate's file and its key's: read together, and looked at for new ones. A pair whose new files cannot be taken keeps
//! the certificate it had; what is wrong with one pair is nothing to the others.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Certificate, CertificateError, MAX_FILE};
use crate::config::CertificateFiles;

/// Two files and what was made of them.
#[derive(Clone)]
pub(super) struct Pair {
    /// Where they are.
    pub files: CertificateFiles,
    /// The last good one.
    pub certificate: Arc<Certificate>,
    /// A hash of the bytes it was read from, to see when they change.
    seen: [u8; 32],
    /// Why the files as they are now are not taken.
    trouble: Option<Trouble>,
}

/// What is wrong, and with which bytes: other ones are another trouble. Nothing where they could not be read.
#[derive(Clone, PartialEq, Eq)]
struct Trouble {
    bytes: Option<[u8; 32]>,
    said: String,
}

/// What a look at a pair has led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The files are those in use.
    Same,
    /// They are again, and were others in between.
    SameAgain,
    /// They are others, and in use from now on.
    New,
    /// They cannot be taken.
    Wrong {
        /// Why.
        said: String,
        /// Whether that was not so at the look before.
        is_new: bool,
    },
}

impl Pair {
    /// Reads both; what is wrong with them is an error.
    pub fn read(files: &CertificateFiles) -> Result<Pair, CertificateError> {
        let (seen, certificate) = Bytes::read(files).and_then(|bytes| Ok((bytes.hash(), bytes.parse(files)?)))?;
        Ok(Pair { files: files.clone(), certificate: Arc::new(certificate), seen, trouble: None })
    }

    /// Looks whether the files are others, and takes them where they can be; `now` is in seconds since 1970.
    pub fn look(&mut self, now: i64) -> Found {
        let bytes = match Bytes::read(&self.files) {
            Ok(bytes) => bytes,
            Err(error) => return self.keep(None, &error),
        };
        let hash = bytes.hash();
        if hash == self.seen {
            return if self.trouble.take().is_some() { Found::SameAgain } else { Found::Same };
        }
        match bytes.parse(&self.files).and_then(|certificate| self.better(certificate, now)) {
            Ok(certificate) => {
                (self.certificate, self.seen, self.trouble) = (Arc::new(certificate), hash, None);
                Found::New
            }
            Err(error) => self.keep(Some(hash), &error),
        }
    }

    /// A certificate that browsers refuse does not take the place of one that they believe.
    fn better(&self, certificate: Certificate, now: i64) -> Result<Certificate, CertificateError> {
        let path = || self.files.certificate.clone();
        if certificate.facts.is_good(now) || !self.certificate.facts.is_good(now) {
            return Ok(certificate);
        }
        Err(match certificate.facts.not_before > now {
            true => CertificateError::Early { path: path(), from: certificate.facts.not_before },
            false => CertificateError::Over { path: path(), until: certificate.facts.not_after },
        })
    }

    fn keep(&mut self, bytes: Option<[u8; 32]>, error: &CertificateError) -> Found {
        let trouble = Trouble { bytes, said: error.to_string() };
        let said = trouble.said.clone();
        let is_new = self.trouble.as_ref() != Some(&trouble);
        self.trouble = Some(trouble);
        Found::Wrong { said, is_new }
    }
}

/// The certificate in two files.
pub(super) fn read(files: &CertificateFiles) -> Result<Certificate, CertificateError> {
    Bytes::read(files)?.parse(files)
}

/// What is in the two files.
struct Bytes {
    chain: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl Bytes {
    fn read(files: &CertificateFiles) -> Result<Bytes, CertificateError> {
        Ok(Bytes { chain: content(&files.certificate, false)?, key: content(&files.key, true)? })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for file in [&self.chain[..], &self.key[..]] {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
        }
        hash.finalize().into()
    }

    fn parse(&self, files: &CertificateFiles) -> Result<Certificate, CertificateError> {
        Certificate::of(&self.chain, &self.key, &files.certificate).map_err(|error| match error {
            CertificateError::NoKey { .. } => CertificateError::NoKey { path: files.key.clone() },
            error => error,
        })
    }
}

/// A key is read only where it is its owner's alone.
fn content(path: &Path, is_key: bool) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
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
