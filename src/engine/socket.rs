//! Where the engine's Unix socket stands: in the data folder, or, where that path would be too long for a socket, in a
//! private folder of a short name. The place is written beside the data, so that `consentry query` finds it. Called by
//! [`super::child`], [`super::serve`] and the store's client.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::keys::private_folder::{self, NotPrivate};

/// The longest path used: a socket's address holds 108 bytes on Linux and 104 on macOS, with the zero at its end.
const MAX_PATH_BYTES: usize = 100;

/// Why there is no place for a socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A folder or the note beside the data.
    #[error("{path}: {source}. The engine needs a folder it may write to: check `data_dir`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data folder or the engine's in it.
    #[error("{0}. It is `data_dir` in the configuration, --data-dir on the command line")]
    DataDir(#[from] NotPrivate),
    /// The short folder belongs to someone else or is open to others.
    #[error("{0} is not a private folder of this user. Remove it, or set XDG_RUNTIME_DIR to a private folder")]
    NotPrivate(PathBuf),
}

/// The folder of the engine's own small files in `data_dir`: socket, lock, notes.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("engine")
}

/// Makes the folder of the socket, private to this user, and says where the socket goes.
pub fn choose(data_dir: &Path) -> Result<PathBuf, SocketError> {
    let own = folder(data_dir);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SocketError::Folder { path, source }
    };
    private_folder::adopt(data_dir)?;
    private_folder::make(&own)?;
    let own = fs::canonicalize(&own).map_err(failed(&own))?;
    let owner = fs::metadata(&own).map_err(failed(&own))?.uid();

    let mut socket = own.join("clickhouse.sock");
    if socket.as_os_str().len() > MAX_PATH_BYTES {
        let digest = Sha256::digest(own.as_os_str().as_encoded_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|base| base.is_dir());
        let base = base.filter(|base| base.as_os_str().len() <= MAX_PATH_BYTES - 50).unwrap_or_else(|| "/tmp".into());
        let short = base.join(format!("consentry-{name}"));
        if let Err(source) = short_folder(&short) {
            return Err(SocketError::Folder { path: short, source });
        }
        // In a shared folder somebody else may have been there first.
        let found = fs::symlink_metadata(&short).map_err(failed(&short))?;
        if !found.is_dir() || found.uid() != owner || found.permissions().mode() & 0o077 != 0 {
            return Err(SocketError::NotPrivate(short));
        }
        socket = short.join("clickhouse.sock");
    }
    let note = note(data_dir);
    fs::write(&note, socket.as_os_str().as_encoded_bytes()).map_err(failed(&note))?;
    Ok(socket)
}

/// Where the engine of `data_dir` said its socket is; the usual place where it never ran.
pub fn recorded(data_dir: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    match fs::read(note(data_dir)) {
        Ok(path) if !path.is_empty() => PathBuf::from(std::ffi::OsString::from_vec(path)),
        _ => folder(data_dir).join("clickhouse.sock"),
    }
}

fn note(data_dir: &Path) -> PathBuf {
    folder(data_dir).join("socket-path")
}

/// Makes a folder that only this user may enter, in a shared one; one that is there is left as it is.
fn short_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_stands_in_the_data_folder_and_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let socket = choose(folder.path()).unwrap();
        assert!(socket.ends_with("engine/clickhouse.sock"));
        assert_eq!(recorded(folder.path()), socket);
        let mode = fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_deep_data_folder_gets_a_short_private_path() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        let socket = choose(&deep).unwrap();
        assert!(socket.as_os_str().len() <= MAX_PATH_BYTES, "{}", socket.display());
        assert_eq!(recorded(&deep), socket);
        assert_eq!(choose(&deep).unwrap(), socket, "the same folder, the same socket");
        fs::set_permissions(socket.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(choose(&deep), Err(SocketError::NotPrivate(_))));
        fs::remove_dir(socket.parent().unwrap()).unwrap();
    }
}
