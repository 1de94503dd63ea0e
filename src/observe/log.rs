//! Log lines on standard error: time, level, message; colour only on a terminal that wants it.

use std::io::{IsTerminal, stderr};

use tracing::Level;
use tracing_subscriber::fmt::time::SystemTime;

/// Sets up logging for the whole program, at `level` and above. Later calls change nothing.
pub fn init(level: Level) {
    let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt()
        .compact()
        .with_max_level(level)
        .with_ansi(colour)
        .with_target(level >= Level::DEBUG)
        .with_timer(SystemTime)
        .with_writer(stderr);
    // A second subscriber is refused: the first, in a test or a host program, stays.
    let _ = lines.try_init();
}
