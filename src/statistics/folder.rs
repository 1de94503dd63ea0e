//! The hours that are over and wait for ClickHouse, as files: `statistics/` in the data folder. What lies here has passed the
//! [`minimum`](super::minimum), so nothing on the disk is of fewer than 10 views. A file is made whole or not at all, synced,
//! and gone when the table has its rows. Beside them the file `open` holds the hour that is being counted, and nothing else
//! of it: whoever finds it at the start knows which hour a crash has cost.
//!
//! At most seven days of hours wait; then the oldest goes. Does I/O; called by `store` on its own thread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::counters::Cell;
use crate::keys::private_file::{self, Unusable};

/// The most hours that wait.
pub const HOURS: usize = 7 * 24;

const OPEN: &str = "open";

/// An hour's counters as they are stored, or the part of it that one process counted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Closed {
    /// The site.
    pub site_id: u32,
    /// The beginning of the hour, in seconds since 1970.
    pub hour: u32,
    /// Random; stands in each of its rows, so that the table can be asked whether it has them.
    pub batch_id: u64,
    /// The first day on which the rows are gone, in days since 1970.
    pub expires_at: u16,
    /// What is stored.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Of what.
    #[serde(flatten)]
    pub cell: Cell,
    /// How many views.
    pub views: u64,
}

impl Closed {
    /// How many views it holds.
    pub fn views(&self) -> u64 {
        self.rows.iter().map(|row| row.views).sum()
    }

    fn name(&self) -> String {
        format!("{:010}-{:016x}.json", self.hour, self.batch_id)
    }
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The one in `data_dir`. It is made when something is written to it.
    pub fn new(data_dir: &Path) -> Folder {
        Folder(data_dir.join("statistics"))
    }

    /// Notes the hour that is being counted.
    pub fn open_hour(&self, hour: u32) -> io::Result<()> {
        private_file::write(&self.0.join(OPEN), &format!("{hour}\n"))
    }

    /// Notes that none is.
    pub fn no_open_hour(&self) -> io::Result<()> {
        gone(fs::remove_file(self.0.join(OPEN)))
    }

    /// The hour that was being counted when an earlier process ended without closing it.
    pub fn cut_short(&self) -> Option<u32> {
        fs::read_to_string(self.0.join(OPEN)).ok()?.trim().parse().ok()
    }

    /// Keeps an hour until it is [`done`](Folder::done). Returns the oldest ones that had to go for it.
    pub fn keep(&self, closed: &Closed) -> io::Result<Vec<Closed>> {
        let text = serde_json::to_string(closed)?;
        private_file::write(&self.0.join(closed.name()), &text)?;
        let names = self.names()?;
        let mut dropped = Vec::new();
        for name in names.iter().take(names.len().saturating_sub(HOURS)) {
            dropped.extend(self.read(name));
            gone(fs::remove_file(self.0.join(name)))?;
        }
        Ok(dropped)
    }

    /// The hour that waits longest. A file that is none of ours is put aside.
    pub fn oldest(&self) -> io::Result<Option<Closed>> {
        for name in self.names()? {
            if let Some(closed) = self.read(&name) {
                return Ok(Some(closed));
            }
            tracing::error!(file = name, "a file of statistics cannot be read and is put aside");
            let path = self.0.join(&name);
            fs::rename(&path, path.with_extension("unreadable"))?;
        }
        Ok(None)
    }

    /// The table has it.
    pub fn done(&self, closed: &Closed) -> io::Result<()> {
        gone(fs::remove_file(self.0.join(closed.name())))
    }

    fn read(&self, name: &str) -> Option<Closed> {
        let text = match private_file::read(&self.0.join(name)) {
            Ok(text) => text?,
            Err(Unusable::Io(_) | Unusable::Open(_)) => return None,
        };
        serde_json::from_str(&text).ok()
    }

    /// The files, the oldest hour first.
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn closed(hour: u32) -> Closed {
        let cell = Cell {
            path: "/blog/*".into(),
            referrer: "search.example".into(),
            device: "mobile".into(),
            country: "GB".into(),
            region: String::new(),
        };
        let rows = vec![Row { cell, views: 12 }];
        Closed { site_id: 1, hour, batch_id: u64::MAX - u64::from(hour), expires_at: 30_000, rows }
    }

    #[test]
    fn hours_come_back_oldest_first_until_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        assert_eq!(folder.oldest().unwrap(), None);
        for hour in [7200, 3600, 10_800] {
            assert!(folder.keep(&closed(hour)).unwrap().is_empty());
        }
        for hour in [3600, 7200, 10_800] {
            let oldest = Folder::new(dir.path()).oldest().unwrap().unwrap();
            assert_eq!((&oldest, oldest.views()), (&closed(hour), 12));
            folder.done(&oldest).unwrap();
            folder.done(&oldest).unwrap();
        }
        assert_eq!(folder.oldest().unwrap(), None);
    }

    #[test]
    fn after_seven_days_the_oldest_hour_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        for hour in 0..HOURS as u32 {
            assert!(folder.keep(&closed(hour)).unwrap().is_empty());
        }
        assert_eq!(folder.keep(&closed(HOURS as u32)).unwrap(), [closed(0)]);
        assert_eq!(folder.oldest().unwrap(), Some(closed(1)));
    }

    #[test]
    fn what_cannot_be_read_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        folder.keep(&closed(7200)).unwrap();
        private_file::write(&dir.path().join("statistics/0000000000-0.json"), "{\"site_id\":").unwrap();
        assert_eq!(folder.oldest().unwrap(), Some(closed(7200)));
        assert!(dir.path().join("statistics/0000000000-0.unreadable").is_file());
    }

    #[test]
    fn a_crash_leaves_the_hour_it_cost_and_an_end_in_order_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        assert_eq!(folder.cut_short(), None);
        folder.open_hour(7200).unwrap();
        assert_eq!(Folder::new(dir.path()).cut_short(), Some(7200));
        let mode = fs::metadata(dir.path().join("statistics/open")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        folder.no_open_hour().unwrap();
        folder.no_open_hour().unwrap();
        assert_eq!(folder.cut_short(), None);
        assert_eq!(folder.oldest().unwrap(), None);
    }
}
