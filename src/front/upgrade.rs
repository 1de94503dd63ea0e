//! After `101 Switching Protocols`: bytes both ways until either side ends or nothing has come for too long.

use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::upstream::Tunnel;

/// A tunnel that lives longer is cut; whoever needs it connects anew.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Joins the visitor's connection with the site's, as soon as the visitor has our `101`.
pub fn join(visitor: OnUpgrade, mut site: Tunnel) {
    tokio::task::spawn_local(async move {
        let Ok(visitor) = visitor.await else { return };
        let _ = tokio::time::timeout(LONGEST, copy_bidirectional(&mut TokioIo::new(visitor), &mut site)).await;
    });
}
