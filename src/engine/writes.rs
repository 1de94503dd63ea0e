//! Writes of the embedded ClickHouse that fail. Its library (26.7.3) takes no notice of a `write(2)` that says ENOSPC, EIO or
//! EDQUOT: it gives the torn part its name, says that the rows are stored and, where the part was merged of others, removes
//! those. It does notice a file that cannot be made, synced or renamed; of a folder that cannot be synced it says nothing,
//! and neither do we: its files are whole, and only a loss of power can take them.
//!
//! So its writes come through here. A program's own symbols stand before those of every library it loads, hence the
//! library's `write` and `rename` are the functions of this file, which call the C library's. After a write that failed
//! - the folder of a part that is being written (`tmp_insert_…`, `tmp_merge_…`, `tmp_mut_…`) does not get its name: its
//!   `rename` fails with the write's own error, which ends the insert, or leaves the merged parts as they are;
//! - anywhere else (a deduplication log, what a query puts aside, a backup) the process ends at once, as if it were killed,
//!   which every start recovers from, and no answer is made of a file that is not whole.
//!
//! In a process that has opened no database, the gateway's own, nothing is done but the call. Who loads the library by
//! other rules (macOS) gets none of this. Armed by [`super::ffi`].
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{iovec, off_t, off64_t, size_t, ssize_t};

use super::child::DISK_FAILED;
use super::sys;

/// How ClickHouse calls the folder of a part until it is whole.
const UNFINISHED: [&[u8]; 3] = [b"tmp_insert_", b"tmp_merge_", b"tmp_mut_"];

/// The database's folder, once it is watched.
static WATCHED: OnceLock<PathBuf> = OnceLock::new();
/// Folders of parts that are torn, and why.
static TORN: Mutex<BTreeMap<PathBuf, c_int>> = Mutex::new(BTreeMap::new());
/// Whether there are any.
static ANY_TORN: AtomicBool = AtomicBool::new(false);

/// Begins to watch the writes of this process, whose database is in `folder` (absolute, without symbolic links).
pub fn watch(folder: &Path) {
    let _is_watched = WATCHED.set(folder.to_owned());
    if !library_comes_here() {
        tracing::warn!("this program was built so that a write of the embedded ClickHouse that fails goes unnoticed");
    }
}

/// Whether the functions of this file are what a library that is loaded finds.
fn library_comes_here() -> bool {
    let ours: [(&CStr, *const c_void); 5] = [
        (c"write", write as *const c_void),
        (c"writev", writev as *const c_void),
        (c"pwrite", pwrite as *const c_void),
        (c"pwrite64", pwrite64 as *const c_void),
        (c"rename", rename as *const c_void),
    ];
    // SAFETY: asks for the address of a symbol by a terminated name.
    ours.iter().all(|(name, ours)| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }.cast_const() == *ours)
}

/// What a failed write to a file means.
#[derive(Debug, PartialEq, Eq)]
enum Consequence {
    /// This folder must not get its name.
    Torn(PathBuf),
    /// Nothing can be thrown away: the process ends.
    End,
}

fn consequence(database: &Path, file: &Path) -> Consequence {
    let unfinished = |name: &OsStr| UNFINISHED.iter().any(|prefix| name.as_bytes().starts_with(prefix));
    let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(database) && *folder != database);
    match folders.into_iter().find(|folder| folder.file_name().is_some_and(unfinished)) {
        Some(folder) => Consequence::Torn(folder.to_owned()),
        None => Consequence::End,
    }
}

/// Looks at what a call wrote, and gives it back. `errno` is the call's afterwards.
fn looked_at(file: c_int, count: size_t, written: ssize_t) -> ssize_t {
    if written > 0 || count == 0 {
        return written;
    }
    if let Some(database) = WATCHED.get() {
        // Nothing written and no error either is no room to ClickHouse too.
        let fault = if written < 0 { errno() } else { libc::ENOSPC };
        if ![libc::EINTR, libc::EAGAIN].contains(&fault) && file > libc::STDERR_FILENO && is_regular(file) {
            failed(database, file, fault);
        }
        set_errno(fault);
    }
    written
}

