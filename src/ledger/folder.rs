//! The ledger's folder: who has it, and its files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::error::LedgerError;
use super::month::Month;
use super::note::{self, LastRow};
use super::read::{Found, Rows};
use super::row::{Beginning, ChainId};
use super::sign::PublicKeys;
use crate::keys::private_folder;

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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Locked { dir: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
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
        let (whole, all) = (whole_lines(&file)?, file.metadata()?.len());
        if all == 0 {
            // New, or made by an attempt that came no further.
            self.sync()?;
        }
        if whole < all {
            file.set_len(whole)?;
            file.sync_all()?;
        }
        let id = FileId::of(&file.metadata()?);
        Ok(Segment { month, path, file, id, len: whole, torn: all - whole, to_be_cut: false, is_displaced: false })
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

/// A month's file that is appended to.
pub(super) struct Segment {
    pub(super) month: Month,
    path: PathBuf,
    file: File,
    id: FileId,
    /// How far it is durable.
    pub(super) len: u64,
    /// How many bytes were cut when it was opened.
    pub(super) torn: u64,
    /// Something stands behind `len` that could not be cut yet.
    to_be_cut: bool,
    /// The file was moved, removed, replaced, or is not as long as it was left: what stands there has to be opened anew.
    is_displaced: bool,
}

impl Segment {
    /// Writes behind what is durable, syncs it, and sees that it stands where readers look for it: a row in a file that was
    /// moved away proves nothing. Where that fails the file is cut back, now or before the next write, so that nothing of it
    /// can be taken for a row.
    pub(super) fn append(
        &mut self,
        folder: &Folder,
        bytes: &[u8],
        write: impl FnOnce(&File, &[u8], u64) -> io::Result<()>,
    ) -> io::Result<()> {
        self.leave()?;
        self.stands(self.len).map_err(|error| folder.stands().err().unwrap_or(error))?;
        let len = self.len + bytes.len() as u64;
        let written = write(&self.file, bytes, self.len).and_then(|()| folder.stands()).and_then(|()| self.stands(len));
        if let Err(error) = written {
            self.to_be_cut = true;
            // Tried again before the next write.
            let _ = self.cut();
            return Err(error);
        }
        self.len = len;
        Ok(())
    }

    /// Whether the open file is the one of that name, and has this length.
    fn stands(&mut self, len: u64) -> io::Result<()> {
        let what = match fs::metadata(&self.path) {
            Ok(found) if FileId::of(&found) != self.id => "another file stands in the place of the month's rows",
            Ok(found) if found.len() != len => "the file of the month's rows is not as long as it was left",
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "the file of the month's rows is gone",
            Err(error) => return Err(error),
        };
        self.is_displaced = true;
        Err(io::Error::new(io::ErrorKind::NotFound, what))
    }

    /// Whether it was found not to be where and what it was, so that it has to be opened anew.
    pub(super) fn is_displaced(&self) -> bool {
        self.is_displaced
    }

    /// Before another file is written: nothing that could not be cut stays behind.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        if self.to_be_cut { self.cut() } else { Ok(()) }
    }

    fn cut(&mut self) -> io::Result<()> {
        // One that somebody made shorter is not made longer.
        if self.file.metadata()?.len() > self.len {
            self.file.set_len(self.len)?;
            self.file.sync_all()?;
        }
        self.to_be_cut = false;
        Ok(())
    }
}

/// One write and one sync.
pub(super) fn write_and_sync(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)?;
    file.sync_data()
}

pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Where the last whole line ends.
fn whole_lines(file: &File) -> io::Result<u64> {
    const PIECE: usize = 1 << 16;
    let mut end = file.metadata()?.len();
    let mut piece = vec![0; PIECE];
    while end > 0 {
        let len = end.min(PIECE as u64) as usize;
        let from = end - len as u64;
        let Some(bytes) = piece.get_mut(..len) else { break };
        file.read_exact_at(bytes, from)?;
        if let Some(at) = memchr::memrchr(b'\n', bytes) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
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

/// What stands in the ledger's folder beside its rows, for who verifies them. Reads without the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    /// The chain that is appended to: as it is noted, else that of the last row's note, else that of the first row.
    pub chain: Option<ChainId>,
    /// Whether the chain's id is noted.
    pub chain_is_noted: bool,
    /// The last row, as it was noted when it was written, if the note of it is signed.
    pub head: Option<LastRow>,
    /// Whether there is a note of it that is not signed by a key of the ring.
    pub head_is_forged: bool,
    /// Up to which row the table was known to have them.
    pub shipped: u64,
    /// Where the chain may begin, if the note of it is signed.
    pub beginning: Option<Beginning>,
    /// Whether there is a note of it that is not signed by a key of the ring.
    pub beginning_is_forged: bool,
}

impl Notes {
    /// Reads them.
    pub fn read(folder: &Path, keys: &PublicKeys) -> Notes {
        let head = note::read_head(folder, keys);
        let noted = note::read_chain(folder);
        let chain = noted.or(head.map(|head| head.chain)).or_else(|| first_chain(folder));
        let expired = chain.and_then(|chain| note::read_expired(folder, chain, keys));
        let has = |name: &str| fs::metadata(folder.join(name)).is_ok_and(|found| found.len() > 0);
        Notes {
            chain,
            chain_is_noted: noted.is_some(),
            head,
            head_is_forged: has(note::HEAD) && head.is_none(),
            shipped: chain.map_or(0, |chain| note::read_shipped(folder, chain)),
            beginning: expired,
            beginning_is_forged: has(note::EXPIRED) && expired.is_none(),
        }
    }
}

fn first_chain(folder: &Path) -> Option<ChainId> {
    Rows::of(folder).ok()?.find_map(|found| match found {
        Found::Row { row, .. } => Some(row.chain),
        _ => None,
    })
}
