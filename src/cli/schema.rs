//! `consentry schema`: the SQL of the database, whether it was applied, and applying it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::ClickHouse;
use crate::store::client;
use crate::store::migrate::{self, MIGRATIONS};

/// Shows or applies the database's schema.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  consentry schema status\n  consentry schema show > schema.sql")]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
    /// The configuration that says where ClickHouse is.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where the data lives; wins over the configuration.
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
}

/// What to do with the schema.
#[derive(Clone, Copy, Debug, clap::Subcommand)]
pub enum Action {
    /// Print the SQL of this program.
    Show,
    /// Run what was not run yet. Doing it twice does nothing.
    Apply,
    /// Print which files were applied, and when.
    Status {
        /// For machines.
        #[arg(long)]
        json: bool,
    },
}

/// Does it: 0 done, 1 refused or failed.
pub fn run(args: Args, clickhouse: &ClickHouse, data_dir: &Path) -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    if let Action::Show = args.action {
        for migration in MIGRATIONS {
            writeln!(stdout, "-- schema/{}\n{}", migration.file(), migration.sql)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = super::engine::running(clickhouse, data_dir).await?;
        let done = act(args.action, &client::connect(clickhouse, data_dir)?, &mut stdout).await;
        if let Some(engine) = engine {
            engine.stop().await;
        }
        done.map(|()| ExitCode::SUCCESS)
    })
}

async fn act(action: Action, client: &clickhouse::Client, out: &mut dyn std::io::Write) -> anyhow::Result<()> {
    match action {
        Action::Show => {}
        Action::Apply => {
            let applied = migrate::apply(client).await?;
            for migration in &applied {
                writeln!(out, "applied {}", migration.file())?;
            }
            if applied.is_empty() {
                writeln!(
                    out,
                    "nothing to apply: the schema is at version {}",
                    MIGRATIONS.last().map_or(0, |last| last.version)
                )?;
            }
        }
        Action::Status { json } => {
            let status = migrate::status(client).await?;
            if json {
                let rows: Vec<_> = status
                    .iter()
                    .map(|status| {
                        serde_json::json!({
                            "version": status.migration.version,
                            "file": status.migration.file(),
                            "sha256": status.migration.sha256(),
                            "applied_at": status.applied.as_ref().map(|row| instant(row.applied_at)),
                        })
                    })
                    .collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
                return Ok(());
            }
            for status in status {
                let when = status
                    .applied
                    .map_or("not applied".to_owned(), |row| format!("applied {}", instant(row.applied_at)));
                writeln!(out, "{:<24} {when}", status.migration.file())?;
            }
        }
    }
    Ok(())
}

fn instant(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |instant| instant.to_string())
}
