//! The command line: thin. Each subcommand turns arguments into a call of a room below and its result into an exit code:
//! 0 done, 1 failed, 2 wrong usage or configuration.

pub mod check;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "consentry", version)]
enum Command {
    Check(check::Args),
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    match Command::parse() {
        Command::Check(args) => check::run(&args),
    }
}
