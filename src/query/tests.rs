use super::period::utc_date;
use super::sql::{self, DIMENSIONS};
use super::*;
use proptest::prelude::*;

/// 2026-03-31 14:30 UTC.
const NOW: i64 = 1_774_967_400_000;
const DAY: i64 = 86_400_000;

fn period(from: &str, to: &str) -> Period {
    Period::parse(from, to).unwrap()
}

fn question(from: &str, to: &str) -> Question {
    Question { site_id: 1, period: period(from, to), now: NOW, filters: Vec::new() }
}

#[test]
fn totals_are_one_statement_over_both_periods() {
    let statement = sql::totals(&question("2026-03-25", "2026-03-31"));
    let expected = "\
select
  toUInt8(toDate(ts) >= {from:Date}) as in_period,
  uniq(visitor_id) as visitors,
  countIf(seq = 1) as visits,
  countIf(name = 'pageview') as page_views,
  (countIf(seq = 1) - countIf(seq = 2)) / countIf(seq = 1) as bounce_rate,
  sum(since_prev_ms) / countIf(seq = 1) / 1000 as visit_seconds
from events
where site_id = {site:UInt32}
  and toDate(ts) between {before:Date} and {to:Date}
  and visitor_id != 0
  and is_bot = 0
  and expires_at > today()
  and (toDate(ts) >= {from:Date} or toUnixTimestamp64Milli(ts) < {comparable_until:Int64})
group by in_period";
    assert_eq!(statement.sql, expected);
    let until = (NOW - 7 * DAY).to_string();
    let params = [("site", "1"), ("from", "2026-03-25"), ("to", "2026-03-31"), ("before", "2026-03-18")];
    let mut params: Vec<_> = params.map(|(name, value)| (name, value.to_owned())).into();
    params.push(("comparable_until", until));
    assert_eq!(statement.params, params);
}

#[test]
fn sources_carry_their_channel_and_count_only_arrivals_and_pages_count_only_views() {
    let sources = sql::breakdown(&question("2026-03-01", "2026-03-31"), Dimension::Source, 10);
    let expected = "\
select
  toString(source) as label,
  toString(channel) as detail,
  uniq(visitor_id) as visitors,
  countIf(seq = 1) as visits,
  countIf(name = 'pageview') as page_views
from events
where site_id = {site:UInt32}
  and toDate(ts) between {from:Date} and {to:Date}
  and visitor_id != 0
  and is_bot = 0
  and expires_at > today()
  and seq = 1
group by source, channel
order by visitors desc, page_views desc, label, detail
limit {rows:UInt32}";
    assert_eq!(sources.sql, expected);
    assert!(sources.params.contains(&("rows", "11".to_owned())), "one more, to know whether there are more");

    let pages = sql::breakdown(&question("2026-03-01", "2026-03-31"), Dimension::Page, 10);
    assert!(pages.sql.contains("  and expires_at > today()\n  and name = 'pageview'\ngroup by path\n"));
    let entries = sql::breakdown(&question("2026-03-01", "2026-03-31"), Dimension::EntryPage, 10);
    assert!(entries.sql.contains("\n  and seq = 1\ngroup by path\n"));
}

#[test]
fn a_page_narrows_to_the_visits_that_saw_it() {
    let mut asked = question("2026-03-01", "2026-03-31");
    asked.filters = vec![
        Filter { dimension: Dimension::Page, value: "/pricing".into() },
        Filter { dimension: Dimension::Country, value: "GB".into() },
    ];
    let statement = sql::breakdown(&asked, Dimension::Source, 10);
    let narrowed = "\
  and session_id in (
    select session_id
    from events
    where site_id = {site:UInt32}
      and toDate(ts) between {from:Date} and {to:Date}
      and visitor_id != 0
      and is_bot = 0
      and expires_at > today()
      and name = 'pageview'
      and path = {filter_page:String}
  )
  and country = {filter_country:String}
";
    assert!(statement.sql.contains(narrowed), "{}", statement.sql);
    assert!(statement.params.contains(&("filter_page", "/pricing".to_owned())));
}

#[test]
fn every_statement_reads_only_people_of_one_site_whose_rows_have_not_expired() {
    let asked = question("2026-03-01", "2026-03-31");
    let mut statements = vec![sql::totals(&asked), sql::series(&asked)];
    statements.extend(DIMENSIONS.map(|(dimension, _)| sql::breakdown(&asked, dimension, 10)));
    for statement in statements {
        for condition in ["site_id = {site:UInt32}", "visitor_id != 0", "is_bot = 0", "expires_at > today()"] {
            assert!(statement.sql.contains(condition), "{condition} is missing in {}", statement.sql);
        }
    }
}

#[test]
fn every_parameter_is_used_and_every_used_one_is_given() {
    let mut asked = question("2026-01-01", "2026-03-31");
    asked.filters = DIMENSIONS.map(|(dimension, word)| Filter { dimension, value: word.into() }).into();
    for statement in [sql::totals(&asked), sql::series(&asked), sql::breakdown(&asked, Dimension::Source, 3)] {
        for (name, _) in &statement.params {
            assert!(statement.sql.contains(&format!("{{{name}:")), "{name} is not used in {}", statement.sql);
        }
        for used in statement.sql.split('{').skip(1) {
            let name = used.split(':').next().unwrap();
            assert!(statement.params.iter().any(|(given, _)| *given == name), "{name} is not given");
        }
        let mut names: Vec<_> = statement.params.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), statement.params.len(), "no parameter is given twice");
    }
}

