//! The spool's folder: every file operation of the room but the reading and writing within a segment. It belongs to one
//! process at a time (a lock that the kernel drops with the process), is 0700, and its files are 0600, for what waits here
//! is personal data, if pseudonymised.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::SpoolError;

const SEGMENT: &str = "segment";

pub(super) struct Folder {
    dir: PathBuf,
    quarantine: PathBuf,
    /// The folder itself, open for syncing.
    handle: File,
    /// Holds the lock as long as it is open.
    _lock: File,
}

/// A segment's file, as the folder lists it.
pub(super) struct Listed {
    pub(super) batch_id: u64,
    pub(super) bytes: u64,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it for this process.
    pub(super) fn open(dir: &Path) -> Result<Folder, SpoolError> {
        let quarantine = dir.join("quarantine");
        for made in [dir, &quarantine] {
            let failed = |source| SpoolError::io("make the spool folder", made, source);
            DirBuilder::new().recursive(true).mode(0o700).create(made).map_err(failed)?;
            fs::set_permissions(made, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let path = dir.join("lock");
        let failed = |source| SpoolError::io("lock the spool folder", &path, source);
        let lock = options().create(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SpoolError::Locked { dir: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let handle = File::open(dir).map_err(failed)?;
        Ok(Folder { dir: dir.to_owned(), quarantine, handle, _lock: lock })
    }

    pub(super) fn path(&self, batch_id: u64) -> PathBuf {
        self.dir.join(file_name(batch_id))
    }

    /// Makes a new segment's file with its header. Not synced: that is sealing's part.
    pub(super) fn create_segment(&self, batch_id: u64, header: &[u8]) -> io::Result<File> {
        let path = self.path(batch_id);
        let mut file = options().create_new(true).open(&path)?;
        if let Err(error) = file.write_all(header) {
            // It holds no record; a segment without a whole header would only puzzle the next start.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(file)
    }

    pub(super) fn open_segment(&self, batch_id: u64) -> io::Result<File> {
        options().open(self.path(batch_id))
    }

    /// The segments that are there, oldest first, without those in quarantine.
    pub(super) fn segments(&self) -> io::Result<Vec<Listed>> {
        list(&self.dir)
    }

    /// The segments in quarantine.
    pub(super) fn quarantined(&self) -> io::Result<Vec<Listed>> {
        list(&self.quarantine)
    }

    pub(super) fn remove(&self, batch_id: u64) -> io::Result<()> {
        match fs::remove_file(self.path(batch_id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Moves a segment to quarantine, with the reason in a file beside it.
    pub(super) fn quarantine(&self, batch_id: u64, reason: &str) -> io::Result<()> {
        let to = self.quarantine.join(file_name(batch_id));
        let mut file = options().create(true).truncate(true).open(to.with_extension("reason"))?;
        writeln!(file, "{reason}")?;
        file.sync_all()?;
        fs::rename(self.path(batch_id), &to)?;
        File::open(&self.quarantine)?.sync_all()?;
        self.sync()
    }

    /// Makes new, removed and renamed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    /// A small file's bytes; nothing where it is missing.
    pub(super) fn read_note(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a small file durably: after a crash it has the old bytes or the new ones.
    pub(super) fn write_note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let fresh = self.dir.join(format!("{name}.new"));
        let mut file = options().create(true).truncate(true).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, self.dir.join(name))?;
        self.sync()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn file_name(batch_id: u64) -> String {
    format!("{batch_id:016x}.{SEGMENT}")
}

fn list(dir: &Path) -> io::Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.len() == 16);
        let batch_id = stem.and_then(|stem| u64::from_str_radix(stem, 16).ok());
        if let Some(batch_id) = batch_id.filter(|_| path.extension().is_some_and(|extension| extension == SEGMENT)) {
            found.push(Listed { batch_id, bytes: entry.metadata()?.len() });
        }
    }
    found.sort_unstable_by_key(|segment| segment.batch_id);
    Ok(found)
}
