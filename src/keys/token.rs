//! A token that another program must present, read from a file that holds it and nothing else. Only its hash is kept, and
//! compared in constant time.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::private_file::{self, Unusable};

/// Shorter ones can be guessed, longer ones are no token, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=512;

/// Why there is no token to compare with.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file could not be read.
    #[error("the token's file {path} cannot be used: {source}; {MAKE}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such file.
    #[error("there is no token's file {path}; {MAKE}", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Someone besides the owner can read the file.
    #[error("the token's file {path} can be read by others (mode {mode:o}); run: chmod 600 {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("the token's file {path} does not hold one line of 24 to 512 characters without spaces; {MAKE}", path = path.display())]
    NoToken {
        /// The file.
        path: PathBuf,
    },
}

const MAKE: &str = "make one with: (umask 077; openssl rand -hex 32 > FILE)";

/// Knows the right token when it sees it.
pub struct Token([u8; 32]);

impl Token {
    /// The token in a file, which must be its owner's alone.
    pub fn read(path: &Path) -> Result<Token, TokenError> {
        let path = path.to_owned();
        match private_file::read(&path) {
            Ok(Some(text)) => Token::of(text.trim()).ok_or(TokenError::NoToken { path }),
            Ok(None) => Err(TokenError::Missing { path }),
            Err(Unusable::Open(mode)) => Err(TokenError::Open { path, mode }),
            Err(Unusable::Io(error)) if error.kind() == io::ErrorKind::InvalidData => Err(TokenError::NoToken { path }),
            Err(Unusable::Io(source)) => Err(TokenError::Io { path, source }),
        }
    }

    fn of(text: &str) -> Option<Token> {
        let is_one = LENGTHS.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        is_one.then(|| Token(Sha256::digest(text).into()))
    }

    /// Whether this is it. The time that takes says nothing about where two tokens differ.
    pub fn is(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let differing = self.0.iter().zip(presented).fold(0, |bits, (one, other)| bits | (one ^ other));
        std::hint::black_box(differing) == 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_the_token_is_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        private_file::write(&path, &format!("{GOOD}\n")).unwrap();
        let token = Token::read(&path).unwrap();
        assert!(token.is(GOOD.as_bytes()));
        for wrong in ["", &GOOD[1..], "0123456789abcdef0123456789abcdee", "0123456789abcdef0123456789abcdef\n"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_right_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let said = || Token::read(&path).err().unwrap().to_string();
        assert!(said().contains("there is no") && said().contains("openssl rand"), "{}", said());
        for wrong in ["", "short", "0123456789abcdef 0123456789abcdef", &"x".repeat(513)] {
            private_file::write(&path, wrong).unwrap();
            assert!(said().contains("one line"), "{}", said());
            assert!(wrong.is_empty() || !said().contains(wrong), "a token is never shown");
        }
        private_file::write(&path, GOOD).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(said().contains("mode 644") && said().contains("chmod 600"), "{}", said());
    }
}
