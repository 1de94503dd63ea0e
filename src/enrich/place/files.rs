//! Which files the databases are, and whether one is still the file it was.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::PlaceError;

/// A file as it was at a look: two that are equal have the same content, unless somebody wrote within a tick of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileState {
    pub path: PathBuf,
    /// Device and number; a file that was renamed into place has another.
    inode: (u64, u64),
    size: u64,
    /// When the content was written, in seconds and nanoseconds.
    written: (i64, i64),
    /// When anything of it was changed; cannot be set back, as the time of writing is by `cp -p`.
    changed: (i64, i64),
}

impl FileState {
    fn of(path: PathBuf) -> Result<FileState, PlaceError> {
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(source) => return Err(PlaceError::Io { path, source }),
        };
        Ok(FileState {
            path,
            inode: (found.dev(), found.ino()),
            size: found.size(),
            written: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

/// The file at `path`, or those in the folder there: a pair for both kinds of addresses, or one file.
pub fn at(path: &Path) -> Result<Vec<FileState>, PlaceError> {
    let io = |source| PlaceError::Io { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![FileState::of(path.to_owned())?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.extension().is_some_and(|extension| extension == "mmdb") {
            files.push(file);
        }
    }
    files.sort();
    let ending = |ending: &str| -> Vec<PathBuf> {
        files.iter().filter(|f| f.to_string_lossy().ends_with(ending)).cloned().collect()
    };
    let used = match (&ending("-ipv4.mmdb")[..], &ending("-ipv6.mmdb")[..], &files[..]) {
        ([v4], [v6], _) => vec![v4.clone(), v6.clone()],
        (_, _, [one]) => vec![one.clone()],
        _ => {
            return Err(PlaceError::Folder {
                path: path.to_owned(),
                found: files.iter().filter_map(|f| Some(f.file_name()?.to_string_lossy().into_owned())).collect(),
            });
        }
    };
    used.into_iter().map(FileState::of).collect()
}