fn failed(database: &Path, file: c_int, fault: c_int) {
    // Without a path (no /proc) it is not known what is to be thrown away.
    let consequence = match fs::read_link(format!("/proc/self/fd/{file}")) {
        Ok(path) if path.starts_with("/proc") || path.starts_with("/sys") => return,
        Ok(path) => consequence(database, &path),
        Err(_) => Consequence::End,
    };
    match consequence {
        Consequence::Torn(folder) => {
            let mut torn = TORN.lock().unwrap_or_else(PoisonError::into_inner);
            // Those that came to nothing before they would have got their names.
            torn.retain(|folder, _| folder.exists());
            torn.insert(folder, fault);
            ANY_TORN.store(true, Ordering::Release);
        }
        Consequence::End => {
            let error = io::Error::from_raw_os_error(fault);
            tracing::error!(%error, "the disk refused a write of the embedded ClickHouse, which ends, so that nothing counts as stored that is not");
            sys::exit_at_once(i32::from(DISK_FAILED))
        }
    }
}

/// Why a folder must not get its name, where it must not; it is asked once, since the next attempt may have the same name.
fn torn(folder: &CStr) -> Option<c_int> {
    if !ANY_TORN.load(Ordering::Acquire) {
        return None;
    }
    let path = Path::new(OsStr::from_bytes(folder.to_bytes()));
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut torn = TORN.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = torn.remove(&real);
    ANY_TORN.store(!torn.is_empty(), Ordering::Release);
    fault
}

fn is_regular(file: c_int) -> bool {
    // SAFETY: all-zero bytes are a valid `stat` (plain integers); the out-pointer is valid.
    let (answer, about) = unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        (libc::fstat(file, &mut about), about)
    };
    answer == 0 && about.st_mode & libc::S_IFMT == libc::S_IFREG
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or_default()
}

fn set_errno(number: c_int) {
    // SAFETY: the C library gives each thread a place of its own, which is valid as long as the thread.
    unsafe { *libc::__errno_location() = number };
}

/// The function that would have been called without this file: the C library's, or that of a library loaded before it.
struct Next(&'static CStr, AtomicPtr<c_void>);

impl Next {
    const fn named(name: &'static CStr) -> Next {
        Next(name, AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Never null: the functions of this file are the C library's own.
    fn address(&self) -> *mut c_void {
        let known = self.1.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: asks for the address of a symbol by a terminated name.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.0.as_ptr()) };
        if found.is_null() {
            std::process::abort();
        }
        self.1.store(found, Ordering::Relaxed);
        found
    }
}

/// `write(2)`, looked at.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(file: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    static NEXT: Next = Next::named(c"write");
    // SAFETY: the C library's function of this name has this type; what it asks for is asked of our caller.
    let written = unsafe {
        let next: unsafe extern "C" fn(c_int, *const c_void, size_t) -> ssize_t = std::mem::transmute(NEXT.address());
        next(file, bytes, count)
    };
    looked_at(file, count, written)
}

/// `writev(2)`, looked at.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(file: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    static NEXT: Next = Next::named(c"writev");
    // SAFETY: as for `write`.
    let written = unsafe {
        let next: unsafe extern "C" fn(c_int, *const iovec, c_int) -> ssize_t = std::mem::transmute(NEXT.address());
        next(file, pieces, count)
    };
    // Where nothing was written the pieces may have been empty; that is no failure.
    looked_at(file, usize::from(written < 0), written)
}

/// `pwrite(2)`, looked at.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(file: c_int, bytes: *const c_void, count: size_t, at: off_t) -> ssize_t {
    static NEXT: Next = Next::named(c"pwrite");
    // SAFETY: as for `write`.
    let written = unsafe {
        let next: unsafe extern "C" fn(c_int, *const c_void, size_t, off_t) -> ssize_t =
            std::mem::transmute(NEXT.address());
        next(file, bytes, count, at)
    };
    looked_at(file, count, written)
}

