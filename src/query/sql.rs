//! Questions as SQL: pure functions from a question to text and parameters. What was typed is only ever a parameter;
//! the text is put together from the constants of this room.

use super::Question;
use super::metric::{columns, counts};

/// Bounds of one question, sent beside each statement, so that a heavy one ends itself before it can starve the
/// shipper. Nothing but reading is allowed. Past half of the memory it goes on on disk.
pub const LIMITS: [(&str, &str); 5] = [
    ("readonly", "1"),
    ("max_execution_time", "20"),
    ("max_memory_usage", "1000000000"),
    ("max_bytes_before_external_group_by", "500000000"),
    ("max_result_rows", "100000"),
];

/// What a figure can be broken down by or narrowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A page that was viewed.
    Page,
    /// The page a visit began on.
    EntryPage,
    /// Where a visit came from, with its channel.
    Source,
    /// The kind of source.
    Channel,
    /// ISO 3166-1 alpha-2.
    Country,
    /// Device class.
    Device,
    /// Browser without version.
    Browser,
    /// Operating system without version.
    Os,
}

/// Every dimension with its word in the API.
pub const DIMENSIONS: [(Dimension, &str); 8] = [
    (Dimension::Page, "page"),
    (Dimension::EntryPage, "entry_page"),
    (Dimension::Source, "source"),
    (Dimension::Channel, "channel"),
    (Dimension::Country, "country"),
    (Dimension::Device, "device"),
    (Dimension::Browser, "browser"),
    (Dimension::Os, "os"),
];

impl Dimension {
    /// The word in the API.
    pub fn word(self) -> &'static str {
        DIMENSIONS.iter().find(|(d, _)| *d == self).map(|(_, word)| *word).expect("every dimension has a word")
    }

    /// The dimension a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        DIMENSIONS.iter().find(|(_, w)| *w == word).map(|(dimension, _)| *dimension)
    }

    fn column(self) -> &'static str {
        match self {
            Dimension::Page | Dimension::EntryPage => "path",
            Dimension::Source => "source",
            Dimension::Channel => "channel",
            Dimension::Country => "country",
            Dimension::Device => "device",
            Dimension::Browser => "browser",
            Dimension::Os => "os",
        }
    }

    /// The second column of a row, where it has one.
    fn detail(self) -> Option<&'static str> {
        (self == Dimension::Source).then_some("channel")
    }

    /// The rows that are about the dimension at all: place and device stand on every row, but only a page view views a
    /// page, and only the first step of a visit enters and comes from somewhere; every later one comes from the site.
    fn rows(self) -> Option<&'static str> {
        match self {
            Dimension::Page => Some("name = 'pageview'"),
            Dimension::EntryPage | Dimension::Source | Dimension::Channel => Some("seq = 1"),
            _ => None,
        }
    }
}

/// Narrows a question to one value of a dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of what.
    pub dimension: Dimension,
    /// The value as the tables have it; a parameter, never part of the SQL.
    pub value: String,
}

/// A statement and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The text.
    pub sql: String,
    /// Name and value of each parameter.
    pub params: Vec<(&'static str, String)>,
}

/// The metrics of the period (`in_period` = 1) and of the one before (0), at most one row each.
pub fn totals(question: &Question) -> Statement {
    let sql = [
        "select",
        "  toUInt8(toDate(ts) >= {from:Date}) as in_period,",
        &columns(),
        "from events",
        &where_both_periods(question),
        "group by in_period",
    ];
    Statement { sql: sql.join("\n"), params: params_both_periods(question) }
}

/// The metrics by bucket, for the period and the one before. Rows of the period before are moved forward by its
/// length, so that its buckets fall onto the period's.
pub fn series(question: &Question) -> Statement {
    let moved = "if(toDate(ts) >= {from:Date}, ts, addDays(ts, {days:UInt32}))";
    let sql = [
        "select",
        "  toUInt8(toDate(ts) >= {from:Date}) as in_period,",
        &format!("  {} as bucket,", question.period.bucket().sql(moved)),
        &columns(),
        "from events",
        &where_both_periods(question),
        "group by in_period, bucket",
        "order by in_period, bucket",
    ];
    let mut params = params_both_periods(question);
    params.push(("days", question.period.days().to_string()));
    Statement { sql: sql.join("\n"), params }
}

