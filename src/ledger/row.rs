//! A row of the ledger: its canonical bytes, which are hashed, and its line, which is stored. Both are described in the
//! room's own text. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::{Action, Entry};
use super::hex::{hex, hex_u64, unhex, unhex_u64};
use super::month::Month;
use super::note::LastRow;
use super::sign::Signer;
use crate::keys::KeyId;

/// Names the encoding; another one would have another name.
const ENCODING: &str = "consentry-ledger-1";

/// What stands before a row's hash where it is signed, so that no signature of one thing is one of another.
pub(super) const SIGNED_ROW: &[u8] = b"consentry-ledger-row-1";

/// The same for the end of what has expired.
const SIGNED_EXPIRY: &[u8] = b"consentry-ledger-expired-1";

/// The id of a gateway's chain: 64 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId(pub u64);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the next row continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) chain: ChainId,
    /// The number of the last row.
    pub(super) seq: u64,
    /// Its hash.
    pub(super) hash: [u8; 32],
    /// Its time; no later row has an earlier one.
    pub(super) at_ms: i64,
}

impl Link {
    /// The last row, to be noted.
    pub(super) fn last_row(&self) -> LastRow {
        LastRow { chain: self.chain, seq: self.seq, hash: self.hash }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose chain.
    pub chain: ChainId,
    /// Its number, from 1.
    pub seq: u64,
    /// The site's number in the tables.
    pub site_id: u32,
    /// What was done.
    pub entry: Entry,
    /// The hash of the row before it; zeros in the first.
    pub prev_hash: [u8; 32],
    /// The key it was signed under.
    pub key: KeyId,
    /// SHA-256 of its canonical bytes.
    pub hash: [u8; 32],
    /// Ed25519 over the hash.
    pub signature: [u8; 64],
}

/// Why a line is no row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRow {
    /// It is not JSON, or has not the fields of a row.
    #[error("it does not read as a row, at column {0}")]
    Unreadable(usize),
    /// A field is not what it should be.
    #[error("its `{0}` is not what may stand there")]
    Field(&'static str),
    /// It reads as a row, but is written as no gateway writes it.
    #[error("it was edited: it is not written as the gateway writes a row")]
    Edited,
}

/// The line, in the order in which it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    chain: String,
    seq: u64,
    site: u32,
    receipt: String,
    previous: Option<String>,
    at_ms: i64,
    action: String,
    policy_version: u16,
    text_hash: String,
    banner_version: String,
    banner_hash: String,
    granted: Vec<String>,
    denied: Vec<String>,
    source: String,
    language: String,
    host: String,
    gpc: bool,
    dnt: bool,
    under_16: bool,
    prev_hash: String,
    key: u32,
    hash: String,
    signature: String,
}

impl Row {
    /// The row behind `link`. The entry's time is held to the link's.
    pub(super) fn behind(link: &Link, site_id: u32, mut entry: Entry, signer: &Signer) -> Row {
        entry.at_ms = entry.at_ms.max(link.at_ms);
        let mut row = Row {
            chain: link.chain,
            seq: link.seq + 1,
            site_id,
            entry,
            prev_hash: link.hash,
            key: signer.key(),
            hash: [0; 32],
            signature: [0; 64],
        };
        row.hash = row.content_hash();
        row.signature = signer.sign(&[SIGNED_ROW, &row.hash].concat());
        row
    }

    /// The name of the file in which it belongs: that of its month in UTC.
    pub fn file(&self) -> String {
        Month::of(self.entry.at_ms).file()
    }

