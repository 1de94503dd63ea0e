//! Where lines of a log go.

use std::path::PathBuf;

/// Where lines of a log go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}
