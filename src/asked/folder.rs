//! What was counted and waits for ClickHouse, as files: `asked/` in the data folder. A file is made whole or not at all, synced,
//! and gone when the table has its rows. At most [`MOST`] of them wait; then the oldest goes. Does I/O; called by `store` on
//! its own thread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Counts;
use crate::keys::private_file::{self, Unusable};

/// The most files that wait: a week's, as one is made each hour while many wait.
pub const MOST: usize = 240;

/// What one process counted in a part of a day.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// The site.
    pub site_id: u32,
    /// The day (UTC), in days since 1970.
    pub day: u16,
    /// Random; stands in each of its rows, so that the table can be asked whether it has them.
    pub batch_id: u64,
    /// The first day on which the rows are gone, in days since 1970.
    pub expires_at: u16,
    /// When it was counted, in milliseconds since 1970: the order in which it is sent.
    pub made_at: u64,
    /// What is stored.
    pub rows: Vec<Counts>,
}

impl Counted {
    fn name(&self) -> String {
        format!("{:014}-{:016x}.json", self.made_at, self.batch_id)
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The one in `data_dir`. It is made when something is written to it.
    pub fn new(data_dir: &Path) -> Folder {
        Folder(data_dir.join("asked"))
    }

    /// Keeps counts until they are [`done`](Folder::done). Says how many older ones had to go for them.
    pub fn keep(&self, counted: &Counted) -> io::Result<usize> {
        private_file::write(&self.0.join(counted.name()), &serde_json::to_string(counted)?)?;
        let names = self.names()?;
        let dropped = names.len().saturating_sub(MOST);
        for name in names.iter().take(dropped) {
            gone(fs::remove_file(self.0.join(name)))?;
        }
        Ok(dropped)
    }

    /// The counts that wait longest. A file that is none of ours is put aside.
    pub fn oldest(&self) -> io::Result<Option<Counted>> {
        for name in self.names()? {
            if let Some(counted) = self.read(&name) {
                return Ok(Some(counted));
            }
            tracing::error!(file = name, "a file of consent statistics cannot be read and is put aside");
            let path = self.0.join(&name);
            fs::rename(&path, path.with_extension("unreadable"))?;
        }
        Ok(None)
    }

    /// The table has them.
    pub fn done(&self, counted: &Counted) -> io::Result<()> {
        gone(fs::remove_file(self.0.join(counted.name())))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.names().map_or(0, |names| names.len())
    }

    fn read(&self, name: &str) -> Option<Counted> {
        let text = match private_file::read(&self.0.join(name)) {
            Ok(text) => text?,
            Err(Unusable::Io(_) | Unusable::Open(_)) => return None,
        };
        serde_json::from_str(&text).ok()
    }

    /// The files, the oldest first.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
        names.sort_unstable();
        Ok(names)
    }
}

/// What is not there any more is removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(made_at: u64) -> Counted {
        let rows = vec![Counts { banner_version: "1".into(), language: "cy".into(), shown: 3, ..Counts::default() }];
        Counted { site_id: 1, day: 20_000, batch_id: u64::MAX - made_at, expires_at: 30_000, made_at, rows }
    }

    #[test]
    fn counts_come_back_oldest_first_until_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        assert_eq!((folder.oldest().unwrap(), folder.waiting()), (None, 0));
        for made_at in [20, 3, 100] {
            assert_eq!(folder.keep(&counted(made_at)).unwrap(), 0);
        }
        for made_at in [3, 20, 100] {
            let oldest = Folder::new(dir.path()).oldest().unwrap().unwrap();
            assert_eq!(oldest, counted(made_at));
            folder.done(&oldest).unwrap();
            folder.done(&oldest).unwrap();
        }
        assert_eq!(folder.waiting(), 0);
    }

    #[test]
    fn a_bounded_number_waits_and_what_cannot_be_read_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        private_file::write(&dir.path().join("asked/00000000000000-0.json"), "{\"site_id\":").unwrap();
        for made_at in 1..MOST as u64 {
            assert_eq!(folder.keep(&counted(made_at)).unwrap(), 0);
        }
        assert_eq!(folder.oldest().unwrap(), Some(counted(1)));
        assert!(dir.path().join("asked/00000000000000-0.unreadable").is_file());
        folder.keep(&counted(1000)).unwrap();
        assert_eq!(folder.keep(&counted(1001)).unwrap(), 1);
        assert_eq!((folder.oldest().unwrap(), folder.waiting()), (Some(counted(2)), MOST));
    }
}
