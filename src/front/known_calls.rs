//! The ids of calls that were taken in the last 30 days, so that exports that overlap make no call twice, also after a
//! restart: the file `calls-known` in the data folder, its owner's alone, one call a line, its day and its id in keyed form.
//! It is appended to once the calls are in the spool, so a crash in between may take a call twice and never loses one; at
//! the start it is written anew without what is older. What a crash tore is no line and is left out.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::keys::private_file::{self, Unusable};

/// The file's name within the data folder.
pub const FILE: &str = "calls-known";

/// How long an id is known, in days.
const DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;

/// The file.
pub struct KnownCalls(Mutex<File>);

impl KnownCalls {
    /// Opens it in `data_dir`, with the ids it holds.
    pub fn open(data_dir: &Path, now_ms: i64) -> io::Result<(KnownCalls, Vec<u128>)> {
        let path = data_dir.join(FILE);
        let known = KnownCalls::read(data_dir, now_ms)?;
        private_file::write(&path, &known.iter().map(|(day, id)| line(*day, *id)).collect::<String>())?;
        let file = OpenOptions::new().append(true).open(&path)?;
        Ok((KnownCalls(Mutex::new(file)), known.into_iter().map(|(_, id)| id).collect()))
    }

    /// The ids the file in `data_dir` holds, each with its day; changes nothing.
    pub fn read(data_dir: &Path, now_ms: i64) -> io::Result<Vec<(i64, u128)>> {
        let path = data_dir.join(FILE);
        let text = private_file::read(&path).map_err(|unusable| match unusable {
            Unusable::Io(error) => error,
            Unusable::Open(mode) => {
                io::Error::other(format!("it can be read by others (mode {mode:o}); run: chmod 600 {}", path.display()))
            }
        })?;
        let oldest = now_ms.div_euclid(DAY_MS) - DAYS;
        let lines = text.as_deref().map(String::as_str).unwrap_or_default().lines();
        Ok(lines.filter_map(parsed).filter(|(day, _)| *day >= oldest).collect())
    }

    /// Adds calls. One write, without waiting for the disk: a power loss may take the last second of it, as of the spool.
    pub fn add(&self, ids: impl Iterator<Item = u128>, now_ms: i64) -> io::Result<()> {
        let day = now_ms.div_euclid(DAY_MS);
        let lines: String = ids.map(|id| line(day, id)).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(lines.as_bytes())
    }
}

fn line(day: i64, id: u128) -> String {
    format!("{day} {id:032x}\n")
}

fn parsed(line: &str) -> Option<(i64, u128)> {
    let (day, id) = line.split_once(' ')?;
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some((day.parse().ok()?, u128::from_str_radix(id, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_for_thirty_days_whatever_a_crash_left_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let now = 20_000 * DAY_MS;
        let (known, before) = KnownCalls::open(dir.path(), now).unwrap();
        assert!(before.is_empty());
        known.add([7, u128::MAX].into_iter(), now).unwrap();
        known.add([8].into_iter(), now + 20 * DAY_MS).unwrap();
        let path = dir.path().join(FILE);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"20000 00ff").unwrap();
        let (known, ids) = KnownCalls::open(dir.path(), now + 30 * DAY_MS).unwrap();
        assert_eq!(ids, [7, u128::MAX, 8]);
        known.add([9].into_iter(), now + 31 * DAY_MS).unwrap();
        assert_eq!(KnownCalls::open(dir.path(), now + 31 * DAY_MS).unwrap().1, [8, 9]);

        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(KnownCalls::open(dir.path(), now).is_err_and(|error| error.to_string().contains("chmod 600")));
    }
}
