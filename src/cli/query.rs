//! `consentry query`: any SQL on the program's own database, in any of ClickHouse's formats.

use std::io::{self, BufWriter, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::config::ClickHouse;
use crate::engine::database_folder;
use crate::store::client::{AskError, Question, ask};

/// Runs one SQL statement on the database and prints its result.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  consentry query \"select toDate(ts) as day, count() from events group by day order by day\"\n  \
                        consentry query --param path=/contact \"select count() from events where path = {path:String}\""
)]
pub struct Args {
    /// The statement; `-` reads it from standard input.
    pub sql: String,
    /// The configuration that says where ClickHouse is.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the data lives; wins over the configuration.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// One of ClickHouse's formats; PrettyCompact on a terminal, TabSeparated elsewhere.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// A value for `{name:Type}` in the statement; as often as needed.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it should be as in --param name=value".to_owned()),
    }
}

/// Runs the statement on the configured ClickHouse: 0 done, 1 with ClickHouse's words.
pub fn run(args: Args, clickhouse: &ClickHouse, data_dir: &Path) -> anyhow::Result<ExitCode> {
    let mut sql = args.sql;
    if sql == "-" {
        sql.clear();
        io::stdin().read_to_string(&mut sql).context("cannot read the statement from standard input")?;
    }
    if matches!(clickhouse, ClickHouse::Embedded { .. }) && !database_folder(data_dir).is_dir() {
        bail!(
            "there is no database in {} yet. Start `consentry serve` or `consentry demo` first, or name the folder with --data-dir",
            data_dir.display()
        );
    }
    let terminal = io::stdout().is_terminal();
    let format = args.format.unwrap_or_else(|| if terminal { "PrettyCompact" } else { "TabSeparated" }.to_owned());
    // ClickHouse reads values as TSV text: what was typed is meant literally.
    let parameters = args.parameters.into_iter().map(|(name, value)| (name, as_tsv(&value))).collect();
    let question = Question { sql, format, parameters };

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = super::engine::running(clickhouse, data_dir).await?;
        let asked = ask(clickhouse, data_dir, &question, &mut BufWriter::new(io::stdout().lock())).await;
        if let Some(engine) = engine {
            engine.stop().await;
        }
        match asked {
            Ok(()) => Ok(ExitCode::SUCCESS),
            // `consentry query ... | head` has all it wanted.
            Err(AskError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            Err(error) => Err(error.into()),
        }
    })
}

fn as_tsv(value: &str) -> String {
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_a_name_and_a_value() {
        assert_eq!(parameter("path=/a=b"), Ok(("path".to_owned(), "/a=b".to_owned())));
        assert!(parameter("path").is_err());
        assert!(parameter("=x").is_err());
    }

    #[test]
    fn a_parameter_is_taken_literally() {
        assert_eq!(as_tsv("a\\n\tb\n"), "a\\\\n\\tb\\n");
    }
}
