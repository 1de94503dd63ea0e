//! The book as JSON. Version 2 is written; the file of the first version (three purposes, no version) is read as keys
//! that serve every site, so that choices and pseudonyms made under them stay what they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::book::{Book, Destruction, Entry, KeyFacts, Secret, Why};
use super::{KeyId, KeyPurpose};

const VERSION: u32 = 2;

/// More than any key takes up in the file, in bytes. The text is written into a buffer that never grows: one that does
/// leaves copies of the secrets behind.
const KEY_BYTES: usize = 512;

#[derive(Deserialize)]
struct Version {
    version: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBook {
    version: u32,
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: KeyId,
    purpose: KeyPurpose,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<u32>,
    /// This and the others: seconds since 1970.
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destroyed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Why>,
    /// Base64 of the 32 bytes; absent once it is destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

#[derive(Deserialize)]
struct FirstBook {
    keys: Vec<FirstKey>,
}

#[derive(Deserialize)]
struct FirstKey {
    id: KeyId,
    purpose: KeyPurpose,
    created: u64,
    secret: String,
}

impl Drop for FirstKey {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// A book that was read, and whether its file is of an earlier version.
pub(super) struct Read {
    pub(super) book: Book,
    pub(super) is_old: bool,
}

/// Reads the text of a ring's file, or says what is wrong with it.
pub(super) fn read(text: &str) -> Result<Read, String> {
    let version: Version = serde_json::from_str(text).map_err(|error| in_short(&error))?;
    let (entries, is_old) = match version.version {
        None => (first_version(text)?, true),
        Some(VERSION) => (second_version(text)?, false),
        Some(other) => return Err(format!("it is of version {other}, and this program knows up to {VERSION}")),
    };
    let mut ids: Vec<u32> = entries.iter().map(|entry| entry.facts.id.0).collect();
    ids.sort_unstable();
    if ids.first() == Some(&0) {
        return Err("a key has the number 0".into());
    }
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("key {} is there twice", twice[0]));
    }
    if ids.last() == Some(&u32::MAX) {
        return Err(format!("key {} leaves no number for the next", u32::MAX));
    }
    Ok(Read { book: Book::of(entries), is_old })
}

/// The book as the file's text.
pub(super) fn write(book: &Book) -> Zeroizing<String> {
    let keys = book.entries().iter().map(|Entry { facts, secret }| StoredKey {
        id: facts.id,
        purpose: facts.purpose,
        site: facts.site,
        created: facts.created,
        retired: facts.retired,
        destroyed: facts.destroyed.map(|end| end.at),
        why: facts.destroyed.map(|end| end.why),
        secret: secret.as_ref().map(|secret| BASE64.encode(secret.bytes())),
    });
    let stored = StoredBook { version: VERSION, keys: keys.collect() };
    let mut text = Vec::with_capacity((stored.keys.len() + 1) * KEY_BYTES);
    serde_json::to_writer_pretty(&mut text, &stored).expect("a book is made of numbers and text");
    text.push(b'\n');
    Zeroizing::new(String::from_utf8(text).expect("JSON is UTF-8"))
}

fn second_version(text: &str) -> Result<Vec<Entry>, String> {
    let stored: StoredBook = serde_json::from_str(text).map_err(|error| in_short(&error))?;
    stored.keys.iter().map(entry).collect()
}

fn entry(key: &StoredKey) -> Result<Entry, String> {
    let id = key.id;
    let destroyed = match (key.destroyed, key.why) {
        (Some(at), Some(why)) => Some(Destruction { at, why }),
        (None, None) => None,
        _ => return Err(format!("key {id} is half destroyed")),
    };
    let secret = match (&key.secret, destroyed) {
        (Some(text), None) => Some(secret(id, text)?),
        (None, Some(_)) => None,
        (None, None) => return Err(format!("key {id} has no secret")),
        (Some(_), Some(_)) => return Err(format!("key {id} is destroyed and has a secret")),
    };
    let (purpose, site, created, retired) = (key.purpose, key.site, key.created, key.retired);
    Ok(Entry { facts: KeyFacts { id, purpose, site, created, retired, destroyed }, secret })
}

/// Of each purpose the newest was in use; what may lie below it counts as retired by it.
fn first_version(text: &str) -> Result<Vec<Entry>, String> {
    let stored: FirstBook = serde_json::from_str(text).map_err(|error| in_short(&error))?;
    let newer = |key: &FirstKey| {
        let newest = stored.keys.iter().filter(|other| other.purpose == key.purpose).max_by_key(|other| other.id);
        newest.filter(|newest| newest.id != key.id).map(|newest| newest.created)
    };
    let entry = |key: &FirstKey| {
        let (id, purpose, created, retired) = (key.id, key.purpose, key.created, newer(key));
        let facts = KeyFacts { id, purpose, site: None, created, retired, destroyed: None };
        Ok(Entry { facts, secret: Some(secret(id, &key.secret)?) })
    };
    stored.keys.iter().map(entry).collect()
}

fn secret(id: KeyId, text: &str) -> Result<Secret, String> {
    let mut length = Ok(0);
    // Room for what the decoder may write before it knows better.
    let mut bytes = Zeroizing::new([0u8; 36]);
    let secret = Secret::filled(|secret| {
        length = BASE64.decode_slice(text, bytes.as_mut_slice());
        secret.copy_from_slice(&bytes[..32]);
    });
    match length {
        Ok(32) => Ok(secret),
        // What is wrong with the text is not said: the text is the secret.
        _ => Err(format!("the secret of key {id} is not 32 bytes in base64")),
    }
}

/// Where the mistake is and of what kind; serde's own words may repeat a value, and the value may be a secret.
fn in_short(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Data => "it does not read as a key ring",
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it is not JSON",
    };
    format!("{what}, line {}, column {}", error.line(), error.column())
}
