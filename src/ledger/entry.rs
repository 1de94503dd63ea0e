//! What is proven of one act of a visitor. Plain values; the front door fills them. There is no field for an address, a
//! User-Agent or a page (P2), and each text is held to a grammar that has no room for one.

use std::net::IpAddr;

/// What the visitor did (P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Granted something, having chosen nothing before.
    Accept,
    /// Granted nothing that is optional, having chosen nothing before.
    Refuse,
    /// Chose differently than before.
    Change,
    /// Took back everything that was granted.
    Withdrawal,
    /// Objected, as by `Sec-GPC: 1`.
    Objection,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 5] =
        [Action::Accept, Action::Refuse, Action::Change, Action::Withdrawal, Action::Objection];

    /// The word in rows, table and export.
    pub fn word(self) -> &'static str {
        match self {
            Action::Accept => "accept",
            Action::Refuse => "refuse",
            Action::Change => "change",
            Action::Withdrawal => "withdrawal",
            Action::Objection => "objection",
        }
    }

    /// The action a word stands for.
    pub fn from_word(word: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.word() == word)
    }
}

/// One act, as it is appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The receipt's id, as the visitor's cookie has it.
    pub receipt: u64,
    /// The receipt this one replaces.
    pub previous: Option<u64>,
    /// By the gateway's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was done.
    pub action: Action,
    /// The version of the policy that was asked.
    pub policy_version: u16,
    /// SHA-256 of what was asked: the texts of the preferences page in that language. Kept by [`keep_text`](super::Ledger::keep_text).
    pub text_hash: [u8; 32],
    /// The banner's version: up to 32 letters, digits and `. _ -`.
    pub banner_version: String,
    /// SHA-256 of the banner as it was shown; zeros where none was.
    pub banner_hash: [u8; 32],
    /// The purposes that were granted, by id.
    pub granted: Vec<String>,
    /// The purposes that were refused, by id.
    pub denied: Vec<String>,
    /// `banner`, `preferences`, `withdrawal`, `gpc`, `dnt`, `api`, or `import:` and the manager's name in `a-z 0-9 -`.
    pub source: String,
    /// The language of what was asked, as a tag such as `en-GB`; may be empty.
    pub language: String,
    /// The site's host as the request named it, scrubbed (D1) and without its port; older rows have both. May be empty.
    pub host: String,
    /// Whether the request said `Sec-GPC: 1`.
    pub gpc: bool,
    /// Whether the request said `DNT: 1`.
    pub dnt: bool,
    /// Whether the visitor declared to be under 16 (C11).
    pub under_16: bool,
}

/// A value that does not belong into the ledger. The value itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not fit for the ledger: it should be {allowed}")]
pub struct Unfit {
    /// The field.
    pub field: &'static str,
    /// What it may be.
    pub allowed: &'static str,
}

const SOURCES: [&str; 6] = ["banner", "preferences", "withdrawal", "gpc", "dnt", "api"];

/// The most purposes in a list; a policy has 8.
const MOST_PURPOSES: usize = 64;

/// 31 December 9999, the last day a calendar has; in milliseconds since 1970.
const LAST_MS: i64 = 253_402_300_799_999;

impl Entry {
    /// Holds every field to what may stand there.
    pub fn check(&self) -> Result<(), Unfit> {
        let unless = |fits: bool, field, allowed| if fits { Ok(()) } else { Err(Unfit { field, allowed }) };
        unless((0..=LAST_MS).contains(&self.at_ms), "at_ms", "a time from 1970 to 9999")?;
        let version = &self.banner_version;
        let is_version = is_of(version, 32, |b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        unless(
            is_version && version.parse::<IpAddr>().is_err(),
            "banner_version",
            "up to 32 letters, digits and . _ -, and no address",
        )?;
        for (field, ids) in [("granted", &self.granted), ("denied", &self.denied)] {
            let fits = ids.len() <= MOST_PURPOSES && ids.iter().all(|id| is_purpose(id));
            unless(fits, field, "ids of purposes: up to 24 of a-z, 0-9, _ and -")?;
        }
        let is_import = |name: &str| !name.is_empty() && is_of(name, 32, is_of_id);
        let is_source =
            SOURCES.contains(&self.source.as_str()) || self.source.strip_prefix("import:").is_some_and(is_import);
        unless(is_source, "source", "banner, preferences, withdrawal, gpc, dnt, api or import:NAME")?;
        let is_tag = is_of(&self.language, 35, |b| b.is_ascii_alphanumeric() || b == b'-');
        unless(is_tag, "language", "a tag such as en-GB")?;
        let is_host = is_of(&self.host, 259, |b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
        unless(is_host, "host", "the site's host, with or without a port")
    }
}

fn is_of(text: &str, longest: usize, of: impl Fn(u8) -> bool) -> bool {
    text.len() <= longest && text.bytes().all(of)
}

fn is_of_id(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
}

fn is_purpose(id: &str) -> bool {
    !id.is_empty() && is_of(id, 24, is_of_id)
}
