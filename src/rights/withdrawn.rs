//! The list of recipients who have withdrawn: the file `mail-suppressed` in the data folder, its owner's alone, one entry a
//! line, the key's number and the entry in 32 hexadecimal digits. It is replaced as a whole, so a crash leaves the old list
//! or the new one, and changed under a lock, so two commands at once lose nothing of each other.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::keys::private_file::{self, Unusable};
use crate::keys::{KeyId, Keyed};
use crate::pseudonym::SubjectId;

/// The file's name within the data folder.
pub const FILE: &str = "mail-suppressed";

/// Its first line.
const HEAD: &str = "# consentry: recipients whose e-mail openings are not recorded; do not edit";

/// Why the list cannot be used. Without it nobody's consent is known to stand, so no opening is kept.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawnError {
    /// The file, or the lock beside it, could not be read or written.
    #[error("the list of withdrawals {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Someone besides the owner can read the file.
    #[error("the list of withdrawals {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is no entry.
    #[error("the list of withdrawals {path} is damaged at line {line}; restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

/// Key and entry.
type Entry = (u32, u128);

/// Who has withdrawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn(BTreeSet<Entry>);

impl Withdrawn {
    /// Reads the list in `data_dir`; empty where there is none.
    pub fn read(data_dir: &Path) -> Result<Withdrawn, WithdrawnError> {
        let path = data_dir.join(FILE);
        let text = match private_file::read(&path) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(Withdrawn::default()),
            Err(Unusable::Open(mode)) => return Err(WithdrawnError::Open { path, mode }),
            Err(Unusable::Io(source)) => return Err(WithdrawnError::Io { path, source }),
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let parsed = lines.map(|(number, line)| entry(line).ok_or(number + 1)).collect::<Result<_, _>>();
        parsed.map(Withdrawn).map_err(|line| WithdrawnError::Damaged { path, line })
    }

    /// Changes the list in `data_dir`. What `change` sees is what the file says under the lock; it tells whether there is
    /// something to write.
    pub fn change(data_dir: &Path, change: impl FnOnce(&mut Withdrawn) -> bool) -> Result<(), WithdrawnError> {
        let path = data_dir.join(FILE);
        let failed = |source| WithdrawnError::Io { path: path.clone(), source };
        let lock = data_dir.join(format!("{FILE}.lock"));
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock).map_err(failed)?;
        // Held until it is dropped or the process ends. The lock file stays: it is what others lock.
        File::lock(&lock).map_err(failed)?;
        let mut list = Withdrawn::read(data_dir)?;
        if change(&mut list) {
            private_file::write(&path, &list.text()).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether an entry is in the list.
    pub fn holds(&self, entry: Keyed<SubjectId>) -> bool {
        self.0.contains(&(entry.key.0, entry.value.0))
    }

    /// Enters somebody; whether the list did not hold that already.
    pub fn add(&mut self, entry: Keyed<SubjectId>) -> bool {
        self.0.insert((entry.key.0, entry.value.0))
    }

    /// Takes somebody out who has agreed anew; whether the list held that.
    pub fn remove(&mut self, entry: Keyed<SubjectId>) -> bool {
        self.0.remove(&(entry.key.0, entry.value.0))
    }

    fn text(&self) -> String {
        let mut text = format!("{HEAD}\n");
        for (key, id) in &self.0 {
            text.push_str(&format!("{} {id:032x}\n", KeyId(*key)));
        }
        text
    }
}

fn entry(line: &str) -> Option<Entry> {
    let (key, id) = line.split_once(' ')?;
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some((key.parse().ok()?, u128::from_str_radix(id, 16).ok()?))
}

/// The list as a gateway uses it: read again as soon as the file is another, which each question looks for.
pub struct Watch {
    data_dir: PathBuf,
    latest: Mutex<Latest>,
}

struct Latest {
    state: Option<FileState>,
    /// Nothing where the file cannot be used.
    list: Option<Withdrawn>,
}

/// By what a file is told from the one that took its place: device, inode, size, change in seconds and nanoseconds.
type FileState = (u64, u64, u64, i64, i64);

impl Watch {
    /// Opens the list in `data_dir`.
    pub fn open(data_dir: &Path) -> Result<Watch, WithdrawnError> {
        let state = state(data_dir);
        let list = Some(Withdrawn::read(data_dir)?);
        Ok(Watch { data_dir: data_dir.to_owned(), latest: Mutex::new(Latest { state, list }) })
    }

    /// Whether an entry is in the list as it is now. So is everybody while the list cannot be used, which is an error the
    /// first time. Takes one system call where nothing has changed.
    pub fn holds(&self, entry: Keyed<SubjectId>) -> Result<bool, WithdrawnError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before it is read: what changes meanwhile is read the next time.
        let now = state(&self.data_dir);
        let mut failure = None;
        if now != latest.state {
            latest.list = Withdrawn::read(&self.data_dir).map_err(|error| failure = Some(error)).ok();
            latest.state = now;
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(latest.list.as_ref().is_none_or(|list| list.holds(entry))),
        }
    }
}

fn state(data_dir: &Path) -> Option<FileState> {
    let file = fs::metadata(data_dir.join(FILE)).ok()?;
    Some((file.dev(), file.ino(), file.len(), file.ctime(), file.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn entry(id: u128) -> Keyed<SubjectId> {
        Keyed { value: SubjectId(id), key: KeyId(7) }
    }

    #[test]
    fn who_is_entered_is_found_at_the_very_next_question_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::open(dir.path()).unwrap();
        assert!(!watch.holds(entry(1)).unwrap());
        Withdrawn::change(dir.path(), |list| list.add(entry(1))).unwrap();
        assert!(watch.holds(entry(1)).unwrap() && !watch.holds(entry(2)).unwrap());
        assert!(Watch::open(dir.path()).unwrap().holds(entry(1)).unwrap());
        Withdrawn::change(dir.path(), |list| list.remove(entry(1))).unwrap();
        assert!(!watch.holds(entry(1)).unwrap());
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_same_id_under_another_key_is_somebody_else() {
        let mut list = Withdrawn::default();
        assert!(list.add(entry(1)) && !list.add(entry(1)));
        assert!(!list.holds(Keyed { key: KeyId(8), ..entry(1) }));
    }

    #[test]
    fn a_list_that_cannot_be_used_holds_everybody() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::open(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        private_file::write(&path, "# a\n7 00000000000000000000000000000001\n7 xyz\n").unwrap();
        assert!(matches!(watch.holds(entry(2)), Err(WithdrawnError::Damaged { line: 3, .. })));
        assert!(watch.holds(entry(2)).unwrap(), "said once, and still so");
        assert!(matches!(Watch::open(dir.path()), Err(WithdrawnError::Damaged { .. })), "and nothing starts on it");
        assert!(Withdrawn::change(dir.path(), |list| list.add(entry(3))).is_err(), "nor is it written over");

        private_file::write(&path, "").unwrap();
        assert!(!watch.holds(entry(2)).unwrap());
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let refused = watch.holds(entry(2)).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn two_who_enter_at_once_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = dir.path();
                scope.spawn(move || {
                    for number in 0..5 {
                        Withdrawn::change(path, |list| list.add(entry(thread * 100 + number))).unwrap();
                    }
                });
            }
        });
        assert_eq!(Withdrawn::read(dir.path()).unwrap().0.len(), 20);
    }
}
