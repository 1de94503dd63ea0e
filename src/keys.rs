//! The key ring: 256-bit keys that sign the choice cookie and key the pseudonyms. It lives in a file of its own (0600),
//! never in ClickHouse, so that a copy of the database alone links nothing to anyone (D2). It is read once at the start;
//! [`consent`](crate::consent) and [`pseudonym`](crate::pseudonym) ask it for keyed MACs and never see a key.

pub mod private_file;
pub mod private_folder;

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use private_file::Unusable;

/// What a key is for. One key never serves two purposes, so that knowing one pseudonym says nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Signs the choice cookie.
    Choice,
    /// Keys the visitor's pseudonym.
    Visitor,
    /// Keys the tag of a client address.
    Ip,
}

const PURPOSES: [KeyPurpose; 3] = [KeyPurpose::Choice, KeyPurpose::Visitor, KeyPurpose::Ip];

/// Why the key ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("the key ring {path} cannot be used: {source}")]
    Io {
        /// The key ring's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Someone besides the owner can read the file.
    #[error("the key ring {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Open {
        /// The key ring's file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key ring.
    #[error(
        "the key ring {path} is damaged ({reason}); restore it from a backup, or move it away to start with new keys \
             (every stored choice is then asked again and no earlier pseudonym can be linked to a new one)"
    )]
    Damaged {
        /// The key ring's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredRing {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    id: u32,
    purpose: KeyPurpose,
    /// Seconds since 1970.
    created: u64,
    /// Base64 of the 32 bytes.
    secret: String,
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// The keys in use, one for each purpose, ready to key MACs.
pub struct KeyRing {
    macs: [(u32, Hmac<Sha256>); PURPOSES.len()],
}

impl KeyRing {
    /// Opens the key ring at `path`, making it (and new keys) where there is none. `now` is in seconds since 1970.
    pub fn open_or_create(path: &Path, now: u64) -> Result<KeyRing, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let text = match private_file::read(path) {
            Ok(Some(text)) => text,
            Ok(None) => {
                let text = new_ring(now);
                private_file::write(path, &text).map_err(io)?;
                text
            }
            Err(Unusable::Open(mode)) => return Err(KeyError::Open { path: path.to_owned(), mode }),
            Err(Unusable::Io(source)) => return Err(io(source)),
        };
        let damaged = |reason: String| KeyError::Damaged { path: path.to_owned(), reason };
        let stored: StoredRing = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        let newest = |purpose: KeyPurpose| {
            let key = stored.keys.iter().filter(|k| k.purpose == purpose).max_by_key(|k| k.id);
            let key = key.ok_or_else(|| damaged(format!("no key for {purpose:?}")))?;
            let secret = Zeroizing::new(BASE64.decode(&key.secret).map_err(|e| damaged(e.to_string()))?);
            if secret.len() != 32 {
                return Err(damaged(format!("key {} has {} bytes instead of 32", key.id, secret.len())));
            }
            Ok((key.id, Hmac::new_from_slice(&secret).expect("HMAC takes a key of any length")))
        };
        Ok(KeyRing { macs: [newest(PURPOSES[0])?, newest(PURPOSES[1])?, newest(PURPOSES[2])?] })
    }

    /// A ring with keys that live in memory only, for tests and benches.
    pub fn ephemeral() -> KeyRing {
        KeyRing {
            macs: PURPOSES.map(|_| {
                (1, Hmac::new_from_slice(random_secret().as_slice()).expect("HMAC takes a key of any length"))
            }),
        }
    }

    /// HMAC-SHA-256 over `parts` under the newest key for `purpose`. Each part is preceded by its length, so that no two
    /// lists of parts give the same message.
    pub fn mac(&self, purpose: KeyPurpose, parts: &[&[u8]]) -> [u8; 32] {
        self.keyed(purpose, parts).finalize().into_bytes().into()
    }

    /// Whether `tag` (16 to 32 bytes, a prefix of the MAC) is right; compares in constant time.
    pub fn verify(&self, purpose: KeyPurpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        (16..=32).contains(&tag.len()) && self.keyed(purpose, parts).verify_truncated_left(tag).is_ok()
    }

    fn keyed(&self, purpose: KeyPurpose, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.macs[purpose as usize].1.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac
    }
}

fn random_secret() -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0u8; 32]);
    getrandom::fill(secret.as_mut_slice()).expect("the system has a random number generator");
    secret
}

/// New keys, as they are stored.
fn new_ring(now: u64) -> Zeroizing<String> {
    let keys = (1..).zip(PURPOSES).map(|(id, purpose)| StoredKey {
        id,
        purpose,
        created: now,
        secret: BASE64.encode(random_secret().as_slice()),
    });
    let ring = StoredRing { keys: keys.collect() };
    Zeroizing::new(serde_json::to_string_pretty(&ring).expect("a ring is made of numbers and text"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_ring_survives_a_restart_and_refuses_prying_eyes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("made").join("keys.json");
        let first = KeyRing::open_or_create(&path, 1).unwrap().mac(KeyPurpose::Visitor, &[b"a"]);
        let again = KeyRing::open_or_create(&path, 2).unwrap();
        assert_eq!(first, again.mac(KeyPurpose::Visitor, &[b"a"]));
        assert_ne!(first, again.mac(KeyPurpose::Ip, &[b"a"]), "purposes have keys of their own");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyRing::open_or_create(&path, 3), Err(KeyError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let ring = KeyRing::ephemeral();
        assert_ne!(ring.mac(KeyPurpose::Ip, &[b"ab", b"c"]), ring.mac(KeyPurpose::Ip, &[b"a", b"bc"]));
    }

    #[test]
    fn a_damaged_ring_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.json");
        KeyRing::open_or_create(&path, 1).unwrap();
        fs::write(&path, "{").unwrap();
        assert!(matches!(KeyRing::open_or_create(&path, 3), Err(KeyError::Damaged { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
    }
}
