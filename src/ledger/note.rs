//! The small files beside the rows: which chain it is, its last row, what the table has, what has expired.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::hex::{hex, hex_u64, unhex, unhex_u64};
use super::row::{Beginning, ChainId, Row};
use super::sign::{PublicKeys, Signer};
use crate::keys::KeyId;

const CHAIN: &str = "chain";
const HEAD: &str = "head";
const SHIPPED: &str = "shipped";
pub(super) const EXPIRED: &str = "expired";

/// The chain's id, where it is noted.
pub(super) fn read_chain(folder: &Path) -> Option<ChainId> {
    unhex_u64(fs::read_to_string(folder.join(CHAIN)).ok()?.trim_end()).map(ChainId)
}

pub(super) fn write_chain(folder: &Folder, chain: ChainId) -> io::Result<()> {
    folder.write_durably(CHAIN, format!("{chain}\n").as_bytes())
}

/// The last row, as it was noted when it was written; nothing where the note is torn.
pub(super) fn read_head(folder: &Path) -> Option<Row> {
    let bytes = fs::read(folder.join(HEAD)).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    Row::parse(line).ok()
}

/// The note of the last row: written over after each append, never synced. After a loss of power it may be an older one.
pub(super) struct Head(Option<File>);

impl Head {
    pub(super) fn open(folder: &Folder) -> Head {
        Head(folder.open_note(HEAD).ok())
    }

    /// Best effort: without it a cut-off end is seen by the table alone.
    pub(super) fn note(&self, line: &str) {
        let Some(file) = &self.0 else { return };
        let bytes = format!("{line}\n");
        let written = file.write_all_at(bytes.as_bytes(), 0).and_then(|()| file.set_len(bytes.len() as u64));
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expired {
    chain: String,
    seq: u64,
    hash: String,
    key: u32,
    signature: String,
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
    let text = fs::read_to_string(folder.join(EXPIRED)).ok()?;
    let note: Expired = serde_json::from_str(&text).ok()?;
    if note.chain != hex_u64(chain.0) {
        return None;
    }
    let beginning = Beginning { seq: note.seq, hash: unhex(&note.hash)? };
    Some((beginning, KeyId(note.key), unhex(&note.signature)?))
}

pub(super) fn write_expired(folder: &Folder, chain: ChainId, end: Beginning, signer: &Signer) -> io::Result<()> {
    let note = Expired {
        chain: hex_u64(chain.0),
        seq: end.seq,
        hash: hex(&end.hash),
        key: signer.key().0,
        signature: hex(&signer.sign(&end.signed(chain))),
    };
    folder.write_durably(EXPIRED, &serde_json::to_vec(&note)?)
}
