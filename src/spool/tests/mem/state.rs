//! What the disk in memory knows, and how it decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use super::Fault;
use super::files::Inode;

#[derive(Default)]
pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable: BTreeMap<PathBuf, usize>,
    pub(super) unsynced: Vec<NameChange>,
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) locked: bool,
    /// Operations to go until the fault, the fault, and how many operations it meets; one behind the other.
    pub(super) faults: VecDeque<(u32, Fault, u32)>,
    pub(super) operations: u64,
    pub(super) refused_cuts: u64,
    pub(super) dead: bool,
    pub(super) random: Random,
}

/// Something about names that no folder's sync has made durable.
pub(super) enum NameChange {
    Put(PathBuf, usize),
    Remove(PathBuf),
    Move(PathBuf, PathBuf),
}

impl NameChange {
    pub(super) fn is_in(&self, folder: &Path) -> bool {
        match self {
            NameChange::Put(name, _) | NameChange::Remove(name) => name.parent() == Some(folder),
            NameChange::Move(from, to) => [from, to].iter().any(|name| name.parent() == Some(folder)),
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Put(name, inode) => drop(names.insert(name.clone(), *inode)),
            NameChange::Remove(name) => drop(names.remove(name)),
            NameChange::Move(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64; the seed comes from the property test, which shrinks it.
#[derive(Default)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// What the state says to an operation.
pub(super) enum Verdict {
    Go,
    Refuse(io::Error),
    /// Do a part, then say this.
    Half(io::Error),
}

impl State {
    pub(super) fn verdict(&mut self) -> Verdict {
        if self.dead {
            return Verdict::Refuse(io::Error::other("the process is dead"));
        }
        self.operations += 1;
        match self.faults.front_mut() {
            Some((0, fault, times)) => {
                let fault = *fault;
                *times -= 1;
                if *times == 0 {
                    self.faults.pop_front();
                }
                match fault {
                    Fault::Refuse(kind) => Verdict::Refuse(kind.into()),
                    Fault::Half(kind) => Verdict::Half(kind.into()),
                    Fault::Kill => {
                        self.dead = true;
                        Verdict::Half(io::Error::other("the process is dead"))
                    }
                }
            }
            Some((skip, _, _)) => {
                *skip -= 1;
                Verdict::Go
            }
            None => Verdict::Go,
        }
    }

    /// For what cannot be done in part: a kill comes before it or behind it.
    pub(super) fn whole(&mut self) -> io::Result<()> {
        match self.verdict() {
            Verdict::Go => Ok(()),
            Verdict::Half(_) if self.dead && self.random.coin() => Ok(()),
            Verdict::Refuse(error) | Verdict::Half(error) => Err(error),
        }
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced.push(change);
    }

    pub(super) fn inode(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn make(&mut self, path: &Path) -> usize {
        self.inodes.push(Inode::default());
        let inode = self.inodes.len() - 1;
        self.change(NameChange::Put(path.to_owned(), inode));
        inode
    }

    pub(super) fn lose_power(&mut self) {
        let mode = self.random.below(4);
        for change in std::mem::take(&mut self.unsynced) {
            if mode != 0 && (mode == 1 || self.random.coin()) {
                change.apply(&mut self.durable);
            }
        }
        for inode in &mut self.inodes {
            inode.lose_power(&mut self.random);
        }
        self.names = self.durable.clone();
    }
}
