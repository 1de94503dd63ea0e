//! The metrics, one definition each, and the questions marketing asks with them. A question becomes SQL in pure
//! functions ([`sql`]); nothing a person typed ever stands in that SQL, it travels beside it as bound parameters.
//! [`run`] sends it and gives typed rows back.
//!
//! Every question but one reads one site, one stretch of whole days (UTC), people only (`is_bot = 0`) and rows that have not
//! expired, whether or not ClickHouse has already removed those that have (R1); the one ([`consent`](mod@consent)) reads counters of
//! how everybody answered the banner. Never writes, never shows a row or an
//! identifier: answers are counts. Called by the dashboard.

pub mod consent;
pub mod metric;
pub mod period;
pub mod run;
pub mod sql;

pub use consent::{Consent, ConsentFigures, ConsentRow, consent};
pub use metric::{CONSENT_METRICS, METRICS};
pub use period::{Bucket, Period, PeriodError};
pub use run::{Breakdown, BreakdownRow, Figures, Point, QueryError, Totals, answers, breakdown, series, totals};
pub use sql::{Dimension, Filter};

/// What every question is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The number that stands in `events.site_id`.
    pub site_id: u32,
    /// The days that are counted.
    pub period: Period,
    /// Milliseconds since 1970; a period that is not over yet is compared with as much of the one before.
    pub now: i64,
    /// All of them must hold.
    pub filters: Vec<Filter>,
}

#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod tests;
