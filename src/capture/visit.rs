//! Which visit an event belongs to and where in it (ARCHITECTURE decision 6).
//!
//! The cookie `consentry_visit` carries the visit's id, its last step and when it was last seen, so that any gateway of a
//! fleet continues any visit. What a cookie cannot settle - two tabs that open at once, a beacon that overtakes a page - a
//! small table in memory does, keyed by the visitor's pseudonym: within a gateway every step of a visit has a number of
//! its own, so a visit has exactly one `seq = 1`.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::event::VisitStep;
use crate::pseudonym::VisitorId;

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
}

impl Visit {
    /// Reads the cookie's value; nothing where it is not one of ours.
    pub fn decode(value: &[u8], now_ms: i64) -> Option<Visit> {
        let mut fields = std::str::from_utf8(value).ok().filter(|v| v.len() <= 64)?.split('.');
        let session_id = u64::from_str_radix(fields.next()?, 16).ok()?;
        let seq = fields.next()?.parse().ok()?;
        let last_ms: i64 = fields.next()?.parse().ok()?;
        let started_ms = i64::try_from(session_id >> 32).ok()? * 1000;
        // A visitor may write what they like here: what could not have happened is no visit.
        let possible =
            fields.next().is_none() && started_ms <= last_ms.saturating_add(1000) && last_ms <= now_ms + 300_000;
        possible.then_some(Visit { session_id, seq, last_ms })
    }

    /// The cookie's value.
    pub fn encode(&self) -> String {
        format!("{:016x}.{}.{}", self.session_id, self.seq, self.last_ms)
    }

    fn start(now_ms: i64) -> Visit {
        let mut random = [0u8; 4];
        getrandom::fill(&mut random).expect("the system has a random number generator");
        let seconds = (now_ms / 1000) as u64;
        Visit { session_id: seconds << 32 | u64::from(u32::from_le_bytes(random)), seq: 0, last_ms: now_ms }
    }
}

/// The visits of this gateway.
pub struct Visits {
    timeout_ms: i64,
    table: Mutex<Generations>,
}

/// Two maps; when the young one is full it becomes the old one, and the old one is forgotten.
#[derive(Default)]
struct Generations {
    young: HashMap<VisitorId, Visit>,
    old: HashMap<VisitorId, Visit>,
}

impl Visits {
    /// A visit ends after `timeout` without an event.
    pub fn new(timeout: Duration) -> Visits {
        Visits { timeout_ms: timeout.as_millis() as i64, table: Mutex::default() }
    }

    /// How long a visit lives without an event.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms as u64)
    }

    /// A step that counts, such as a page view: it continues the visit or starts a new one.
    pub fn count(&self, visitor: VisitorId, cookie: Option<Visit>, now_ms: i64) -> (VisitStep, Visit) {
        self.with_visit(visitor, cookie, |known| {
            let mut visit =
                known.filter(|v| now_ms - v.last_ms < self.timeout_ms).unwrap_or_else(|| Visit::start(now_ms));
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
            let mut visit = known.unwrap_or_else(|| Visit::start(now_ms));
            let alive = now_ms - visit.last_ms < self.timeout_ms;
            let since = if alive && visit.seq > 0 { step_ms(visit.last_ms, now_ms) } else { 0 };
            if alive {
                visit.last_ms = visit.last_ms.max(now_ms);
            }
            (VisitStep { session_id: visit.session_id, seq: 0, since_prev_ms: since }, visit)
        })
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
            Some(Visit { session_id: a.session_id, seq: a.seq.max(b.seq), last_ms: a.last_ms.max(b.last_ms) })
        }
        (Some(a), Some(b)) => Some(if a.last_ms > b.last_ms { a } else { b }),
        (a, b) => a.or(b),
    }
}

