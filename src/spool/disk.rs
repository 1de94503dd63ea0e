//! The disk as the spool sees it: the file operations it is built from, and nothing else. All of them go through here, so
//! that tests can put a disk under the spool that fails, tears, forgets and reorders. The [real one](RealDisk) adds nothing
//! to the system calls.
//!
//! What the spool relies on: a rename is all or nothing; what was synced is there after a power loss, a file's bytes by the
//! file's sync and its name by the folder's. It relies on no order of what was not synced.

mod real;
mod timed;

use std::any::Any;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use real::RealDisk;
pub(super) use timed::{Timed, UnderWay};

/// A file as a folder lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name within the folder.
    pub name: OsString,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: SystemTime,
}

/// Held as long as it lives; the kernel lets go of it when the process dies.
pub type Lock = Box<dyn Any + Send + Sync>;

/// Folders and the names in them. Files are 0600 and folders 0700, for what waits in the spool is personal data, if
/// pseudonymised. Every call may block.
pub trait Disk: Send + Sync {
    /// Makes a folder, and those above it, where they are missing.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock on a file, which is made where it is missing; nothing where another process has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;

    /// What tells a folder from a copy of it, as long as it stays where it is: its number and its device's.
    fn identity(&self, folder: &Path) -> io::Result<u128>;

    /// Opens a folder for syncing.
    fn open_folder(&self, path: &Path) -> io::Result<Box<dyn DiskFolder>>;

    /// The files in a folder, in no order, without the folders in it. One that vanishes meanwhile is left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<Found>>;

    /// Makes a file; [`AlreadyExists`](io::ErrorKind::AlreadyExists) where the name is taken.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Makes a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// A file's bytes.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Gives a file another name, in the same folder or in another of the same file system; what had that name is gone.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A folder that is open for syncing.
pub trait DiskFolder: Send + Sync {
    /// Makes the new, removed and changed names in it durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. It has no position: every operation says where.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads what is at `at`, perhaps less than fits; 0 at the end of the file.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `at`. Where it fails, any part of them may be there.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Cuts it, or lengthens it with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes its bytes, its length and what else is known of it durable; its name is the folder's part.
    fn sync(&self) -> io::Result<()>;

    /// Makes its bytes and its length durable.
    fn sync_data(&self) -> io::Result<()>;
}

impl dyn DiskFile + '_ {
    /// Fills `into` from what is at `at`; fails where the file ends before.
    pub(super) fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        match self.read_until_full(into, at)? {
            read if read == into.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// What is at `at`, at most `most` bytes of it; less only where the file ends.
    pub(super) fn read_some_at(&self, at: u64, most: u64) -> io::Result<Vec<u8>> {
        let there = self.bytes()?.saturating_sub(at).min(most);
        let mut bytes = vec![0; usize::try_from(there).map_err(io::Error::other)?];
        let read = self.read_until_full(&mut bytes, at)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    fn read_until_full(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }
}
