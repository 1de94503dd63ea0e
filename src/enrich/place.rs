//! Where an address is, by a database in the MaxMind DB format: GeoIP2 and GeoLite2 (nested records) or ip-location-db and
//! its like (flat records). Read into memory at the start; nothing is asked over the network.

mod record;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use crate::pseudonym::RawIp;
use record::Record;

/// A place, as far as the database knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// ISO 3166-1 alpha-2, as in `GB`; empty where unknown.
    pub country: String,
    /// The region's name.
    pub region: String,
    /// The city's name.
    pub city: String,
}

/// The geo database: none, one for both kinds of addresses, or one for each.
#[derive(Default)]
pub struct Places {
    v4: Option<Reader<Vec<u8>>>,
    v6: Option<Reader<Vec<u8>>>,
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
        let mut places = Places::none();
        for file in files_at(path)? {
            let reader = read(&file)?;
            match reader.metadata().ip_version {
                4 => places.v4 = Some(reader),
                _ => places.v6 = Some(reader),
            }
        }
        Ok(places)
    }

    /// Knows no place.
    pub fn none() -> Places {
        Places::default()
    }

    /// Where an address is; empty for an address that is not of the public network.
    pub fn lookup(&self, ip: &RawIp) -> Place {
        let ip = ip.open();
        let reader = match ip {
            IpAddr::V4(_) => self.v4.as_ref().or(self.v6.as_ref()),
            IpAddr::V6(_) => self.v6.as_ref(),
        };
        match reader {
            Some(reader) if is_public(ip) => {
                let found = reader.lookup(ip).and_then(|found| found.decode::<Record>());
                found.ok().flatten().map_or_else(Place::default, |record| record.place())
            }
            _ => Place::default(),
        }
    }
}

fn files_at(path: &Path) -> Result<Vec<PathBuf>, PlaceError> {
    let io = |source| PlaceError::Io { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.extension().is_some_and(|extension| extension == "mmdb") {
            files.push(file);
        }
    }
    files.sort();
    let ending = |ending: &str| -> Vec<PathBuf> {
        files.iter().filter(|f| f.to_string_lossy().ends_with(ending)).cloned().collect()
    };
    match (&ending("-ipv4.mmdb")[..], &ending("-ipv6.mmdb")[..], &files[..]) {
        ([v4], [v6], _) => Ok(vec![v4.clone(), v6.clone()]),
        (_, _, [one]) => Ok(vec![one.clone()]),
        _ => Err(PlaceError::Folder {
            path: path.to_owned(),
            found: files.iter().filter_map(|f| Some(f.file_name()?.to_string_lossy().into_owned())).collect(),
        }),
    }
}

/// Reads a file and tries it in many places. Not by the reader's own `verify`: it refuses every ip-location-db file for its
/// empty description.
fn read(path: &Path) -> Result<Reader<Vec<u8>>, PlaceError> {
    let bytes = fs::read(path).map_err(|source| PlaceError::Io { path: path.to_owned(), source })?;
    let damaged = |e: MaxMindDbError| PlaceError::Damaged { path: path.to_owned(), reason: e.to_string() };
    let reader = Reader::from_source(bytes).map_err(damaged)?;
    let mut knows_countries = false;
    let spread = spread_addresses(reader.metadata().ip_version).map(|ip| reader.lookup(ip));
    let first = reader.networks(WithinOptions::default()).map_err(damaged)?.take(FIRST_NETWORKS);
    for found in spread.chain(first) {
        let record = found.and_then(|found| found.decode::<Record>()).map_err(damaged)?;
        knows_countries |= record.is_some_and(|record| !record.place().country.is_empty());
    }
    if knows_countries {
        return Ok(reader);
    }
    let database_type = reader.metadata().database_type.clone();
    Err(PlaceError::NoCountries { path: path.to_owned(), database_type })
}

/// How many networks are tried from the beginning, for a database that knows few.
const FIRST_NETWORKS: usize = 1000;

/// Addresses all over the public network: of each IPv4 /12, and of each /16 that IPv6 gives out.
fn spread_addresses(ip_version: u16) -> impl Iterator<Item = IpAddr> {
    let v4 = (0..1u32 << 12).map(|i| IpAddr::from((i << 20 | 0x1234).to_be_bytes()));
    let v6 = (0x2000..0x3000u128).filter(move |_| ip_version == 6).map(|i| IpAddr::V6((i << 112 | 1 << 80).into()));
    v4.chain(v6)
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
