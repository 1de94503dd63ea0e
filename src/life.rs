//! The life of the process, read top to bottom: take charge of the data folder, open keys, spool and sockets, start the
//! database and the workers, serve until asked to end, drain, and leave nothing behind. Called by `serve` and `demo`.
//!
//! The site comes first: from the moment the sockets are bound pages are served, whether the database answers or not.
//! What is captured meanwhile waits in the spool.

use std::fs::DirBuilder;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::capture::event::COLUMNS;
use crate::capture::visit::Visits;
use crate::capture::{self, Capture};
use crate::config::{ClickHouse, Config, Geo};
use crate::cookies::Catalogue;
use crate::dashboard;
use crate::engine::child::EngineChild;
use crate::engine::provision;
use crate::enrich::Places;
use crate::front::handle::{Gateway, Site};
use crate::front::listen::{self, Connections};
use crate::keys::{KeyError, KeyRing};
use crate::observe::Metrics;
use crate::privacy::Pages;
use crate::pseudonym::Pseudonymiser;
use crate::spool::record::Column;
use crate::spool::{Spool, SpoolError, SpoolOptions};
use crate::store;

/// How long the shipper may take for what is left when the process ends; the rest waits in the spool for the next start.
const LAST_SHIPMENT: Duration = Duration::from_secs(5);
