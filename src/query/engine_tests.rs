//! Every question on the real engine, over rows whose answers are known by hand.

use std::sync::LazyLock;

use tokio::sync::OnceCell;

use super::run::Figures;
use super::*;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::{client, migrate};

/// 2026-03-31 14:30 UTC.
const NOW: i64 = 1_774_967_400_000;

/// One row; what is not given is the same on most.
struct Given {
    at: &'static str,
    name: &'static str,
    visitor: u8,
    visit: u8,
    seq: u8,
    since_prev_ms: u32,
    path: &'static str,
    source: (&'static str, &'static str),
    country: &'static str,
    device: (&'static str, &'static str, &'static str),
    site: u8,
    bot: u8,
    expires: &'static str,
}

const VIEW: Given = Given {
    at: "2026-03-30 10:00:00",
    name: "pageview",
    visitor: 1,
    visit: 1,
    seq: 1,
    since_prev_ms: 0,
    path: "/",
    source: ("", "direct"),
    country: "GB",
    device: ("desktop", "Firefox", "GNU/Linux"),
    site: 1,
    bot: 0,
    expires: "today() + 100",
};

const GOOGLE: (&str, &str) = ("Google", "organic search");
/// What every step of a visit but the first has.
const INTERNAL: (&str, &str) = ("", "internal");
const PHONE: (&str, &str, &str) = ("mobile", "Safari", "iOS");

/// 30 and 31 March: 3 visitors, 4 visits (1 of them a bounce), 7 page views, 2 further rows; 120 s in all. 28 and 29
/// March: 2 visitors, 3 visits (2 bounces), 4 page views; 30 s; after 29 March 14:30 another visitor with 1 of each.
const ROWS: &[Given] = &[
    // Visitor 1: a visit of three pages and 65 s on the 30th, and one of one page on the 31st.
    VIEW,
    Given { at: "2026-03-30 10:00:00.500", name: "page_loaded", seq: 0, ..VIEW },
    Given { at: "2026-03-30 10:00:30", seq: 2, since_prev_ms: 30_000, path: "/pricing", source: INTERNAL, ..VIEW },
    Given { at: "2026-03-30 10:01:00", seq: 3, since_prev_ms: 30_000, path: "/", source: INTERNAL, ..VIEW },
    Given { at: "2026-03-30 10:01:05", name: "engagement", seq: 0, since_prev_ms: 5_000, ..VIEW },
    Given { at: "2026-03-31 09:59:59.999", visit: 2, path: "/contact", ..VIEW },
    // Visitor 2: two pages and 55 s from Google on a phone in Ireland.
    Given {
        at: "2026-03-31 13:00:00",
        visitor: 2,
        visit: 3,
        path: "/pricing",
        source: GOOGLE,
        country: "IE",
        device: PHONE,
        ..VIEW
    },
    Given {
        at: "2026-03-31 13:00:55",
        visitor: 2,
        visit: 3,
        seq: 2,
        since_prev_ms: 55_000,
        path: "/contact",
        source: INTERNAL,
        country: "IE",
        device: PHONE,
        ..VIEW
    },
    // Visitor 3: one page, but a step that is no page view, so no bounce.
    Given {
        at: "2026-03-30 23:59:59.999",
        visitor: 3,
        visit: 4,
        path: "/pricing",
        source: ("Google", "paid search"),
        country: "",
        ..VIEW
    },
    Given {
        at: "2026-03-31 00:00:00",
        name: "engagement",
        visitor: 3,
        visit: 4,
        seq: 2,
        path: "/pricing",
        source: ("Google", "paid search"),
        country: "",
        ..VIEW
    },
    // The two days before.
    Given { at: "2026-03-28 00:00:00", visit: 5, ..VIEW },
    Given { at: "2026-03-28 12:00:00", visitor: 4, visit: 6, ..VIEW },
    Given { at: "2026-03-28 12:00:30", visitor: 4, visit: 6, seq: 2, since_prev_ms: 30_000, path: "/contact", ..VIEW },
    Given { at: "2026-03-29 14:29:59.999", visitor: 4, visit: 7, ..VIEW },
    // Later than this time two days later: not comparable yet.
    Given { at: "2026-03-29 14:30:00", visitor: 5, visit: 8, ..VIEW },
    // None of these may count: a call, nobody's visit; expired (though still in the table), a bot, another site, outside on
    // both sides.
    Given { name: "call", visitor: 0, visit: 0, seq: 0, path: "", country: "FR", ..VIEW },
    Given { visitor: 6, visit: 9, path: "/expired", expires: "today()", ..VIEW },
    Given { visitor: 7, visit: 10, path: "/bot", bot: 1, ..VIEW },
    Given { visitor: 8, visit: 11, path: "/other-site", site: 2, country: "FR", ..VIEW },
    Given { at: "2026-03-27 23:59:59.999", visitor: 9, visit: 12, path: "/before", ..VIEW },
    Given { at: "2026-04-01 00:00:00", visitor: 10, visit: 13, path: "/after", ..VIEW },
];

async fn database() -> clickhouse::Client {
    static FILLED: LazyLock<OnceCell<()>> = LazyLock::new(OnceCell::new);
    let client = client::connect(&ClickHouse::Embedded { listen: None }, testing::shared()).unwrap();
    let client = client.with_database("query_answers");
    FILLED
        .get_or_init(|| async {
            migrate::apply(&client).await.unwrap();
            // Rows of the past are not to be removed while the test looks; that reading hides them is what is tested.
            client.query("system stop ttl merges events").execute().await.unwrap();
            for row in ROWS {
                let insert = format!(
                    "insert into events (site_id, ts, name, visitor_id, session_id, seq, since_prev_ms, path, source, \
                     channel, country, device, browser, os, is_bot, retention_days, expires_at) \
                     select {}, toDateTime64('{}', 3, 'UTC'), '{}', {}, {}, {}, {}, '{}', '{}', '{}', '{}', '{}', \
                     '{}', '{}', {}, 2192, {}",
                    row.site,
                    row.at,
                    row.name,
                    row.visitor,
                    row.visit,
                    row.seq,
                    row.since_prev_ms,
                    row.path,
                    row.source.0,
                    row.source.1,
                    row.country,
                    row.device.0,
                    row.device.1,
                    row.device.2,
                    row.bot,
                    row.expires
                );
                client.query(&insert).execute().await.unwrap();
            }
        })
        .await;
    client
}

fn question(from: &str, to: &str) -> Question {
    Question { site_id: 1, period: Period::parse(from, to).unwrap(), now: NOW, filters: Vec::new() }
}

fn two_days() -> Question {
    question("2026-03-30", "2026-03-31")
}

fn figures(visitors: u64, visits: u64, page_views: u64, bounce_rate: f64, visit_seconds: f64) -> Figures {
    Figures { visitors, visits, page_views, bounce_rate: Some(bounce_rate), visit_seconds: Some(visit_seconds) }
}

async fn rows(question: &Question, dimension: Dimension) -> Vec<(String, String, u64, u64, u64)> {
    let found = breakdown(&database().await, question, dimension, 50).await.unwrap();
    assert!(!found.more);
    let row = |row: BreakdownRow| (row.label, row.detail, row.visitors, row.visits, row.page_views);
    found.rows.into_iter().map(row).collect()
}

/// Without a second column.
fn expected(rows: &[(&str, u64, u64, u64)]) -> Vec<(String, String, u64, u64, u64)> {
    rows.iter().map(|(label, a, b, c)| (label.to_string(), String::new(), *a, *b, *c)).collect()
}

#[tokio::test]
async fn what_may_not_count_is_in_the_table_all_the_same() {
    let rows = database().await.query("select count() from events").fetch_one::<u64>().await.unwrap();
    assert_eq!(rows, ROWS.len() as u64, "else the other tests would prove nothing");
}

#[tokio::test]
async fn totals_count_what_they_say_and_nothing_else() {
    let totals = totals(&database().await, &two_days()).await.unwrap();
    assert_eq!(totals.current, figures(3, 4, 7, 0.25, 30.0));
    assert_eq!(totals.previous, figures(2, 3, 4, 2.0 / 3.0, 10.0));
}

#[tokio::test]
async fn a_period_that_is_over_is_compared_with_all_of_the_one_before() {
    let later = Question { now: NOW + 86_400_000, ..two_days() };
    let totals = totals(&database().await, &later).await.unwrap();
    assert_eq!(totals.previous, figures(3, 4, 5, 0.75, 7.5));
}

#[tokio::test]
async fn nothing_is_no_rate() {
    let totals = totals(&database().await, &question("2025-01-01", "2025-01-31")).await.unwrap();
    assert_eq!(totals.current, Figures::default());
    assert_eq!(totals.current.bounce_rate, None);
}

#[tokio::test]
async fn a_series_has_no_gaps_and_sums_to_the_totals() {
    let client = database().await;
    let (bucket, points) = series(&client, &question("2026-03-29", "2026-03-31")).await.unwrap();
    assert_eq!(bucket, Bucket::Day);
    let days: Vec<_> = points.iter().map(|p| (p.start.as_str(), p.whole, p.current.unwrap().page_views)).collect();
    assert_eq!(days, [("2026-03-29", true, 2), ("2026-03-30", true, 4), ("2026-03-31", false, 3)]);
    assert_eq!(points[1].current, Some(figures(2, 2, 4, 0.5, 32.5)));

    let (bucket, points) = series(&client, &two_days()).await.unwrap();
    assert_eq!((bucket, points.len()), (Bucket::Hour, 48));
    let sum = |f: fn(&Figures) -> u64| points.iter().filter_map(|p| p.current.as_ref()).map(f).sum::<u64>();
    assert_eq!((sum(|f| f.visits), sum(|f| f.page_views)), (4, 7));
    let at = |start: &str| points.iter().find(|point| point.start == start).unwrap();
    assert_eq!(at("2026-03-30T10:00Z").current, Some(figures(1, 1, 3, 0.0, 65.0)));
    assert_eq!(at("2026-03-30T11:00Z").current, Some(Figures::default()), "a gap is nothing, not absent");
    assert_eq!(at("2026-03-31T09:00Z").current.unwrap().page_views, 1, "one millisecond before ten");
    assert_eq!(at("2026-03-31T15:00Z").current, None, "not begun");
    assert_eq!(at("2026-03-30T12:00Z").previous.page_views, 2, "the 28th at the same time");
    assert_eq!(at("2026-03-31T14:00Z").previous.page_views, 1);
}

#[tokio::test]
async fn weeks_and_months_put_each_row_into_its_own() {
    let client = database().await;
    for (from, bucket, start) in
        [("2025-12-01", Bucket::Week, "2026-03-30"), ("2023-12-01", Bucket::Month, "2026-03-01")]
    {
        let (found, points) = series(&client, &question(from, "2026-03-31")).await.unwrap();
        assert_eq!(found, bucket);
        let last = points.last().unwrap();
        assert_eq!(last.start, start);
        let all: u64 = points.iter().filter_map(|point| point.current.as_ref()).map(|figures| figures.visits).sum();
        assert_eq!(all, 9, "every visit up to the 31st, in one bucket each");
    }
}

#[tokio::test]
async fn pages_count_views_and_entries() {
    let pages = rows(&two_days(), Dimension::Page).await;
    assert_eq!(pages, expected(&[("/pricing", 3, 2, 3), ("/contact", 2, 1, 2), ("/", 1, 1, 2)]));
    let entries = rows(&two_days(), Dimension::EntryPage).await;
    assert_eq!(entries, expected(&[("/pricing", 2, 2, 2), ("/", 1, 1, 1), ("/contact", 1, 1, 1)]));
}

#[tokio::test]
async fn sources_are_told_apart_by_channel_and_channels_are_not_by_source() {
    let row = |label: &str, detail: &str, a, b, c| (label.to_owned(), detail.to_owned(), a, b, c);
    let sources = rows(&two_days(), Dimension::Source).await;
    let expected_sources =
        [row("", "direct", 1, 2, 2), row("Google", "organic search", 1, 1, 1), row("Google", "paid search", 1, 1, 1)];
    assert_eq!(sources, expected_sources);
    let channels = rows(&two_days(), Dimension::Channel).await;
    assert_eq!(channels, expected(&[("direct", 1, 2, 2), ("organic search", 1, 1, 1), ("paid search", 1, 1, 1)]));
}

#[tokio::test]
async fn countries_and_devices_are_counted() {
    let asked = two_days();
    assert_eq!(rows(&asked, Dimension::Country).await, expected(&[("GB", 1, 2, 4), ("IE", 1, 1, 2), ("", 1, 1, 1)]));
    assert_eq!(rows(&asked, Dimension::Device).await, expected(&[("desktop", 2, 3, 5), ("mobile", 1, 1, 2)]));
    assert_eq!(rows(&asked, Dimension::Browser).await, expected(&[("Firefox", 2, 3, 5), ("Safari", 1, 1, 2)]));
    assert_eq!(rows(&asked, Dimension::Os).await, expected(&[("GNU/Linux", 2, 3, 5), ("iOS", 1, 1, 2)]));
}

#[tokio::test]
async fn a_limit_tells_whether_there_is_more() {
    let client = database().await;
    let two = breakdown(&client, &two_days(), Dimension::Page, 2).await.unwrap();
    assert_eq!((two.rows.len(), two.more), (2, true));
    let three = breakdown(&client, &two_days(), Dimension::Page, 3).await.unwrap();
    assert_eq!((three.rows.len(), three.more), (3, false));
}

#[tokio::test]
async fn filters_narrow_every_figure() {
    let client = database().await;
    let narrowed = |dimension, value: &str| Question {
        filters: vec![Filter { dimension, value: value.to_owned() }],
        ..two_days()
    };
    let of = async |dimension, value| totals(&client, &narrowed(dimension, value)).await.unwrap().current;
    assert_eq!(of(Dimension::Country, "IE").await, figures(1, 1, 2, 0.0, 55.0));
    assert_eq!(of(Dimension::Country, "").await, figures(1, 1, 1, 0.0, 0.0), "unknown is a value too");
    assert_eq!(of(Dimension::Channel, "direct").await, figures(1, 2, 4, 0.5, 32.5));
    assert_eq!(of(Dimension::Page, "/contact").await, figures(2, 2, 3, 0.5, 27.5), "the whole visits that saw it");
    assert_eq!(of(Dimension::EntryPage, "/").await, figures(1, 1, 3, 0.0, 65.0));
    let pages = rows(&narrowed(Dimension::Page, "/contact"), Dimension::Page).await;
    assert_eq!(pages, expected(&[("/contact", 2, 1, 2), ("/pricing", 1, 1, 1)]));
    let mut both = narrowed(Dimension::Page, "/contact");
    both.filters.push(Filter { dimension: Dimension::Device, value: "mobile".into() });
    assert_eq!(totals(&client, &both).await.unwrap().current, figures(1, 1, 2, 0.0, 55.0));
}

#[tokio::test]
async fn a_value_is_a_value_whatever_it_looks_like() {
    let client = database().await;
    for value in ["' or 1 = 1 --", "\\", "a\tb\nc", "{site:UInt32}", "\u{0}", "?", "%", "\"`;"] {
        let mut asked = two_days();
        asked.filters = vec![Filter { dimension: Dimension::Source, value: value.into() }];
        assert_eq!(totals(&client, &asked).await.unwrap().current.visitors, 0, "{value:?}");
    }
}

#[tokio::test]
async fn a_heavy_question_ends_itself() {
    let client = database().await;
    let statement = sql::Statement {
        sql: "select toUInt64(uniqExact(number, number + 1)) as n from numbers(1000000000)".into(),
        params: Vec::new(),
    };
    let error = run::fetch::<u64>(&client, statement).await.unwrap_err();
    assert!(matches!(error, QueryError::TooHeavy(_)), "{error}");
}

#[tokio::test]
async fn a_question_can_only_read() {
    let client = database().await;
    for sql in ["drop table events", "select toUInt8(1) from file('/etc/passwd', 'LineAsString')"] {
        let statement = sql::Statement { sql: sql.into(), params: Vec::new() };
        let error = run::fetch::<u8>(&client, statement).await.unwrap_err();
        assert!(matches!(&error, QueryError::Refused(_)) && error.to_string().contains("READONLY"), "{error}");
    }
    assert_eq!(totals(&client, &two_days()).await.unwrap().current.visits, 4);
}
