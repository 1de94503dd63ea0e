//! The dashboard's one password: made at the first start, shown once, kept only as an Argon2id hash in
//! `dashboard-password` under the data directory (0600). Whoever has lost it deletes that file and starts again.

use std::io;
use std::path::{Path, PathBuf};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use crate::keys::private_file::{self, Unusable};

/// Letters and digits that cannot be taken for one another.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
const FILE: &str = "dashboard-password";

/// Why there is no password to check against.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file could not be read or written.
    #[error("the dashboard's password file {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Someone besides the owner can read the file.
    #[error("the dashboard's password file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds no hash.
    #[error("the dashboard's password file {path} holds no Argon2 hash; delete it to have a new password made")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

/// Knows the right password when it sees it; holds only its hash.
pub struct Verifier {
    phc: String,
}

impl Verifier {
    /// Whether `typed` is the password; spaces, hyphens and capitals do not matter. Takes some 20 ms of a core and 19
    /// MiB by design: call it off the threads that serve.
    pub fn verify(&self, typed: &str) -> bool {
        let Ok(hash) = PasswordHash::new(&self.phc) else { return false };
        Argon2::default().verify_password(plain(typed).as_bytes(), &hash).is_ok()
    }

    /// A verifier of `password`.
    pub fn of(password: &str) -> Verifier {
        let hash = Argon2::default().hash_password(plain(password).as_bytes());
        Verifier {
            phc: hash.expect("the parameters are the library's own and the system has random numbers").to_string(),
        }
    }
}

/// Opens the password file in `data_dir`, making it and a new password where there is none. The new password is
/// returned to be shown once; it is stored nowhere. `now` is in seconds since 1970.
pub fn open_or_create(data_dir: &Path, now: u64) -> Result<(Verifier, Option<String>), PasswordError> {
    let path = data_dir.join(FILE);
    let io = |source| PasswordError::Io { path: path.clone(), source };
    let text = match private_file::read(&path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            let password = generate();
            let verifier = Verifier::of(&password);
            private_file::write(&path, &stored(&verifier.phc, now)).map_err(io)?;
            return Ok((verifier, Some(password)));
        }
        Err(Unusable::Open(mode)) => return Err(PasswordError::Open { path, mode }),
        Err(Unusable::Io(source)) => return Err(io(source)),
    };
    let phc = text.lines().map(str::trim).find(|line| line.starts_with("$argon2"));
    match phc.filter(|phc| PasswordHash::new(phc).is_ok()) {
        Some(phc) => Ok((Verifier { phc: phc.to_owned() }, None)),
        None => Err(PasswordError::Damaged { path }),
    }
}

/// What is hashed: a password as it is typed in one way or another.
fn plain(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_lowercase).collect()
}

/// Four groups of five; 99 bits.
fn generate() -> String {
    let mut letters = Vec::with_capacity(20);
    while letters.len() < 20 {
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).expect("the system has a random number generator");
        // 248 is the largest multiple of 31 in a byte: every letter is as likely as any other.
        letters.extend(random.iter().filter(|&&b| b < 248).map(|&b| char::from(ALPHABET[usize::from(b % 31)])));
    }
    letters.truncate(20);
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// The file's text.
fn stored(phc: &str, now: u64) -> String {
    let made = jiff::Timestamp::from_second(i64::try_from(now).unwrap_or_default()).unwrap_or_default();
    format!(
        "# The dashboard's password as an Argon2id hash, made {made}. Delete this file for a new password.\n{phc}\n"
    )
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_made_once_and_kept_only_as_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("made");
        let (verifier, made) = open_or_create(&data, 1_774_967_400).unwrap();
        let password = made.expect("the first start makes one");
        assert_eq!(password.len(), 23);
        assert!(verifier.verify(&password));
        let text = fs::read_to_string(data.join(FILE)).unwrap();
        assert!(!text.contains(&password) && text.contains("$argon2id$") && text.contains("2026-03-31"));
        assert_eq!(fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);

        let (again, none) = open_or_create(&data, 2).unwrap();
        assert!(none.is_none() && again.verify(&password));
        assert!(again.verify(&format!(" {} ", password.to_uppercase().replace('-', " "))), "however it is typed");
        assert!(!again.verify("") && !again.verify(&password[1..]));
    }

    #[test]
    fn an_open_or_damaged_file_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        open_or_create(dir.path(), 1).unwrap();
        let path = dir.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(open_or_create(dir.path(), 2), Err(PasswordError::Open { mode: 0o644, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "secret\n").unwrap();
        let error = open_or_create(dir.path(), 2).err().unwrap().to_string();
        assert!(error.contains("delete it") && !error.contains("secret"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
    }
}
