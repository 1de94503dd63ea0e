//! The few questions to the operating system that have no safe form in `std`: signal handlers that a library takes away,
//! signals that are ignored, memory that is given back, descriptors that one process leaves to the next, and an exit without
//! destructors. Called by [`super::ffi`], [`super::serve`] and, for signals, descriptors and the clock, the life of the process.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// The handlers of SIGSEGV and SIGBUS, with which Rust reports a stack overflow. `libchdb` puts them to their defaults.
pub struct FaultHandlers([(libc::c_int, libc::sigaction); 2]);

impl FaultHandlers {
    /// Remembers what is installed now.
    pub fn save() -> FaultHandlers {
        FaultHandlers([libc::SIGSEGV, libc::SIGBUS].map(|signal| {
            // SAFETY: all-zero bytes are a valid `sigaction` (plain integers and a nullable pointer).
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: asks only; the out-pointer is valid. On failure `action` stays the default action.
            unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
            (signal, action)
        }))
    }

    /// Puts them back.
    pub fn restore(self) {
        for (signal, action) in &self.0 {
            // SAFETY: `action` was returned by the system for the same signal.
            unsafe { libc::sigaction(*signal, action, std::ptr::null_mut()) };
        }
    }
}

/// Lets the allocator give memory back to the system soon after it was freed, unless the environment says otherwise
/// (`MIMALLOC_PURGE_DELAY`). By itself it waits a second, in which a backlog that drains frees a hundred megabytes.
pub fn give_memory_back_soon() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets a number that the allocator reads; the option exists.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
    }
}

/// `mi_option_purge_delay`, which the bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const PURGE_DELAY_MS: libc::c_long = 50;

/// Whether the process was started so that a closed terminal does not end it, as `nohup` does.
pub fn hang_up_is_ignored() -> bool {
    // SAFETY: all-zero bytes are a valid `sigaction`; the call asks only, and the out-pointer is valid. On failure `action`
    // stays the default action.
    let action = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &mut action);
        action
    };
    action.sa_sigaction == libc::SIG_IGN
}

/// Leaves descriptors open in a process that `command` will start, under the numbers they have here.
pub fn leave_open(command: &mut Command, descriptors: Vec<OwnedFd>) {
    let clear = move || {
        for descriptor in &descriptors {
            // SAFETY: sets a flag of a descriptor that the closure owns; the call is allowed between fork and exec.
            if unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(clear) };
}

/// Takes charge of descriptors that the process that started this one [left open](leave_open). Only once, and before this
/// process opens any of its own; they are not left to anybody by themselves.
pub fn take_inherited(numbers: &[RawFd]) -> io::Result<Vec<OwnedFd>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let distinct = numbers.iter().enumerate().all(|(at, number)| *number > 2 && !numbers[..at].contains(number));
    if !distinct || TAKEN.swap(true, Ordering::SeqCst) {
        return Err(io::Error::other("descriptors are taken over once, and none of the standard ones"));
    }
    let take = |number: &RawFd| {
        // SAFETY: sets a flag; fails where no such descriptor is open.
        if unsafe { libc::fcntl(*number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it is open, it was open before this process opened anything, the numbers are distinct, and this runs once.
        Ok(unsafe { OwnedFd::from_raw_fd(*number) })
    };
    numbers.iter().map(take).collect()
}

/// The system's clock that never jumps, in microseconds, as a service manager reads it.
pub fn monotonic_micros() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the out-pointer is valid; the clock exists everywhere.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1000
}

/// Takes no notice any more of the signals that ask a process to end.
pub fn ignore_requests_to_end() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: takes two numbers, and no handler of ours is replaced.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Ends the process at once, without destructors: those of ClickHouse fault while something of it is open.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: never returns, takes a number.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_that_has_no_name_is_the_one_that_is_meant() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
            // SAFETY: asks only; the option exists.
            let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
            assert_eq!(get(), 1000, "the default of the delay, and of no option beside it");
            give_memory_back_soon();
            assert_eq!(get(), PURGE_DELAY_MS);
        }
    }
}
