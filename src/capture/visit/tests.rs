//! Visits as they happen: out of order, in several tabs, with clocks that jump, by several gateways.

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
