//! Receipts whose choice a later one has replaced. A cookie that still carries one is a copy of an old choice, put back by
//! somebody or something, and counts no more (C1, C6): a withdrawal cannot be undone by a backup.
//!
//! Where the later one says that the visitor is under 16, what it says is known too (C11): the browser may never have got that
//! answer, and still carries the choice before it.
//!
//! Known to the gateway that wrote the later row, from the files of its ledger also after a restart. Bounded: beyond
//! [`MOST`] the oldest are forgotten.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

use super::entry::Entry;
use super::read::{Found, Rows};
use crate::consent::{ChoiceSource, Signals};

/// The most receipts that are remembered; 16 MB, and 60 bytes for each declaration.
const MOST: usize = 1_000_000;

#[derive(Default)]
struct Receipts {
    all: HashSet<u64, RandomState>,
    /// Of those, what a declaration replaced.
    declared: HashMap<u64, Declaration, RandomState>,
}

/// What took the place of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// Another choice.
    Choice,
    /// A declaration of being under 16.
    Declaration(Declaration),
}

/// What a row says that says that the visitor is under 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The receipt.
    pub receipt: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The policy that was asked.
    pub policy_version: u16,
    /// Where it was made.
    pub source: ChoiceSource,
    /// The signals that came along.
    pub signals: Signals,
    /// The first bytes of the row's hash.
    pub row: [u8; 16],
}

impl Declaration {
    fn of(entry: &Entry, hash: &[u8; 32]) -> Option<Declaration> {
        let source = ChoiceSource::from_word(&entry.source).filter(|_| entry.under_16)?;
        let signals = Signals { gpc: entry.gpc, dnt: entry.dnt };
        let mut row = [0; 16];
        row.copy_from_slice(&hash[..16]);
        let (receipt, at_ms, policy_version) = (entry.receipt, entry.at_ms, entry.policy_version);
        Some(Declaration { receipt, at_ms, policy_version, source, signals, row })
    }
}

/// The receipts. Any thread may ask.
#[derive(Default)]
pub struct Replaced(RwLock<Generations>);

#[derive(Default)]
struct Generations {
    new: Receipts,
    old: Receipts,
}

impl Replaced {
    /// Those that the rows of a ledger's folder say of choices since `since_ms`, in milliseconds since 1970. Reads files.
    pub fn of(folder: &Path, since_ms: i64) -> io::Result<Replaced> {
        let replaced = Replaced::default();
        for found in Rows::since(folder, since_ms)? {
            if let Found::Row { row, .. } = found
                && let Some(previous) = row.entry.previous
            {
                replaced.add(previous, &row.entry, &row.hash);
            }
        }
        Ok(replaced)
    }

    /// The choice of a row, `later`, has taken the place of the one with this receipt.
    pub fn add(&self, receipt: u64, later: &Entry, hash: &[u8; 32]) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.new.all.len() >= MOST / 2 {
            generations.old = std::mem::take(&mut generations.new);
        }
        generations.new.all.insert(receipt);
        if let Some(declaration) = Declaration::of(later, hash) {
            generations.new.declared.insert(receipt, declaration);
        }
    }

    /// What has taken the place of this one, if anything; of several, a declaration.
    pub fn by(&self, receipt: u64) -> Option<Later> {
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let both = [&generations.new, &generations.old];
        let declaration = both.into_iter().find_map(|known| known.declared.get(&receipt));
        let is_known = || both.into_iter().any(|known| known.all.contains(&receipt));
        declaration.copied().map(Later::Declaration).or_else(|| is_known().then_some(Later::Choice))
    }

    /// Whether a later choice has taken the place of this one.
    pub fn contains(&self, receipt: u64) -> bool {
        self.by(receipt).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    fn add(replaced: &Replaced, receipt: u64, under_16: bool) {
        replaced.add(receipt, &Entry { under_16, ..entry(receipt + 1, 1_790_000_000_000) }, &[7; 32]);
    }

    #[test]
    fn what_was_replaced_is_known_and_nothing_else() {
        let replaced = Replaced::default();
        add(&replaced, 7, false);
        assert!(replaced.contains(7) && !replaced.contains(8));
        assert_eq!(replaced.by(7), Some(Later::Choice));
    }

    #[test]
    fn rule_c11_that_a_declaration_replaced_it_is_known_whatever_else_did() {
        let replaced = Replaced::default();
        for under_16 in [true, false] {
            add(&replaced, 7, under_16);
            let Some(Later::Declaration(said)) = replaced.by(7) else { panic!("it is none") };
            assert_eq!((said.receipt, said.row, said.source), (8, [7; 16], ChoiceSource::Banner));
        }
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let replaced = Replaced::default();
        (0..MOST as u64 + 1).for_each(|receipt| add(&replaced, receipt, false));
        assert!(!replaced.contains(0) && replaced.contains(MOST as u64) && replaced.contains(MOST as u64 / 2));
        let generations = replaced.0.read().unwrap();
        assert!(generations.new.all.len() + generations.old.all.len() <= MOST);
    }
}
