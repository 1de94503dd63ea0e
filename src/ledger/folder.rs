//! The ledger's folder: who has it, and its files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::LedgerError;
use super::month::Month;
use super::segment::Segment;
use crate::keys::{folder_lock, private_folder};

/// The folder, held by this process.
pub(super) struct Folder {
    path: PathBuf,
    /// For syncing the names in it.
    handle: File,
    /// Which folder it was when the lock was taken.
    id: FileId,
    /// Held until the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it for this process.
    pub(super) fn open(path: &Path) -> Result<Folder, LedgerError> {
        private_folder::make(path)?;
        private_folder::make(&path.join(super::texts::FOLDER))?;
        let lock = path.join("lock");
        let failed = |source| LedgerError::Io { doing: "lock the ledger", path: lock.clone(), source };
        let file = options().create(true).truncate(false).open(&lock).map_err(failed)?;
        if !folder_lock::take(&file).map_err(failed)? {
            return Err(LedgerError::Locked { dir: path.to_owned() });
        }
        let handle = File::open(path).map_err(failed)?;
        let id = FileId::of(&handle.metadata().map_err(failed)?);
        // The folder's own name in the one above it.
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
            File::open(above).and_then(|above| above.sync_all()).map_err(failed)?;
        }
        Ok(Folder { path: path.to_owned(), handle, id, _lock: file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, doing: &'static str, source: io::Error) -> LedgerError {
        LedgerError::Io { doing, path: self.path.clone(), source }
    }

    /// Whether the folder that is held is still the one of that name. Where it was moved, removed or replaced nothing may be
    /// written, and no other is made: somebody has to bring it back, or to decide on a restart.
    pub(super) fn stands(&self) -> io::Result<()> {
        let what = match fs::metadata(&self.path) {
            Ok(found) if FileId::of(&found) == self.id => return Ok(()),
            Ok(_) => "another folder stands in the place of the ledger; bring the ledger's own back",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "the ledger's folder is gone; bring it back",
            Err(error) => return Err(error),
        };
        Err(io::Error::new(io::ErrorKind::NotFound, what))
    }

    /// Opens a month's segment for appending, made durably where there is none, its torn last line cut off. Says how many
    /// bytes were cut and how long it is.
    pub(super) fn open_segment(&self, month: Month) -> io::Result<Segment> {
        self.stands()?;
        let path = self.path.join(month.file());
        let file = options().create(true).truncate(false).open(&path)?;
        if file.metadata()?.len() == 0 {
            // New, or made by an attempt that came no further.
            self.sync()?;
        }
        Segment::of(month, path, file)
    }

    /// Makes new, removed and renamed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// Replaces a small file durably: after a crash it has the old bytes or the new ones.
    pub(super) fn write_durably(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, true)?;
        self.sync()
    }

    /// Replaces a small file; after a loss of power it may have the old bytes, the new ones or none.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, bytes, false)
    }

    fn replace(&self, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        self.stands()?;
        let fresh = self.path.join(format!("{name}.new"));
        let mut file = options().create(true).truncate(true).open(&fresh)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        fs::rename(&fresh, self.path.join(name))
    }

    /// A small file that is written over in place; the caller keeps it open.
    pub(super) fn open_note(&self, name: &str) -> io::Result<File> {
        options().create(true).truncate(false).open(self.path.join(name))
    }

    pub(super) fn remove_segment(&self, month: Month) -> io::Result<()> {
        fs::remove_file(self.path.join(month.file()))
    }
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(found: &fs::Metadata) -> FileId {
        FileId { device: found.dev(), inode: found.ino() }
    }
}

pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// The months of the segments in a folder, in order.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<Month>> {
    let mut months = Vec::new();
    for entry in fs::read_dir(folder)? {
        months.extend(entry?.file_name().to_str().and_then(Month::of_file));
    }
    months.sort_unstable();
    Ok(months)
}

/// Names in a folder that look like a segment's and are of no month: nothing in such a file is read.
pub fn strange_files(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut strange = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.contains(".jsonl") && Month::of_file(&name).is_none() {
            strange.push(name);
        }
    }
    strange.sort_unstable();
    Ok(strange)
}
