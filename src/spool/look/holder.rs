//! Who has the spool open. The lock is never tried: for the moment in which this held it, a gateway that is just starting
//! would be told that another one runs. The kernel's own list of locks says it without touching them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Who has a spool open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The process with this number.
    Process(u32),
    /// No process that can be seen from here; in another container there may be one.
    Nobody,
    /// This system does not say.
    Unknown,
}

/// Who has the spool in this folder open.
pub fn holder(dir: &Path) -> Holder {
    let lock = dir.join("lock");
    let Ok(found) = fs::metadata(&lock) else { return Holder::Nobody };
    let Ok(locks) = fs::read_to_string("/proc/locks") else { return Holder::Unknown };
    let device = (libc::major(found.dev()), libc::minor(found.dev()));
    let mut seen = candidates(&locks, found.ino());
    // Some file systems have another device number here than the kernel's list has; then the open file itself tells.
    let is_it = |(pid, of): &(u32, (u32, u32))| *of == device || has_open(*pid, &lock);
    seen.find(is_it).map_or(Holder::Nobody, |(pid, _)| Holder::Process(pid))
}

/// The processes that hold an exclusive `flock` on a file with this inode number, and the file's device.
fn candidates(locks: &str, inode: u64) -> impl Iterator<Item = (u32, (u32, u32))> {
    // `1: FLOCK  ADVISORY  WRITE 1234 fe:00:10196472 0 EOF`; who waits for a lock has `->` before the kind.
    locks.lines().filter_map(move |line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (kind, _, mode) = (words.next()?, words.next()?, words.next()?);
        let pid = words.next()?.parse().ok()?;
        let mut file = words.next()?.split(':');
        let mut hex = || u32::from_str_radix(file.next()?, 16).ok();
        let device = (hex()?, hex()?);
        let is_this = file.next()?.parse() == Ok(inode);
        (kind == "FLOCK" && mode == "WRITE" && is_this).then_some((pid, device))
    })
}

fn has_open(pid: u32, lock: &Path) -> bool {
    let Ok(lock) = fs::canonicalize(lock) else { return false };
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path == lock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_kernels_list_is_understood() {
        let locks = "1: POSIX  ADVISORY  WRITE 5739 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 fe:10:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 1235 fe:10:77 0 EOF\n\
                     3: FLOCK  ADVISORY  READ 9 fe:10:77 0 EOF\n\
                     4: FLOCK  ADVISORY  WRITE 9 fe:10:78 0 EOF\n5: \nnonsense";
        assert_eq!(candidates(locks, 77).collect::<Vec<_>>(), [(1234, (0xfe, 0x10))]);
    }

    #[test]
    fn who_holds_the_lock_is_seen_and_nobody_is_disturbed() {
        let dir = tempfile::TempDir::new().unwrap();
        assert_eq!(holder(dir.path()), Holder::Nobody);
        let lock = File::create(dir.path().join("lock")).unwrap();
        assert_eq!(holder(dir.path()), Holder::Nobody);
        lock.try_lock().unwrap();
        assert_eq!(holder(dir.path()), Holder::Process(std::process::id()));
        drop(lock);
        assert_eq!(holder(dir.path()), Holder::Nobody);
    }
}
