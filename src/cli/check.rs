//! `consentry check`: says whether a configuration is right, what is in effect and what it amounts to. Starts nothing and
//! writes nothing.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::config::{self, Config, ConfigError};

/// Explain the effective configuration, or say what is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry check --print-example > consentry.toml
  consentry check --config consentry.toml
  CONSENTRY__GATEWAY__LISTEN=127.0.0.1:8081 consentry check --json

Exit code: 0 where the configuration is valid, 2 where it is not.")]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    pub config: PathBuf,
    /// Print JSON for machines
    #[arg(long)]
    pub json: bool,
    /// Print a whole configuration with every key explained, and check nothing
    #[arg(long, conflicts_with_all = ["config", "json"])]
    pub print_example: bool,
}

/// Runs it: results go to stdout, what is wrong to stderr.
pub fn run(args: &Args) -> ExitCode {
    let (out, code) = match args.print_example {
        true => (config::example().to_owned(), 0),
        false => match Config::load_explained(&args.config) {
            Ok(explained) if args.json => (format!("{:#}\n", explained.to_json()), 0),
            Ok(explained) => (explanation(&explained, &args.config), 0),
            Err(error) => {
                // The terminal being gone is no reason to end in another way.
                let _ = writeln!(io::stderr(), "{}", complaint(&error));
                let json = || format!("{:#}\n", as_json(&error));
                (if args.json { json() } else { String::new() }, 2)
            }
        },
    };
    match io::stdout().write_all(out.as_bytes()) {
        // A reader such as `head` that has seen enough is content.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        _ => ExitCode::from(code),
    }
}

/// What a person reads about a wrong configuration: one line for each problem, and how many there are.
pub fn complaint(error: &ConfigError) -> String {
    let explained = "every key is explained by: consentry check --print-example";
    match error.problems().len() {
        0 => error.to_string(),
        1 => format!("{error}\n1 problem; {explained}"),
        many => format!("{error}\n{many} problems; {explained}"),
    }
}

fn explanation(explained: &config::Explained, path: &Path) -> String {
    let mut text = format!("# {} is valid. In effect are:\n\n{}", path.display(), explained.to_toml());
    text.push_str("\n# What this means\n");
    for sentence in explained.consequences() {
        text.push_str(&format!("# - {sentence}\n"));
    }
    text
}

fn as_json(error: &ConfigError) -> serde_json::Value {
    match error.problems() {
        [] => json!({ "valid": false, "error": error.to_string() }),
        problems => json!({ "valid": false, "problems": problems }),
    }
}
