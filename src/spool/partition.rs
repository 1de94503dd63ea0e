//! The table's partition, which a batch never crosses.

/// The table's partition that a record belongs to: `(toYYYYMM(ts), retention_days)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// Year and month in UTC as in `202507`.
    pub month: u32,
    /// The retention class in days.
    pub retention_days: u16,
}

impl Partition {
    /// Whether any record of it can have outlived its period by then: not before the first of its month is so many days ago.
    pub(super) fn may_be_outlived(self, now_ms: i64) -> bool {
        let (year, month) = (i64::from(self.month / 100), i64::from(self.month % 100));
        // At most a day too many since 1970, and the calendar's six years may be a day or two shorter than the nominal ones.
        let first = (year - 1970) * 365 + (year - 1970) / 4 + (month - 1) * 30;
        now_ms.div_euclid(86_400_000) >= first + i64::from(self.retention_days) - 4
    }

    /// The partition of a time (milliseconds since 1970) and a retention class.
    pub fn of(ts: i64, retention_days: u16) -> Partition {
        // Days to civil date by counting years from March, so that the leap day is a year's last (Hinnant,
        // "chrono-Compatible Low-Level Date Algorithms"). This is on the path of each page view; a calendar library
        // would make a whole date and time of it.
        let days = ts.div_euclid(86_400_000) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Partition { month: u32::try_from(year * 100 + month).unwrap_or(0), retention_days }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_month_is_the_calendars(ts in 0i64..7_258_118_400_000) {
            let date = jiff::Timestamp::from_millisecond(ts).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
            let month = date.year() as u32 * 100 + date.month() as u32;
            prop_assert_eq!(Partition::of(ts, 90), Partition { month, retention_days: 90 });
        }

        #[test]
        fn nothing_is_outlived_before_it_may_be(ts in 0i64..7_258_118_400_000, days in 1u16..4000) {
            // A record of the very beginning of its month is the first that goes.
            let partition = Partition::of(ts, days);
            let date = jiff::Timestamp::from_millisecond(ts).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date().first_of_month();
            let first = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond();
            let gone = first + i64::from(days) * 86_400_000;
            prop_assert!(partition.may_be_outlived(gone));
            prop_assert!(!partition.may_be_outlived(gone - 30 * 86_400_000), "not a month before");
        }

        #[test]
        fn no_time_panics(ts in any::<i64>()) {
            Partition::of(ts, 0);
        }
    }
}