#[test]
fn half_a_day_is_compared_with_half_a_day() {
    assert_eq!(period("2026-03-31", "2026-03-31").comparable_until(NOW), NOW - DAY);
    let last_week = period("2026-03-23", "2026-03-29");
    assert_eq!(utc_date(last_week.comparable_until(NOW)).to_string(), "2026-03-23");
    assert_eq!(last_week.comparable_until(NOW) % DAY, 0, "all of the days before");
    assert_eq!(last_week.before(), period("2026-03-16", "2026-03-22"));
}

#[test]
fn a_chart_has_hours_days_weeks_or_months() {
    for (from, to, bucket, count, first) in [
        ("2026-03-31", "2026-03-31", Bucket::Hour, 24, "2026-03-31T00:00Z"),
        ("2026-03-25", "2026-03-31", Bucket::Day, 7, "2026-03-25"),
        ("2025-12-01", "2026-03-31", Bucket::Week, 18, "2025-12-01"),
        ("2023-01-15", "2026-03-31", Bucket::Month, 39, "2023-01-01"),
    ] {
        let period = period(from, to);
        let spans = period.buckets(NOW);
        assert_eq!((period.bucket(), spans.len()), (bucket, count), "{from} to {to}");
        assert_eq!(bucket.label(spans[0].start), first);
    }
}

#[test]
fn an_unfinished_bucket_says_so_and_a_future_one_has_no_figures() {
    let hours = period("2026-03-31", "2026-03-31").buckets(NOW);
    assert!(hours[13].whole && hours[13].begun);
    assert!(!hours[14].whole && hours[14].begun, "14:30 is now");
    assert!(!hours[15].whole && !hours[15].begun);
    let weeks = period("2025-12-03", "2026-03-31").buckets(NOW);
    assert!(!weeks[0].whole, "the period begins on a Wednesday");
    assert!(weeks[1].whole);
}

#[test]
fn wrong_dates_say_what_is_wrong_and_what_would_be_right() {
    let error = |from, to| Period::parse(from, to).unwrap_err().to_string();
    assert_eq!(error("31.3.2026", "2026-03-31"), "`from` is `31.3.2026`; write a date such as 2026-03-31");
    assert_eq!(error("2026-03-01", "2026-02-30"), "`to` is `2026-02-30`; write a date such as 2026-03-31");
    assert_eq!(error("2026-03-02", "2026-03-01"), "`from` (2026-03-02) is after `to` (2026-03-01); swap them");
    assert!(error("1999-12-31", "2026-03-01").contains("2000-01-01"));
    assert!(error("2001-01-01", "2026-03-01").contains("ten years"));
}

proptest! {
    #[test]
    fn typed_dates_never_panic(from in ".{0,12}", to in ".{0,12}") {
        let _ = Period::parse(&from, &to);
    }

    #[test]
    fn buckets_cover_every_day_once(start in 11_000i64..40_000, days in 1i64..3660, ahead in 0i64..100) {
        let (from, to) = (utc_date(start * DAY), utc_date((start + days - 1) * DAY));
        prop_assume!(from.year() >= 2000 && to.year() < 2100);
        let period = Period::new(from, to).unwrap();
        prop_assert_eq!(period.days(), days);
        prop_assert_eq!(period.before().days(), days);
        let spans = period.buckets((start + ahead) * DAY);
        prop_assert!(spans.len() <= 130, "a chart stays readable: {}", spans.len());
        prop_assert!(spans.is_sorted_by(|a, b| a.number < b.number && a.start < b.start));
        prop_assert!(spans[0].start <= start * DAY);
        for day in [start, start + days / 2, start + days - 1] {
            let holding = spans.iter().rposition(|span| span.start <= day * DAY);
            prop_assert!(holding.is_some());
        }
    }

    #[test]
    fn what_is_typed_never_stands_in_the_sql(value in "[a-z']{12,30}") {
        let mut asked = question("2026-03-01", "2026-03-31");
        asked.filters = DIMENSIONS.map(|(dimension, _)| Filter { dimension, value: value.clone() }).into();
        prop_assert!(!sql::totals(&asked).sql.contains(&value));
        prop_assert!(!sql::breakdown(&asked, Dimension::Page, 10).sql.contains(&value));
    }
}

#[test]
fn answers_to_the_banner_are_asked_for_by_day_with_bound_parameters() {
    let statement = super::consent::by_banner(&question("2026-03-25", "2026-03-31"), 10);
    for line in [
        "  sum(c.shown) as shown,",
        "from consent_statistics as c",
        "where c.site_id = {site:UInt32}",
        "  and c.day between {from:Date} and {to:Date}",
        "  and c.expires_at > today()",
        "group by c.day, c.banner_version, c.language",
        "limit {rows:UInt32}",
    ] {
        assert!(statement.sql.lines().any(|found| found == line), "{line} in {}", statement.sql);
    }
    let params = [("site", "1"), ("from", "2026-03-25"), ("to", "2026-03-31"), ("rows", "11")];
    assert_eq!(statement.params, params.map(|(name, value)| (name, value.to_owned())));
    let total = super::consent::total(&question("2026-03-25", "2026-03-31"));
    assert!(total.sql.ends_with("and c.expires_at > today()") && total.params.len() == 3);
}
