//! The statistics lane (L2): page views of visitors who have not chosen, counted where the legal mode allows it (C10) and
//! nobody objects (L4). A counter for each hour, class of page, referring host, class of device, country and region; no
//! row of one view, no cookie, no identifier, nothing that is kept from one request to the next. Nothing is counted
//! without a [`Permit`] of this lane, and one visitor's views cannot be told from another's.
//!
//! An hour is counted in memory ([`counters`]). When it is over, what came to fewer than 10 is merged or left out
//! ([`minimum`]), and only then is anything written: to a file ([`folder`]), which waits until ClickHouse has it. A crash
//! loses the hour that is open, and the next start says so.
//!
//! What it cannot do: without identifiers ten views of one person are ten views, so the minimum is one of views, not of
//! people. As little as possible of what a visitor writes is therefore a dimension: see [`path`] for what is left of an
//! address. A referrer's host has the form of a name, scrubbed; whoever claims one ten times an hour has it counted, as in
//! every list of referrers. Each gateway of a fleet holds its own counters to the minimum, so a fleet leaves out more.
//!
//! The front door calls it for each page; `store` takes the hours that are over.

pub mod counters;
pub mod folder;
pub mod minimum;
pub mod path;

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};

use crate::consent::{Permit, Statistics};
use crate::enrich::{ClientHints, DeviceCache, Places};
use crate::pseudonym::scrub::PathClasses;
use crate::pseudonym::{RawIp, RawUrl, RawUserAgent, scrub};
use counters::{Counters, Words};

/// Devices a worker remembers, so that an agent it has seen is not parsed again.
const DEVICES: usize = 1024;

/// Hours that may wait to be taken; more than two do only where nobody takes them.
const WAITING: usize = 24;

/// The counters of one gateway, shared by its workers.
pub struct Lane(Mutex<Hours>);

struct Hours {
    open: Counters,
    over: Vec<Counters>,
}

impl Lane {
    /// Begins to count in the hour of `now`, in seconds since 1970.
    pub fn new(now: u64) -> Lane {
        Lane(Mutex::new(Hours { open: Counters::new(hour_of(now)), over: Vec::new() }))
    }

    /// Counts a view, unless a program asked for it; says whether it did.
    pub fn count(&self, _permit: &Permit<Statistics>, now: u64, words: &Words<'_>, is_bot: bool) -> bool {
        if is_bot {
            return false;
        }
        let mut hours = self.hours();
        hours.turn(hour_of(now));
        hours.open.count(words);
        true
    }

    /// Takes the hours that are over.
    pub fn over(&self, now: u64) -> Vec<Counters> {
        let mut hours = self.hours();
        hours.turn(hour_of(now));
        mem::take(&mut hours.over)
    }

    /// Takes everything, the open hour's part too, for the end of the process.
    pub fn all(&self) -> Vec<Counters> {
        let mut hours = self.hours();
        let hour = hours.open.hour();
        let open = mem::replace(&mut hours.open, Counters::new(hour));
        let mut all = mem::take(&mut hours.over);
        all.push(open);
        all
    }

    /// A panic while counting leaves counters that are right but for that view.
    fn hours(&self) -> MutexGuard<'_, Hours> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hours {
    /// Begins another hour where it is one. Should the clock go back, an hour has two parts, which add up.
    fn turn(&mut self, hour: u32) {
        if hour == self.open.hour() {
            return;
        }
        let next = self.open.next(hour);
        let over = mem::replace(&mut self.open, next);
        if self.over.len() == WAITING {
            self.over.remove(0);
        }
        self.over.push(over);
    }
}

/// The beginning of the hour, in seconds since 1970.
fn hour_of(now: u64) -> u32 {
    u32::try_from(now - now % 3600).unwrap_or(u32::MAX)
}

/// A page that was delivered, as far as the lane looks at it.
pub struct View<'v> {
    /// When, in seconds since 1970.
    pub now: u64,
    /// The site's host name, without port.
    pub host: &'v str,
    /// Path and query as requested.
    pub target: &'v str,
    /// The request's headers.
    pub headers: &'v HeaderMap,
    /// Who asked.
    pub client: &'v RawIp,
    /// The answer's status.
    pub status: StatusCode,
}

/// One worker's hands for counting.
pub struct Counting {
    lane: Arc<Lane>,
    devices: RefCell<DeviceCache>,
}

impl Counting {
    /// For one worker.
    pub fn new(lane: Arc<Lane>) -> Counting {
        Counting { lane, devices: RefCell::new(DeviceCache::new(DEVICES)) }
    }

    /// Counts a page; says whether it did.
    pub fn view(&self, permit: &Permit<Statistics>, places: &Places, classes: &PathClasses, view: &View<'_>) -> bool {
        let declared = |path: &str| classes.classify(path).map(|found| found.class.to_owned());
        let text = |name: &str| view.headers.get(name).and_then(|value| value.to_str().ok());
        let agent =
            RawUserAgent::new(view.headers.get(http::header::USER_AGENT).map_or(&[][..], |value| value.as_bytes()));
        let (class, is_bot) = {
            let mut devices = self.devices.borrow_mut();
            let device = devices
                .get(&agent, &ClientHints::read(|name| view.headers.get(name).and_then(|value| value.to_str().ok())));
            (device.class, device.is_bot())
        };
        if is_bot {
            return false;
        }
        let referrer = text("referer").and_then(|url| scrub::referrer(&RawUrl::new(url), view.host));
        let referrer = referrer.filter(|referrer| !referrer.is_own).map(|referrer| referrer.host).unwrap_or_default();
        let place = places.lookup(view.client);
        let words = Words {
            path: &path::class(view.target, view.status, Some(&declared)),
            referrer: &referrer,
            device: class,
            country: &place.country,
            region: &place.region,
        };
        self.lane.count(permit, view.now, &words, is_bot)
    }
}

#[cfg(test)]
mod tests;
