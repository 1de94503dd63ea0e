//! How visitors answered when they were asked: the one question that is not about people who agreed, but about everybody who
//! saw the banner, and so one of counters alone. It knows days, not hours, and cannot be narrowed to a page or a country: the
//! counters do not know them.

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use super::metric::{CONSENT_METRICS, select_list};
use super::run::{QueryError, fetch};
use super::sql::Statement;
use super::{Question, run};

/// The metrics of [`CONSENT_METRICS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ConsentFigures {
    /// Pages that carried the banner.
    pub shown: u64,
    /// Answers that granted everything.
    pub accepted: u64,
    /// Answers that granted nothing.
    pub rejected: u64,
    /// Answers between.
    pub customised: u64,
    /// Pages that carried the banner and that no answer followed.
    pub ignored: u64,
    /// 0 to 1; nothing where nobody answered.
    pub acceptance_rate: Option<f64>,
    /// 0 to 1; nothing where nobody answered.
    pub refusal_rate: Option<f64>,
}

/// One banner on one day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConsentRow {
    /// `2026-03-31`, in UTC.
    pub day: String,
    /// The banner's version.
    pub banner_version: String,
    /// The language it was shown in.
    pub language: String,
    /// What was counted.
    #[serde(flatten)]
    pub figures: ConsentFigures,
}

/// A period's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Consent {
    /// All of them.
    pub total: ConsentFigures,
    /// By day, version and language, the latest day first.
    pub rows: Vec<ConsentRow>,
    /// Whether there are more rows than asked for.
    pub more: bool,
}

#[derive(Row, Deserialize)]
struct Counted {
    day: String,
    banner_version: String,
    language: String,
    shown: u64,
    accepted: u64,
    rejected: u64,
    customised: u64,
    ignored: u64,
    acceptance_rate: f64,
    refusal_rate: f64,
}

/// How a period's visitors answered; at most `limit` rows. The question's filters are not looked at.
pub async fn consent(client: &Client, question: &Question, limit: u16) -> Result<Consent, QueryError> {
    let total = fetch::<Counted>(client, total(question)).await?.first().map(figures).unwrap_or_default();
    let rows = fetch::<Counted>(client, by_banner(question, limit)).await?;
    let more = rows.len() > usize::from(limit);
    let rows = rows.into_iter().take(limit.into()).map(|row| ConsentRow {
        figures: figures(&row),
        day: row.day,
        banner_version: row.banner_version,
        language: row.language,
    });
    Ok(Consent { total, rows: rows.collect(), more })
}

fn figures(row: &Counted) -> ConsentFigures {
    ConsentFigures {
        shown: row.shown,
        accepted: row.accepted,
        rejected: row.rejected,
        customised: row.customised,
        ignored: row.ignored,
        acceptance_rate: run::share(row.acceptance_rate),
        refusal_rate: run::share(row.refusal_rate),
    }
}

/// All of a period in one row.
pub(super) fn total(question: &Question) -> Statement {
    let keys = "  '' as day,\n  '' as banner_version,\n  '' as language,";
    let sql = ["select", keys, &select_list(&CONSENT_METRICS), "from consent_statistics as c", WHERE];
    Statement { sql: sql.join("\n"), params: params(question) }
}

/// By day, version and language; one row more than `limit`, to tell whether there are more.
pub(super) fn by_banner(question: &Question, limit: u16) -> Statement {
    let keys = "  toString(c.day) as day,\n  toString(c.banner_version) as banner_version,\n  \
                toString(c.language) as language,";
    let sql = [
        "select",
        keys,
        &select_list(&CONSENT_METRICS),
        "from consent_statistics as c",
        WHERE,
        "group by c.day, c.banner_version, c.language",
        "order by c.day desc, sum(c.shown) desc, c.banner_version, c.language",
        "limit {rows:UInt32}",
    ];
    let mut params = params(question);
    params.push(("rows", (u32::from(limit) + 1).to_string()));
    Statement { sql: sql.join("\n"), params }
}

const WHERE: &str = "where c.site_id = {site:UInt32}
  and c.day between {from:Date} and {to:Date}
  and c.expires_at > today()";

fn params(question: &Question) -> Vec<(&'static str, String)> {
    vec![
        ("site", question.site_id.to_string()),
        ("from", question.period.from().to_string()),
        ("to", question.period.to().to_string()),
    ]
}
