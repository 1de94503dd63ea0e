//! The command line: thin. Each subcommand turns arguments into a call of a room below and its result into an exit code:
//! 0 done, 1 failed, 2 wrong usage or configuration.

use std::process::ExitCode;

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
