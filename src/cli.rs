//! The command line: thin. Each subcommand turns arguments into a call of a room below and its result into an exit code:
//! 0 done, 1 failed, 2 wrong usage or configuration.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

pub mod engine;
pub mod query;
pub mod schema;

#[derive(clap::Parser)]
#[command(name = "consentry")]
enum Command {
    Engine(engine::Args),
    Query(query::Args),
    Schema(schema::Args),
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let clickhouse = crate::config::ClickHouse::Embedded { listen: None };
    let folder = |given: Option<PathBuf>| given.unwrap_or_else(|| PathBuf::from("consentry-data"));
    let done = match Command::parse() {
        Command::Engine(args) => engine::run(args),
        Command::Query(args) => {
            let data_dir = folder(args.data_dir.clone());
            query::run(args, &clickhouse, &data_dir)
        }
        Command::Schema(args) => {
            let data_dir = folder(args.data_dir.clone());
            schema::run(args, &clickhouse, &data_dir)
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write as _;
            let _closed = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
