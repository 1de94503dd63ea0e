//! What a start finds in the folder, and what goes when its time is over. A start never refuses because of what stands in a
//! file: a torn last line is cut off, a damaged one is counted and left where it is, and the chain goes on behind it.

use std::io;

use super::LedgerError;
use super::folder::{self, Folder};
use super::month::Month;
use super::note;
use super::read::{Found, Rows, Tail};
use super::row::{Beginning, ChainId, Link, Row};
use super::sign::Signer;

/// What a start found in the newest file. Older ones were looked at when they were the newest; `verify` looks at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the last row.
    pub seq: u64,
    /// Bytes of a torn last line that were cut off: of a row that was never acknowledged.
    pub torn_bytes: u64,
    /// Lines that are no rows. They stay, and `verify` names them.
    pub damaged: u64,
    /// Rows that were written once and are not there any more: the file lost its end.
    pub missing: u64,
}

/// Where the chain goes on.
pub(super) struct Start {
    pub(super) link: Link,
    /// Whether the link is a row that stands there, and not one that is missing or damaged.
    pub(super) is_behind_a_row: bool,
    pub(super) tail: Tail,
    pub(super) recovery: Recovery,
}

/// Finds it.
pub(super) fn recover(folder: &Folder, now_ms: i64) -> Result<Start, LedgerError> {
    let failed = |doing| move |source| folder.failed(doing, source);
    let months = folder::segments(folder.path()).map_err(failed("list the ledger"))?;
    let mut recovery = Recovery::default();
    let month = months.last().copied().unwrap_or(Month::of(now_ms));
    let mut tail = Tail { month, len: 0, opening: 0 };
    if !months.is_empty() {
        let segment = folder.open_segment(month).map_err(failed("open the ledger's newest file"))?;
        recovery.torn_bytes = segment.torn;
        tail.len = segment.len;
    }

    let noted = note::read_chain(folder.path());
    let found = last_of(folder, noted, &mut recovery).map_err(failed("read the ledger"))?;
    let chain = match (noted, &found.row) {
        (Some(chain), _) => chain,
        (None, Some(row)) => row.chain,
        (None, None) => ChainId(random().map_err(failed("make the id of a chain"))?),
    };
    if noted.is_none() {
        if found.row.is_some() {
            tracing::warn!(%chain, "the id of the ledger's chain was not noted beside its rows; it is taken from them");
        }
        note::write_chain(folder, chain).map_err(failed("note the id of the chain"))?;
    }

    let last_row = found.row.as_ref().map_or(0, |row| row.seq);
    let expired = note::read_expired_unproven(folder.path(), chain).unwrap_or(Beginning::FIRST);
    let (last, hash, at_ms) =
        found.row.map_or((expired.seq, expired.hash, 0), |row| (row.seq, row.hash, row.entry.at_ms));
    // Whatever stood behind it had numbers too, which are not given again.
    let head = note::read_head_unproven(folder.path()).filter(|head| head.chain == chain).map_or(0, |head| head.seq);
    let used = head.max(note::read_shipped(folder.path(), chain));
    recovery.missing = used.saturating_sub(last + found.damaged_behind);
    let seq = (last + found.damaged_behind).max(used);
    recovery.seq = seq;
    let is_behind_a_row = seq > 0 && seq == last_row;
    Ok(Start { link: Link { chain, seq, hash, at_ms }, is_behind_a_row, tail, recovery })
}

/// The last row of a chain, and how many damaged lines stand behind it.
struct Last {
    row: Option<Row>,
    damaged_behind: u64,
}

/// Of the chain that is noted, else of any. The newest file is read whole; where there is no row in it, the others are too.
fn last_of(folder: &Folder, chain: Option<ChainId>, recovery: &mut Recovery) -> io::Result<Last> {
    for whole in [false, true] {
        let mut last = Last { row: None, damaged_behind: 0 };
        let mut damaged = 0;
        let rows = if whole { Rows::of(folder.path()) } else { Rows::of_newest(folder.path()) };
        for found in rows? {
            match found {
                Found::Row { row, .. } if chain.is_none_or(|chain| chain == row.chain) => {
                    last = Last { row: Some(*row), damaged_behind: 0 };
                }
                Found::Row { .. } => {}
                Found::Unreadable { file, line, why } => {
                    damaged += 1;
                    last.damaged_behind += 1;
                    tracing::error!(file, line, why, "a line of the ledger is no row; it stays, and the chain goes on");
                }
                Found::Torn { .. } => {}
            }
        }
        recovery.damaged = damaged;
        if last.row.is_some() || whole {
            return Ok(last);
        }
    }
    Ok(Last { row: None, damaged_behind: 0 })
}

fn random() -> io::Result<u64> {
    getrandom::u64().map_err(|error| io::Error::other(error.to_string()))
}

/// Removes the months before the newest that are over. What they ended with is signed first, so that a crash in between
/// leaves rows too many rather than a gap that nobody explains.
pub(super) fn remove_expired(
    folder: &Folder,
    tail: Tail,
    chain: ChainId,
    signer: &Signer,
    is_over: impl Fn(u16) -> bool,
) -> io::Result<usize> {
    let mut over: Vec<Month> = folder::segments(folder.path())?;
    over.retain(|month| *month < tail.month && is_over(month.last_day()));
    let Some(newest) = over.last().copied() else { return Ok(0) };
    let mut end = note::read_expired_unproven(folder.path(), chain).unwrap_or(Beginning::FIRST);
    for found in Rows::of_months(folder.path(), over.clone()) {
        if let Found::Row { row, .. } = found
            && row.chain == chain
            && row.seq > end.seq
        {
            end = Beginning { seq: row.seq, hash: row.hash };
        }
    }
    note::write_expired(folder, chain, end, signer)?;
    for month in &over {
        folder.remove_segment(*month)?;
    }
    folder.sync()?;
    tracing::info!(files = over.len(), until = %newest, "months of the ledger whose time is over are removed");
    Ok(over.len())
}
