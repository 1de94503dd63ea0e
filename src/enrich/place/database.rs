//! One file of the database, in memory and tried.

mod tree;

use std::fs;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};

use super::files::FileState;
use super::record::Record;
use super::{Place, PlaceError};

pub struct Database {
    /// What was read.
    pub file: FileState,
    reader: Reader<Vec<u8>>,
}

/// How many networks are tried from the beginning, for a database that knows few.
const FIRST_NETWORKS: usize = 1000;

impl Database {
    /// Reads a file, looks over its whole tree and tries it in many places. Not by the reader's own `verify`: it refuses
    /// every ip-location-db file for its empty description.
    pub fn read(file: FileState) -> Result<Database, PlaceError> {
        let path = &file.path;
        let bytes = fs::read(path).map_err(|source| PlaceError::Io { path: path.clone(), source })?;
        let damaged = |e: MaxMindDbError| PlaceError::Damaged { path: path.clone(), reason: e.to_string() };
        let metadata = Reader::from_source(&bytes[..]).map_err(damaged)?.metadata().clone();
        tree::check(&bytes, metadata.node_count as usize, metadata.record_size)
            .map_err(|reason| PlaceError::Damaged { path: path.clone(), reason: reason.to_owned() })?;
        let reader = Reader::from_source(bytes).map_err(damaged)?;
        let mut knows_countries = false;
        let spread = spread_addresses(reader.metadata().ip_version).map(|ip| reader.lookup(ip));
        let first = reader.networks(WithinOptions::default()).map_err(damaged)?.take(FIRST_NETWORKS);
        for found in spread.chain(first) {
            let record = found.and_then(|found| found.decode::<Record>()).map_err(damaged)?;
            knows_countries |= record.is_some_and(|record| record.has_country());
        }
        if !knows_countries {
            let database_type = reader.metadata().database_type.clone();
            return Err(PlaceError::NoCountries { path: path.clone(), database_type });
        }
        Ok(Database { file, reader })
    }

    pub fn ip_version(&self) -> u16 {
        self.reader.metadata().ip_version
    }

    /// Empty for what the database does not know, or where it is damaged.
    pub fn lookup(&self, ip: IpAddr) -> Place {
        let found = self.reader.lookup(ip).and_then(|found| found.decode::<Record>());
        found.ok().flatten().map_or_else(Place::default, |record| record.place())
    }
}

/// Addresses all over the public network: of each IPv4 /12, and of each /16 that IPv6 gives out.
fn spread_addresses(ip_version: u16) -> impl Iterator<Item = IpAddr> {
    let v4 = (0..1u32 << 12).map(|i| IpAddr::from((i << 20 | 0x1234).to_be_bytes()));
    let v6 = (0x2000..0x3000u128).filter(move |_| ip_version == 6).map(|i| IpAddr::V6((i << 112 | 1 << 80).into()));
    v4.chain(v6)
}
