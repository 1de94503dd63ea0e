//! A month of the calendar in UTC, which names a segment.

use std::fmt;

/// A month, in months since January of year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month(u32);

impl Month {
    /// The month of a time in milliseconds since 1970.
    pub(super) fn of(at_ms: i64) -> Month {
        let time = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (year, month) = (i32::from(date.year()), i32::from(date.month()));
        Month(u32::try_from(year * 12 + month - 1).unwrap_or(0))
    }

    /// The month of a segment's file name.
    pub(super) fn of_file(name: &str) -> Option<Month> {
        let (year, month) = name.strip_suffix(".jsonl")?.split_once('-')?;
        let digits = |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return None;
        }
        let (year, month): (u32, u32) = (year.parse().ok()?, month.parse().ok()?);
        (1..=12).contains(&month).then(|| Month(year * 12 + month - 1))
    }

    /// The name of its segment.
    pub(super) fn file(self) -> String {
        format!("{self}.jsonl")
    }

    /// Its last day, in days since 1970.
    pub(super) fn last_day(self) -> u16 {
        let (year, month) = (self.0 / 12, self.0 % 12 + 1);
        let first = i16::try_from(year).ok().zip(i8::try_from(month).ok());
        let first = first.and_then(|(year, month)| jiff::civil::Date::new(year, month, 1).ok());
        let last = first.unwrap_or(jiff::civil::Date::MAX).last_of_month();
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = epoch.until(last).map_or(i32::MAX, |span| span.get_days());
        u16::try_from(days.max(0)).unwrap_or(u16::MAX)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_of_utc_and_name_their_file() {
        for (at_ms, file, last_day) in [
            (0, "1970-01.jsonl", 30),
            (1_767_225_599_999, "2025-12.jsonl", 20_453),
            (1_767_225_600_000, "2026-01.jsonl", 20_484),
            (1_709_164_800_000, "2024-02.jsonl", 19_782),
        ] {
            let month = Month::of(at_ms);
            assert_eq!((month.file().as_str(), month.last_day()), (file, last_day));
            assert_eq!(Month::of_file(file), Some(month));
        }
        for other in ["2026-13.jsonl", "2026-1.jsonl", "2026-01.json", "head", "2026-00.jsonl", "+026-01.jsonl"] {
            assert_eq!(Month::of_file(other), None, "{other}");
        }
    }
}
