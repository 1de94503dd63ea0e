//! The embedded ClickHouse: fetches the library once, runs it in a child process, and answers ClickHouse's HTTP interface
//! on a Unix socket, so that the rest of the program talks to it as to any server.
//!
//! ```text
//! parent process                          child process: consentry engine --child
//! child::Supervisor ── starts, watches ─▶ serve ── sockets, signals, the end
//! store::client ──── HTTP, Unix socket ─▶ http ─── a request's head, an answer's head
//!                                         run ──── one statement on one connection (statement, format, blocks)
//!                                         ffi ──── libchdb.so
//! ```
//!
//! A crash or a heavy query in the child never touches the proxy, and a write of the library that fails is never taken for
//! one that succeeded (`writes`). The room never decides what is stored and never reads a visitor's data; it is called by
//! the life of the process and by the command line, and its socket by [`crate::store`].

pub mod allocator;
pub mod blocks;
pub mod child;
pub mod exception;
pub mod ffi;
pub mod format;
pub mod http;
pub mod limits;
mod lock;
pub mod loopback;
pub mod multipart;
pub mod provision;
pub mod run;
pub mod serve;
pub mod socket;
pub mod statement;
mod sys;
pub mod tables_only;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod writes;

use std::path::{Path, PathBuf};

pub use sys::{give_memory_back, leave_open, take_inherited};

/// The folder below `data_dir` that belongs to ClickHouse alone.
pub fn database_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("clickhouse")
}
