//! Banners and notices by their SHA-256 (P5): what a row's hashes stand for can be shown again, byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};

use super::LedgerError;
use super::folder::{Folder, options};
use super::hex::{hex, unhex};

/// The folder's name within the ledger's.
pub(super) const FOLDER: &str = "texts";

/// The longest text that is kept, in bytes.
const LONGEST: usize = 16 << 20;

/// The kept texts.
pub(super) struct Texts {
    folder: PathBuf,
    /// Those that are there; names only.
    known: RwLock<BTreeSet<[u8; 32]>>,
}

impl Texts {
    pub(super) fn open(folder: &Folder) -> Result<Texts, LedgerError> {
        let folder = folder.path().join(FOLDER);
        let failed = |source| LedgerError::Io { doing: "list the kept texts", path: folder.clone(), source };
        let mut known = BTreeSet::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            known.extend(entry.map_err(failed)?.file_name().to_str().and_then(unhex::<32>));
        }
        Ok(Texts { folder, known: RwLock::new(known) })
    }

    pub(super) fn keep(&self, text: &[u8]) -> Result<[u8; 32], LedgerError> {
        if text.len() > LONGEST {
            return Err(LedgerError::TooLong { bytes: text.len(), most: LONGEST });
        }
        let hash = Sha256::digest(text).into();
        // One that is damaged is written again.
        if !matches!(self.read(&hash), Ok(Some(_))) {
            let path = self.folder.join(hex(&hash));
            self.write(&path, text).map_err(|source| LedgerError::Io { doing: "keep a text", path, source })?;
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(hash);
        }
        Ok(hash)
    }

    fn write(&self, path: &std::path::Path, text: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        let mut file = options().create(true).truncate(true).open(&fresh)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        fs::File::open(&self.folder)?.sync_all()
    }

    pub(super) fn read(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, LedgerError> {
        if !self.known.read().unwrap_or_else(PoisonError::into_inner).contains(hash) {
            return Ok(None);
        }
        read_text(&self.folder, hash)
    }

    /// A text that is there is not written again, so this is when its file was.
    pub(super) fn kept_at(&self, hash: &[u8; 32]) -> Option<u64> {
        let written = fs::metadata(self.folder.join(hex(hash))).ok()?.modified().ok()?;
        Some(written.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }

    pub(super) fn by_prefix(&self, prefix: &str) -> Option<[u8; 32]> {
        let prefix: [u8; 8] = unhex(prefix)?;
        let mut from = [0; 32];
        from[..8].copy_from_slice(&prefix);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = known.range(from..).take_while(|hash| hash.starts_with(&prefix));
        let first = found.next().copied();
        // Two would be a coincidence nobody has seen; neither is said to be the one.
        if found.next().is_some() { None } else { first }
    }
}

/// The bytes of a hash in a folder of texts, proven.
fn read_text(folder: &std::path::Path, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, LedgerError> {
    let path = folder.join(hex(hash));
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| LedgerError::Io { doing: "read a kept text", path, source })?,
    };
    let found: [u8; 32] = Sha256::digest(&text).into();
    if found == *hash { Ok(Some(text)) } else { Err(LedgerError::Damaged { hash: hex(hash) }) }
}

/// The bytes kept in the ledger `ledger` under a hash that begins with `digits` (8 to 64), without opening the ledger: for
/// the command line. More than one text that begins so is nothing.
pub fn find_text(ledger: &std::path::Path, digits: &str) -> Result<Option<Vec<u8>>, LedgerError> {
    let folder = ledger.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => {
            entries.map_err(|source| LedgerError::Io { doing: "list the kept texts", path: folder.clone(), source })?
        }
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found =
        names.filter(|name| digits.len() >= 8 && name.starts_with(digits)).filter_map(|name| unhex::<32>(&name));
    match (found.next(), found.next()) {
        (Some(hash), None) => read_text(&folder, &hash),
        _ => Ok(None),
    }
}
