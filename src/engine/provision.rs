//! Fetches what is too large to ship: ClickHouse's library and the country database, each a pinned package of the npm
//! registry, once, into the user's cache. What arrives is checked against a pinned SHA-256 where one was measured, and by
//! npm against the registry's own hash always. Blocking; called before anything serves, and by the engine's command line.
//!
//! npm unpacks as well as fetches (`npm install --prefix`), so neither `tar` nor a crate for it is needed; no script of a
//! package is run, and npm's own configuration decides which registry is asked.

mod progress;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use progress::Progress;

/// A pinned package and the one file of it that is wanted.
#[derive(Debug)]
pub struct Package {
    /// As the registry names it.
    pub name: &'static str,
    /// Exactly.
    pub version: &'static str,
    /// The file, within the package.
    pub member: &'static str,
    /// SHA-256 of that file; `None` where it was never measured (npm's check against the registry's hash remains).
    pub sha256: Option<&'static str>,
    /// What is downloaded, in bytes, for the progress shown.
    pub packed_bytes: u64,
    /// What is unpacked, in bytes.
    pub unpacked_bytes: u64,
    /// What to call it in a message.
    pub title: &'static str,
    /// The folder below `consentry/` in the cache.
    pub folder: &'static str,
    /// The environment variable that names a file, or a folder with it, to use instead.
    pub instead: &'static str,
    /// What to do without npm.
    pub way_out: &'static str,
}

const ENGINE_VERSION: &str = "26.7.3-stable.1";
const ENGINE_WAY_OUT: &str = "set `[clickhouse] url` to a ClickHouse server (then no library is needed)";

const fn engine(name: &'static str, sha256: Option<&'static str>) -> Package {
    Package {
        name,
        version: ENGINE_VERSION,
        member: "libchdb.so",
        sha256,
        packed_bytes: 177_817_999,
        unpacked_bytes: 569_042_837,
        title: "the ClickHouse library",
        folder: "engine",
        instead: "CONSENTRY_ENGINE",
        way_out: ENGINE_WAY_OUT,
    }
}

/// The library for this machine, where there is one. Only the first was measured; the others are named by the same scheme.
pub const ENGINE: Option<Package> = if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
    let sha256 = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5";
    Some(engine("@chdb/lib-linux-x64-gnu", Some(sha256)))
} else if cfg!(all(target_os = "linux", target_arch = "aarch64", target_env = "gnu")) {
    Some(engine("@chdb/lib-linux-arm64-gnu", None))
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    Some(engine("@chdb/lib-darwin-arm64", None))
} else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
    Some(engine("@chdb/lib-darwin-x64", None))
} else {
    None
};

