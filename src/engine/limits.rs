//! What the system grants this process, settled at its start: as many descriptors as it may have, disk errors in place of death
//! where a file may grow no further, and no memory left behind by a crash. Called by the command line, before anything is
//! opened or started, so that children (the engine, the program that takes this one's place) inherit it.
#![allow(unsafe_code)]

use std::sync::OnceLock;

/// More descriptors than this are never asked for: some systems grant a thousand million, and whoever walks through all of
/// them, as children that close what they inherited do, would take minutes.
const MOST: u64 = 1 << 20;

/// Settles all of it. What the system refuses stays as it is.
pub fn settle() {
    descriptors();
    // SIGXFSZ would end the process; ignored, a write beyond the limit fails with EFBIG, as on a full disk (setrlimit(2)).
    // SAFETY: takes two numbers, and no handler of ours is replaced.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// How many descriptors this process may have, as it was settled at the first call: the system's hard limit, [`MOST`] at most.
pub fn descriptors() -> u64 {
    static GRANTED: OnceLock<u64> = OnceLock::new();
    *GRANTED.get_or_init(raise_descriptors)
}

fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: asks only; the out-pointer is valid.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return MOST;
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max.min(MOST);
    if limit.rlim_cur <= before {
        return before.min(MOST);
    }
    // SAFETY: the pointer is valid, and it is read only.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => limit.rlim_cur,
        _ => before,
    }
}
