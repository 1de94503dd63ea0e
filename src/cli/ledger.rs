//! `consentry ledger`: proves that the ledger is whole, exports it, verifies a receipt, shows a kept text. All of it reads
//! only, and may be used while the gateway runs.

mod check;

use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::settings::Ledger;
use crate::keys::{KeyRing, RingFile};
use crate::ledger::{ChainId, Found, PublicKeys, Row, Rows, export, find_text, receipt};
use crate::life::now_ms;
use crate::store::{client, consents};

/// Prove that no choice was changed or dropped, export them, verify a visitor's receipt
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry ledger verify --config consentry.toml
  consentry ledger export --format csv > consents.csv
  consentry ledger verify-receipt receipt.json --keys keys.json
  consentry ledger text 3f5ac1d20b9e77aa

Exit code: 0 done and all well, 1 something was found, failed, or could not be checked, 2 wrong usage or configuration.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The configuration that says where ledger, keys and ClickHouse are
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where the data lives; wins over the configuration
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// Print JSON for machines
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check every row in the files and in the database: hash, signature, order, that both have the same, and the kept texts
    #[command(after_help = "\
Examples:
  consentry ledger verify --json
  consentry ledger verify --files-only    # while the gateway is stopped")]
    Verify {
        /// Leave the database out, as where the gateway is stopped; otherwise one that cannot be asked is a failure
        #[arg(long)]
        files_only: bool,
        /// The public keys as downloaded from /_privacy/keys.json; the key ring's own unless given
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Print every row, with the field names of ISO/IEC TS 27560
    #[command(after_help = "Example: consentry ledger export --format json > consents.json")]
    Export {
        /// json (one list, a record on each line) or csv
        #[arg(long)]
        format: Format,
        /// The rows of every gateway, from the database, instead of this one's files
        #[arg(long)]
        table: bool,
    },
    /// Say whether a receipt is as this site signed it; needs no network
    #[command(after_help = "Example: consentry ledger verify-receipt receipt.json --keys keys.json")]
    VerifyReceipt {
        /// The receipt as it was downloaded; `-` reads it from standard input
        file: PathBuf,
        /// The public keys as downloaded from /_privacy/keys.json; the key ring's own unless given
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Print a banner or a notice by its SHA-256, byte for byte
    #[command(after_help = "Example: consentry ledger text 3f5ac1d20b9e77aa > banner.html")]
    Text {
        /// The hash as it stands in a row, or its first digits, 8 at least
        #[arg(value_parser = hash)]
        hash: String,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Json,
    Csv,
}

fn hash(text: &str) -> Result<String, String> {
    let digits = text.to_ascii_lowercase();
    let fits = (8..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then_some(digits).ok_or_else(|| "it should be 8 to 64 hexadecimal digits".to_owned())
}

/// Does it.
pub fn run(args: &Args, place: &Ledger) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Verify { files_only, keys } => {
            let asked = check::Asked { as_json: args.json, files_only: *files_only };
            check::run(&asked, place, &public_keys(place, keys.as_deref())?)
        }
        Action::Export { format, table } => {
            let mut out = BufWriter::new(io::stdout().lock());
            match exported(place, *format, *table, &mut out).and_then(|()| Ok(out.flush()?)) {
                Ok(()) => Ok(ExitCode::SUCCESS),
                // A reader such as `head` that has seen enough is content.
                Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
                Err(error) => Err(error),
            }
        }
        Action::VerifyReceipt { file, keys } => verify_receipt(args.json, file, keys.as_deref(), place),
        Action::Text { hash } => {
            let Some(text) = find_text(&place.folder, hash)? else {
                bail!(
                    "no one text is kept under {hash} in {}: none begins so, or several do",
                    place.folder.join("texts").display()
                );
            };
            io::stdout().lock().write_all(&text)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Those of a file, else of the ring.
fn public_keys(place: &Ledger, file: Option<&Path>) -> anyhow::Result<PublicKeys> {
    match file {
        Some(file) => PublicKeys::from_json(&json_of(file)?).with_context(|| file.display().to_string()),
        None => ring_keys(place).context("without --keys the keys are those of the key ring"),
    }
}

/// The public keys of every site in the ring, which is not changed but for what a new version adds.
fn ring_keys(place: &Ledger) -> anyhow::Result<PublicKeys> {
    let book = RingFile::at(&place.ring.path).read()?;
    let mut sites = book.sites();
    sites.insert(place.ring.site);
    let now = now_ms().unsigned_abs() / 1000;
    let mut keys = PublicKeys::default();
    for site in sites {
        keys = keys.and(PublicKeys::of(&KeyRing::open_or_create(&place.ring.path, site, now)?));
    }
    Ok(keys)
}

fn exported(place: &Ledger, format: Format, table: bool, out: &mut dyn io::Write) -> anyhow::Result<()> {
    let mut between = "";
    match format {
        Format::Json => write!(out, "[")?,
        Format::Csv => write!(out, "{}\r\n", export::CSV_COLUMNS.join(","))?,
    }
    let mut print = |row: &Row| -> anyhow::Result<()> {
        match format {
            Format::Json => write!(out, "{between}\n{}", export::record(row))?,
            Format::Csv => write!(out, "{}\r\n", export::csv(row))?,
        }
        between = ",";
        Ok(())
    };
    if table {
        from_table(place, &mut print)?
    } else {
        from_files(place, &mut print)?
    }
    if let Format::Json = format {
        writeln!(out, "\n]")?;
    }
    Ok(())
}

fn from_files(place: &Ledger, print: &mut dyn FnMut(&Row) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if !place.folder.is_dir() {
        bail!(
            "there is no ledger in {}. Name the folder of the data with --data-dir, or take the rows from the database with --table",
            place.folder.display()
        );
    }
    for found in Rows::of(&place.folder)? {
        match found {
            Found::Row { row, .. } => print(&row)?,
            Found::Unreadable { file, line, why } => eprintln!("consentry: {file}, line {line} is left out: {why}"),
            Found::Torn { .. } => {}
        }
    }
    Ok(())
}

fn from_table(place: &Ledger, print: &mut dyn FnMut(&Row) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let target = &place.target;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = super::engine::running(&target.clickhouse, &target.data_dir).await?;
        let done = async {
            let client = client::connect(&target.clickhouse, &target.data_dir)?;
            let mut behind = (ChainId(0), 0);
            loop {
                let rows = consents::rows_behind(&client, behind.0, behind.1, check::PAGE).await?;
                for stored in &rows {
                    behind = stored.name();
                    match stored.row() {
                        Ok(row) => print(&row)?,
                        Err(column) => eprintln!(
                            "consentry: row {} of chain {} is left out: its `{column}` is not what may stand there",
                            behind.1, behind.0
                        ),
                    }
                }
                if rows.is_empty() {
                    return Ok(());
                }
            }
        };
        let done = done.await;
        if let Some(engine) = engine {
            engine.stop().await;
        }
        done
    })
}

fn verify_receipt(as_json: bool, file: &Path, keys: Option<&Path>, place: &Ledger) -> anyhow::Result<ExitCode> {
    let receipt: Value = json_of(file)?;
    let verified = receipt::verify_with(&receipt, &public_keys(place, keys)?);
    if as_json {
        let said = match &verified {
            Ok(found) => json!({
                "valid": true,
                "record_id": found.record_id,
                "key_id": found.key.to_string(),
                "valid_until": found.valid_until,
            }),
            Err(why) => json!({ "valid": false, "why": why.to_string() }),
        };
        println!("{said:#}");
    } else if let Ok(found) = &verified {
        println!(
            "receipt {} is genuine: it is as it was signed, under key {}; the choice counts until {}",
            found.record_id, found.key, found.valid_until
        );
    }
    match verified {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(_) if as_json => Ok(ExitCode::FAILURE),
        Err(why) => bail!("{} proves nothing: {why}", file.display()),
    }
}

fn json_of(file: &Path) -> anyhow::Result<Value> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    receipt::read(&text).with_context(|| format!("{} is no JSON that can be relied on", file.display()))
}
