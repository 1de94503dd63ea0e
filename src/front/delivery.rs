//! An event that waits for the end of the answer it is about: how long that took, how many bytes went, and whether all of
//! them did is known only then. It goes into the spool when the body ends or is dropped, whichever way that comes about.

use std::sync::Arc;
use std::time::Instant;

use super::gateway::Site;
use crate::capture::event::Event;

/// The site's fault.
const BROKEN: &str = "broken";

/// What is known of the answer so far.
pub struct Delivery {
    event: Option<Event>,
    site: Arc<Site>,
    began: Instant,
    bytes: u64,
    outcome: &'static str,
}

impl Delivery {
    /// Of the answer to a request that came at `began`. Until it has ended it was aborted.
    pub(super) fn of(event: Event, site: Arc<Site>, began: Instant) -> Box<Delivery> {
        Box::new(Delivery { event: Some(event), site, began, bytes: 0, outcome: "aborted" })
    }

    /// More bytes went to the visitor.
    pub(super) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Everything went, if nothing broke before.
    pub(super) fn complete(&mut self) {
        if self.outcome != BROKEN {
            self.outcome = "complete";
        }
    }

    /// The site's answer broke off.
    pub(super) fn broken(&mut self) {
        self.outcome = BROKEN;
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let total_ms = u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX);
        if let Some(mut event) = self.event.take() {
            event.delivered(total_ms, self.bytes, self.outcome);
            // What was withdrawn while the answer went is withdrawn for it too (C6).
            if !self.site.replaced.contains(event.receipt()) {
                self.site.keep(&event);
            }
        }
    }
}
