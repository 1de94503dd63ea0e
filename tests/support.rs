//! What the tests are made with.

pub mod authority;
pub mod between;
pub mod engine;
pub mod gateway;
pub mod grpc;
pub mod h2;
pub mod http;
pub mod mmdb;
pub mod process;
pub mod shim;
pub mod site;
pub mod tls;
pub mod visitor;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; far more than anything needs, for machines that are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `ask` has something, and gives it.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every file below a folder, as far as it is still there when it is read.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    found.extend(std::fs::read(entry.path()).ok().map(|bytes| (entry.path(), bytes)));
                }
                _ => {}
            }
        }
    }
    found
}

/// Whether `bytes` hold `needle` anywhere.
pub fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}
