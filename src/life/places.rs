//! The geo database's part of the process: a file that an updater replaced is read again, and one that cannot be read
//! changes nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::capture;
use crate::enrich::Reload;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Looks at the database for as long as the process lives. Of the same file it hears once that it cannot be used.
pub async fn keep_fresh(capture: watch::Receiver<Arc<capture::Shared>>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let shared = capture.borrow().clone();
        // A city database takes a while to read.
        match tokio::task::spawn_blocking(move || shared.places.reload_if_changed()).await {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Reloaded) => tracing::info!("the geo database has changed and was read again"),
            Ok(Reload::Kept(error)) => {
                tracing::error!(%error, "the geo database has changed and cannot be used; the one of before stays in use");
            }
            Err(_) => tracing::error!("reading the geo database panicked; the one of before stays in use"),
        }
    }
}
