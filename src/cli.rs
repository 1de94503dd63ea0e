//! The command line: thin. Each subcommand turns arguments into a call of a room below and its result into an exit code:
//! 0 done, 1 failed, 2 wrong usage or configuration. Results go to stdout, progress and messages to stderr.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod check;
mod demo;
mod engine;
mod keys;
mod ledger;
mod mail;
mod query;
mod running;
mod schema;
mod serve;
mod settings;
mod spool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::engine::limits;

/// A website-analytics and consent-aware cookie gateway.
///
/// Consentry stands as a reverse proxy in front of a marketing site, captures what each visitor allowed and nothing else,
/// and keeps it in ClickHouse.
#[derive(Parser)]
#[command(name = "consentry", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Example: consentry demo")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything in one: a sample site, the gateway, the embedded ClickHouse, the dashboard and simulated visitors
    Demo(demo::Args),
    /// The gateway in front of your site
    Serve(serve::Args),
    /// Let the running gateway read its configuration again, and say how that went
    #[command(after_help = RELOAD_HELP)]
    Reload(running::Args),
    /// Let a new process of the program on disk take the running gateway's place, without refusing a visitor
    #[command(after_help = UPGRADE_HELP)]
    Upgrade(running::Args),
    /// Explain the effective configuration, or what is wrong with it
    Check(check::Args),
    /// The embedded ClickHouse alone, with its HTTP interface
    Engine(engine::Args),
    /// Show, apply or compare the database schema
    Schema(schema::Args),
    /// Ask the database in SQL
    Query(query::Args),
    /// Make, list, rotate and destroy the keys that sign choices and make pseudonyms
    Keys(keys::Args),
    /// Prove that no choice was changed or dropped, export them, verify a visitor's receipt
    Ledger(ledger::Args),
    /// Look at the queue on disk, prove that it is whole, export it, give what was refused another try
    Spool(spool::Args),
    /// Tokens for recipients of e-mails who agreed to the recording of openings, and their withdrawal
    Mail(mail::Args),
}

const RELOAD_HELP: &str = "\
Examples:
  consentry reload --config consentry.toml
  kill -HUP PID                              the same; the outcome is in the log, on /readyz and in the metrics

A configuration that is wrong, or that changes what cannot change while the gateway runs, is refused as a whole: the one of
before stays in effect.

Exit code: 0 it is in effect, 1 no gateway runs or it could not be done, 2 the configuration is refused.";

const UPGRADE_HELP: &str = "\
Examples:
  consentry upgrade --config consentry.toml
  kill -USR2 PID                             the same; the outcome is in the log

Where the new process does not start, the running one goes on as it was.

Exit code: 0 the new process serves, 1 the running one goes on or there is none.";

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { 2 } else { 0 });
        }
    };
    // Before anything is opened or started.
    limits::settle();
    let done = match arguments.command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Reload(args) => running::reload(&args),
        Command::Upgrade(args) => running::upgrade(&args),
        Command::Check(args) => Ok(check::run(&args)),
        Command::Engine(args) => engine::run(args),
        Command::Ledger(args) => match settings::ledger(args.config.as_deref(), args.data_dir.as_deref()) {
            Ok(place) => ledger::run(&args, &place),
            Err(code) => Ok(code),
        },
        Command::Mail(args) => mail::run(args),
        Command::Schema(args) => match settings::target(args.config.as_deref(), args.data_dir.as_deref()) {
            Ok(target) => schema::run(args, &target.clickhouse, &target.data_dir),
            Err(code) => Ok(code),
        },
        Command::Query(args) => match settings::target(args.config.as_deref(), args.data_dir.as_deref()) {
            Ok(target) => query::run(args, &target.clickhouse, &target.data_dir),
            Err(code) => Ok(code),
        },
        Command::Spool(args) => match settings::spool(args.config.as_deref(), args.data_dir.as_deref()) {
            Ok(place) => spool::run(&args, &place),
            Err(code) => Ok(code),
        },
        Command::Keys(args) => match settings::ring(args.config.as_deref(), args.data_dir.as_deref()) {
            Ok(ring) => keys::run(&args, &ring),
            Err(code) => Ok(code),
        },
    };
    done.unwrap_or_else(|error| {
        eprintln!("consentry: {}", told(&error));
        ExitCode::FAILURE
    })
}

/// An error with what it comes from, as far as it has not said so itself.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::keys::private_folder::NotPrivate;
    use crate::life::LifeError;

    #[test]
    fn an_error_says_everything_once() {
        let source = io::Error::from(io::ErrorKind::NotADirectory);
        let error = LifeError::from(NotPrivate::Io { path: "data".into(), source });
        let error = anyhow::Error::from(error).context("the gateway has stopped");
        let said = told(&error);
        assert!(said.starts_with("the gateway has stopped: the data folder cannot be used: data: "), "{said}");
        assert_eq!(said.matches("not a directory").count(), 1, "{said}");
        assert_eq!(told(&anyhow::anyhow!("one").context("two")), "two: one");
    }
}
