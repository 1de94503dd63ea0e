//! The spool's folder: which files it has and what they are called. It belongs to one process at a time (a lock that the
//! kernel drops with the process).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::SpoolError;
use super::disk::{Disk, DiskFile, DiskFolder, Lock};

const SEGMENT: &str = "segment";
/// A segment in quarantine that is to be tried again; named so by `consentry spool retry-quarantine`.
pub(super) const RETRY: &str = "retry";
/// A segment whose rows are in the table.
const SHIPPED: &str = "shipped";
const UNFINISHED: &str = "new";

pub(super) struct Folder {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    quarantine: PathBuf,
    recent: PathBuf,
    /// The folder itself, open for syncing.
    handle: Box<dyn DiskFolder>,
    _lock: Lock,
}

/// A segment's file, as the folder lists it.
pub(super) struct Listed {
    pub(super) batch_id: u64,
    pub(super) bytes: u64,
    /// When it was last written to, in milliseconds since 1970.
    pub(super) modified_ms: i64,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it for this process.
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Folder, SpoolError> {
        let (quarantine, recent) = (dir.join("quarantine"), dir.join("recent"));
        for made in [dir, &quarantine, &recent] {
            disk.make_folder(made).map_err(|source| SpoolError::io("make the spool folder", made, source))?;
        }
        let path = dir.join("lock");
        let failed = |source| SpoolError::io("lock the spool folder", &path, source);
        let lock = disk.lock(&path).map_err(failed)?;
        let lock = lock.ok_or_else(|| SpoolError::Locked { dir: dir.to_owned() })?;
        let handle = disk.open_folder(dir).map_err(failed)?;
        Ok(Folder { disk, dir: dir.to_owned(), quarantine, recent, handle, _lock: lock })
    }

    /// What tells this folder from a copy of it.
    pub(super) fn identity(&self) -> io::Result<u128> {
        self.disk.identity(&self.dir)
    }

    pub(super) fn path(&self, batch_id: u64) -> PathBuf {
        self.dir.join(file_name(batch_id))
    }

