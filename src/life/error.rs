//! Why the process cannot live.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::dashboard::password::PasswordError;
use crate::engine::child::StartError;
use crate::engine::provision::ProvisionError;
use crate::enrich::place::PlaceError;
use crate::front::listen::{PlaceError as DoorError, advice};
use crate::front::tls::TlsSetupError;
use crate::front::tls::acme::AcmeSetupError;
use crate::keys::private_folder::NotPrivate;
use crate::keys::{KeyError, TokenError};
use crate::ledger::LedgerError;
use crate::rights::WithdrawnError;
use crate::spool::SpoolError;
use crate::store::client::ConnectError;
use crate::upstream::UpstreamSetupError;

/// Why the process cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// The data folder cannot be used.
    #[error("the data folder {path} cannot be used: {source}; choose another with data_dir")]
    DataDir {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data folder is not ours alone.
    #[error("the data folder cannot be used: {0}. It is data_dir in the configuration")]
    NotPrivate(#[from] NotPrivate),
    /// An address is taken, or not this machine's.
    #[error("cannot listen on {address}: {source}; {} The address is {key} in the configuration", advice(.source, true))]
    Address {
        /// The address.
        address: SocketAddr,
        /// Where it is configured.
        key: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A place where visitors were to connect.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// TLS to visitors.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// Certificates from an authority.
    #[error(transparent)]
    Acme(#[from] AcmeSetupError),
    /// A socket that was handed over is not where it should be.
    #[error(
        "{key} is {wanted}, and the running gateway listens on {found}: an address cannot change in an upgrade; stop the gateway and start it again"
    )]
    OtherAddress {
        /// Where the sockets are.
        found: String,
        /// Where they should be.
        wanted: String,
        /// Where it is configured.
        key: &'static str,
    },
    /// What the process before left cannot be taken over.
    #[error("the sockets of the process before cannot be taken over: {0}")]
    Inherited(io::Error),
    /// The process before was asked to end.
    #[error("the process before was asked to end, and so is this one")]
    CalledOff,
    /// The data folder is another one, or the ring is.
    #[error(
        "there is no key ring at {0}: an upgrade takes one over and makes none, since new keys would void the choice of every visitor. A data folder (data_dir) is moved between a stop and a start: stop the gateway, move its folder there, start it"
    )]
    NoRing(PathBuf),
    /// Asked twice to end.
    #[error("asked to end at once: open exchanges were cut; what was captured and chosen is on disk")]
    Hurried,
    /// A log of single requests.
    #[error("lines of a log cannot be written to {place}: {source}. It is access_log or security_log in [observe]")]
    Log {
        /// Where.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no runtime or no thread.
    #[error("the system refused what the program runs on: {0}")]
    Runtime(io::Error),
    /// A worker's listener failed.
    #[error("a worker has stopped: {0}")]
    Worker(String),
    /// The key ring.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The dashboard's password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The token of the telephone system.
    #[error("{0}. It is calls_token_file in the configuration")]
    CallsToken(#[from] TokenError),
    /// The list of who has withdrawn.
    #[error(transparent)]
    Withdrawn(#[from] WithdrawnError),
    /// The ledger of choices.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The engine's library, or another file that is fetched.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The geo database.
    #[error(transparent)]
    Places(#[from] PlaceError),
    /// The way to the site.
    #[error(transparent)]
    Upstream(#[from] UpstreamSetupError),
    /// The embedded engine.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The connection to ClickHouse.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