/// `pwrite(2)` with a 64-bit place, looked at.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(file: c_int, bytes: *const c_void, count: size_t, at: off64_t) -> ssize_t {
    static NEXT: Next = Next::named(c"pwrite64");
    // SAFETY: as for `write`.
    let written = unsafe {
        let next: unsafe extern "C" fn(c_int, *const c_void, size_t, off64_t) -> ssize_t =
            std::mem::transmute(NEXT.address());
        next(file, bytes, count, at)
    };
    looked_at(file, count, written)
}

/// `rename(2)`, refused where what would get its name is torn.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    static NEXT: Next = Next::named(c"rename");
    // SAFETY: our caller gives a terminated text or, against the rules, nothing.
    let torn = if from.is_null() { None } else { torn(unsafe { CStr::from_ptr(from) }) };
    if let Some(fault) = torn {
        set_errno(fault);
        return -1;
    }
    // SAFETY: as for `write`.
    unsafe {
        let next: unsafe extern "C" fn(*const c_char, *const c_char) -> c_int = std::mem::transmute(NEXT.address());
        next(from, to)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_library_that_is_loaded_writes_through_here() {
        assert!(library_comes_here());
    }

    #[test]
    fn only_the_folder_of_an_unfinished_part_is_thrown_away() {
        // The names above the database are the operator's.
        let database = Path::new("/srv/tmp_insert_data/clickhouse");
        let of = |file: &str| consequence(database, &database.join(file));
        let torn = |folder: &str| Consequence::Torn(database.join(folder));
        let part = "store/980/98060cfd/tmp_insert_202507_90_1_1_0";
        assert_eq!(of(&format!("{part}/data.bin")), torn(part));
        assert_eq!(of(&format!("{part}/by_day.tmp_proj/data.bin")), torn(part));
        assert_eq!(of("store/980/98060cfd/tmp_merge_1_1_2_1/x.bin"), torn("store/980/98060cfd/tmp_merge_1_1_2_1"));
        assert_eq!(of("store/980/98060cfd/tmp_mut_1_1_1_0_2/x.bin"), torn("store/980/98060cfd/tmp_mut_1_1_1_0_2"));
        for file in ["store/980/98060cfd/deduplication_logs/deduplication_log_1.txt", "tmp/1.bin", "status"] {
            assert_eq!(of(file), Consequence::End, "{file}");
        }
        assert_eq!(of("store/980/98060cfd/tmp_mutation_2.txt"), Consequence::End);
        assert_eq!(consequence(database, Path::new("/backup/tmp_insert_1/data.bin")), Consequence::End);
    }

    #[test]
    fn a_part_of_which_a_write_failed_gets_its_name_only_when_it_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().canonicalize().unwrap();
        let (unfinished, part) = (database.join("tmp_insert_1_1_1_0"), database.join("1_1_1_0"));
        fs::create_dir(&unfinished).unwrap();
        let file = fs::File::create(unfinished.join("data.bin")).unwrap();
        failed(&database, file.as_raw_fd(), libc::EIO);
        // With a slash behind it, as ClickHouse says it.
        let refused = fs::rename(unfinished.join(""), &part).unwrap_err();
        assert_eq!((refused.raw_os_error(), part.exists()), (Some(libc::EIO), false));
        fs::remove_dir_all(&unfinished).unwrap();
        fs::create_dir(&unfinished).unwrap();
        fs::rename(&unfinished, &part).unwrap();
    }

    #[test]
    fn a_write_that_fails_says_why_and_a_short_one_how_much() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let mut only_read = fs::File::open(folder.path().join("file")).unwrap();
        let refused = io::Write::write(&mut only_read, b"x").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EBADF));
        let mut full = fs::File::options().write(true).open("/dev/full").unwrap();
        let refused = io::Write::write(&mut full, b"x").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::ENOSPC));
    }
}
