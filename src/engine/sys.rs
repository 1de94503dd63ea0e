//! The few questions to the operating system that have no safe form in `std`: signal handlers that a library takes away,
//! the parent's death, and an exit without destructors. Called by [`super::ffi`] and [`super::serve`].
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

/// Asks the kernel for SIGTERM when the parent is gone (Linux; elsewhere the closed standard input tells).
pub fn end_with_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: changes an attribute of this process only; no pointers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM as libc::c_ulong, 0, 0, 0);
    }
}

/// Ends the process at once, without destructors: those of ClickHouse fault while something of it is open.
pub fn exit_at_once(code: i32) -> ! {
    // SAFETY: never returns, takes a number.
    unsafe { libc::_exit(code) }
}
