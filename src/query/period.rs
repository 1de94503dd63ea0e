//! Stretches of whole days (UTC) and the buckets a chart divides them into.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// The longest stretch that is answered in one question.
const MOST_DAYS: i64 = 3660;

/// Why two dates are no period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// It is not a date as expected.
    #[error("`{name}` is `{value}`; write a date such as 2026-03-31")]
    BadDate {
        /// Which of the two.
        name: &'static str,
        /// What stood there, cut short.
        value: String,
    },
    /// It lies outside of what can be stored.
    #[error("`{name}` is {value}; dates from 2000-01-01 to 2099-12-31 can be asked for")]
    OutOfRange {
        /// Which of the two.
        name: &'static str,
        /// What stood there.
        value: Date,
    },
    /// The end comes first.
    #[error("`from` ({from}) is after `to` ({to}); swap them")]
    Backwards {
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
    },
    /// It is too long.
    #[error("from {from} to {to} is longer than ten years; ask for less")]
    TooLong {
        /// The first day.
        from: Date,
        /// The last day.
        to: Date,
    },
}

/// From one day to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    to: Date,
}

impl Period {
    /// A period of two dates.
    pub fn new(from: Date, to: Date) -> Result<Period, PeriodError> {
        for (name, value) in [("from", from), ("to", to)] {
            if !(2000..2100).contains(&value.year()) {
                return Err(PeriodError::OutOfRange { name, value });
            }
        }
        if from > to {
            return Err(PeriodError::Backwards { from, to });
        }
        let period = Period { from, to };
        if period.days() > MOST_DAYS { Err(PeriodError::TooLong { from, to }) } else { Ok(period) }
    }

    /// A period of two dates as they were typed, `YYYY-MM-DD`.
    pub fn parse(from: &str, to: &str) -> Result<Period, PeriodError> {
        Period::new(parse_date("from", from)?, parse_date("to", to)?)
    }

    /// The first day.
    pub fn from(self) -> Date {
        self.from
    }

    /// The last day.
    pub fn to(self) -> Date {
        self.to
    }

    /// How many days it has; at least one.
    pub fn days(self) -> i64 {
        day_number(self.to) - day_number(self.from) + 1
    }

    /// As many days, directly before.
    pub fn before(self) -> Period {
        let days = self.days();
        let back = |date: Date| date.saturating_sub(days.days());
        Period { from: back(self.from), to: back(self.to) }
    }

    /// The moment (milliseconds since 1970) up to which the period before is counted: all of it, or as much of it as
    /// has passed of this one. Half a day is never compared with a whole one.
    pub fn comparable_until(self, now: i64) -> i64 {
        (day_number(self.from) * DAY_MS).min(now.saturating_sub(self.days() * DAY_MS))
    }

    /// The bucket a chart of this period is readable with.
    pub fn bucket(self) -> Bucket {
        match self.days() {
            ..=2 => Bucket::Hour,
            3..=92 => Bucket::Day,
            93..=740 => Bucket::Week,
            _ => Bucket::Month,
        }
    }

    /// Every bucket of this period, without gaps, in order. `now` is in milliseconds since 1970.
    pub fn buckets(self, now: i64) -> Vec<BucketSpan> {
        let bucket = self.bucket();
        let (from, end) = (day_number(self.from) * DAY_MS, (day_number(self.to) + 1) * DAY_MS);
        let mut spans = Vec::new();
        let mut start = bucket.start_of(from);
        while start < end {
            let next = bucket.next(start);
            let whole = start >= from && next <= end && next <= now;
            spans.push(BucketSpan { number: bucket.number(start), start, whole, begun: start <= now });
            start = next;
        }
        spans
    }
}

/// One bucket of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSpan {
    /// Its number, as [`Bucket::sql`] gives it.
    pub number: i64,
    /// Its beginning in milliseconds since 1970; it may lie before the period.
    pub start: i64,
    /// Whether it is over and lies wholly in the period, so that its figures can be compared with others.
    pub whole: bool,
    /// Whether it has begun; what has not has no figures yet, not zero.
    pub begun: bool,
}

/// How a chart divides time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week from Monday.
    Week,
    /// A calendar month.
    Month,
}

impl Bucket {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Bucket::Hour => "hour",
            Bucket::Day => "day",
            Bucket::Week => "week",
            Bucket::Month => "month",
        }
    }

    /// SQL for the number of the bucket that holds the moment `moment`, an expression of type `DateTime64(3, 'UTC')`:
    /// hours since 1970, or days since 1970 of the bucket's first day. Numbers, because a `Date` turned into a time
    /// would be read in the server's time zone.
    pub fn sql(self, moment: &str) -> String {
        match self {
            Bucket::Hour => format!("toInt64(intDiv(toUnixTimestamp64Milli({moment}), 3600000))"),
            Bucket::Day => format!("toInt64(toDate({moment}))"),
            Bucket::Week => format!("toInt64(toMonday({moment}))"),
            Bucket::Month => format!("toInt64(toStartOfMonth({moment}))"),
        }
    }

    fn number(self, start: i64) -> i64 {
        start.div_euclid(if self == Bucket::Hour { HOUR_MS } else { DAY_MS })
    }

    fn start_of(self, moment: i64) -> i64 {
        let date = utc_date(moment);
        let first = match self {
            Bucket::Hour => return moment.div_euclid(HOUR_MS) * HOUR_MS,
            Bucket::Day => date,
            Bucket::Week => date.saturating_sub(i64::from(date.weekday().to_monday_zero_offset()).days()),
            Bucket::Month => date.first_of_month(),
        };
        day_number(first) * DAY_MS
    }

    fn next(self, start: i64) -> i64 {
        match self {
            Bucket::Hour => start + HOUR_MS,
            Bucket::Day => start + DAY_MS,
            Bucket::Week => start + 7 * DAY_MS,
            Bucket::Month => self.start_of(start + 31 * DAY_MS),
        }
    }

    /// A bucket's beginning as text: `2026-03-31`, or `2026-03-31T14:00Z` for hours.
    pub fn label(self, start: i64) -> String {
        let date = utc_date(start);
        match self {
            Bucket::Hour => format!("{date}T{:02}:00Z", start.rem_euclid(DAY_MS) / HOUR_MS),
            _ => date.to_string(),
        }
    }
}

/// The day (UTC) of a moment in milliseconds since 1970.
pub fn utc_date(moment: i64) -> Date {
    let moment = Timestamp::from_millisecond(moment).unwrap_or(Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(moment).date()
}

/// Days since 1970.
fn day_number(date: Date) -> i64 {
    let epoch = Date::constant(1970, 1, 1);
    i64::from(epoch.until(date).expect("a date minus a date is a span of days").get_days())
}

fn parse_date(name: &'static str, value: &str) -> Result<Date, PeriodError> {
    // Stricter than the parser, which also takes week dates, times and signs.
    let shape = value.len() == 10
        && value.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let date = shape.then(|| value.parse().ok()).flatten();
    date.ok_or_else(|| PeriodError::BadDate { name, value: value.chars().take(40).collect() })
}
