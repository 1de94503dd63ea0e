//! Everything in one process tree: the sample site, the gateway in front of it, the embedded ClickHouse, the dashboard, and
//! two months of simulated visitors. Nothing here is a shortcut: the gateway is the one `serve` runs, configured by the
//! text in [`configuration`], and a simulated visitor's events take the way of every other event.

mod site;
mod visitors;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::capture::Capture;
use crate::config::{Config, ConfigError};
use crate::life::{self, LifeError, Started, Told};
use crate::spool::Refused;

/// How long the demo waits for its history to come into the database before it says that it runs.
const PATIENCE: Duration = Duration::from_secs(15);
const THERE: &str = "All of it is in the database.";
const ON_THE_WAY: &str = "Some of it is still on its way into the database; the dashboard fills up meanwhile.";

/// Where the demo's parts are.
pub struct Setup {
    /// The demo's own data folder.
    pub data_dir: PathBuf,
    /// Where visitors connect.
    pub listen: SocketAddr,
    /// Where the dashboard listens.
    pub dashboard: SocketAddr,
    /// Where the sample site itself listens.
    pub site: SocketAddr,
}

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The sample site's address is taken, or the like.
    #[error("the sample site cannot listen on {address}: {source}; choose another address with --site")]
    Site {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The demo's configuration is refused.
    #[error("the demo's configuration is wrong:\n{0}")]
    Config(#[from] ConfigError),
    /// The gateway could not start or stopped.
    #[error(transparent)]
    Life(#[from] LifeError),
}

/// Runs the demo; `announce` is called once, when everything listens and the history is in the database: with the addresses,
/// the sample site's own, and a sentence on the simulated visitors.
pub fn run(setup: Setup, announce: impl FnOnce(&Started, SocketAddr, &str)) -> Result<(), DemoError> {
    let site = start_site(setup.site)?;
    let text = configuration(&setup, &site);
    let explained = Config::explain_with_environment(&text, "the demo's configuration")?;
    life::run(Told { explained, file: None }, async |started| {
        let history = make_history(started, &setup.data_dir)?;
        let there = if started.shipped(PATIENCE).await { THERE } else { ON_THE_WAY };
        let history = format!("{history}{there}\n");
        announce(started, site.address, &history);
        Ok(())
    })?;
    Ok(())
}

/// The demo's configuration, as an operator would write it.
fn configuration(setup: &Setup, site: &site::Site) -> String {
    format!(
        r#"data_dir = {data_dir:?}

[gateway]
listen = "{listen}"
upstream = "http://{upstream}"

[dashboard]
listen = "{dashboard}"

[consent]
banner_title = "Cookies on the Fernhill site"

# What the sample site's server sets.
[[cookie]]
name = "fernhill_region"
purpose = "preferences"
provider = "Fernhill Health"
period = "6 months"
description = "Remembers which region's information to show"

# What the third party's script sets.
[[cookie]]
name = "_thirdparty"
purpose = "analytics"
provider = "The third party"
period = "1 year"
description = "Recognises your browser"

[[tag]]
host = "{tag}"
purpose = "analytics"

[capture]
query_keys = []
"#,
        data_dir = setup.data_dir.display().to_string(),
        listen = setup.listen,
        upstream = site.address,
        dashboard = setup.dashboard,
        tag = site.tag_host,
    )
}

/// The sample site lives on a thread of its own, as another program would.
fn start_site(listen: SocketAddr) -> Result<site::Site, DemoError> {
    let failed = |source| DemoError::Site { address: listen, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("sample-site".into())
        .spawn(move || {
            runtime.block_on(async {
                let started = site::start(listen).await;
                let serving = started.is_ok();
                let _ = tell.send(started);
                if serving {
                    std::future::pending::<()>().await;
                }
            });
        })
        .map_err(failed)?;
    told.recv().unwrap_or_else(|_| Err(std::io::Error::other("its thread ended"))).map_err(failed)
}

/// Lets the simulated visitors visit, once for each data folder.
fn make_history(started: &Started, data_dir: &Path) -> Result<String, LifeError> {
    let done = data_dir.join("simulated-visitors");
    if let Ok(sentence) = std::fs::read_to_string(&done) {
        return Ok(sentence);
    }
    let capture = Capture::new(started.capture.clone());
    let outcome = visitors::simulate(&capture, &started.policy, life::now_ms(), |captured| {
        for event in &captured.events {
            while let Err(Refused::Full) = started.keep(event) {
                // The simulation is faster than any site; the writer empties the buffer in a moment.
                thread::yield_now();
            }
        }
    });
    let sentence = format!(
        "{} simulated visitors of the last {} days: {} allowed analytics and left {} events;\n\
         {} refused and {} did not choose, and of them there is nothing.\n",
        outcome.accepted + outcome.refused + outcome.undecided,
        visitors::DAYS,
        outcome.accepted,
        outcome.events,
        outcome.refused,
        outcome.undecided,
    );
    std::fs::write(&done, &sentence).map_err(|source| LifeError::DataDir { path: done, source })?;
    Ok(sentence)
}
