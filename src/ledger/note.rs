//! The small files beside the rows: which chain it is, which row is the last, what the table has, what has expired.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::{FileId, Folder};
use super::hex::{hex, hex_u64, unhex, unhex_u64};
use super::read::{Found, Rows};
use super::row::{Beginning, ChainId};
use super::sign::{PublicKeys, Signer};
use crate::keys::KeyId;

/// What stands before the note of the last row where it is signed.
const SIGNED_HEAD: &[u8] = b"consentry-ledger-head-1";

const CHAIN: &str = "chain";
const HEAD: &str = "head";
const SHIPPED: &str = "shipped";
const EXPIRED: &str = "expired";

/// The chain's id, where it is noted.
pub(super) fn read_chain(folder: &Path) -> Option<ChainId> {
    unhex_u64(fs::read_to_string(folder.join(CHAIN)).ok()?.trim_end()).map(ChainId)
}

pub(super) fn write_chain(folder: &Folder, chain: ChainId) -> io::Result<()> {
    folder.write_durably(CHAIN, format!("{chain}\n").as_bytes())
}

/// The last row, as it is noted beside the rows when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRow {
    /// Whose chain.
    pub chain: ChainId,
    /// The row's number.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl LastRow {
    /// What is signed of it: nothing that stands in a row, so that no row can be copied to where it is noted.
    fn signed(&self) -> Vec<u8> {
        [SIGNED_HEAD, &self.chain.0.to_be_bytes(), &self.seq.to_be_bytes(), &self.hash].concat()
    }
}

/// The last row, where the note of it is signed.
pub(super) fn read_head(folder: &Path, keys: &PublicKeys) -> Option<LastRow> {
    let (last, key, signature) = head(folder)?;
    let is_right = keys.verify(key, &last.signed(), &signature) == Some(true);
    is_right.then_some(last)
}

/// As it is noted, signed or not: for going on, not for proving.
pub(super) fn read_head_unproven(folder: &Path) -> Option<LastRow> {
    head(folder).map(|(last, ..)| last)
}

fn head(folder: &Path) -> Option<(LastRow, KeyId, [u8; 64])> {
    let (chain, end, key, signature) = signed(folder, HEAD)?;
    Some((LastRow { chain, seq: end.seq, hash: end.hash }, key, signature))
}

/// The note of the last row: written over after each append, never synced. After a loss of power it may be an older one.
pub(super) struct Head(Option<(File, FileId)>);

impl Head {
    pub(super) fn open(folder: &Folder) -> Head {
        let file = folder.open_note(HEAD).ok();
        Head(file.and_then(|file| file.metadata().ok().map(|found| (file, FileId::of(&found)))))
    }

    /// Best effort: without it a cut-off end is seen by the table alone, and `verify` says that it is missing.
    pub(super) fn note(&mut self, folder: &Folder, last: LastRow, signer: &Signer) {
        let is_there = |id: FileId| fs::metadata(folder.path().join(HEAD)).is_ok_and(|found| FileId::of(&found) == id);
        if !self.0.as_ref().is_some_and(|(_, id)| is_there(*id)) {
            *self = Head::open(folder);
        }
        let Some((file, _)) = &self.0 else { return };
        let end = Beginning { seq: last.seq, hash: last.hash };
        let note = Signed::of(last.chain, end, signer.key(), &signer.sign(&last.signed()));
        let written = serde_json::to_vec(&note).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            file.write_all_at(&bytes, 0)?;
            file.set_len(bytes.len() as u64)
        });
        if let Err(error) = written {
            tracing::warn!(%error, "the ledger's last row could not be noted beside it");
        }
    }
}

/// Up to which row of the chain the table was known to have them.
pub(super) fn read_shipped(folder: &Path, chain: ChainId) -> u64 {
    let text = fs::read_to_string(folder.join(SHIPPED)).unwrap_or_default();
    let noted = text.trim_end().split_once(' ').filter(|(id, _)| unhex_u64(id) == Some(chain.0));
    noted.and_then(|(_, seq)| seq.parse().ok()).unwrap_or(0)
}

