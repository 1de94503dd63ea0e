//! Which configuration and which data folder a command works on.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::config::{
    ClickHouse, Config, ConfigError, DEFAULT_DATA_DIR, DEFAULT_FILE, Explained, LEDGER_FOLDER, Period, RING_FILE,
    SPOOL_FOLDER,
};
use crate::engine;

/// Where the demo keeps its data unless told otherwise; never the folder of real data.
pub const DEMO_DATA_DIR: &str = "consentry-demo";

/// Loads a configuration; where it is wrong every mistake is on stderr and the exit code is 2.
pub fn load(path: &Path) -> Result<Config, ExitCode> {
    Config::load_explained(path).map(|explained| explained.config).map_err(|wrong| refused(&wrong))
}

/// The same for who starts with it: what it names is opened too.
pub fn load_to_start(path: &Path) -> Result<Explained, ExitCode> {
    super::check::load(path).map_err(|wrong| refused(&wrong))
}

fn refused(wrong: &ConfigError) -> ExitCode {
    eprintln!("{}", super::check::complaint(wrong));
    ExitCode::from(2)
}

/// The database a command works on.
pub struct Target {
    /// Where ClickHouse is.
    pub clickhouse: ClickHouse,
    /// Where the data lives.
    pub data_dir: PathBuf,
}

/// The database that is meant: of the folder that is named, else of the configuration that is named or stands in
/// `consentry.toml`, else of the folder in which an embedded engine is running or has run, real data before the demo's.
pub fn target(config: Option<&Path>, data_dir: Option<&Path>) -> Result<Target, ExitCode> {
    let embedded =
        |data_dir: &Path| Target { clickhouse: ClickHouse::Embedded { listen: None }, data_dir: data_dir.to_owned() };
    match (named(config, data_dir), data_dir) {
        (Some(file), folder) => {
            let config = load(file)?;
            let data_dir = folder.map_or(config.data_dir, Path::to_owned);
            Ok(Target { clickhouse: config.clickhouse, data_dir })
        }
        (None, Some(folder)) => Ok(embedded(folder)),
        (None, None) => {
            let folders = [Path::new(DEFAULT_DATA_DIR), Path::new(DEMO_DATA_DIR)];
            let runs = |folder: &Path| UnixStream::connect(engine::socket::recorded(folder)).is_ok();
            let found = folders.into_iter().find(|folder| runs(folder));
            let found = found.or_else(|| folders.into_iter().find(|folder| engine::database_folder(folder).is_dir()));
            Ok(embedded(found.unwrap_or(folders[0])))
        }
    }
}

/// The key ring a command works on.
pub struct Ring {
    /// Its file.
    pub path: PathBuf,
    /// Where the data lives.
    pub data_dir: PathBuf,
    /// The site that is configured.
    pub site: u32,
}

/// The ring that is meant: found as [`target`] finds the database, but by where a ring is.
pub fn ring(config: Option<&Path>, data_dir: Option<&Path>) -> Result<Ring, ExitCode> {
    let within = |data_dir: &Path| Ring { path: data_dir.join(RING_FILE), data_dir: data_dir.to_owned(), site: 1 };
    match (named(config, data_dir), data_dir) {
        (Some(file), folder) => {
            let config = load(file)?;
            let site = config.gateway.site_id;
            match folder {
                // A ring that lies elsewhere stays there, whichever folder the data is in.
                Some(folder) if config.key_ring == config.data_dir.join(RING_FILE) => {
                    Ok(Ring { site, ..within(folder) })
                }
                _ => Ok(Ring { path: config.key_ring, data_dir: config.data_dir, site }),
            }
        }
        (None, Some(folder)) => Ok(within(folder)),
        (None, None) => {
            let folders = [Path::new(DEFAULT_DATA_DIR), Path::new(DEMO_DATA_DIR)];
            let found = folders.into_iter().find(|folder| folder.join(RING_FILE).exists());
            Ok(within(found.unwrap_or(folders[0])))
        }
    }
}

/// The ledger a command works on.
pub struct Ledger {
    /// Its folder.
    pub folder: PathBuf,
    /// The database that has its rows too.
    pub target: Target,
    /// The keys it is signed under.
    pub ring: Ring,
    /// How long its rows are kept.
    pub retention: Period,
}

/// The ledger that is meant: found as [`ring`] finds the key ring.
pub fn ledger(config: Option<&Path>, data_dir: Option<&Path>) -> Result<Ledger, ExitCode> {
    let ring = ring(config, data_dir)?;
    let (target, retention) = match named(config, data_dir) {
        Some(file) => (target(config, data_dir)?, load(file)?.consents_retention),
        None => (target(None, Some(&ring.data_dir))?, Period { months: 72, days: 0 }),
    };
    Ok(Ledger { folder: target.data_dir.join(LEDGER_FOLDER), target, ring, retention })
}

/// The spool a command looks at.
pub struct Spool {
    /// Its folder.
    pub dir: PathBuf,
    /// The most bytes it may have; nothing where no configuration was found.
    pub max_bytes: Option<u64>,
}

/// The spool that is meant: found as [`target`] finds the database, but by where a spool is.
pub fn spool(config: Option<&Path>, data_dir: Option<&Path>) -> Result<Spool, ExitCode> {
    let within = |data_dir: &Path| data_dir.join(SPOOL_FOLDER);
    match (named(config, data_dir), data_dir) {
        (Some(file), folder) => {
            let config = load(file)?;
            let dir = folder.map_or_else(|| config.spool_dir(), within);
            Ok(Spool { dir, max_bytes: Some(config.spool.max_bytes) })
        }
        (None, Some(folder)) => Ok(Spool { dir: within(folder), max_bytes: None }),
        (None, None) => {
            let folders = [Path::new(DEFAULT_DATA_DIR), Path::new(DEMO_DATA_DIR)];
            let found = folders.into_iter().find(|folder| within(folder).is_dir());
            Ok(Spool { dir: within(found.unwrap_or(folders[0])), max_bytes: None })
        }
    }
}

/// The configuration that is named, or the one that lies here where nothing else is named.
fn named<'a>(config: Option<&'a Path>, data_dir: Option<&Path>) -> Option<&'a Path> {
    config.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|file| data_dir.is_none() && file.exists()))
}
