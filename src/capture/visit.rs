//! Which visit an event belongs to and where in it (ARCHITECTURE decision 6).
//!
//! The cookie `consentry_visit` carries the visit's id, its last step, when it was last seen and what brought it, signed for
//! the visitor who holds it, so that any gateway of a fleet continues any visit and nobody makes one up. What a cookie
//! cannot settle - two tabs that open at once, a beacon that overtakes a page - a small table in memory does, keyed by the
//! visitor's pseudonym: within a gateway every step of a visit has a number of its own, so a visit has exactly one `seq = 1`.
//!
//! A visit ends after a time without an event and, where it is so configured, when another campaign or another site sends
//! the visitor. It goes on past midnight and belongs to the day of its first step. Only the gateway's clock counts: an event
//! says how long ago it happened, never when.

mod signed;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::event::VisitStep;
use super::hashed::Hashed;
use crate::pseudonym::VisitorId;
pub use signed::Signed;

/// Visitors the table remembers before it forgets the oldest half.
const TABLE_CAPACITY: usize = 100_000;

/// The longest step that counts as time on the site; guards the sum against a clock that jumped.
const MAX_STEP_MS: i64 = 6 * 3600 * 1000;

/// A visit as cookie and table know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    session_id: u64,
    /// The last counted step; 0 before the first.
    seq: u16,
    /// Milliseconds since 1970.
    last_ms: i64,
    /// A checksum of what brought the visitor; 0 for nothing.
    origin: u32,
}

impl Visit {
    /// Whether it is that visit as far as steps go, and its last event is so many milliseconds behind at most.
    pub(super) fn is_as_good_as(&self, now: &Visit, behind_ms: i64) -> bool {
        (self.session_id, self.seq, self.origin) == (now.session_id, now.seq, now.origin)
            && now.last_ms - self.last_ms < behind_ms
    }

    fn start(now_ms: i64, origin: u32) -> Visit {
        let mut random = [0u8; 4];
        getrandom::fill(&mut random).expect("the system has a random number generator");
        let seconds = (now_ms / 1000) as u64;
        Visit { session_id: seconds << 32 | u64::from(u32::from_le_bytes(random)), seq: 0, last_ms: now_ms, origin }
    }

    /// When it began, in seconds since 1970.
    pub fn began(&self) -> u64 {
        self.session_id >> 32
    }

    /// Its steps that counted, such as page views.
    pub fn steps(&self) -> u16 {
        self.seq
    }
}

/// What brings a visitor to a page from outside, as checksums; nothing for a step within the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Of the campaign that is named.
    pub campaign: Option<u32>,
    /// Of the other site's host.
    pub referrer: Option<u32>,
}

impl Arrival {
    /// The checksum of what identifies an arrival; never 0.
    pub fn checksum<'t>(parts: impl IntoIterator<Item = &'t str>) -> u32 {
        parts.into_iter().fold(0, |sum, part| crc32c::crc32c_append(sum, part.as_bytes()).rotate_left(1)) | 1
    }

    fn origin(self) -> u32 {
        self.campaign.or(self.referrer).unwrap_or_default()
    }
}

/// What ends a visit.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// So long without an event.
    pub timeout: Duration,
    /// Another campaign than the one that brought the visitor.
    pub campaign: bool,
    /// Another site than the one that brought the visitor.
    pub referrer: bool,
}

/// The visits of this gateway.
pub struct Visits {
    rules: Rules,
    timeout_ms: i64,
    table: Mutex<Generations>,
}

/// Two maps; when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<VisitorId, Visit, Hashed>,
    old: HashMap<VisitorId, Visit, Hashed>,
}

impl Visits {
    /// With nobody visiting.
    pub fn new(rules: Rules) -> Visits {
        Visits { rules, timeout_ms: rules.timeout.as_millis() as i64, table: Mutex::default() }
    }

    /// How long a visit lives without an event.
    pub fn timeout(&self) -> Duration {
        self.rules.timeout
    }

    /// A step that counts, such as a page view: it continues the visit or starts a new one.
    pub fn count(
        &self,
        visitor: VisitorId,
        cookie: Option<Visit>,
        arrival: Arrival,
        now_ms: i64,
    ) -> (VisitStep, Visit) {
        self.with_visit(visitor, cookie, |known| {
            let mut visit = known
                .filter(|visit| self.goes_on(visit, arrival, now_ms))
                .unwrap_or_else(|| Visit::start(now_ms, arrival.origin()));
            // A visit that an uncounted event opened has its origin from its first step.
            if visit.seq == 0 {
                visit.origin = arrival.origin();
            }
            // The first step adds no time, also where an uncounted event opened the visit.
            let since = if visit.seq == 0 { 0 } else { step_ms(visit.last_ms, now_ms) };
            visit.seq = visit.seq.saturating_add(1);
            visit.last_ms = visit.last_ms.max(now_ms);
            (VisitStep { session_id: visit.session_id, seq: visit.seq, since_prev_ms: since }, visit)
        })
    }

    /// An event within a page, such as its engagement: it adds time to a visit and takes no number. After the visit has
    /// timed out it still belongs to it but adds no time.
    pub fn extend(&self, visitor: VisitorId, cookie: Option<Visit>, now_ms: i64) -> (VisitStep, Visit) {
        self.with_visit(visitor, cookie, |known| {
            let mut visit = known.unwrap_or_else(|| Visit::start(now_ms, 0));
            let alive = now_ms - visit.last_ms < self.timeout_ms;
            let since = if alive && visit.seq > 0 { step_ms(visit.last_ms, now_ms) } else { 0 };
            if alive {
                visit.last_ms = visit.last_ms.max(now_ms);
            }
            (VisitStep { session_id: visit.session_id, seq: 0, since_prev_ms: since }, visit)
        })
    }

    fn goes_on(&self, visit: &Visit, arrival: Arrival, now_ms: i64) -> bool {
        let another = |rule: bool, from: Option<u32>| rule && from.is_some_and(|from| from != visit.origin);
        now_ms - visit.last_ms < self.timeout_ms
            && (visit.seq == 0
                || !(another(self.rules.campaign, arrival.campaign)
                    || arrival.campaign.is_none() && another(self.rules.referrer, arrival.referrer)))
    }

    fn with_visit(
        &self,
        visitor: VisitorId,
        cookie: Option<Visit>,
        step: impl FnOnce(Option<Visit>) -> (VisitStep, Visit),
    ) -> (VisitStep, Visit) {
        let mut table = self.table.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let remembered = table.young.get(&visitor).or_else(|| table.old.get(&visitor)).copied();
        let (answer, visit) = step(latest(cookie, remembered));
        if table.young.len() >= TABLE_CAPACITY {
            table.old = std::mem::take(&mut table.young);
        }
        table.young.insert(visitor, visit);
        (answer, visit)
    }
}

/// Of what the cookie says and what the table remembers: the further of one visit, the later of two.
fn latest(cookie: Option<Visit>, table: Option<Visit>) -> Option<Visit> {
    match (cookie, table) {
        (Some(a), Some(b)) if a.session_id == b.session_id => {
            let origin = if a.origin == 0 { b.origin } else { a.origin };
            Some(Visit { session_id: a.session_id, seq: a.seq.max(b.seq), last_ms: a.last_ms.max(b.last_ms), origin })
        }
        (Some(a), Some(b)) => Some(if a.last_ms > b.last_ms { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn step_ms(last_ms: i64, now_ms: i64) -> u32 {
    (now_ms - last_ms).clamp(0, MAX_STEP_MS) as u32
}
