//! The key ring: 256-bit keys that sign cookies and key the pseudonyms. It lives in a file of its own (0600), never in
//! ClickHouse, so that a copy of the database alone links nothing to anyone (D2). [`consent`](crate::consent) and
//! [`pseudonym`](crate::pseudonym) ask it for keyed MACs and never see a key.
//!
//! # The life of a key
//! A key is for one purpose and one site. It is *active* while new MACs are made under it, *retired* once a newer one has
//! taken its place (what was made under it can still be found and verified), and *destroyed* when its secret is gone. The
//! record that it existed, when it was destroyed and why stays in the file, so an id is never used twice and a row's key
//! id always has an answer. Nobody, and no copy of the database, can make a destroyed key's MACs again: its pseudonyms
//! link to nothing any more. Outside our reach are copies: a backup of the ring should live no longer than its keys, and the
//! blocks of a file that was replaced are the disk's to reuse, so the disk should be an encrypted one.
//!
//! # Who changes it
//! [`life`](crate::life) looks after the ring every few seconds ([`KeyRing::tend`]): it rotates and destroys what is due and
//! takes over what another process changed. `consentry keys` changes the file alone. Every change is made under a lock
//! file beside the ring, on what the file says then, so that several gateways and a command can share one file: the first
//! to come makes the day's key, the others take it over.
//!
//! | module | |
//! |---|---|
//! | `book` | the records, all pure: what is due, what is active, what is destroyed |
//! | `stored` | the book as JSON, and the file of the first version |
//! | `file` | the file: lock, read, write |
//! | `ring` | the keys in memory, ready to key MACs |
//! | `remembered` | values that were verified, which come again |
//! | `token` | what another program must present |
//! | `private_file`, `private_folder`, `folder_lock` | what is the owner's alone, and one process's |

mod book;
mod file;
pub mod folder_lock;
pub mod private_file;
pub mod private_folder;
mod remembered;
mod ring;
mod stored;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use book::{Book, Destruction, KeyFacts, NotDestroyed, State, Why, Windows};
pub use file::RingFile;
pub use remembered::Remembered;
pub use ring::{Change, KeyRing, What};
use serde::{Deserialize, Serialize};
pub use token::{Token, TokenError};

/// What a key is for. One key never serves two purposes, so that knowing one pseudonym says nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Signs the choice cookie.
    Choice,
    /// Signs the visit cookie.
    Visit,
    /// Keys the visitor's pseudonym.
    Visitor,
    /// Keys the tag of a client address.
    Ip,
    /// Keys the site's own user id.
    Login,
    /// Keys the number of a caller.
    Call,
    /// Keys the address of a mail's recipient.
    Mail,
    /// Keys who must not be captured or contacted again.
    Suppression,
    /// Keys the labels of clicked elements.
    Label,
    /// Signs consent to the recording of e-mail openings.
    #[serde(rename = "mail-consent")]
    MailConsent,
    /// Signs receipts and the rows of the ledger: the seed of an Ed25519 key pair is made under it.
    Receipt,
}

impl KeyPurpose {
    /// All of them, in the order of their discriminants.
    pub const ALL: [KeyPurpose; 11] = [
        KeyPurpose::Choice,
        KeyPurpose::Visit,
        KeyPurpose::Visitor,
        KeyPurpose::Ip,
        KeyPurpose::Login,
        KeyPurpose::Call,
        KeyPurpose::Mail,
        KeyPurpose::Suppression,
        KeyPurpose::Label,
        KeyPurpose::MailConsent,
        KeyPurpose::Receipt,
    ];

    /// The word in the file, on the command line and in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            KeyPurpose::Choice => "choice",
            KeyPurpose::Visit => "visit",
            KeyPurpose::Visitor => "visitor",
            KeyPurpose::Ip => "ip",
            KeyPurpose::Login => "login",
            KeyPurpose::Call => "call",
            KeyPurpose::Mail => "mail",
            KeyPurpose::Suppression => "suppression",
            KeyPurpose::Label => "label",
            KeyPurpose::MailConsent => "mail-consent",
            KeyPurpose::Receipt => "receipt",
        }
    }

    /// The purpose a word stands for.
    pub fn from_word(word: &str) -> Option<KeyPurpose> {
        KeyPurpose::ALL.into_iter().find(|purpose| purpose.word() == word)
    }
}

impl fmt::Display for KeyPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A key's number: from 1, unique in its ring, never used again. It stands in the rows beside what was made under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was made under a key, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keyed<T> {
    /// What was made.
    pub value: T,
    /// Under which key.
    pub key: KeyId,
}

impl<T> Keyed<T> {
    /// Something else of the value, under the same key.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Keyed<U> {
        Keyed { value: of(self.value), key: self.key }
    }
}

/// Why the key ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("the key ring {path} cannot be used: {source}")]
    Io {
        /// The key ring's file, or its lock file.
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
    /// There is no such file.
    #[error("there is no key ring at {path}; make one with: consentry keys init")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error(
        "there is a key ring at {path} already, and it is kept: new keys would ask every visitor again and link no \
             earlier pseudonym to a new one. To replace single keys: consentry keys rotate"
    )]
    Exists {
        /// The key ring's file.
        path: PathBuf,
    },
    /// Another process has held the lock for too long.
    #[error("another process is changing the key ring and does not end; it holds {lock}")]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
}
