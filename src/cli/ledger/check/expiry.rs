//! When the table lets go of its rows: the day is not part of what is signed, so it is held against the row's time, the
//! configuration, and the other rows of its month. Pure.

use std::collections::BTreeMap;

use super::day;
use crate::config::Period;
use crate::ledger::verify::{Finding, Kind};
use crate::ledger::{ChainId, Row};

/// The longest that can be configured, in days, with a leap day too many.
const LONGEST: u16 = 36_526;

/// By how many days rows of one month may differ that are kept for one period: months have 28 to 31 days.
const OF_THE_CALENDAR: i32 = 3;

/// What is seen of the rows, by chain and month.
pub(super) struct Expiry {
    retention: Period,
    /// By how many days they are kept longer than configured now.
    months: BTreeMap<(ChainId, String), BTreeMap<i32, Alike>>,
    findings: Vec<Finding>,
}

/// Rows of a month that are kept equally long.
struct Alike {
    rows: u64,
    /// Number, receipt and day of the first.
    first: (u64, u64, u16),
}

impl Expiry {
    /// For rows that are kept for this long, unless they were written under another configuration.
    pub(super) fn of(retention: Period) -> Expiry {
        Expiry { retention, months: BTreeMap::new(), findings: Vec::new() }
    }

    /// A row that is as it was written, and the first day on which the table has it no more, in days since 1970.
    pub(super) fn see(&mut self, row: &Row, expires_at: u16) {
        let (at, first) = (day(row.entry.at_ms), (row.seq, row.entry.receipt, expires_at));
        if expires_at < at {
            return self.find(row.chain, first, "before it was written".into());
        }
        if expires_at > at.saturating_add(LONGEST) {
            return self.find(row.chain, first, "later than any retention allows".into());
        }
        let more = i32::from(expires_at) - i32::from(self.retention.after(at));
        let month = row.file().trim_end_matches(".jsonl").to_owned();
        let alike = self.months.entry((row.chain, month)).or_default();
        alike.entry(more).or_insert(Alike { rows: 0, first }).rows += 1;
    }

    /// All that was found. What the configuration gives is right; else the majority of the month is.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for ((chain, month), kinds) in std::mem::take(&mut self.months) {
            let most = kinds.iter().max_by_key(|(more, alike)| (alike.rows, **more == 0)).map_or(0, |(more, _)| *more);
            for (more, alike) in kinds {
                let days = more - most;
                if more == 0 || days.abs() <= OF_THE_CALENDAR {
                    continue;
                }
                let than = if days < 0 { "earlier" } else { "later" };
                let rows = if alike.rows == 1 { String::new() } else { format!("; so do {} rows", alike.rows) };
                let days = days.abs();
                self.find(chain, alike.first, format!("{days} days {than} than most rows of {month}{rows}"));
            }
        }
        self.findings
    }

    fn find(&mut self, chain: ChainId, (seq, receipt, expires_at): (u64, u64, u16), when: String) {
        let date = jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(expires_at));
        let what = format!("it goes from the table on {date} (`expires_at`): {when}");
        let (seq, receipt) = (Some(seq), Some(receipt));
        self.findings.push(Finding { kind: Kind::Changed, chain: Some(chain), seq, receipt, what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyId;
    use crate::ledger::{Action, Entry};

    const SIX_YEARS: Period = Period { months: 72, days: 0 };

    /// A row of this day, in days since 1970.
    fn row(seq: u64, day: u16) -> Row {
        let entry = Entry {
            receipt: seq,
            previous: None,
            at_ms: i64::from(day) * 86_400_000,
            action: Action::Accept,
            policy_version: 1,
            text_hash: [0; 32],
            banner_version: String::new(),
            banner_hash: [0; 32],
            granted: vec![],
            denied: vec![],
            source: "api".into(),
            language: String::new(),
            host: String::new(),
            gpc: false,
            dnt: false,
            under_16: false,
        };
        let (hash, signature) = ([0; 32], [0; 64]);
        Row { chain: ChainId(1), seq, site_id: 1, entry, prev_hash: [0; 32], key: KeyId(1), hash, signature }
    }

    /// Which rows are named, of rows of these days that expire on those.
    fn named(retention: Period, rows: impl IntoIterator<Item = (u16, u16)>) -> Vec<u64> {
        let mut expiry = Expiry::of(retention);
        for ((day, expires_at), seq) in rows.into_iter().zip(1..) {
            expiry.see(&row(seq, day), expires_at);
        }
        expiry.finish().into_iter().filter_map(|finding| finding.seq).collect()
    }

    #[test]
    fn rows_of_one_period_are_alike_whatever_the_calendar() {
        // Every day of four years, kept for periods of which months are too short, under another configuration.
        for months in [1, 6, 18, 72] {
            let period = Period { months, days: 0 };
            let rows: Vec<_> = (20_000..21_461).map(|day| (day, period.after(day))).collect();
            assert_eq!(named(period, rows.clone()), [0; 0]);
            assert_eq!(named(SIX_YEARS, rows), [0; 0], "{months}");
        }
    }

    #[test]
    fn a_row_that_goes_earlier_or_later_than_its_month_is_named() {
        let right = SIX_YEARS.after(20_635);
        for wrong in [right - 365, right - 10, right + 10, right + 30_000, 20_634, u16::MAX] {
            for retention in [SIX_YEARS, Period { months: 12, days: 0 }] {
                let rows = [(20_635, right), (20_635, wrong), (20_635, right)];
                assert_eq!(named(retention, rows), [2], "{wrong}");
            }
        }
    }
}
