//! Receipts whose choice a later one has replaced. A cookie that still carries one is a copy of an old choice, put back by
//! somebody or something, and counts no more (C1, C6): a withdrawal cannot be undone by a backup.
//!
//! Known to the gateway that wrote the later row, from the files of its ledger also after a restart. Bounded: beyond
//! [`MOST`] the oldest are forgotten.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;

use super::read::{Found, Rows};

/// The most receipts that are remembered; 16 MB.
const MOST: usize = 1_000_000;

type Receipts = HashSet<u64, RandomState>;

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
                replaced.add(previous);
            }
        }
        Ok(replaced)
    }

    /// A later choice has taken the place of this one.
    pub fn add(&self, receipt: u64) {
        let mut generations = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if generations.new.len() >= MOST / 2 {
            generations.old = std::mem::take(&mut generations.new);
        }
        generations.new.insert(receipt);
    }

    /// Whether a later choice has taken the place of this one.
    pub fn contains(&self, receipt: u64) -> bool {
        let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
        generations.new.contains(&receipt) || generations.old.contains(&receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_is_known_and_nothing_else() {
        let replaced = Replaced::default();
        replaced.add(7);
        assert!(replaced.contains(7) && !replaced.contains(8));
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let replaced = Replaced::default();
        (0..MOST as u64 + 1).for_each(|receipt| replaced.add(receipt));
        assert!(!replaced.contains(0) && replaced.contains(MOST as u64) && replaced.contains(MOST as u64 / 2));
        let generations = replaced.0.read().unwrap();
        assert!(generations.new.len() + generations.old.len() <= MOST);
    }
}
