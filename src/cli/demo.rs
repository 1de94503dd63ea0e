//! `consentry demo`

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use super::{serve, settings};
use crate::demo;
use crate::life::Started;
use crate::observe;

/// `consentry demo`
#[derive(clap::Args)]
#[command(after_help = "Example: consentry demo\n\nThen open the two addresses it prints. Ctrl-C stops all of it.")]
pub struct Args {
    /// Where the demo keeps its data
    #[arg(long, value_name = "DIR", default_value = settings::DEMO_DATA_DIR)]
    data_dir: PathBuf,
    /// Where visitors connect
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the dashboard listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    dashboard: SocketAddr,
    /// Where the sample site itself listens, without the gateway
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    site: SocketAddr,
    /// Say where everything is as one line of JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Runs the demo until the process is asked to end.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    observe::init(tracing::Level::WARN);
    let setup = demo::Setup {
        data_dir: args.data_dir.clone(),
        listen: args.listen,
        dashboard: args.dashboard,
        site: args.site,
    };
    demo::run(setup, |started, site, history| {
        let said = if args.json { serve::json(started, Some(site)) } else { people(&args, started, site, history) };
        let _ = std::io::stdout().lock().write_all(said.as_bytes());
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The addresses and what to try, for whoever sees this for the first time.
fn people(args: &Args, started: &Started, site: SocketAddr, history: &str) -> String {
    let on = |address: SocketAddr| format!("http://localhost:{}", address.port());
    // As it was called, so that the line can be copied.
    let program = std::env::args().next().unwrap_or_else(|| "consentry".to_owned());
    let data = if args.data_dir.as_os_str() == settings::DEMO_DATA_DIR {
        String::new()
    } else {
        format!(" --data-dir {}", args.data_dir.display())
    };
    format!(
        "Consentry's demo is running.\n\n\
         \x20 the site, through the gateway   {gateway}\n\
         \x20 the dashboard                   {dashboard}   password {password}\n\
         \x20 the site without the gateway    {direct}\n\n\
         What to try\n\
         \x20 1. Open {gateway}. Before you choose, your browser holds no cookie and the\n\
         \x20    third party's tag is asleep. Without the gateway it is called at once.\n\
         \x20 2. Accept all, click around, and see yourself on the dashboard within seconds.\n\
         \x20 3. Change your mind under \"Your privacy choices\" and watch the cookies go.\n\
         \x20 4. Ask the database, in another terminal in this folder:\n\
         \x20    {program} query{data} \"SELECT name, path, country, device FROM events ORDER BY ts DESC LIMIT 5\"\n\n\
         {history}\nCtrl-C stops everything.\n",
        gateway = started.gateway.tcp().map(on).unwrap_or_default(),
        dashboard = on(started.dashboard),
        direct = on(site),
        password = started.new_password.as_deref().unwrap_or("as shown at the first start"),
    )
}
