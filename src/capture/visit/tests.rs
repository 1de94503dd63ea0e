//! Visits as they happen: out of order, in several tabs, with clocks that jump, by several gateways.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::keys::KeyRing;

const MINUTE: i64 = 60_000;
const SECOND: i64 = 1000;
const NOON: i64 = 1_790_000_000_000;
const WHO: VisitorId = VisitorId(1);

fn rules() -> Rules {
    Rules { timeout: Duration::from_secs(30 * 60), campaign: true, referrer: false }
}

/// What a browser does, and what becomes of it.
enum Does {
    /// Opens a page.
    Page,
    /// Opens a page by this campaign.
    Campaign(&'static str),
    /// Opens a page from this site.
    From(&'static str),
    /// Reports something within a page.
    Beacon,
}
use Does::{Beacon, Campaign, From, Page};

/// At a time after noon, at one of two gateways; the visit it is in, its step, and the time it adds.
type Scene = (i64, usize, Does, (usize, u16, i64));

/// Plays a scenario with a browser that keeps its cookie.
fn play(name: &str, rules: Rules, scenes: &[Scene]) {
    let gateways = [Visits::new(rules), Visits::new(rules)];
    let (mut cookie, mut known) = (None, Vec::new());
    for (number, (at, gateway, does, expected)) in scenes.iter().enumerate() {
        let now = NOON + at;
        let campaign = |name| Arrival { campaign: Some(Arrival::checksum([name])), referrer: None };
        let referrer = |host| Arrival { campaign: None, referrer: Some(Arrival::checksum([host])) };
        let gateway = &gateways[*gateway];
        let (step, next) = match does {
            Page => gateway.count(WHO, cookie, Arrival::default(), now),
            Campaign(name) => gateway.count(WHO, cookie, campaign(*name), now),
            From(host) => gateway.count(WHO, cookie, referrer(*host), now),
            Beacon => gateway.extend(WHO, cookie, now),
        };
        cookie = Some(next);
        let visit = known.iter().position(|id| *id == step.session_id).unwrap_or_else(|| {
            known.push(step.session_id);
            known.len() - 1
        });
        assert_eq!((visit, step.seq, i64::from(step.since_prev_ms)), *expected, "{name}, scene {number}");
    }
}

#[test]
fn scenarios() {
    play(
        "back after 29 minutes, and after 31",
        rules(),
        &[
            (0, 0, Page, (0, 1, 0)),
            (29 * MINUTE, 0, Page, (0, 2, 29 * MINUTE)),
            (60 * MINUTE, 0, Page, (1, 1, 0)),
            (60 * MINUTE + SECOND, 0, Page, (1, 2, SECOND)),
        ],
    );
    play(
        "exactly 30 minutes is too long, and reading keeps a visit alive",
        rules(),
        &[
            (0, 0, Page, (0, 1, 0)),
            (20 * MINUTE, 0, Beacon, (0, 0, 20 * MINUTE)),
            (40 * MINUTE, 0, Page, (0, 2, 20 * MINUTE)),
            (70 * MINUTE, 0, Page, (1, 1, 0)),
        ],
    );
    play(
        "a beacon after the visit is over belongs to it and adds no time",
        rules(),
        &[(0, 0, Page, (0, 1, 0)), (45 * MINUTE, 0, Beacon, (0, 0, 0)), (46 * MINUTE, 0, Page, (1, 1, 0))],
    );
    play(
        "past midnight a visit goes on",
        rules(),
        &[(12 * 60 * MINUTE - MINUTE, 0, Page, (0, 1, 0)), (12 * 60 * MINUTE + MINUTE, 0, Page, (0, 2, 2 * MINUTE))],
    );
    play(
        "the load balancer sends each request to the other gateway",
        rules(),
        &[
            (0, 0, Page, (0, 1, 0)),
            (MINUTE, 1, Page, (0, 2, MINUTE)),
            (2 * MINUTE, 0, Beacon, (0, 0, MINUTE)),
            (3 * MINUTE, 1, Page, (0, 3, MINUTE)),
        ],
    );
    play(
        "a gateway whose clock is a minute behind adds no time and starts no visit",
        rules(),
        &[(0, 0, Page, (0, 1, 0)), (-MINUTE, 1, Page, (0, 2, 0)), (MINUTE, 0, Page, (0, 3, MINUTE))],
    );
    play(
        "events that arrive out of order add their time once",
        rules(),
        &[
            (0, 0, Page, (0, 1, 0)),
            (10 * SECOND, 0, Page, (0, 2, 10 * SECOND)),
            (8 * SECOND, 0, Beacon, (0, 0, 0)),
            (12 * SECOND, 0, Beacon, (0, 0, 2 * SECOND)),
        ],
    );
    play(
        "a beacon that overtakes its page leaves the start to it",
        rules(),
        &[(0, 0, Beacon, (0, 0, 0)), (MINUTE, 0, Page, (0, 1, 0)), (2 * MINUTE, 0, Page, (0, 2, MINUTE))],
    );
    play(
        "another campaign begins a visit, the same one does not",
        rules(),
        &[
            (0, 0, Campaign("autumn"), (0, 1, 0)),
            (MINUTE, 0, Page, (0, 2, MINUTE)),
            (2 * MINUTE, 0, Campaign("autumn"), (0, 3, MINUTE)),
            (3 * MINUTE, 1, Campaign("winter"), (1, 1, 0)),
            (4 * MINUTE, 0, Page, (1, 2, MINUTE)),
        ],
    );
    play(
        "another site begins none, unless it is so configured",
        rules(),
        &[(0, 0, From("a.example"), (0, 1, 0)), (MINUTE, 0, From("b.example"), (0, 2, MINUTE))],
    );
    play(
        "another site begins one where it is so configured, and not for every page it sends",
        Rules { referrer: true, ..rules() },
        &[
            (0, 0, From("a.example"), (0, 1, 0)),
            (MINUTE, 0, From("a.example"), (0, 2, MINUTE)),
            (2 * MINUTE, 0, From("b.example"), (1, 1, 0)),
            (3 * MINUTE, 0, Page, (1, 2, MINUTE)),
        ],
    );
    play(
        "campaigns may be told not to",
        Rules { campaign: false, ..rules() },
        &[(0, 0, Campaign("autumn"), (0, 1, 0)), (MINUTE, 0, Campaign("winter"), (0, 2, MINUTE))],
    );
}

#[test]
fn two_tabs_that_open_at_once_are_one_visit_with_one_start() {
    let visits = Visits::new(rules());
    let (one, _) = visits.count(WHO, None, Arrival::default(), NOON);
    let (two, _) = visits.count(WHO, None, Arrival::default(), NOON + 3);
    assert_eq!((one.session_id, one.seq, two.seq), (two.session_id, 1, 2));
}

#[test]
fn pages_and_beacons_of_many_threads_are_one_visit_with_each_number_once() {
    let visits = Visits::new(rules());
    let steps: Vec<VisitStep> = std::thread::scope(|scope| {
        let work = |thread: i64| {
            let visits = &visits;
            scope.spawn(move || {
                let page = |i| visits.count(WHO, None, Arrival::default(), NOON + thread + i).0;
                (0..50).flat_map(|i| [page(i), visits.extend(WHO, None, NOON + i).0]).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..4).map(work).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut counted: Vec<u16> = steps.iter().map(|step| step.seq).filter(|seq| *seq > 0).collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=200).collect::<Vec<_>>());
    assert!(steps.iter().all(|step| step.session_id == steps[0].session_id));
}

#[test]
fn a_visit_that_was_made_up_changed_or_taken_is_none() {
    let signed = Signed::new(Arc::new(KeyRing::ephemeral()));
    let (_, visit) = Visits::new(rules()).count(WHO, None, Arrival { campaign: Some(7), referrer: None }, NOON);
    let value = signed.encode(WHO, &visit);
    assert!(value.len() <= 96 && value.bytes().all(|b| b.is_ascii_graphic() && !b"\",;\\".contains(&b)), "{value}");
    assert_eq!(signed.decode(WHO, value.as_bytes(), NOON), Some(visit));
    assert_eq!(signed.decode(VisitorId(2), value.as_bytes(), NOON), None, "another visitor's");
    for at in 0..value.len() {
        let mut forged = value.clone().into_bytes();
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(signed.decode(WHO, &forged, NOON), None, "{}", String::from_utf8_lossy(&forged));
    }
    assert_eq!(Signed::new(Arc::new(KeyRing::ephemeral())).decode(WHO, value.as_bytes(), NOON), None);
    assert_eq!(signed.decode(WHO, value.as_bytes(), NOON - 10 * MINUTE), None, "from the future");
    for value in ["", ".", "x", "....", "1.2", "0000000000000001.1.-99999999999999.0.AAAA"] {
        assert_eq!(signed.decode(WHO, value.as_bytes(), NOON), None, "{value}");
    }
}

proptest! {
    #[test]
    fn every_visit_has_one_start_and_additive_time(
        steps in proptest::collection::vec((0u128..3, 0i64..45 * MINUTE, any::<bool>(), any::<bool>(), 0u32..4), 1..60)
    ) {
        let visits = Visits::new(rules());
        let (mut now, mut cookies, mut seen) = (NOON, HashMap::new(), HashMap::<u64, Vec<VisitStep>>::new());
        for (visitor, wait, counts, keeps_cookie, campaign) in steps {
            now += wait;
            let visitor = VisitorId(visitor);
            let cookie = cookies.get(&visitor).copied();
            let arrival = Arrival { campaign: (campaign > 1).then_some(campaign), referrer: None };
            let (step, cookie) =
                if counts { visits.count(visitor, cookie, arrival, now) } else { visits.extend(visitor, cookie, now) };
            if keeps_cookie { cookies.insert(visitor, cookie); }
            seen.entry(step.session_id).or_default().push(step);
        }
        for steps in seen.values() {
            let counted: Vec<u16> = steps.iter().map(|s| s.seq).filter(|&s| s > 0).collect();
            prop_assert_eq!(counted.clone(), (1..=counted.len() as u16).collect::<Vec<_>>());
        }
    }

    #[test]
    fn garbage_never_panics(value in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Signed::new(Arc::new(KeyRing::ephemeral())).decode(WHO, &value, NOON);
    }
}