/// The metrics by a dimension's values, those with most visitors first; one row more than `limit`, to tell whether
/// there are more.
pub fn breakdown(question: &Question, dimension: Dimension, limit: u16) -> Statement {
    let column = dimension.column();
    let (detail, group) = match dimension.detail() {
        Some(detail) => (format!("toString({detail})"), format!("{column}, {detail}")),
        None => ("''".to_owned(), column.to_owned()),
    };
    let conditions =
        [where_period(question, "from")].into_iter().chain(dimension.rows().map(|rows| format!("  and {rows}")));
    let sql = [
        "select",
        &format!("  toString({column}) as label,"),
        &format!("  {detail} as detail,"),
        &counts(),
        "from events",
        &conditions.collect::<Vec<_>>().join("\n"),
        &format!("group by {group}"),
        "order by visitors desc, page_views desc, label, detail",
        "limit {rows:UInt32}",
    ];
    let mut params = params(question);
    params.push(("rows", (u32::from(limit) + 1).to_string()));
    Statement { sql: sql.join("\n"), params }
}

/// The rows of the question, from the day that the parameter `first` names.
fn where_period(question: &Question, first: &str) -> String {
    // `toDate(ts)` is the second column of the primary key: whole days are skipped without being read.
    let base = [
        "where site_id = {site:UInt32}".to_owned(),
        format!("  and toDate(ts) between {{{first}:Date}} and {{to:Date}}"),
        // Calls and openings of e-mails are no visitor's.
        "  and visitor_id != 0".to_owned(),
        "  and is_bot = 0".to_owned(),
        "  and expires_at > today()".to_owned(),
    ];
    let mut lines = base.to_vec();
    for filter in &question.filters {
        let condition = format!("and {} = {{{}:String}}", filter.dimension.column(), parameter(filter.dimension));
        match filter.dimension.rows() {
            None => lines.push(format!("  {condition}")),
            // A page narrows to the visits that saw it, not to its own rows: otherwise every visit would have one
            // page.
            Some(rows) => {
                lines.extend(["  and session_id in (", "    select session_id", "    from events"].map(str::to_owned));
                lines.extend(base.iter().map(|line| format!("    {line}")));
                lines.extend([format!("      and {rows}"), format!("      {condition}"), "  )".to_owned()]);
            }
        }
    }
    lines.join("\n")
}

fn where_both_periods(question: &Question) -> String {
    let comparable = "  and (toDate(ts) >= {from:Date} or toUnixTimestamp64Milli(ts) < {comparable_until:Int64})";
    [&where_period(question, "before"), comparable].join("\n")
}

fn params(question: &Question) -> Vec<(&'static str, String)> {
    let mut params = vec![
        ("site", question.site_id.to_string()),
        ("from", question.period.from().to_string()),
        ("to", question.period.to().to_string()),
    ];
    params.extend(question.filters.iter().map(|filter| (parameter(filter.dimension), filter.value.clone())));
    params
}

fn params_both_periods(question: &Question) -> Vec<(&'static str, String)> {
    let mut params = params(question);
    params.push(("before", question.period.before().from().to_string()));
    params.push(("comparable_until", question.period.comparable_until(question.now).to_string()));
    params
}

fn parameter(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Page => "filter_page",
        Dimension::EntryPage => "filter_entry_page",
        Dimension::Source => "filter_source",
        Dimension::Channel => "filter_channel",
        Dimension::Country => "filter_country",
        Dimension::Device => "filter_device",
        Dimension::Browser => "filter_browser",
        Dimension::Os => "filter_os",
    }
}
