//! The figures as JSON.
//!
//! Every endpoint takes `site`, `from` and `to` (`YYYY-MM-DD`, both included, UTC; by default the last seven days),
//! and any of `page`, `entry_page`, `source`, `channel`, `country`, `device`, `browser`, `os` as a filter.
//!
//! | path | takes besides | answers with |
//! |---|---|---|
//! | `/api/totals` | | `period`, `compared_with`, `current`, `previous` |
//! | `/api/series` | | `period`, `compared_with`, `bucket`, `points` |
//! | `/api/pages` | `by=page` or `entry_page`, `limit` | `period`, `by`, `rows`, `more` |
//! | `/api/sources` | `by=source` or `channel`, `limit` | the same; a source's row has its channel as `detail` |
//! | `/api/countries` | `limit` | the same; the label is ISO 3166-1 alpha-2 |
//! | `/api/devices` | `by=device`, `browser` or `os`, `limit` | the same |
//! | `/api/consent` | `limit`, and no filter | `period`, `total`, `rows`, `more`: how everybody answered the banner |
//! | `/api/definitions` | nothing | `metrics` and `consent`: `[{"name", "title", "explanation", "sql"}]` |
//!
//! - `current` and `previous` are figures: `{"visitors", "visits", "page_views", "bounce_rate", "visit_seconds"}`. The
//!   last two, a share and an average, are `null` where no visit began.
//! - `period` is `{"site", "from", "to", "today"}`.
//! - `compared_with` is `{"from", "to", "same_time"}`: where the period is not over, the one before is counted up to
//!   the same time.
//! - `bucket` is `hour`, `day`, `week` or `month`; `points` are `[{"start", "whole", "current", "previous"}]`, `current`
//!   being `null` where the bucket has not begun.
//! - `rows` are `[{"label", "visitors", "visits", "page_views"}]`; `more` says whether there are more than `limit`.
//!
//! - Of `/api/consent`, `total` is `{"shown", "accepted", "rejected", "customised", "ignored", "acceptance_rate",
//!   "refusal_rate"}`, the rates being `null` where nobody answered, and `rows` are the same by `day`, `banner_version` and
//!   `language`, the latest day first.
//!
//! Errors are `{"error": {"code", "message"}}` with 400 (a parameter), 401 (signed out), 404, 405, 503 (the database
//! is away or the question too heavy) or 500.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, error, json};
use super::{State, now_ms};
use crate::query::period::utc_date;
use crate::query::sql::DIMENSIONS;
use crate::query::{self, CONSENT_METRICS, Dimension, Filter, METRICS, Period, QueryError, Question};

