//! The lock that makes a folder one process's own.

use std::fs::{File, TryLockError};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a lock is waited for that is held. A process that has just let go of one may still have it for a moment: a child it
/// was starting meanwhile shares its files until it runs a program of its own.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// Takes the lock on `file`; whether it was to be had.
pub fn take(file: &File) -> io::Result<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return Ok(false),
            Err(TryLockError::WouldBlock) => sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_let_go_is_taken_and_one_that_is_kept_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let open = || File::create(dir.path().join("lock")).unwrap();
        let held = open();
        assert!(take(&held).unwrap());
        assert!(!take(&open()).unwrap());
        let letting_go = std::thread::spawn(move || {
            sleep(PATIENCE / 10);
            drop(held);
        });
        assert!(take(&open()).unwrap());
        letting_go.join().unwrap();
    }
}
