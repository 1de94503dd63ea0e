//! What the shipper leaves out of what waits: records whose period is over, and those of visitors who have withdrawn. They
//! still lie in their segments; nobody is shown them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::sift::{self, Forgotten};
use super::About;

/// What is to be left out now.
pub struct Sift {
    forgotten: Forgotten,
    now_ms: i64,
}

/// Why nobody can say what is to be left out.
#[derive(Debug, thiserror::Error)]
#[error(
    "the list of whom to forget, {path}, cannot be read ({why}); nothing is shown, since it would hold records of visitors who have withdrawn"
)]
pub struct SiftError {
    path: PathBuf,
    why: String,
}

impl Sift {
    /// As the spool in this folder has it at the moment.
    pub fn of(dir: &Path) -> Result<Sift, SiftError> {
        let path = dir.join(sift::NOTE);
        let note = match fs::read(&path) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(SiftError { path, why: error.to_string() }),
        };
        // The file is there only as long as it names somebody; one that names nobody is a damaged one.
        if note.as_deref().is_some_and(|note| !Forgotten::read(Some(note)).clear()) {
            return Err(SiftError { path, why: "it is damaged".to_owned() });
        }
        Ok(Sift { forgotten: Forgotten::read(note.as_deref()), now_ms: sift::now_ms() })
    }

    /// Leaves records of a segment out; returns how many.
    pub(super) fn leave_out(&self, about: &About, retain: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool)) -> u64 {
        let may_be_outlived = about.partition.may_be_outlived(self.now_ms);
        let left_out = sift::sift(&about.columns, &self.forgotten, (self.now_ms, may_be_outlived), retain);
        left_out.outlived + left_out.forgotten
    }
}
