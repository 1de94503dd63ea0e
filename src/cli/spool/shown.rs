//! Times, sizes and partitions as people read them.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::spool::Partition;
use crate::spool::look::{Fault, Listed};

/// How long ago it was made; nothing where that is not known, zero where the clock was set back since.
pub(super) fn age(since: Option<SystemTime>, now: SystemTime) -> Option<Duration> {
    since.map(|since| now.duration_since(since).unwrap_or_default())
}

/// `3 s`, `12 min`, `5 h`, `9 days`.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7200 => format!("{} min", s / 60),
        s @ 7200..172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// `812 B`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| bytes >= 1 << shift) {
        Some((shift, unit)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes} B"),
    }
}

/// `1 batch`, `2 batches`.
pub(super) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// `2026-11, kept 2192 days`.
pub(super) fn partition(partition: Partition) -> String {
    let Partition { month, retention_days } = partition;
    format!("{:04}-{:02}, kept {retention_days} days", month / 100, month % 100)
}

/// A batch as its file is named.
pub(super) fn hex(batch_id: u64) -> String {
    format!("{batch_id:016x}")
}

/// Where a segment lies.
pub(super) fn file(listed: &Listed) -> String {
    listed.path.display().to_string()
}

/// A damaged place, for machines.
pub(super) fn fault(fault: &Fault) -> Value {
    json!({ "offset": fault.offset, "bytes": fault.bytes, "what": fault.what.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_round_numbers() {
        assert_eq!(
            [0, 119, 120, 7200, 200_000].map(|s| span(Duration::from_secs(s))),
            ["0 s", "119 s", "2 min", "2 h", "2 days"]
        );
        assert_eq!([0, 1023, 1536, 5 << 20].map(size), ["0 B", "1023 B", "1.5 KiB", "5.0 MiB"]);
        assert_eq!(partition(Partition { month: 202607, retention_days: 90 }), "2026-07, kept 90 days");
        assert_eq!((count(1, "row", "rows"), count(0, "row", "rows")), ("1 row".to_owned(), "0 rows".to_owned()));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_old() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(age(Some(now + Duration::from_secs(9)), now), Some(Duration::ZERO));
        assert_eq!(age(None, now), None);
    }
}
