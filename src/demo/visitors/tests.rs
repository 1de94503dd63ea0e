use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::capture::Shared;
use crate::capture::event::COLUMNS;
use crate::config::Config;
use crate::enrich::Places;
use crate::keys::KeyRing;

/// A Wednesday, 14:23:07 UTC.
const NOW: i64 = 1_789_568_587_000;

type Row = BTreeMap<&'static str, Vec<u8>>;

fn capture() -> Capture {
    let text = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n";
    let config = Config::from_toml(text, "test.toml", std::iter::empty()).expect("is a configuration");
    Capture::new(Arc::new(Shared::new(&config, Arc::new(KeyRing::ephemeral()), Places::none())))
}

/// What became of the visitors, and when each event was and what its record says.
fn history(capture: &Capture, now_ms: i64) -> (Outcome, Vec<(i64, Row)>) {
    let mut events = Vec::new();
    let outcome = simulate(capture, &Policy::default(), now_ms, |captured| {
        events.extend(captured.events.iter().map(|event| {
            let mut record = Vec::new();
            event.encode(&mut record);
            let mut rest = &record[..];
            let columns = COLUMNS.map(|(name, kind)| {
                let (value, after) = rest.split_at(kind.value_len(rest).expect("the record is whole"));
                rest = after;
                (name, value.to_vec())
            });
            assert!(rest.is_empty(), "the record ends with its last column");
            (event.ts(), Row::from(columns))
        }));
    });
    (outcome, events)
}

#[test]
fn visitors_who_refuse_or_do_not_choose_leave_nothing() {
    let (outcome, events) = history(&capture(), NOW);
    assert_eq!(outcome.accepted + outcome.refused + outcome.undecided, VISITORS);
    assert!(outcome.refused > 0 && outcome.undecided > 0, "{outcome:?}");
    assert_eq!(outcome.events, events.len() as u64);
    for who in ["visitor_id", "consent_ref"] {
        let different: BTreeSet<_> = events.iter().map(|(_, row)| &row[who]).collect();
        assert_eq!(different.len() as u64, outcome.accepted, "one {who} for each who accepted, and no other");
    }
}

#[test]
fn the_same_moment_has_the_same_history() {
    let capture = capture();
    let [one, other] = [0, 1].map(|_| {
        let (outcome, mut events) = history(&capture, NOW);
        for (_, row) in &mut events {
            // Drawn at random by consent and capture, as for everyone.
            for random in ["visitor_id", "session_id", "page_view_id", "consent_ref"] {
                row.remove(random).expect("is a column");
            }
        }
        (outcome, events)
    });
    assert_eq!(one.0, other.0);
    assert!(one.1 == other.1, "each event is the same, but for the random ids");
}

#[test]
fn at_any_hour_of_the_week_no_event_lies_in_the_future_and_the_last_hours_are_not_empty() {
    for hour in (0..7 * 24).step_by(13) {
        let now = NOW + hour * HOUR_MS;
        let (_, events) = history(&capture(), now);
        let times = events.iter().map(|(ts, _)| *ts);
        assert!(times.clone().max() < Some(now), "an event after {now}");
        assert!(times.clone().min() >= Some(now - DAYS * DAY_MS), "an event before the first day");
        let recent = times.filter(|ts| *ts >= now - RECENTLY).count();
        assert!(recent > 10, "{recent} events in the last hours before {now}");
    }
}

#[test]
fn thirty_days_have_thirty_before_them_to_compare_with() {
    let (_, events) = history(&capture(), NOW);
    let within = |days: std::ops::Range<i64>| {
        let rows = events.iter().filter(|(ts, _)| days.contains(&((NOW - ts) / DAY_MS)));
        rows.map(|(_, row)| &row["visitor_id"]).collect::<BTreeSet<_>>().len()
    };
    let (current, previous) = (within(0..30), within(30..60));
    assert!(current > 100 && previous > 100, "{current} visitors in thirty days, {previous} in those before");
}

#[test]
fn people_come_by_day_rather_than_by_night_and_on_weekdays_rather_than_at_the_weekend() {
    let (_, events) = history(&capture(), NOW);
    let count = |which: &dyn Fn(i64) -> bool| events.iter().filter(|(ts, _)| which(*ts)).count();
    let hours = |hours: std::ops::Range<i64>| count(&|ts| hours.contains(&(ts % DAY_MS / HOUR_MS)));
    let (by_day, by_night) = (hours(9..17), hours(22..24) + hours(0..6));
    assert!(by_day > 5 * by_night, "{by_day} events by day, {by_night} by night");
    let weekend = count(&|ts| (ts / DAY_MS + 3) % 7 >= 5);
    assert!(5 * weekend < 2 * (events.len() - weekend), "{weekend} of {} events at the weekend", events.len());
}
