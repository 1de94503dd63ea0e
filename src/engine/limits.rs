//! What the system grants this process, settled at its start: as many descriptors as it may have, disk errors in place of death
//! where a file may grow no further, no memory left behind by a crash, and memory in small pages. Called by the command line,
//! before anything is opened or started, so that children (the engine, the program that takes this one's place) inherit it.
//! The engine beside a gateway then settles what is otherwise for it.
#![allow(unsafe_code)]

use std::env;
use std::sync::OnceLock;

/// More descriptors than this are never asked for: some systems grant a thousand million, and whoever walks through all of
/// them, as children that close what they inherited do, would take minutes.
const MOST: u64 = 1 << 20;

/// By how much the engine beside a gateway is nicer: at 10 it has a tenth of a processor that the gateway could fill, all of
/// one that is idle (sched(7)).
const STEP_BACK: libc::c_int = 10;

/// A variable of the environment: with `1` memory may be left behind by a crash, for whoever has to find its cause.
pub const CORE_DUMPS: &str = "CONSENTRY_CORE_DUMPS";

/// Settles all of it. What the system refuses stays as it is.
pub fn settle() {
    descriptors();
    // SIGXFSZ would end the process; ignored, a write beyond the limit fails with EFBIG, as on a full disk (setrlimit(2)).
    // SAFETY: takes two numbers, and no handler of ours is replaced.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    if env::var_os(CORE_DUMPS).is_none_or(|allowed| allowed != "1") {
        leave_no_memory();
    }
    large_pages(false);
}

/// Whether the system may give this process its memory in pages of 2 MiB. What a gateway needs is small and lies far apart:
/// such pages keep half as much again, and more with time, as the system makes one of what was given back to it. The engine,
/// which goes through whole columns, may have them.
pub(super) fn large_pages(may: bool) {
    // SAFETY: takes numbers, and concerns no memory by itself. A kernel that does not know it refuses.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, libc::c_ulong::from(!may), 0, 0, 0)
    };
}

/// Lets others go first where the processor is short: visitors wait for the gateway, and nobody for a row to be merged. Holds for
/// threads that are started from now on.
pub(super) fn step_back() {
    // SAFETY: takes a number. A system that does not allow it refuses, and all stays as it is.
    let _best_effort = unsafe { libc::nice(STEP_BACK) };
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

/// D1: the memory of a gateway holds what visitors sent, and that of the engine what is in the tables.
fn leave_no_memory() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid, and it is read only. Lowering a limit is always allowed.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    // A program that takes dumps from the kernel is not held to the limit (core(5)): it gets nothing that is worth keeping.
    #[cfg(target_os = "linux")]
    let _best_effort = std::fs::write("/proc/self/coredump_filter", "0");
}
