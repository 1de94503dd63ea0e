//! The keys in memory. A MAC takes one read lock; what is replaced is wiped as soon as the last MAC that was being made
//! under it is done.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::book::{Book, KeyFacts, State, Windows};
use super::file::RingFile;
use super::{KeyError, KeyId, KeyPurpose, Keyed};

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Made,
    /// A newer one took its place.
    Retired,
    /// Its secret is gone.
    Destroyed,
}

/// Something that happened to a key, here or in another process; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key as it is now.
    pub key: KeyFacts,
    /// What happened.
    pub what: What,
}

/// A key that is not destroyed, ready to key MACs. The state wipes itself when it is dropped.
type Live = (KeyId, Hmac<Sha256>);

/// The keys of one site.
struct Keys {
    /// All that serve the site, the destroyed ones too.
    facts: Vec<KeyFacts>,
    /// By purpose: the active one, then the retired ones from the newest.
    live: [Vec<Live>; KeyPurpose::ALL.len()],
}

impl Keys {
    /// Those of `site`; where one is lacking, its purpose.
    fn of(book: &Book, site: u32) -> Result<Keys, KeyPurpose> {
        let facts: Vec<KeyFacts> = book.facts().filter(|key| key.serves(site)).copied().collect();
        let mut live = KeyPurpose::ALL.map(|_| Vec::new());
        for purpose in KeyPurpose::ALL {
            let active = book.active(purpose, site).ok_or(purpose)?.id;
            let mut keys: Vec<_> = book.entries().iter().filter(|entry| entry.facts.serves(site)).collect();
            keys.retain(|entry| entry.facts.purpose == purpose && entry.secret.is_some());
            keys.sort_by_key(|entry| (entry.facts.id != active, std::cmp::Reverse(entry.facts.id)));
            // Made once at its size: growing would leave copies behind.
            let mut ready = Vec::with_capacity(keys.len());
            for entry in keys {
                let Some(secret) = &entry.secret else { continue };
                let mac = Hmac::new_from_slice(secret.bytes()).expect("HMAC takes a key of any length");
                ready.push((entry.facts.id, mac));
            }
            live[purpose as usize] = ready;
        }
        Ok(Keys { facts, live })
    }

    fn live(&self, purpose: KeyPurpose) -> &[Live] {
        &self.live[purpose as usize]
    }
}

/// The keys of one site, ready to key MACs; shared by all threads.
pub struct KeyRing {
    /// Nothing where the keys live in memory only.
    file: Option<RingFile>,
    site: u32,
    keys: RwLock<Keys>,
    /// How often they have changed.
    generation: AtomicU64,
}

impl KeyRing {
    /// Opens the ring at `path` for a site, making it (and new keys) where there is none. A file of the first version is
    /// brought up to date; a site that is new in the ring gets its keys. `now` is in seconds since 1970.
    pub fn open_or_create(path: &Path, site_id: u32, now: u64) -> Result<KeyRing, KeyError> {
        let file = RingFile::at(path);
        let keys = keys_of(&file, &file.open(site_id, now)?, site_id)?;
        Ok(KeyRing { file: Some(file), site: site_id, keys: RwLock::new(keys), generation: AtomicU64::new(0) })
    }

    /// A ring with keys that live in memory only, for tests and benches.
    pub fn ephemeral() -> KeyRing {
        let mut book = Book::default();
        book.settle(1, 0);
        let keys = Keys::of(&book, 1).unwrap_or_else(|purpose| unreachable!("{purpose} was just made"));
        KeyRing { file: None, site: 1, keys: RwLock::new(keys), generation: AtomicU64::new(0) }
    }

    /// HMAC-SHA-256 over `parts` under the newest live key for `purpose`. Each part is preceded by its length, so that no
    /// two lists of parts give the same message.
    pub fn mac(&self, purpose: KeyPurpose, parts: &[&[u8]]) -> Keyed<[u8; 32]> {
        let keys = self.read();
        let (key, mac) = &keys.live(purpose)[0];
        Keyed { value: fed(mac, parts).finalize().into_bytes().into(), key: *key }
    }

    /// Whether `tag` (16 to 32 bytes, a prefix of the MAC) is right under any key that is not destroyed; the comparisons
    /// take constant time.
    pub fn verify(&self, purpose: KeyPurpose, parts: &[&[u8]], tag: &[u8]) -> bool {
        let right = |(_, mac): &Live| fed(mac, parts).verify_truncated_left(tag).is_ok();
        (16..=32).contains(&tag.len()) && self.read().live(purpose).iter().any(right)
    }

    /// The MAC under one key; nothing where it is destroyed, another site's or for another purpose.
    pub fn mac_under(&self, purpose: KeyPurpose, key: KeyId, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let keys = self.read();
        let (_, mac) = keys.live(purpose).iter().find(|(id, _)| *id == key)?;
        Some(fed(mac, parts).finalize().into_bytes().into())
    }

    /// The keys that are not destroyed: the one in use, then the retired ones from the newest. A subject's rows can be
    /// found under each of them.
    pub fn live(&self, purpose: KeyPurpose) -> Vec<KeyId> {
        self.read().live(purpose).iter().map(|(id, _)| *id).collect()
    }

    /// Brings ring and file together: rotates and destroys in the file what is due by `windows`, then takes over what the
    /// file says. The answer is what happened to this site's keys since the last look, whoever did it. On an error the
    /// keys in memory stay in use.
    pub fn tend(&self, now: u64, windows: &dyn Windows) -> Result<Vec<Change>, KeyError> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        let mut book = file.read()?;
        if book.tend(self.site, now, windows) {
            // On what the file says under the lock: another gateway may just have done the same.
            book = file.change(|book| book.tend(self.site, now, windows))?;
        }
        let new = keys_of(file, &book, self.site)?;
        if new.facts == self.read().facts {
            return Ok(Vec::new());
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *keys, new);
        // Under the lock: who sees the new number sees the new keys.
        self.generation.fetch_add(1, Ordering::Release);
        Ok(changes(&old.facts, &keys.facts))
    }

    /// A number that is another one whenever the keys have changed.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Keys> {
        // Nothing is ever left half done under the lock.
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys_of(file: &RingFile, book: &Book, site: u32) -> Result<Keys, KeyError> {
    Keys::of(book, site).map_err(|purpose| file.damaged(format!("site {site} has no key for {purpose}")))
}

fn fed(mac: &Hmac<Sha256>, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac
}

fn changes(old: &[KeyFacts], new: &[KeyFacts]) -> Vec<Change> {
    let mut changes = Vec::new();
    for key in new {
        let before = old.iter().find(|other| other.id == key.id).map(KeyFacts::state);
        let what = match (before, key.state()) {
            (None, State::Active) => What::Made,
            (before, now) if before == Some(now) => continue,
            (_, State::Destroyed) => What::Destroyed,
            (_, State::Retired) => What::Retired,
            (Some(_), State::Active) => What::Made,
        };
        changes.push(Change { key: *key, what });
    }
    changes
}
