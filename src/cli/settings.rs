//! Which configuration and which data folder a command works on.

use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;

/// The configuration's default file.
pub const DEFAULT_FILE: &str = "consentry.toml";
/// Where the demo keeps its data unless told otherwise; never the folder of real data.
pub const DEMO_DATA_DIR: &str = "consentry-demo";

/// Loads a configuration; where it is wrong every mistake is on stderr and the exit code is 2.
pub fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load(path).map_err(|wrong| {
        eprintln!("{}", super::check::complaint(&wrong));
        ExitCode::from(2)
    })
}