/// Countries by address, v4 and v6 in one file.
pub const COUNTRIES: Package = Package {
    name: "@ip-location-db/geo-whois-asn-country-mmdb",
    version: "2.3.2026061719",
    member: "geo-whois-asn-country.mmdb",
    sha256: Some("c5f7c0e9bd6a6ccb5a2e9634764544a0d08bd0bd8788b8aedfac87bea184c652"),
    packed_bytes: 7_610_169,
    unpacked_bytes: 15_689_354,
    title: "the country database",
    folder: "geo",
    instead: "CONSENTRY_GEO",
    way_out: "set `[geo] database` to \"off\" or to the path of an .mmdb file",
};

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// No library is published for this machine.
    #[error(
        "there is no ClickHouse library for this platform. Two ways out: point CONSENTRY_ENGINE at a libchdb of version {ENGINE_VERSION}, or {ENGINE_WAY_OUT}"
    )]
    Platform,
    /// npm is not there.
    #[error(
        "npm is needed once to fetch {title}, and was not found. Two ways out: install npm (it comes with Node.js), or {way_out}"
    )]
    NpmMissing {
        /// What was wanted.
        title: &'static str,
        /// The other way.
        way_out: &'static str,
    },
    /// npm failed.
    #[error(
        "npm could not fetch {title} ({name} {version}), {status}:{tail}\nTwo ways out: let npm reach its registry (see `npm ping`), or {way_out}"
    )]
    NpmFailed {
        /// What was wanted.
        title: &'static str,
        /// The package.
        name: &'static str,
        /// Its version.
        version: &'static str,
        /// How npm ended.
        status: String,
        /// What it said.
        tail: String,
        /// The other way.
        way_out: &'static str,
    },
    /// What arrived is not what was pinned.
    #[error(
        "{name} {version}: {member} has the SHA-256 {found}, and {wanted} was expected; it is not used. The registry that npm asks serves something else under this name"
    )]
    WrongHash {
        /// The package.
        name: &'static str,
        /// Its version.
        version: &'static str,
        /// The file.
        member: &'static str,
        /// As measured.
        found: String,
        /// As pinned.
        wanted: &'static str,
    },
    /// The package does not hold the file.
    #[error("{name} {version} holds no {member}")]
    NoMember {
        /// The package.
        name: &'static str,
        /// Its version.
        version: &'static str,
        /// The file.
        member: &'static str,
    },
    /// The override names nothing.
    #[error("{variable} is {path}, where there is no {member}")]
    Instead {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
        /// What should be there.
        member: &'static str,
    },
    /// Neither a cache nor a home folder is named.
    #[error("there is no place for {0}: set HOME or XDG_CACHE_HOME")]
    NoCache(&'static str),
    /// The cache cannot be used.
    #[error("{path}: {source}. The cache needs a folder it may write to and some room; XDG_CACHE_HOME names another")]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The path of `libchdb.so`, fetched where it is not there yet.
pub fn library() -> Result<PathBuf, ProvisionError> {
    let package = ENGINE.as_ref();
    match (instead("CONSENTRY_ENGINE", "libchdb.so")?, package) {
        (Some(path), _) => Ok(path),
        (None, Some(package)) => provide(package, &cache(package.title)?, Path::new("npm")),
        (None, None) => Err(ProvisionError::Platform),
    }
}

/// The path of the country database, fetched where it is not there yet.
pub fn country_database() -> Result<PathBuf, ProvisionError> {
    match instead(COUNTRIES.instead, COUNTRIES.member)? {
        Some(path) => Ok(path),
        None => provide(&COUNTRIES, &cache(COUNTRIES.title)?, Path::new("npm")),
    }
}

/// The file that an environment variable names: the operator's own, so nothing is checked but that it is there.
fn instead(variable: &'static str, member: &'static str) -> Result<Option<PathBuf>, ProvisionError> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(None);
    };
    let file = if path.is_dir() { path.join(member) } else { path.clone() };
    if file.is_file() { Ok(Some(file)) } else { Err(ProvisionError::Instead { variable, path, member }) }
}

/// `$XDG_CACHE_HOME/consentry`, by default `~/.cache/consentry`.
fn cache(title: &'static str) -> Result<PathBuf, ProvisionError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(base.ok_or(ProvisionError::NoCache(title))?.join("consentry"))
}

/// The package's file in `cache`, fetched where it is not there or not what was pinned.
fn provide(package: &Package, cache: &Path, npm: &Path) -> Result<PathBuf, ProvisionError> {
    let folder = cache.join(package.folder).join(package.version);
    let file = folder.join(package.member);
    if is_verified(package, &file) {
        return Ok(file);
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ProvisionError::Cache { path, source }
    };
    fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let _lock = lock(package, &folder.join("lock")).map_err(failed(&folder))?;
    // Whoever held the lock before may have fetched it.
    if is_verified(package, &file) {
        return Ok(file);
    }
    let temporary = folder.join("fetching");
    let _left_by_a_killed_one = fs::remove_dir_all(&temporary);
    fs::create_dir_all(&temporary).map_err(failed(&temporary))?;
    let fetched = fetch(package, &temporary, npm).and_then(|fetched| {
        let hash = hash(&fetched).map_err(failed(&fetched))?;
        if let Some(wanted) = package.sha256.filter(|wanted| *wanted != hash) {
            let Package { name, version, member, .. } = *package;
            return Err(ProvisionError::WrongHash { name, version, member, found: hash, wanted });
        }
        fs::rename(&fetched, &file).map_err(failed(&file))?;
        note_verified(&file, &hash).map_err(failed(&file))
    });
    let _best_effort = fs::remove_dir_all(&temporary);
    fetched.map(|()| file)
}

