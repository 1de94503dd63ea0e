//! A folder that is its owner's alone: what lies in the data folder are keys and pseudonyms. Called by the life of the
//! process and by the engine, before anything is written.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What lies in a data folder, one of them at least, once it was used.
const OURS: [&str; 4] = ["engine", "spool", "ledger", "dashboard-password"];

/// Why the folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// What the system said.
    #[error("{path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may enter it, and that cannot be changed.
    #[error(
        "others may enter {path} (mode {mode:o}), and it belongs to another user. Give it to this one, or name a folder within it, which is then made private"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others may enter it, and closing it would close what else is in it.
    #[error(
        "others may enter {path} (mode {mode:o}), and there is something else in it. Name a folder within it, which is then made private, or close it yourself with chmod 700"
    )]
    Shared {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Makes a folder that belongs to this program, with those above it that are missing, for its owner alone. One that is
/// there is closed to others.
pub fn make(path: &Path) -> Result<(), NotPrivate> {
    create(path)?;
    match open_to_others(path)? {
        Some(mode) => close(path, mode),
        None => Ok(()),
    }
}

/// As [`make`], for a folder that a person named: one that is open to others and holds something else is refused, since
/// closing a folder that others need, such as `/var/lib`, would do more harm than it prevents.
pub fn adopt(path: &Path) -> Result<(), NotPrivate> {
    create(path)?;
    let Some(mode) = open_to_others(path)? else { return Ok(()) };
    if is_shared(path)? { Err(NotPrivate::Shared { path: path.to_owned(), mode }) } else { close(path, mode) }
}

/// Whether there is something else in it than ours, and nothing of ours.
fn is_shared(path: &Path) -> Result<bool, NotPrivate> {
    let failed = |source| NotPrivate::Io { path: path.to_owned(), source };
    let mut holds_something = false;
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if OURS.iter().any(|ours| name == *ours) {
            return Ok(false);
        }
        // A volume's own, made with its file system.
        holds_something |= name != "lost+found";
    }
    Ok(holds_something)
}

/// What [`adopt`] would say, and whether there can be files in the folder; makes and closes nothing.
pub fn look(path: &Path) -> Result<(), NotPrivate> {
    let failed = |source| NotPrivate::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(failed(io::ErrorKind::NotADirectory.into())),
        Ok(found) => {
            let mode = found.permissions().mode() & 0o7777;
            if mode & 0o077 != 0 {
                if is_shared(path)? {
                    return Err(NotPrivate::Shared { path: path.to_owned(), mode });
                }
                let user = rustix::process::geteuid();
                if !user.is_root() && user.as_raw() != found.uid() {
                    return Err(NotPrivate::Foreign { path: path.to_owned(), mode });
                }
            }
            writable(path).map_err(failed)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // It would be made, with those above it that are missing.
            let above = path.ancestors().skip(1).map(|above| match above.as_os_str().is_empty() {
                true => Path::new("."),
                false => above,
            });
            match above.into_iter().find(|above| above.symlink_metadata().is_ok()) {
                Some(above) => writable(above).map_err(failed),
                None => Err(failed(error)),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whether this user can make files in a folder.
pub fn writable(folder: &Path) -> io::Result<()> {
    if !fs::metadata(folder)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    Ok(rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?)
}

fn create(path: &Path) -> Result<(), NotPrivate> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| NotPrivate::Io { path: path.to_owned(), source })
}

/// Its permission bits, where there are some for others.
fn open_to_others(path: &Path) -> Result<Option<u32>, NotPrivate> {
    let found = fs::metadata(path).map_err(|source| NotPrivate::Io { path: path.to_owned(), source })?;
    let mode = found.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

fn close(path: &Path, mode: u32) -> Result<(), NotPrivate> {
    match fs::set_permissions(path, Permissions::from_mode(0o700)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Err(NotPrivate::Foreign { path: path.to_owned(), mode })
        }
        closed => closed.map_err(|source| NotPrivate::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_made_is_the_owners_alone_with_what_is_made_above_it() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 0o755);
        for (name, make) in [("made", make as fn(&Path) -> _), ("adopted", adopt)] {
            let path = dir.path().join(name).join("data");
            make(&path).unwrap();
            assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o700, 0o700]);
        }
        assert_eq!(mode(dir.path()), 0o755, "what was there above it is not ours");
    }

    #[test]
    fn a_folder_that_others_can_enter_is_closed_where_it_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        for make in [make as fn(&Path) -> Result<(), NotPrivate>, adopt] {
            set(dir.path(), 0o755);
            make(dir.path()).unwrap();
            assert_eq!(mode(dir.path()), 0o700);
        }
        fs::write(dir.path().join("else"), "").unwrap();
        set(dir.path(), 0o750);
        let refused = adopt(dir.path()).unwrap_err();
        assert!(matches!(refused, NotPrivate::Shared { mode: 0o750, .. }), "{refused}");
        assert_eq!(mode(dir.path()), 0o750);
        fs::create_dir(dir.path().join("spool")).unwrap();
        adopt(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o700);
    }

    #[test]
    fn a_look_says_what_adopting_would_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        set(dir.path(), 0o755);
        look(&dir.path().join("made/on/the/way")).unwrap();
        look(dir.path()).unwrap();
        assert_eq!((mode(dir.path()), fs::read_dir(dir.path()).unwrap().count()), (0o755, 0));
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(look(dir.path()), Err(NotPrivate::Shared { mode: 0o755, .. })));
        for path in [file.clone(), file.join("below"), file.join("further/below")] {
            assert!(look(&path).is_err() && adopt(&path).is_err(), "{}", path.display());
        }
        fs::create_dir(dir.path().join("ledger")).unwrap();
        look(dir.path()).unwrap();
        assert_eq!(mode(dir.path()), 0o755);
    }

    #[test]
    fn a_file_in_the_way_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(make(&path.join("below")), Err(NotPrivate::Io { .. })));
        assert!(adopt(&path).is_err());
    }
}