/// Rows of a card unless asked otherwise.
const ROWS: u16 = 10;
/// The most rows of one answer.
const MOST_ROWS: u16 = 1000;
/// The longest value that can be filtered by, in bytes.
const LONGEST_VALUE: usize = 2048;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/api/totals`
    Totals,
    /// `/api/series`
    Series,
    /// `/api/pages`, `/api/sources`, `/api/countries`, `/api/devices`: the dimensions it can show, its own first.
    Breakdown(&'static [Dimension]),
    /// `/api/consent`
    Consent,
    /// `/api/definitions`
    Definitions,
}

impl Endpoint {
    /// What stands at a path.
    pub fn of(path: &str) -> Option<Endpoint> {
        Some(match path {
            "/api/totals" => Endpoint::Totals,
            "/api/series" => Endpoint::Series,
            "/api/pages" => Endpoint::Breakdown(&[Dimension::Page, Dimension::EntryPage]),
            "/api/sources" => Endpoint::Breakdown(&[Dimension::Source, Dimension::Channel]),
            "/api/countries" => Endpoint::Breakdown(&[Dimension::Country]),
            "/api/devices" => Endpoint::Breakdown(&[Dimension::Device, Dimension::Browser, Dimension::Os]),
            "/api/consent" => Endpoint::Consent,
            "/api/definitions" => Endpoint::Definitions,
            _ => return None,
        })
    }
}

/// What a query string asks for.
struct Asked {
    question: Question,
    by: Option<String>,
    limit: u16,
}

/// Answers a request of someone who is signed in.
pub async fn answer(state: &State, endpoint: Endpoint, query: &str) -> Answer {
    if endpoint == Endpoint::Definitions {
        return json(StatusCode::OK, &json!({ "metrics": METRICS, "consent": CONSENT_METRICS }));
    }
    let asked = match Asked::read(query, state.parts.site_id, now_ms()) {
        Ok(asked) => asked,
        Err(message) => return bad_parameter(&message),
    };
    let shown = match (endpoint, &asked.by) {
        (Endpoint::Breakdown(dimensions), Some(by)) => dimensions.iter().find(|d| d.word() == by).copied(),
        (Endpoint::Breakdown(dimensions), None) => dimensions.first().copied(),
        _ => None,
    };
    let client = &state.parts.client;
    let answered = match (endpoint, shown) {
        (Endpoint::Totals, _) => query::totals(client, &asked.question).await.map(|totals| {
            let (current, previous) = (totals.current, totals.previous);
            json!({ "compared_with": asked.compared_with(), "current": current, "previous": previous })
        }),
        (Endpoint::Series, _) => query::series(client, &asked.question).await.map(|(bucket, points)| {
            json!({ "compared_with": asked.compared_with(), "bucket": bucket.word(), "points": points })
        }),
        (Endpoint::Consent, _) if !asked.question.filters.is_empty() => {
            return bad_parameter("how the banner is answered is counted for the whole site alone: take out the filters");
        }
        (Endpoint::Consent, _) => query::consent(client, &asked.question, asked.limit)
            .await
            .map(|found| json!({ "total": found.total, "rows": found.rows, "more": found.more })),
        (_, Some(dimension)) => {
            let breakdown = query::breakdown(client, &asked.question, dimension, asked.limit).await;
            breakdown.map(|found| json!({ "by": dimension.word(), "rows": found.rows, "more": found.more }))
        }
        (_, None) => return bad_parameter("`by` names nothing this address can show"),
    };
    match answered {
        Ok(mut body) => {
            body["period"] = asked.period();
            json(StatusCode::OK, &body)
        }
        Err(error) => failed(&error),
    }
}

impl Asked {
    /// Reads a query string; the error says what is wrong and what would be right.
    fn read(query: &str, site_id: u32, now: i64) -> Result<Asked, String> {
        let today = utc_date(now).to_string();
        let week_ago = utc_date(now.saturating_sub(6 * 86_400_000)).to_string();
        let (mut site_id, mut from, mut to) = (site_id, None, None);
        let (mut by, mut limit, mut filters) = (None, ROWS, Vec::<Filter>::new());
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if seen.contains(&name) {
                return Err(format!("`{name}` is given twice"));
            }
            match name.as_str() {
                "site" => {
                    site_id = value.parse().map_err(|_| "`site` must be a site's number, such as 1".to_owned())?
                }
                "from" => from = Some(value),
                "to" => to = Some(value),
                "by" => by = Some(value),
                "limit" => {
                    let parsed = value.parse().ok().filter(|rows| (1..=MOST_ROWS).contains(rows));
                    limit = parsed.ok_or_else(|| format!("`limit` must be 1 to {MOST_ROWS}"))?;
                }
                _ => {
                    let dimension = Dimension::from_word(&name).ok_or_else(|| unknown(&name))?;
                    if value.len() > LONGEST_VALUE {
                        return Err(format!("`{name}` is longer than {LONGEST_VALUE} bytes"));
                    }
                    filters.push(Filter { dimension, value });
                }
            }
            seen.push(name);
        }
        let (from, to) = (from.unwrap_or(week_ago), to.unwrap_or(today));
        let period = Period::parse(&from, &to).map_err(|error| error.to_string())?;
        Ok(Asked { question: Question { site_id, period, now, filters }, by, limit })
    }

    fn period(&self) -> Value {
        let (period, today) = (self.question.period, utc_date(self.question.now));
        json!({
            "site": self.question.site_id,
            "from": period.from().to_string(),
            "to": period.to().to_string(),
            "today": today.to_string(),
        })
    }

    fn compared_with(&self) -> Value {
        let (period, today) = (self.question.period, utc_date(self.question.now));
        let before = period.before();
        let same_time = period.to() >= today;
        json!({ "from": before.from().to_string(), "to": before.to().to_string(), "same_time": same_time })
    }
}

fn unknown(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    let filters = DIMENSIONS.map(|(_, word)| word).join(", ");
    format!("there is no parameter `{name}`; there are site, from, to, by, limit, {filters}")
}

fn bad_parameter(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "bad_parameter", message)
}

fn failed(failure: &QueryError) -> Answer {
    tracing::warn!(error = %failure, "a question of the dashboard has no answer");
    let (status, code, message) = match failure {
        QueryError::Away(_) | QueryError::TooSlow => (
            StatusCode::SERVICE_UNAVAILABLE,
            "database_away",
            "The database does not answer. What visitors do is kept on disk meanwhile and will appear here.",
        ),
        QueryError::TooHeavy(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too_heavy",
            "This is more than the database may do for one question. Choose a shorter time or fewer filters.",
        ),
        QueryError::Refused(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "refused",
            "The database refused the question. The gateway's log has the reason; is the schema up to date?",
        ),
    };
    error(status, code, message)
}
