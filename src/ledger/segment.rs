//! A month's file while it is appended to: written, synced, and held against its name, so that no row is acknowledged that
//! readers do not find.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::folder::{FileId, Folder};
use super::month::Month;

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
    /// The opened file, its torn last line cut off.
    pub(super) fn of(month: Month, path: PathBuf, file: File) -> io::Result<Segment> {
        let found = file.metadata()?;
        let (id, all, len) = (FileId::of(&found), found.len(), whole_lines(&file)?);
        if len < all {
            file.set_len(len)?;
            file.sync_all()?;
        }
        Ok(Segment { month, path, file, id, len, torn: all - len, to_be_cut: false, is_displaced: false })
    }

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
