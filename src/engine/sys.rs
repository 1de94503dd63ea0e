//! The few questions to the operating system that have no safe form in `std`: signal handlers that a library takes away,
//! signals that are ignored, memory that is given back, and an exit without destructors. Called by [`super::ffi`], [`super::serve`] and, for the
//! terminal's signal, the life of the process.
#![allow(unsafe_code)]

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