pub(super) fn write_shipped(folder: &Folder, chain: ChainId, seq: u64) -> io::Result<()> {
    folder.write(SHIPPED, format!("{chain} {seq}\n").as_bytes())
}

/// A row that is named, and signed for what it is named as.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    chain: String,
    seq: u64,
    hash: String,
    key: u32,
    signature: String,
}

impl Signed {
    fn of(chain: ChainId, end: Beginning, key: KeyId, signature: &[u8; 64]) -> Signed {
        let (hash, signature) = (hex(&end.hash), hex(signature));
        Signed { chain: hex_u64(chain.0), seq: end.seq, hash, key: key.0, signature }
    }
}

/// What stands in a note, whether its signature is right or not.
fn signed(folder: &Path, name: &str) -> Option<(ChainId, Beginning, KeyId, [u8; 64])> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    let note: Signed = serde_json::from_str(&text).ok()?;
    let end = Beginning { seq: note.seq, hash: unhex(&note.hash)? };
    Some((ChainId(unhex_u64(&note.chain)?), end, KeyId(note.key), unhex(&note.signature)?))
}

/// Where the chain begins after what has expired; nothing where none has, or the note is not signed.
pub(super) fn read_expired(folder: &Path, chain: ChainId, keys: &PublicKeys) -> Option<Beginning> {
    let (beginning, key, signature) = expired(folder, chain)?;
    let is_right = keys.verify(key, &beginning.signed(chain), &signature) == Some(true);
    is_right.then_some(beginning)
}

/// As it is noted, signed or not: for going on, not for proving.
pub(super) fn read_expired_unproven(folder: &Path, chain: ChainId) -> Option<Beginning> {
    expired(folder, chain).map(|(beginning, ..)| beginning)
}

fn expired(folder: &Path, chain: ChainId) -> Option<(Beginning, KeyId, [u8; 64])> {
    let (of, beginning, key, signature) = signed(folder, EXPIRED)?;
    (of == chain).then_some((beginning, key, signature))
}

pub(super) fn write_expired(folder: &Folder, chain: ChainId, end: Beginning, signer: &Signer) -> io::Result<()> {
    let note = Signed::of(chain, end, signer.key(), &signer.sign(&end.signed(chain)));
    folder.write_durably(EXPIRED, &serde_json::to_vec(&note)?)
}

/// What stands in the ledger's folder beside its rows, for who verifies them. Reads without the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// The chain that is appended to: as it is noted, else that of the last row's note, else that of the first row.
    pub chain: Option<ChainId>,
    /// Whether the chain's id is noted.
    pub chain_is_noted: bool,
    /// The last row, as it was noted when it was written, if the note of it is signed.
    pub head: Option<LastRow>,
    /// Whether there is a note of it that is not signed by a key of the ring.
    pub head_is_forged: bool,
    /// Up to which row the table was known to have them.
    pub shipped: u64,
    /// Where the chain may begin, if the note of it is signed.
    pub beginning: Option<Beginning>,
    /// Whether there is a note of it that is not signed by a key of the ring.
    pub beginning_is_forged: bool,
}

impl Notes {
    /// Reads them.
    pub fn read(folder: &Path, keys: &PublicKeys) -> Notes {
        let head = read_head(folder, keys);
        let noted = read_chain(folder);
        let chain = noted.or(head.map(|head| head.chain)).or_else(|| first_chain(folder));
        let expired = chain.and_then(|chain| read_expired(folder, chain, keys));
        let has = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|found| found.len() > 0);
        Notes {
            chain,
            chain_is_noted: noted.is_some(),
            head,
            head_is_forged: has(HEAD) && head.is_none(),
            shipped: chain.map_or(0, |chain| read_shipped(folder, chain)),
            beginning: expired,
            beginning_is_forged: has(EXPIRED) && expired.is_none(),
        }
    }
}

fn first_chain(folder: &Path) -> Option<ChainId> {
    Rows::of(folder).ok()?.find_map(|found| match found {
        Found::Row { row, .. } => Some(row.chain),
        _ => None,
    })
}