/// One process fetches, others wait.
fn lock(package: &Package, path: &Path) -> io::Result<fs::File> {
    let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    if matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)) {
        let _no_terminal = writeln!(io::stderr(), "waiting for another process that fetches {}", package.title);
        lock.lock()?;
    }
    Ok(lock)
}

/// Whether the file is the one that was verified when it was fetched: hashing 566 MB takes about a second, so its size and
/// time of change stand for it from then on.
fn is_verified(package: &Package, file: &Path) -> bool {
    let (Ok(note), Some(seen)) = (fs::read_to_string(note_path(file)), size_and_time(file)) else { return false };
    let mut words = note.split_whitespace();
    let hash = words.next().unwrap_or_default();
    package.sha256.is_none_or(|wanted| wanted == hash) && words.next() == Some(seen.as_str())
}

fn note_verified(file: &Path, hash: &str) -> io::Result<()> {
    let seen = size_and_time(file).ok_or_else(|| io::Error::other("the file is gone again"))?;
    fs::write(note_path(file), format!("{hash} {seen}\n"))
}

fn note_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".verified");
    PathBuf::from(path)
}

fn size_and_time(file: &Path) -> Option<String> {
    let metadata = fs::metadata(file).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}-{}", metadata.len(), changed.as_nanos()))
}

fn hash(file: &Path) -> io::Result<String> {
    let mut file = fs::File::open(file)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0_u8; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Has npm fetch and unpack the package below `temporary`, and says where the file is.
fn fetch(package: &Package, temporary: &Path, npm: &Path) -> Result<PathBuf, ProvisionError> {
    let Package { name, version, member, title, way_out, .. } = *package;
    let words_path = temporary.join("npm.log");
    let words =
        fs::File::create(&words_path).map_err(|source| ProvisionError::Cache { path: words_path.clone(), source })?;
    let mut command = Command::new(npm);
    command.arg("install").arg(format!("{name}@{version}"));
    command.arg("--prefix").arg(temporary).arg("--cache").arg(temporary.join("cache"));
    command.args(["--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]);
    command.current_dir(temporary).stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
    let mut npm = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ProvisionError::NpmMissing { title, way_out },
        _ => ProvisionError::Cache { path: npm.to_owned(), source },
    })?;

    let mut progress = Progress::new(title, package.packed_bytes, package.unpacked_bytes);
    let status = loop {
        match npm.try_wait() {
            Ok(Some(status)) => break status.to_string(),
            Ok(None) => progress.at(bytes_below(temporary)),
            Err(error) => break error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    if !npm.try_wait().is_ok_and(|status| status.is_some_and(|status| status.success())) {
        progress.failed();
        let words = fs::read_to_string(&words_path).unwrap_or_default();
        let lines: Vec<&str> = words.lines().filter(|line| !line.contains("npm warn")).collect();
        let tail = lines.iter().take(8).map(|line| format!("\n  {line}")).collect();
        return Err(ProvisionError::NpmFailed { title, name, version, status, tail, way_out });
    }
    progress.done();
    let file = temporary.join("node_modules").join(name).join(member);
    if file.is_file() { Ok(file) } else { Err(ProvisionError::NoMember { name, version, member }) }
}

/// The bytes of all files below a folder, as far as they can be seen while others write there.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests;
