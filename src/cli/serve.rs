//! `consentry serve`

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::settings;
use crate::front::listen::Place;
use crate::life::{self, Started, Told};
use crate::observe;

/// `consentry serve`
#[derive(clap::Args)]
#[command(after_help = "Example: consentry serve --config consentry.toml")]
pub struct Args {
    /// The configuration; two lines are enough: [gateway] and upstream = "http://127.0.0.1:3000"
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_FILE)]
    config: PathBuf,
    /// Say where everything is as one line of JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Serves until the process is asked to end.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let explained = match settings::load_to_start(&args.config) {
        Ok(explained) => explained,
        Err(code) => return Ok(code),
    };
    let config = &explained.config;
    observe::init(config.observe.log);
    let upstream = config.gateway.upstream.to_string();
    life::run(Told { explained, file: Some(args.config) }, async |started| {
        let said = if args.json { json(started, None) } else { people(started, &upstream) };
        // A stdout that is closed, or that nobody reads, is no reason not to serve.
        let say = move || std::io::stdout().lock().write_all(said.as_bytes());
        let _ = tokio::task::spawn_blocking(say).await;
        Ok(())
    })
    .context("the gateway has stopped")?;
    Ok(ExitCode::SUCCESS)
}

/// One line of JSON: where everything listens, and the password if it is new.
pub(super) fn json(started: &Started, site: Option<std::net::SocketAddr>) -> String {
    let line = serde_json::json!({
        "gateway": started.gateway.to_string(),
        "plain": started.plain.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tls": started.tls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "dashboard": started.dashboard,
        "clickhouse": started.clickhouse,
        "site": site,
        "password": started.new_password,
    });
    format!("{line}\n")
}

/// The line that shows a new password, the only time it is shown.
pub(super) fn password(started: &Started) -> String {
    match &started.new_password {
        Some(password) => format!("  password    {password}   (shown this once; only a hash of it is kept)\n"),
        None => {
            "  password    as shown at the first start (delete dashboard-password in the data folder for a new one)\n"
                .to_owned()
        }
    }
}

fn people(started: &Started, upstream: &str) -> String {
    let place = |scheme: &str, place: &Place| match place.tcp() {
        Some(address) => format!("  gateway     {scheme}://{address}   in front of {upstream}\n"),
        None => format!("  gateway     {place} ({scheme})   in front of {upstream}\n"),
    };
    let plain = started.plain.iter().map(|at| place("http", at));
    let places: String = plain.chain(started.tls.iter().map(|at| place("https", at))).collect();
    format!(
        "Consentry {}\n{places}  dashboard   http://{}\n{}{}",
        env!("CARGO_PKG_VERSION"),
        started.dashboard,
        password(started),
        if started.database {
            ""
        } else {
            "  database    could not be started yet; events wait in the spool (see the log)\n"
        },
    )
}
