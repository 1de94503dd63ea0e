//! `consentry spool`: what waits on disk for the database, and what the database refused. Every command may be used while the
//! gateway runs: none takes the spool's lock or writes into a segment, and only `retry-quarantine` changes anything, which
//! is the name of a file.

mod export;
mod inspect;
mod retry;
mod shown;
mod status;
mod verify;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::settings::Spool;
use crate::spool::look::{self, Listed, Place};

/// Look at the queue on disk, prove that it is whole, export it, give what was refused another try
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  consentry spool status --config consentry.toml
  consentry spool verify
  consentry spool export --quarantine --format jsonl > refused.jsonl
  consentry spool retry-quarantine --all --wait 30

Each of them may be used while the gateway runs. A batch is named as its file is, by 16 hexadecimal digits, or by the
number that stands in the table's column batch_id.

Exit code: 0 done and all well, 1 something was found, failed, or could not be read, 2 wrong usage or configuration.")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The configuration that says where the data lives, and how much may wait
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
    /// Say what waits, since when, and how full the spool is; what is in quarantine, and why
    #[command(after_help = "Example: consentry spool status --format json")]
    Status {
        /// text, or json as by --json
        #[arg(long, value_name = "FORMAT")]
        format: Option<Shown>,
    },
    /// Show what segments say of themselves: batch, partition, rows, seal, damaged places; never a value
    #[command(after_help = "\
Examples:
  consentry spool inspect
  consentry spool inspect 5f3a9c10000000a7
  consentry spool inspect backup/5f3a9c10000000a7.segment --json")]
    Inspect {
        /// A batch or a file; a line for each batch unless one is named
        #[arg(value_name = "BATCH_ID|FILE")]
        what: Option<PathBuf>,
        /// text, or json as by --json
        #[arg(long, value_name = "FORMAT")]
        format: Option<Shown>,
    },
    /// Read every byte of every segment, in quarantine too, and name each damaged place
    #[command(after_help = "Example: consentry spool verify --json")]
    Verify {
        /// text, or json as by --json
        #[arg(long, value_name = "FORMAT")]
        format: Option<Shown>,
    },
    /// Ask the gateway to take batches out of quarantine and to send them again; the table is asked first
    #[command(override_usage = "consentry spool retry-quarantine [OPTIONS] <BATCH_ID>... | --all")]
    #[command(after_help = "\
Examples:
  consentry spool retry-quarantine 5f3a9c10000000a7
  consentry spool retry-quarantine --all --wait 30

Where no gateway runs, the next start takes them up. What is refused again comes back into quarantine.")]
    RetryQuarantine {
        /// The batches
        #[arg(value_name = "BATCH_ID", value_parser = batch_id, required_unless_present = "all", conflicts_with = "all")]
        batches: Vec<u64>,
        /// Every batch in quarantine
        #[arg(long)]
        all: bool,
        /// Those too of which the table held another number of rows; compare first
        #[arg(long)]
        miscounted: bool,
        /// How long to wait until the gateway has taken them up
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
        wait: u64,
    },
    /// Print records: what waits, or what is in quarantine, or the batches that are named
    #[command(after_help = "\
Examples:
  consentry spool export --format jsonl | jq .path
  consentry spool export --quarantine --format csv > refused.csv
  consentry spool export --format native > events.native

jsonl is ClickHouse's JSONEachRow, and native its Native as the gateway sends it: both can be inserted. UInt64 and UInt128
are texts in jsonl, which ClickHouse reads back and nothing rounds. csv is for spreadsheets: a text that one would take for a
formula has an apostrophe before it.")]
    Export {
        /// The batches; every batch that waits unless some are named
        #[arg(value_name = "BATCH_ID", value_parser = batch_id, conflicts_with = "quarantine")]
        batches: Vec<u64>,
        /// What is in quarantine instead
        #[arg(long)]
        quarantine: bool,
        /// jsonl, csv or native
        #[arg(long)]
        format: export::Format,
    },
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shown {
    Text,
    Json,
}

/// 16 digits are hexadecimal as in the name of a file; fewer or more are the number in the table.
fn batch_id(text: &str) -> Result<u64, String> {
    let hexadecimal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if hexadecimal { u64::from_str_radix(text, 16).ok() } else { text.parse().ok() };
    number.ok_or_else(|| {
        "it should be 16 hexadecimal digits, as in the name of its file, or its number in the table".to_owned()
    })
}

/// Does it.
pub fn run(args: &Args, place: &Spool) -> anyhow::Result<ExitCode> {
    let as_json = |format: &Option<Shown>| args.json || *format == Some(Shown::Json);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match &args.action {
        Action::Status { format } => status::run(place, as_json(format), &mut out),
        Action::Inspect { what, format } => inspect::run(place, what.as_deref(), as_json(format), &mut out),
        Action::Verify { format } => verify::run(place, as_json(format), &mut out),
        Action::RetryQuarantine { batches, all, miscounted, wait } => {
            let asked = retry::Asked { batches, all: *all, miscounted: *miscounted, wait_s: *wait };
            retry::run(place, &asked, args.json, &mut out)
        }
        Action::Export { batches, quarantine, format } => {
            export::run(place, &export::Asked { batches, quarantine: *quarantine, format: *format }, &mut out)
        }
    };
    match done.and_then(|code| out.flush().map(|()| code).map_err(Into::into)) {
        // A reader such as `head` that has seen enough is content.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The segments of these batches, wherever they lie but for those that were shipped; an error where one is nowhere.
fn of_batches(place: &Spool, batches: &[u64]) -> anyhow::Result<Vec<Listed>> {
    let mut listed = look::list(&place.dir)?;
    listed.retain(|listed| listed.place != Place::Shipped);
    let mut found = Vec::new();
    for batch in batches {
        let before = found.len();
        found.extend(listed.iter().filter(|listed| listed.named == Some(*batch)).cloned());
        if found.len() == before {
            anyhow::bail!(
                "there is no batch {batch:016x} in {}: it was shipped, or never was here. `consentry spool inspect` lists those that are",
                place.dir.display()
            );
        }
    }
    Ok(found)
}
