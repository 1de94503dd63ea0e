//! A ClickHouse of its own: `consentry engine`, which answers on loopback, and the questions the tests ask it.

use std::net::SocketAddr;

use serde_json::Value;

use super::gateway::Folder;
use super::process::Process;

pub struct Engine {
    pub address: SocketAddr,
    // Before the folder, so that it has ended when that is removed.
    _process: Process,
    folder: Folder,
}

impl Engine {
    pub fn start() -> Engine {
        let folder = Folder::empty();
        let command = folder.logged(&["engine", "--data", "data", "--listen", "127.0.0.1:0"]);
        let (process, lines) = Process::start(command, folder.path());
        let url =
            std::iter::from_fn(|| lines.next()).find_map(|line| Some(line.trim().strip_prefix("http://")?.to_owned()));
        let url = url.unwrap_or_else(|| panic!("the engine did not start:\n{}", folder.log()));
        let address = url.trim_end_matches('/').parse().expect("the engine says an address");
        Engine { address, _process: process, folder }
    }

    /// The rows of a statement.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        self.folder.query(sql)
    }
}
