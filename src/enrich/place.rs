//! Where an address is, by a database in the MaxMind DB format: GeoIP2 and GeoLite2 (nested records) or ip-location-db and
//! its like (flat records). Read into memory, since a mapped file that someone cuts short ends the program; read again when
//! it has changed; nothing is asked over the network.

mod calling;
mod database;
mod dialled;
mod files;
mod record;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use calling::calling_code;
pub use dialled::of_number;

use crate::pseudonym::RawIp;
use database::Database;
use files::FileState;

/// A place, as far as the database knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2, as in `GB`; empty where unknown.
    pub country: String,
    /// What is dialled after `+` to reach the country, as in `44`; empty where the country is unknown.
    pub calling_code: &'static str,
    /// The region's name: in English, of the first subdivision that ISO 3166-2 has of the country.
    pub region: String,
    /// The city's name.
    pub city: String,
}

/// The geo database: none, one for both kinds of addresses, or one for each. Shared by all workers; who keeps it asks
/// [`Places::reload_if_changed`] every few seconds, off the workers' threads.
#[derive(Default)]
pub struct Places {
    path: Option<PathBuf>,
    /// Held for reading during a look-up, and for writing only while one pointer is put in place of another.
    current: RwLock<Databases>,
    watch: Mutex<Watch>,
}

#[derive(Clone, Default)]
struct Databases {
    v4: Option<Arc<Database>>,
    v6: Option<Arc<Database>>,
}

/// What is known of the files.
#[derive(Default)]
struct Watch {
    /// The files that are in use.
    loaded: Vec<FileState>,
    /// The files that could not be used.
    refused: Option<Refused>,
}

struct Refused {
    /// Empty where they could not even be found.
    files: Vec<FileState>,
    /// They have been read twice as they are, and are not read again before they change.
    is_final: bool,
}

/// What a look at the files has led to.
#[derive(Debug)]
pub enum Reload {
    /// The files are those in use, or have already been refused as they are now.
    Unchanged,
    /// The files are others, and are in use now.
    Reloaded,
    /// The files are others and cannot be used, so what was in use stays. Said once for files as they are now.
    Kept(PlaceError),
}

/// Why the geo database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It could not be read.
    #[error("the geo database {path} cannot be read: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The content is not a database.
    #[error("the geo database {path} is damaged or is no MaxMind database ({reason}); fetch it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It is a database of something else.
    #[error(
        "the geo database {path} knows no countries (it is of type \"{database_type}\"); use a country or city database"
    )]
    NoCountries {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        database_type: String,
    },
    /// The folder does not hold one database or one pair.
    #[error(
        "the folder {path} is to hold one .mmdb file, or one ending in -ipv4.mmdb and one in -ipv6.mmdb; it holds {found:?}"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The names of its databases.
        found: Vec<String>,
    },
}

impl Places {
    /// Reads the database at `path`: a file, or a folder with one file or a pair named `-ipv4.mmdb` and `-ipv6.mmdb` (which
    /// is preferred over a combined file beside it).
    pub fn open(path: &Path) -> Result<Places, PlaceError> {
        let loaded = files::at(path)?;
        let databases = Databases::read(&loaded, &Databases::default())?;
        Ok(Places {
            path: Some(path.to_owned()),
            current: RwLock::new(databases),
            watch: Mutex::new(Watch { loaded, refused: None }),
        })
    }

    /// Knows no place.
    pub fn none() -> Places {
        Places::default()
    }

    /// Where an address is; empty for an address that is not of the public network.
    pub fn lookup(&self, ip: &RawIp) -> Place {
        let ip = ip.open();
        if !is_public(ip) {
            return Place::default();
        }
        // Nobody panics with this lock: what is behind it is whole.
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let database = match ip {
            IpAddr::V4(_) => current.v4.as_ref().or(current.v6.as_ref()),
            IpAddr::V6(_) => current.v6.as_ref(),
        };
        database.map_or_else(Place::default, |database| database.lookup(ip))
    }

    /// Looks whether the files have changed, and if so reads them: a system call for each file where they have not. A file
    /// that is replaced, rewritten, half written or away for a moment never costs what is in use: that stays until there is
    /// something better, which is looked for again at the next call.
    ///
    /// Reading takes a while (a city database of 130 MB about a second): not for the thread of a worker.
    pub fn reload_if_changed(&self) -> Reload {
        let Some(path) = &self.path else { return Reload::Unchanged };
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        // The state is that before the reading: what is written during it shows as another state at the next look.
        let files = match files::at(path) {
            Ok(files) => files,
            Err(error) => return watch.refuse(Vec::new(), error),
        };
        if files == watch.loaded {
            watch.refused = None;
            return Reload::Unchanged;
        }
        if watch.refused.as_ref().is_some_and(|refused| refused.files == files && refused.is_final) {
            return Reload::Unchanged;
        }
        let in_use = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        match Databases::read(&files, &in_use) {
            Err(error) => watch.refuse(files, error),
            Ok(databases) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                let before = std::mem::replace(&mut *current, databases);
                drop(current);
                // Freeing a hundred megabytes is not done under the lock.
                drop((before, in_use));
                *watch = Watch { loaded: files, refused: None };
                Reload::Reloaded
            }
        }
    }
}

impl Watch {
    /// Damage is believed at the second look, since a change within the clock's tick of the first may not show; what could
    /// not be read is tried at every look, since nothing of a file need change for it to be readable again.
    fn refuse(&mut self, files: Vec<FileState>, error: PlaceError) -> Reload {
        let is_known = self.refused.as_ref().is_some_and(|refused| refused.files == files);
        let is_final = is_known && !matches!(error, PlaceError::Io { .. } | PlaceError::Folder { .. });
        self.refused = Some(Refused { files, is_final });
        if is_known { Reload::Unchanged } else { Reload::Kept(error) }
    }
}

impl Databases {
    /// Reads the files, but for those that are in use as they are.
    fn read(files: &[FileState], in_use: &Databases) -> Result<Databases, PlaceError> {
        let mut databases = Databases::default();
        for file in files {
            let same = [&in_use.v4, &in_use.v6].into_iter().flatten().find(|database| database.file == *file);
            let database = match same {
                Some(database) => database.clone(),
                None => Arc::new(Database::read(file.clone())?),
            };
            match database.ip_version() {
                4 => databases.v4 = Some(database),
                _ => databases.v6 = Some(database),
            }
        }
        Ok(databases)
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64; // RFC 6598
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
                || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local())
        }
    }
}
