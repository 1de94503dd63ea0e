//! `consentry reload` and `consentry upgrade`: ask the running gateway, wait for the outcome and show it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{self, Config};
use crate::life::control::{self, Ask, Outcome};

/// Which gateway is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration the gateway was started with
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the gateway's data lives; wins over the configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print the outcome as JSON on stdout
    #[arg(long)]
    json: bool,
}

/// Asks the gateway to read its configuration again.
pub fn reload(args: &Args) -> anyhow::Result<ExitCode> {
    run(args, Ask::Reload)
}

/// Asks the gateway to give way to the program as it lies on disk now.
pub fn upgrade(args: &Args) -> anyhow::Result<ExitCode> {
    run(args, Ask::Upgrade)
}

fn run(args: &Args, ask: Ask) -> anyhow::Result<ExitCode> {
    let (data_dir, config) = gateway(args);
    let outcome = control::ask(&data_dir, ask, config.as_deref())?;
    let code = match &outcome {
        Outcome { done: true, .. } => 0,
        Outcome { configuration: true, .. } => 2,
        _ => 1,
    };
    match (args.json, code) {
        (true, _) => println!("{}", serde_json::to_string(&outcome)?),
        (false, 0) => println!("{}", outcome.said),
        (false, _) => eprintln!("consentry: {}", outcome.said),
    }
    Ok(ExitCode::from(code))
}

/// The folder of the gateway that is meant, and its configuration where one was named. One that is wrong is no obstacle: the
/// gateway says so itself, and raises its alarm.
fn gateway(args: &Args) -> (PathBuf, Option<PathBuf>) {
    if let Some(folder) = &args.data_dir {
        return (folder.clone(), args.config.clone());
    }
    let default = Path::new(config::DEFAULT_FILE);
    let Some(file) = args.config.as_deref().or_else(|| Some(default).filter(|file| file.exists())) else {
        return (PathBuf::from(config::DEFAULT_DATA_DIR), None);
    };
    let folder = Config::load(file).map(|config| config.data_dir);
    (folder.unwrap_or_else(|_| config::reload::data_dir_as_written(file)), Some(file.to_owned()))
}
