//! The lane's promises over hours and workers.

use super::*;
use crate::consent::{self, Mode, NoChoice, Policy, Signals};

fn permit() -> Permit<Statistics> {
    let decision = consent::decide(&Policy::default(), Err(NoChoice::Missing), Signals::default(), Mode::UkStatistics);
    decision.statistics.expect("nobody objects")
}

const HOME: Words<'static> = Words { path: "/", referrer: "", device: "mobile", country: "GB", region: "Kent" };

fn views(counters: &[Counters]) -> Vec<(u32, u64)> {
    counters.iter().map(|counters| (counters.hour(), counters.cells().values().sum())).collect()
}

#[test]
fn an_hour_is_over_when_another_begins() {
    let lane = Lane::new(3600);
    for (now, times) in [(3600, 2), (7199, 1), (7200, 4)] {
        for _ in 0..times {
            assert!(lane.count(&permit(), now, &HOME, false));
        }
    }
    assert_eq!(views(&lane.over(7201)), [(3600, 3)]);
    assert!(lane.over(10_799).is_empty());
    assert_eq!(views(&lane.over(10_800)), [(7200, 4)], "without a view, too");
    lane.count(&permit(), 10_801, &HOME, false);
    assert_eq!(views(&lane.all()), [(10_800, 1)]);
    assert_eq!(views(&lane.all()), [(10_800, 0)]);
}

#[test]
fn a_clock_that_goes_back_loses_no_view() {
    let lane = Lane::new(7200);
    for now in [7200, 7199, 7200] {
        lane.count(&permit(), now, &HOME, false);
    }
    assert_eq!(views(&lane.all()), [(7200, 1), (3600, 1), (7200, 1)]);
}

#[test]
fn bots_are_not_counted() {
    let lane = Lane::new(0);
    assert!(!lane.count(&permit(), 0, &HOME, true));
    assert_eq!(views(&lane.all()), [(0, 0)]);
}

#[test]
fn hours_that_nobody_takes_are_bounded() {
    let lane = Lane::new(0);
    for hour in 0..1000 {
        lane.count(&permit(), hour * 3600, &HOME, false);
    }
    assert_eq!(lane.all().len(), WAITING + 1);
}

#[test]
fn workers_count_together() {
    let lane = Arc::new(Lane::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..1000).for_each(|_| assert!(lane.count(&permit(), 0, &HOME, false))));
        }
    });
    assert_eq!(views(&lane.all()), [(0, 4000)]);
}

/// What makes or reads an identifier, and the other lane, are not so much as named here or where the table is written.
#[test]
fn rule_l3_the_lane_knows_no_identifier_and_nothing_of_the_other_lane() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = ["statistics.rs", "statistics/counters.rs", "statistics/folder.rs", "statistics/minimum.rs"];
    for file in files.into_iter().chain(["statistics/path.rs", "store/statistics.rs"]) {
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let code = code.take_while(|line| !line.contains("mod tests")).collect::<Vec<_>>().join("\n");
        for word in ["capture", "Analytics", "VisitorId", "Pseudonymiser", "KeyRing", "receipt", "cookie", "events"] {
            assert!(!code.contains(word), "{word} in {file}");
        }
    }
}

fn counted(headers: &[(&'static str, &'static str)], target: &str, status: u16) -> Vec<counters::Cell> {
    let lane = Arc::new(Lane::new(0));
    let counting = Counting::new(lane.clone());
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
        .collect();
    let view = View {
        now: 0,
        host: "www.site.example",
        target,
        headers: &headers,
        client: &RawIp::new([203, 0, 113, 7].into()),
        status: StatusCode::from_u16(status).expect("a status"),
    };
    counting.view(&permit(), &Places::none(), &PathClasses::default(), &view);
    lane.all().iter().flat_map(|counters| counters.cells().into_keys()).collect()
}

const PHONE: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
);

#[test]
fn rule_l2_of_a_page_only_class_host_and_device_are_left() {
    let cell = |path: &str, referrer: &str| counters::Cell {
        path: path.into(),
        referrer: referrer.into(),
        device: "mobile".into(),
        country: String::new(),
        region: String::new(),
    };
    for (referer, expected) in [
        ("https://Search.example/find?q=secret", "search.example"),
        ("https://site.example/blog/x", ""),
        ("https://203.0.113.9/x", "[address]"),
        ("android-app://com.example.reader/x", "com.example.reader"),
        ("data:text/plain,x", ""),
    ] {
        let found = counted(&[PHONE, ("referer", referer)], "/blog/jane@example.com?token=1", 200);
        assert_eq!(found, [cell("/blog/*", expected)], "{referer}");
    }
    assert_eq!(counted(&[PHONE], "/jane", 404), [cell(path::ERROR, "")]);
    assert!(counted(&[("user-agent", "curl/8.5.0")], "/", 200).is_empty());
    assert!(counted(&[], "/", 200).is_empty(), "who does not say what they are is no person");
}
