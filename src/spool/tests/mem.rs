//! A disk in memory that knows what was synced and what was not, fails where it is told to, and can be crashed.
//!
//! What a process sees of it is `now`; what the disk would have after a power loss is `durable` and any part of what was
//! not synced. A sync that fails behaves as Linux does: what it was about counts as written from then on, so that the next
//! sync succeeds without it.

mod files;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::disk::{Disk, DiskFile, DiskFolder, Found, Lock};
use files::{Handle, Inode};
use state::{NameChange, Random, State, Verdict};

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is done, and the error is this.
    Refuse(io::ErrorKind),
    /// Some of it is done, and the error is this. What is not divisible is not done.
    Half(io::ErrorKind),
    /// Some of it is done, or all, and the process is dead: nothing is done from then on.
    Kill,
}

/// How a process ends that does not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Killed,
    PowerLost,
}

#[derive(Clone, Default)]
pub(super) struct MemDisk(Arc<Mutex<State>>);

impl MemDisk {
    pub(super) fn new(seed: u64) -> MemDisk {
        let disk = MemDisk::default();
        disk.state().random = Random(seed);
        disk
    }

    /// After `skip` more operations the fault meets the next `times`.
    pub(super) fn fail(&self, skip: u32, fault: Fault, times: u32) {
        self.state().faults = [(skip, fault, times)].into();
    }

    /// The same, counted from the end of the faults that are to come already.
    pub(super) fn then_fail(&self, skip: u32, fault: Fault, times: u32) {
        self.state().faults.push_back((skip, fault, times));
    }

    pub(super) fn heal(&self) {
        self.state().faults.clear();
    }

    /// Whether a fault has killed the process.
    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// How many operations there were.
    pub(super) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Ends the process that had the disk. Whatever it still holds of it must be gone before.
    pub(super) fn crash(&self, how: Crash) {
        let mut state = self.state();
        (state.dead, state.locked) = (false, false);
        state.faults.clear();
        match how {
            Crash::PowerLost => state.lose_power(),
            // A process that dies between a failed sync and the rewriting is a limit of the spool; see its design paper.
            Crash::Killed => state.inodes.iter_mut().for_each(Inode::remember_what_was_dropped),
        }
    }

    /// Lets the kernel drop what failed syncs were about from memory too, as XFS does.
    pub(super) fn evict(&self) {
        self.state().inodes.iter_mut().for_each(Inode::evict);
    }

    /// The files whose names begin with this, with their bytes.
    pub(super) fn files(&self, under: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.state();
        let bytes = |inode: &usize| state.inodes[*inode].now.clone();
        let all = state.names.iter().filter(|(name, _)| name.starts_with(under));
        all.map(|(name, inode)| (name.clone(), bytes(inode))).collect()
    }

    /// How often a file's length could not be set.
    pub(super) fn refused_cuts(&self) -> u64 {
        self.state().refused_cuts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, inode: usize) -> Box<dyn DiskFile> {
        Box::new(Handle { disk: self.clone(), inode })
    }
}

struct Held(MemDisk);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

struct Folder {
    disk: MemDisk,
    path: PathBuf,
}

impl DiskFolder for Folder {
    fn sync(&self) -> io::Result<()> {
        let mut guard = self.disk.state();
        let state = &mut *guard;
        let failure = match state.verdict() {
            Verdict::Go => None,
            Verdict::Refuse(error) => return Err(error),
            Verdict::Half(error) => Some(error),
        };
        // A journal keeps the order of names, so a sync that fails half way has made the first of them durable.
        let mut rest = Vec::new();
        for change in std::mem::take(&mut state.unsynced) {
            if change.is_in(&self.path) && (failure.is_none() || (rest.is_empty() && state.random.coin())) {
                change.apply(&mut state.durable);
            } else {
                rest.push(change);
            }
        }
        state.unsynced = rest;
        failure.map_or(Ok(()), Err)
    }
}

impl Disk for MemDisk {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        state.folders.insert(path.to_owned());
        Ok(())
    }

    fn lock(&self, _: &Path) -> io::Result<Option<Lock>> {
        let mut state = self.state();
        state.whole()?;
        if std::mem::replace(&mut state.locked, true) {
            return Ok(None);
        }
        Ok(Some(Box::new(Held(self.clone()))))
    }

    fn identity(&self, _: &Path) -> io::Result<u128> {
        Ok(7)
    }

    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn DiskFolder>> {
        let mut state = self.state();
        state.whole()?;
        assert!(state.folders.contains(path), "{path:?} is no folder");
        Ok(Box::new(Folder { disk: self.clone(), path: path.to_owned() }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Found>> {
        let mut state = self.state();
        state.whole()?;
        let inside = state.names.iter().filter(|(name, _)| name.parent() == Some(folder));
        let found = |(name, inode): (&PathBuf, &usize)| Found {
            name: name.file_name().expect("a file has a name").to_owned(),
            bytes: state.inodes[*inode].now.len() as u64,
            modified: std::time::SystemTime::UNIX_EPOCH,
        };
        Ok(inside.map(found).collect())
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.whole()?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.make(path);
        Ok(self.handle(inode))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.whole()?;
        let inode = state.inode(path).unwrap_or_else(|_| state.make(path));
        state.inodes[inode].set_len(0);
        Ok(self.handle(inode))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.whole()?;
        Ok(self.handle(state.inode(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.whole()?;
        let inode = state.inode(path)?;
        Ok(state.inodes[inode].now.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        state.inode(from)?;
        state.change(NameChange::Move(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.whole()?;
        state.inode(path)?;
        state.change(NameChange::Remove(path.to_owned()));
        Ok(())
    }
}
