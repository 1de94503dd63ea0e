//! The edge: sends a statement to ClickHouse and reads typed rows.

use std::time::Duration;

use clickhouse::error::Error;
use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use super::sql::{self, Dimension, Statement};
use super::{Bucket, Question};
use crate::store::exception::in_short;

/// How long an answer is waited for; a little longer than ClickHouse itself may work on it.
const PATIENCE: Duration = Duration::from_secs(25);

/// Why a question has no answer. The message has none of ClickHouse's own words, which may quote what a visitor asked for.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// ClickHouse cannot be reached.
    #[error("the database does not answer: {}", in_short(.0))]
    Away(#[source] Error),
    /// It took longer than it may.
    #[error("the database took longer than {} seconds", PATIENCE.as_secs())]
    TooSlow,
    /// It would have taken more time or memory than it may.
    #[error("the question is too heavy for the limits set on it: {}", in_short(.0))]
    TooHeavy(#[source] Error),
    /// ClickHouse refused; a fault of the schema or of this program.
    #[error("the database refused the question: {}", in_short(.0))]
    Refused(#[source] Error),
}

impl From<Error> for QueryError {
    fn from(error: Error) -> Self {
        match &error {
            Error::Network(_) | Error::TimedOut => QueryError::Away(error),
            // TIMEOUT_EXCEEDED, TOO_MANY_ROWS_OR_BYTES, MEMORY_LIMIT_EXCEEDED
            Error::BadResponse(text) if ["Code: 159.", "Code: 396.", "Code: 241."].iter().any(|c| text.contains(c)) => {
                QueryError::TooHeavy(error)
            }
            _ => QueryError::Refused(error),
        }
    }
}

/// The metrics of [`METRICS`](super::METRICS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// How many people.
    pub visitors: u64,
    /// How many visits began.
    pub visits: u64,
    /// How many pages were delivered.
    pub page_views: u64,
    /// 0 to 1; nothing where no visit began.
    pub bounce_rate: Option<f64>,
    /// The average; nothing where no visit began.
    pub visit_seconds: Option<f64>,
}

/// A period's figures beside those of the period before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Of the period.
    pub current: Figures,
    /// Of as much of the period before.
    pub previous: Figures,
}

/// One bucket of a chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The bucket's beginning: `2026-03-31`, or `2026-03-31T14:00Z` for hours.
    pub start: String,
    /// Whether the bucket is over and lies wholly in the period.
    pub whole: bool,
    /// Nothing where the bucket has not begun.
    pub current: Option<Figures>,
    /// Of the period before, moved here.
    pub previous: Figures,
}

/// The values of a dimension with most visitors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breakdown {
    /// Most visitors first.
    pub rows: Vec<BreakdownRow>,
    /// Whether there are more than asked for.
    pub more: bool,
}

/// One value of a dimension.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BreakdownRow {
    /// The value; empty where unknown or none.
    pub label: String,
    /// A source's channel; else empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// How many people.
    pub visitors: u64,
    /// How many visits began.
    pub visits: u64,
    /// How many pages were delivered.
    pub page_views: u64,
}

/// Whether the database answers at all.
pub async fn answers(client: &Client) -> Result<(), QueryError> {
    let one: u8 = client.query("select toUInt8(1) as one").fetch_one().await?;
    debug_assert_eq!(one, 1);
    Ok(())
}

/// A period's figures and those of the one before.
pub async fn totals(client: &Client, question: &Question) -> Result<Totals, QueryError> {
    #[derive(Row, Deserialize)]
    struct TotalsRow {
        in_period: u8,
        visitors: u64,
        visits: u64,
        page_views: u64,
        bounce_rate: f64,
        visit_seconds: f64,
    }
    let mut totals = Totals::default();
    for row in fetch::<TotalsRow>(client, sql::totals(question)).await? {
        let figures = figures(row.visitors, row.visits, row.page_views, row.bounce_rate, row.visit_seconds);
        *(if row.in_period == 1 { &mut totals.current } else { &mut totals.previous }) = figures;
    }
    Ok(totals)
}

/// A period's figures by bucket, without gaps, beside those of the period before.
pub async fn series(client: &Client, question: &Question) -> Result<(Bucket, Vec<Point>), QueryError> {
    #[derive(Row, Deserialize)]
    struct SeriesRow {
        in_period: u8,
        bucket: i64,
        visitors: u64,
        visits: u64,
        page_views: u64,
        bounce_rate: f64,
        visit_seconds: f64,
    }
    let bucket = question.period.bucket();
    let mut points: Vec<(i64, Point)> = question
        .period
        .buckets(question.now)
        .into_iter()
        .map(|span| {
            let current = span.begun.then(Figures::default);
            let start = bucket.label(span.start);
            (span.number, Point { start, whole: span.whole, current, previous: Figures::default() })
        })
        .collect();
    for row in fetch::<SeriesRow>(client, sql::series(question)).await? {
        let Ok(at) = points.binary_search_by_key(&row.bucket, |(number, _)| *number) else { continue };
        let figures = figures(row.visitors, row.visits, row.page_views, row.bounce_rate, row.visit_seconds);
        let point = &mut points[at].1;
        if row.in_period == 1 { point.current = Some(figures) } else { point.previous = figures }
    }
    Ok((bucket, points.into_iter().map(|(_, point)| point).collect()))
}

/// The `limit` values of `dimension` with most visitors.
pub async fn breakdown(
    client: &Client,
    question: &Question,
    dimension: Dimension,
    limit: u16,
) -> Result<Breakdown, QueryError> {
    #[derive(Row, Deserialize)]
    struct DimensionRow {
        label: String,
        detail: String,
        visitors: u64,
        visits: u64,
        page_views: u64,
    }
    let rows = fetch::<DimensionRow>(client, sql::breakdown(question, dimension, limit)).await?;
    let more = rows.len() > usize::from(limit);
    let rows = rows.into_iter().take(limit.into()).map(|row| BreakdownRow {
        label: row.label,
        detail: row.detail,
        visitors: row.visitors,
        visits: row.visits,
        page_views: row.page_views,
    });
    Ok(Breakdown { rows: rows.collect(), more })
}

/// Nothing divided by nothing is no figure. A visit that began before the period and went on within it can push the
/// share of bounces past its bounds by a little.
fn figures(visitors: u64, visits: u64, page_views: u64, bounce_rate: f64, visit_seconds: f64) -> Figures {
    Figures {
        visitors,
        visits,
        page_views,
        bounce_rate: share(bounce_rate).map(|rate| rate.clamp(0.0, 1.0)),
        visit_seconds: share(visit_seconds),
    }
}

/// Nothing divided by nothing is no figure.
pub(super) fn share(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

pub(super) async fn fetch<T>(client: &Client, statement: Statement) -> Result<Vec<T>, QueryError>
where
    T: clickhouse::RowOwned + clickhouse::RowRead,
{
    // Raw: a question mark in the SQL is no placeholder of the client's own.
    let mut query = client.query_raw(&statement.sql);
    for (name, value) in sql::LIMITS {
        query = query.with_setting(name, value);
    }
    for (name, value) in &statement.params {
        query = query.param(name, value);
    }
    let rows = tokio::time::timeout(PATIENCE, query.fetch_all::<T>()).await;
    Ok(rows.map_err(|_| QueryError::TooSlow)??)
}
