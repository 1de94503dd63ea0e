//! The ring's file. It is read without a lock, since it is always whole (it is replaced, never written over), and changed
//! under one: what is changed is what the file says at that moment, so that nobody's keys are lost to another process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::private_file::{self, Unusable};
use super::stored::{self, Read};
use super::{Book, KeyError};

/// How long is waited for another process. A change takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the lock is tried meanwhile.
const TRY: Duration = Duration::from_millis(10);

/// Where a ring is kept.
#[derive(Clone, Debug)]
pub struct RingFile {
    path: PathBuf,
}

impl RingFile {
    /// The file at `path`, which need not exist.
    pub fn at(path: &Path) -> RingFile {
        RingFile { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says now.
    pub fn read(&self) -> Result<Book, KeyError> {
        let read = self.look()?;
        read.map(|read| read.book).ok_or_else(|| KeyError::Missing { path: self.path.clone() })
    }

    /// A new ring with the keys of `site`; refused where there is a file.
    pub fn init(&self, site: u32, now: u64) -> Result<Book, KeyError> {
        let _lock = self.lock()?;
        if self.look()?.is_some() {
            return Err(KeyError::Exists { path: self.path.clone() });
        }
        let mut book = Book::default();
        book.settle(site, now);
        self.write(&book)?;
        Ok(book)
    }

    /// Changes what it says: `change` tells whether there is something to write. The answer is the book as the file has it.
    pub fn change(&self, change: impl FnOnce(&mut Book) -> bool) -> Result<Book, KeyError> {
        let _lock = self.lock()?;
        let mut book = self.read()?;
        if change(&mut book) {
            self.write(&book)?;
        }
        Ok(book)
    }

    /// The ring with the keys of `site`. Made, brought to this version's format and completed where that is needed; a file
    /// that needs nothing is not touched, and may be one that cannot be written.
    pub(super) fn open(&self, site: u32, now: u64) -> Result<Book, KeyError> {
        if let Some(Read { mut book, is_old: false }) = self.look()?
            && !book.settle(site, now)
        {
            return Ok(book);
        }
        let _lock = self.lock()?;
        let Read { mut book, is_old } = self.look()?.unwrap_or(Read { book: Book::default(), is_old: false });
        if book.settle(site, now) || is_old {
            self.write(&book)?;
        }
        Ok(book)
    }

    pub(super) fn damaged(&self, reason: String) -> KeyError {
        KeyError::Damaged { path: self.path.clone(), reason }
    }

    fn look(&self) -> Result<Option<Read>, KeyError> {
        match private_file::read(&self.path) {
            Ok(Some(text)) => stored::read(&text).map(Some).map_err(|reason| self.damaged(reason)),
            Ok(None) => Ok(None),
            Err(Unusable::Open(mode)) => Err(KeyError::Open { path: self.path.clone(), mode }),
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(self.damaged("it is not text".into()))
            }
            Err(Unusable::Io(source)) => Err(self.failed(source)),
        }
    }

    fn write(&self, book: &Book) -> Result<(), KeyError> {
        private_file::write(&self.path, &stored::write(book)).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> KeyError {
        KeyError::Io { path: self.path.clone(), source }
    }

    /// The lock on changes, held until it is dropped or the process ends. The lock file stays: it is what others lock.
    fn lock(&self) -> Result<File, KeyError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let failed = |source| KeyError::Io { path: lock.clone(), source };
        let folder = lock.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).to_owned();
        let file = options.open(&lock).map_err(failed)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(TRY),
                Err(TryLockError::WouldBlock) => return Err(KeyError::Busy { lock }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }
}