    /// Makes a new segment's file. Not synced: that is sealing's part.
    pub(super) fn create_segment(&self, batch_id: u64) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create_new(&self.path(batch_id))
    }

    pub(super) fn open_segment(&self, batch_id: u64) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.path(batch_id))
    }

    /// Whether a segment is in the queue's folder or in quarantine.
    pub(super) fn has_segment(&self, batch_id: u64) -> io::Result<bool> {
        let aside = self.quarantine.join(file_name(batch_id));
        for path in [self.path(batch_id), aside.with_extension(RETRY), aside] {
            match self.disk.open(&path) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// A segment's bytes.
    pub(super) fn read_segment(&self, batch_id: u64) -> io::Result<Vec<u8>> {
        self.disk.read(&self.path(batch_id))
    }

    /// The segments that are there, oldest first, without those in quarantine.
    pub(super) fn segments(&self) -> io::Result<Vec<Listed>> {
        self.list(&self.dir, SEGMENT)
    }

    /// The segments in quarantine, those that are to be tried again too.
    pub(super) fn quarantined(&self) -> io::Result<Vec<Listed>> {
        let mut all = self.list(&self.quarantine, SEGMENT)?;
        all.extend(self.to_be_retried()?);
        Ok(all)
    }

    /// The segments in quarantine that are to be tried again.
    pub(super) fn to_be_retried(&self) -> io::Result<Vec<Listed>> {
        self.list(&self.quarantine, RETRY)
    }

    /// The segments whose rows came into the table a short while ago.
    pub(super) fn recent(&self) -> io::Result<Vec<Listed>> {
        self.list(&self.recent, SHIPPED)
    }

    fn list(&self, dir: &Path, extension: &str) -> io::Result<Vec<Listed>> {
        let files = self.disk.list(dir)?;
        let segments = files.iter().filter_map(|file| {
            let since = file.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            let modified_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
            Some(Listed { batch_id: batch_id(Path::new(&file.name), extension)?, bytes: file.bytes, modified_ms })
        });
        let mut found: Vec<_> = segments.collect();
        found.sort_unstable_by_key(|segment| segment.batch_id);
        Ok(found)
    }

    pub(super) fn remove(&self, batch_id: u64) -> io::Result<()> {
        match self.disk.remove(&self.path(batch_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Moves a segment out of the queue, since its rows are in the table.
    pub(super) fn shelve(&self, batch_id: u64) -> io::Result<()> {
        self.disk.rename(&self.path(batch_id), &self.shelved(batch_id))
    }

    /// The bytes of a segment that was moved so.
    pub(super) fn read_shelved(&self, batch_id: u64) -> io::Result<Vec<u8>> {
        self.disk.read(&self.shelved(batch_id))
    }

    /// Removes it at last.
    pub(super) fn remove_shelved(&self, batch_id: u64) -> io::Result<()> {
        self.disk.remove(&self.shelved(batch_id))
    }

    fn shelved(&self, batch_id: u64) -> PathBuf {
        self.recent.join(file_name(batch_id)).with_extension(SHIPPED)
    }

    /// Moves a segment that is to be tried again back into the queue's folder; the reason beside it goes. Not synced.
    pub(super) fn take_back(&self, batch_id: u64) -> io::Result<()> {
        let aside = self.quarantine.join(file_name(batch_id));
        self.disk.rename(&aside.with_extension(RETRY), &self.path(batch_id))?;
        // Should this fail, a reason stands there for nothing.
        let _ = self.disk.remove(&aside.with_extension("reason"));
        Ok(())
    }

    /// Moves a segment to quarantine, with the reason in a file beside it. [Durable](Folder::sync_quarantine) is another
    /// step.
    pub(super) fn quarantine(&self, batch_id: u64, reason: &str) -> io::Result<()> {
        let to = self.quarantine.join(file_name(batch_id));
        let file = self.disk.create(&to.with_extension("reason"))?;
        file.write_all_at(format!("{reason}\n").as_bytes(), 0)?;
        file.sync()?;
        self.disk.rename(&self.path(batch_id), &to)
    }

    /// Makes what was moved to quarantine durable, there and here.
    pub(super) fn sync_quarantine(&self) -> io::Result<()> {
        self.disk.open_folder(&self.quarantine)?.sync()?;
        self.sync()
    }

    /// Puts a whole segment in the place of the one that is there; see [`write_note`](Folder::write_note).
    pub(super) fn replace_segment(&self, batch_id: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_note(&file_name(batch_id), bytes)
    }

    /// Removes what a crash left of files that were to replace others.
    pub(super) fn remove_unfinished(&self) -> io::Result<()> {
        for file in self.disk.list(&self.dir)? {
            let name = Path::new(&file.name);
            if name.extension().is_some_and(|extension| extension == UNFINISHED) {
                self.disk.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Makes new, removed and renamed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync()
    }

    /// A small file's bytes; nothing where it is missing.
    pub(super) fn read_note(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.disk.read(&self.dir.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a small file. Not synced.
    pub(super) fn remove_note(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.dir.join(name))
    }

    /// Replaces a small file durably: after a crash it has the old bytes or the new ones.
    pub(super) fn write_note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.dir.join(format!("{name}.{UNFINISHED}"));
        let file = self.disk.create(&fresh)?;
        file.write_all_at(bytes, 0)?;
        file.sync()?;
        self.disk.rename(&fresh, &self.dir.join(name))?;
        self.sync()
    }
}

fn file_name(batch_id: u64) -> String {
    format!("{batch_id:016x}.{SEGMENT}")
}

/// The batch id in a segment's name; nothing where it is no segment's.
fn batch_id(name: &Path, extension: &str) -> Option<u64> {
    let stem = name.file_stem()?.to_str().filter(|stem| stem.len() == 16)?;
    u64::from_str_radix(stem, 16).ok().filter(|_| name.extension().is_some_and(|found| found == extension))
}