fn step_ms(last_ms: i64, now_ms: i64) -> u32 {
    (now_ms - last_ms).clamp(0, MAX_STEP_MS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const NOON: i64 = 1_790_000_000_000;

    fn visits() -> Visits {
        Visits::new(Duration::from_secs(30 * 60))
    }

    #[test]
    fn a_visitor_back_after_29_minutes_continues_and_after_31_begins_anew() {
        let (visitor, visits) = (VisitorId(1), visits());
        let (first, cookie) = visits.count(visitor, None, NOON);
        let (second, cookie) = visits.count(visitor, Some(cookie), NOON + 29 * MINUTE);
        let (third, _) = visits.count(visitor, Some(cookie), NOON + 60 * MINUTE);
        assert_eq!((first.seq, first.since_prev_ms), (1, 0));
        assert_eq!((second.session_id, second.seq, second.since_prev_ms), (first.session_id, 2, 29 * MINUTE as u32));
        assert_eq!((third.seq, third.since_prev_ms), (1, 0));
        assert_ne!(third.session_id, first.session_id);
    }

    #[test]
    fn two_tabs_that_open_at_once_are_one_visit_with_one_start() {
        let (visitor, visits) = (VisitorId(1), visits());
        let (one, _) = visits.count(visitor, None, NOON);
        let (two, _) = visits.count(visitor, None, NOON + 3);
        assert_eq!((one.session_id, one.seq, two.seq), (two.session_id, 1, 2));
    }

    #[test]
    fn another_gateway_continues_the_visit_from_the_cookie_alone() {
        let (step, cookie) = visits().count(VisitorId(1), None, NOON);
        let carried = Visit::decode(cookie.encode().as_bytes(), NOON + MINUTE).unwrap();
        let (next, _) = visits().count(VisitorId(1), Some(carried), NOON + MINUTE);
        assert_eq!((next.session_id, next.seq, next.since_prev_ms), (step.session_id, 2, MINUTE as u32));
    }

    #[test]
    fn a_beacon_before_the_first_page_view_leaves_the_start_to_it() {
        let (visitor, visits) = (VisitorId(1), visits());
        let (beacon, cookie) = visits.extend(visitor, None, NOON);
        let (page, _) = visits.count(visitor, Some(cookie), NOON + MINUTE);
        assert_eq!((beacon.seq, beacon.since_prev_ms), (0, 0));
        assert_eq!((page.session_id, page.seq, page.since_prev_ms), (beacon.session_id, 1, 0));
    }

    #[test]
    fn time_that_runs_backwards_adds_nothing() {
        let (visitor, visits) = (VisitorId(1), visits());
        let (_, cookie) = visits.count(visitor, None, NOON);
        assert_eq!(visits.count(visitor, Some(cookie), NOON - 5000).0.since_prev_ms, 0);
    }

    #[test]
    fn an_impossible_cookie_is_no_visit() {
        for value in
            ["", "x", "1.2", "0000000000000001.1.-99999999999999", "ffffffffffffffff.1.5", "0.1.9999999999999999"]
        {
            assert_eq!(Visit::decode(value.as_bytes(), NOON), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn every_visit_has_one_start_and_additive_time(
            steps in proptest::collection::vec((0u128..3, 0i64..45 * MINUTE, any::<bool>(), any::<bool>()), 1..60)
        ) {
            let visits = visits();
            let (mut now, mut cookies, mut seen) = (NOON, HashMap::new(), HashMap::<u64, Vec<VisitStep>>::new());
            for (visitor, wait, counts, keeps_cookie) in steps {
                now += wait;
                let visitor = VisitorId(visitor);
                let cookie = cookies.get(&visitor).copied();
                let (step, cookie) =
                    if counts { visits.count(visitor, cookie, now) } else { visits.extend(visitor, cookie, now) };
                if keeps_cookie { cookies.insert(visitor, cookie); }
                seen.entry(step.session_id).or_default().push(step);
            }
            for steps in seen.values() {
                let counted: Vec<u16> = steps.iter().map(|s| s.seq).filter(|&s| s > 0).collect();
                prop_assert_eq!(counted.clone(), (1..=counted.len() as u16).collect::<Vec<_>>());
            }
        }

        #[test]
        fn garbage_never_panics(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Visit::decode(&value, NOON);
        }
    }
}