    /// SHA-256 of what the row says.
    pub fn content_hash(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    /// What is hashed.
    fn canonical(&self) -> Vec<u8> {
        let entry = &self.entry;
        let mut out = Canonical(Vec::with_capacity(512));
        out.text(ENCODING);
        out.bytes(&self.chain.0.to_be_bytes());
        out.bytes(&self.seq.to_be_bytes());
        out.bytes(&self.site_id.to_be_bytes());
        out.bytes(&entry.receipt.to_be_bytes());
        out.bytes(&[u8::from(entry.previous.is_some())]);
        if let Some(previous) = entry.previous {
            out.bytes(&previous.to_be_bytes());
        }
        out.bytes(&entry.at_ms.to_be_bytes());
        out.text(entry.action.word());
        out.bytes(&entry.policy_version.to_be_bytes());
        out.bytes(&entry.text_hash);
        out.text(&entry.banner_version);
        out.bytes(&entry.banner_hash);
        out.list(&entry.granted);
        out.list(&entry.denied);
        out.text(&entry.source);
        out.text(&entry.language);
        out.text(&entry.host);
        out.bytes(&[u8::from(entry.gpc), u8::from(entry.dnt), u8::from(entry.under_16)]);
        out.bytes(&self.prev_hash);
        out.bytes(&self.key.0.to_be_bytes());
        out.0
    }

    /// The row as it is stored, without the end of the line.
    pub fn line(&self) -> String {
        let entry = &self.entry;
        let line = Line {
            chain: self.chain.to_string(),
            seq: self.seq,
            site: self.site_id,
            receipt: hex_u64(entry.receipt),
            previous: entry.previous.map(hex_u64),
            at_ms: entry.at_ms,
            action: entry.action.word().to_owned(),
            policy_version: entry.policy_version,
            text_hash: hex(&entry.text_hash),
            banner_version: entry.banner_version.clone(),
            banner_hash: hex(&entry.banner_hash),
            granted: entry.granted.clone(),
            denied: entry.denied.clone(),
            source: entry.source.clone(),
            language: entry.language.clone(),
            host: entry.host.clone(),
            gpc: entry.gpc,
            dnt: entry.dnt,
            under_16: entry.under_16,
            prev_hash: hex(&self.prev_hash),
            key: self.key.0,
            hash: hex(&self.hash),
            signature: hex(&self.signature),
        };
        serde_json::to_string(&line).expect("a row is made of numbers and text")
    }

    /// Reads a line. Whether its hash and signature are right is for [`verify`](super::verify) to see; but a line that is
    /// written in any other way than the gateway writes it was changed by somebody.
    pub fn parse(line: &[u8]) -> Result<Row, NoRow> {
        let read: Line = serde_json::from_slice(line).map_err(|error| NoRow::Unreadable(error.column()))?;
        let row = read.into_row()?;
        if row.line().as_bytes() == line { Ok(row) } else { Err(NoRow::Edited) }
    }
}

impl Line {
    fn into_row(self) -> Result<Row, NoRow> {
        fn bytes<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], NoRow> {
            unhex(text).ok_or(NoRow::Field(field))
        }
        let number = |text: &str, field| unhex_u64(text).ok_or(NoRow::Field(field));
        Ok(Row {
            chain: ChainId(number(&self.chain, "chain")?),
            seq: self.seq,
            site_id: self.site,
            entry: Entry {
                receipt: number(&self.receipt, "receipt")?,
                previous: self.previous.as_deref().map(|text| number(text, "previous")).transpose()?,
                at_ms: self.at_ms,
                action: Action::from_word(&self.action).ok_or(NoRow::Field("action"))?,
                policy_version: self.policy_version,
                text_hash: bytes(&self.text_hash, "text_hash")?,
                banner_version: self.banner_version,
                banner_hash: bytes(&self.banner_hash, "banner_hash")?,
                granted: self.granted,
                denied: self.denied,
                source: self.source,
                language: self.language,
                host: self.host,
                gpc: self.gpc,
                dnt: self.dnt,
                under_16: self.under_16,
            },
            prev_hash: bytes(&self.prev_hash, "prev_hash")?,
            key: KeyId(self.key),
            hash: bytes(&self.hash, "hash")?,
            signature: bytes(&self.signature, "signature")?,
        })
    }
}

/// The last row that went because its time was over: behind it the chain begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Its number; 0 where nothing has expired.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Beginning {
    /// Nothing has expired: the first row has the number 1.
    pub const FIRST: Beginning = Beginning { seq: 0, hash: [0; 32] };

    /// What is signed of it.
    pub(super) fn signed(&self, chain: ChainId) -> Vec<u8> {
        [SIGNED_EXPIRY, &chain.0.to_be_bytes(), &self.seq.to_be_bytes(), &self.hash].concat()
    }
}

/// Length-prefixed bytes.
struct Canonical(Vec<u8>);

impl Canonical {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        self.bytes(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.bytes(text.as_bytes());
    }

    fn list(&mut self, texts: &[String]) {
        self.length(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }
}
