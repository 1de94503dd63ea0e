//! Periods by the calendar: how long rows are kept (R1).

use std::fmt;

use jiff::Span;
use jiff::civil::{Date, date};

use super::Period;
use super::units::amounts;

/// The longest period: the tables' dates end in 2149.
const MAX_MONTHS: u64 = 100 * 12;
const MAX_DAYS: u64 = 36_500;

impl Period {
    /// Reads `6 years`, `48 months`, `90 days`, `1 year 6 months`; nothing where the text is none or too long.
    pub fn parse(text: &str) -> Option<Period> {
        let (mut months, mut days) = (0u64, 0u64);
        for (amount, unit) in amounts(text)? {
            let (sum, size) = match unit {
                "year" | "years" => (&mut months, 12),
                "month" | "months" => (&mut months, 1),
                "week" | "weeks" => (&mut days, 7),
                "day" | "days" => (&mut days, 1),
                _ => return None,
            };
            *sum = sum.checked_add(amount.checked_mul(size)?)?;
        }
        let fits = months <= MAX_MONTHS && days <= MAX_DAYS && (months, days) != (0, 0);
        fits.then_some(Period { months: months as u16, days: days as u16 })
    }

    /// The nominal number of days: a month has 30.4375 (a year 365.25), rounded. It names the retention class.
    pub fn retention_days(self) -> u16 {
        let of_months = (u64::from(self.months) * 487 + 8) / 16;
        u16::try_from(of_months + u64::from(self.days)).unwrap_or(u16::MAX)
    }

    /// The day this period after `day` (both in days since 1970), exact by the calendar: months first, then days; where a
    /// month is too short its last day counts, as 28 February does for the 29th.
    pub fn after(self, day: u16) -> u16 {
        let epoch = date(1970, 1, 1);
        let end = epoch
            .checked_add(Span::new().days(day))
            .and_then(|from| from.checked_add(Span::new().months(self.months)))
            .and_then(|from| from.checked_add(Span::new().days(self.days)))
            .unwrap_or(Date::MAX);
        let days = epoch.until(end).map_or(i32::MAX, |span| span.get_days());
        u16::try_from(days).unwrap_or(u16::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |amount: u16, unit: &str| match amount {
            0 => {}
            1 => parts.push(format!("1 {unit}")),
            _ => parts.push(format!("{amount} {unit}s")),
        };
        if self.months.is_multiple_of(12) {
            part(self.months / 12, "year");
        } else {
            part(self.months, "month");
        }
        part(self.days, "day");
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        Period::parse(text).unwrap_or_else(|| panic!("{text} is a period"))
    }

    fn day(text: &str) -> u16 {
        let date: Date = text.parse().unwrap();
        date.since(date_of_epoch()).unwrap().get_days().try_into().unwrap()
    }

    fn date_of_epoch() -> Date {
        date(1970, 1, 1)
    }

    #[test]
    fn periods_are_read_as_people_write_them() {
        assert_eq!(period("6 years"), Period { months: 72, days: 0 });
        assert_eq!(period("48 months"), Period { months: 48, days: 0 });
        assert_eq!(period("90 days"), Period { months: 0, days: 90 });
        assert_eq!(period("1 year 6 months"), Period { months: 18, days: 0 });
        assert_eq!(period(" 2weeks "), Period { months: 0, days: 14 });
        for wrong in ["", "6", "years", "0 days", "6 yeers", "-1 day", "101 years", "6 years!", "1.5 years", "forever"]
        {
            assert_eq!(Period::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Period::parse("99999999999999999999 days"), None);
        assert_eq!(Period::parse("18446744073709551615 years 18446744073709551615 years"), None);
    }

    #[test]
    fn a_period_is_written_so_that_it_reads_back() {
        for text in ["6 years", "1 year", "18 months", "90 days", "1 year 1 day", "1 month 15 days"] {
            assert_eq!(period(text).to_string(), text);
        }
        assert_eq!(period("48 months").to_string(), "4 years");
    }

    #[test]
    fn rule_r1_the_nominal_days_name_the_retention_class() {
        let days = |text| period(text).retention_days();
        assert_eq!(days("6 years"), 2192);
        assert_eq!(days("48 months"), 1461);
        assert_eq!(days("24 months"), 731);
        assert_eq!(days("2 years"), 731);
        assert_eq!(days("1 year"), 365);
        assert_eq!(days("90 days"), 90);
        assert_eq!(days("100 years 36500 days"), u16::MAX);
    }

    #[test]
    fn rule_r1_the_end_is_exact_by_the_calendar() {
        for (from, kept, end) in [
            ("2024-02-29", "1 year", "2025-02-28"),
            ("2024-02-29", "4 years", "2028-02-29"),
            ("2024-02-29", "6 years", "2030-02-28"),
            ("2025-08-31", "6 months", "2026-02-28"),
            ("2023-08-31", "6 months", "2024-02-29"),
            ("2025-01-31", "1 month", "2025-02-28"),
            ("2025-01-31", "1 month 1 day", "2025-03-01"),
            ("2025-03-01", "6 years", "2031-03-01"),
            ("2025-12-31", "6 years", "2031-12-31"),
            ("2026-01-01", "6 years", "2032-01-01"),
            ("2025-11-22", "48 months", "2029-11-22"),
            ("2025-12-01", "90 days", "2026-03-01"),
            ("2023-12-01", "90 days", "2024-02-29"),
            ("1970-01-01", "1 day", "1970-01-02"),
        ] {
            assert_eq!(period(kept).after(day(from)), day(end), "{from} + {kept}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_date_and_no_period_overflow(day: u16, months in 0u16..=1200, days: u16) {
            let end = Period { months, days }.after(day);
            proptest::prop_assert!(end >= day);
        }

        #[test]
        fn every_period_reads_back(months in 0u16..=1200, days in 1u16..=36_500) {
            let period = Period { months, days };
            proptest::prop_assert_eq!(Period::parse(&period.to_string()), Some(period));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Period::parse(&text);
        }
    }
}
