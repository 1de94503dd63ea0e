//! The files of the disk in memory.

use std::io;

use super::MemDisk;
use super::state::{Random, Verdict};
use crate::spool::disk::DiskFile;

/// A file's bytes, as they are seen and as they would be after a power loss.
#[derive(Default)]
pub(super) struct Inode {
    pub(super) now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// What a failed sync was about: it is in `now`, and no later sync makes it durable.
    dropped: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(_, what) if what.is_empty() => {}
            Change::Write(at, what) => {
                bytes.resize(bytes.len().max(at + what.len()), 0);
                bytes[*at..at + what.len()].copy_from_slice(what);
            }
            Change::SetLen(len) => bytes.resize(*len, 0),
        }
    }

    /// Some of it: a stretch of a write, whose other bytes are then zeros or what was there.
    fn part(&self, random: &mut Random) -> Change {
        match self {
            Change::Write(at, what) if random.coin() => {
                let end = random.below(what.len() + 1);
                let start = if random.coin() { 0 } else { random.below(end + 1) };
                Change::Write(at + start, what[start..end].to_vec())
            }
            other => other.clone(),
        }
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.change(Change::SetLen(len));
    }

    fn sync(&mut self) {
        let durable = &mut self.durable;
        self.unsynced.drain(..).for_each(|change| change.apply(durable));
    }

    fn sync_and_fail(&mut self, random: &mut Random, in_part: bool) {
        for change in std::mem::take(&mut self.unsynced) {
            if in_part && random.coin() {
                change.part(random).apply(&mut self.durable);
            }
            self.dropped.push(change);
        }
    }

    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let mode = random.below(4);
        for change in std::mem::take(&mut self.unsynced) {
            match mode {
                0 => {}
                1 => change.apply(&mut self.durable),
                _ if random.coin() => change.part(random).apply(&mut self.durable),
                _ => {}
            }
        }
        self.dropped.clear();
        self.now = self.durable.clone();
    }

    pub(super) fn remember_what_was_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        self.unsynced.splice(0..0, dropped);
    }

    pub(super) fn evict(&mut self) {
        self.dropped.clear();
        self.now = self.durable.clone();
        self.unsynced.iter().for_each(|change| change.apply(&mut self.now));
    }
}

/// An open file.
pub(super) struct Handle {
    pub(super) disk: MemDisk,
    pub(super) inode: usize,
}

impl DiskFile for Handle {
    fn bytes(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.whole()?;
        Ok(state.inodes[self.inode].now.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.whole()?;
        let short = into.len() > 1 && state.random.coin();
        let there = state.inodes[self.inode].now.get(at as usize..).unwrap_or_default();
        let most = if short { into.len() / 2 } else { into.len() };
        let len = there.len().min(most);
        into[..len].copy_from_slice(&there[..len]);
        Ok(len)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut guard = self.disk.state();
        let state = &mut *guard;
        match state.verdict() {
            Verdict::Go => {
                state.inodes[self.inode].change(Change::Write(at as usize, bytes.to_vec()));
                Ok(())
            }
            Verdict::Refuse(error) => Err(error),
            Verdict::Half(error) => {
                let written = bytes[..state.random.below(bytes.len() + 1)].to_vec();
                state.inodes[self.inode].change(Change::Write(at as usize, written));
                Err(error)
            }
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        if let Err(error) = state.whole() {
            state.refused_cuts += 1;
            return Err(error);
        }
        state.inodes[self.inode].set_len(bytes as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut guard = self.disk.state();
        let state = &mut *guard;
        match state.verdict() {
            Verdict::Go => {
                state.inodes[self.inode].sync();
                Ok(())
            }
            // A dead process has dropped nothing: its pages are the kernel's.
            Verdict::Refuse(error) | Verdict::Half(error) if state.dead => Err(error),
            Verdict::Refuse(error) => {
                state.inodes[self.inode].sync_and_fail(&mut state.random, false);
                Err(error)
            }
            Verdict::Half(error) => {
                state.inodes[self.inode].sync_and_fail(&mut state.random, true);
                Err(error)
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }
}
