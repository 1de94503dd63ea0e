//! The few questions to the operating system that have no safe form in `std`: signal handlers that a library takes away,
//! signals that are ignored, memory that is given back, descriptors that one process leaves to the next, and an exit without
//! destructors. Called by [`super::ffi`], [`super::serve`] and, for signals and descriptors, the life of the process.
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

/// Lets the allocator give what is free back to the system at once. By itself it waits a second, in which a backlog that
/// drains frees a hundred megabytes; where it waits less, those who serve visitors lose and fetch the same pages all the time.
pub fn give_memory_back() {
    // SAFETY: takes a flag; may be called by any thread.
    unsafe { libmimalloc_sys::mi_collect(true) };
}

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

/// Takes no notice any more of the signals that ask a process to end, or that are meant for the gateway and sent to all of its
/// name (`killall -USR1`).
pub fn ignore_requests_to_end() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: takes two numbers, and no handler of ours is replaced.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Ends the process at once, without destructors: those of ClickHouse fault while something of it is open.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: never returns, takes a number.
    unsafe { libc::_exit(code) }
}
