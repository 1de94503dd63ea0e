//! `consentry engine`: the embedded ClickHouse by itself, with its HTTP interface; also what the gateway starts as a child.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::config::{self, ClickHouse};
use crate::engine::child::{self, READY, Supervisor};
use crate::engine::serve::{Options, Ready, leave, serve};
use crate::engine::{provision, socket};
use crate::observe;

/// Runs the embedded ClickHouse by itself and answers ClickHouse's HTTP interface until Ctrl-C.
///
/// It answers on a Unix socket in the data folder, which only this user can reach, and with --listen also on a TCP address of
/// this machine. There is no password there: anyone on this machine can then read and change every table through that
/// address, and read the files that you can read; with --read-only, only read the tables.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  consentry engine --listen 127.0.0.1:8123\n  curl 127.0.0.1:8123 -d 'select count() from consentry.events'"
)]
pub struct Args {
    /// Where the data lives: `data_dir` of the configuration.
    #[arg(long, alias = "data", value_name = "DIR", default_value = config::DEFAULT_DATA_DIR)]
    pub data_dir: PathBuf,
    /// Answer on this loopback address too; as in 127.0.0.1:8123.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Let clients of --listen read tables and nothing else.
    #[arg(long, requires = "listen")]
    pub read_only: bool,
    /// Fetch the library if it is not in the cache, and end; for images and machines that will have no npm.
    #[arg(long, conflicts_with = "listen")]
    pub fetch: bool,
    /// Use this library instead of fetching one.
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,
    /// Started by the gateway, which holds our standard input open for as long as we shall run.
    #[arg(long, hide = true)]
    pub child: bool,
    /// Where to put the socket.
    #[arg(long, value_name = "FILE", hide = true)]
    pub socket: Option<PathBuf>,
}

/// Runs the engine; ends the process itself once it has answered.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    observe::init(tracing::Level::WARN);
    let library = match args.library {
        Some(library) => library,
        None => provision::library()?,
    };
    if args.fetch {
        writeln!(std::io::stdout(), "{}", library.display())?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options {
        data_dir: args.data_dir,
        library,
        socket: args.socket,
        listen: args.listen,
        writable: !args.read_only,
        child: args.child,
    };
    let ready = |ready: &Ready| announce(ready, options.child);
    match serve(&options, ready) {
        Ok(()) => leave(0),
        Err(error) => {
            // Not returned: destructors of the library must not run.
            let _closed = writeln!(std::io::stderr(), "error: {error}");
            leave(1)
        }
    }
}

fn announce(ready: &Ready, child: bool) {
    let mut stdout = std::io::stdout().lock();
    let _closed = if child {
        writeln!(stdout, "{READY}")
    } else {
        let listen = ready.listen.map(|address| format!("\n  http://{address}")).unwrap_or_default();
        writeln!(
            stdout,
            "ClickHouse {} answers on\n  {} (Unix socket){listen}\nCtrl-C ends it.",
            ready.version,
            ready.socket.display()
        )
    };
    let _closed = stdout.flush();
}

/// Sees to it that ClickHouse can be asked: nothing to do for a server or a running engine; else an engine is started, to
/// be stopped by the caller when done.
pub(super) async fn running(clickhouse: &ClickHouse, data_dir: &Path) -> anyhow::Result<Option<Supervisor>> {
    let ClickHouse::Embedded { .. } = clickhouse else { return Ok(None) };
    if child::answers(&socket::recorded(data_dir)).await {
        return Ok(None);
    }
    let library = provision::library()?;
    let options = child::Options::new(data_dir, library, None)?;
    match Supervisor::start(options).await {
        Ok(engine) => Ok(Some(engine)),
        // A gateway was just starting its own.
        Err(_) if child::answers(&socket::recorded(data_dir)).await => Ok(None),
        Err(error) => Err(error).context("no engine runs on this data folder, and none could be started"),
    }
}
