//! Sizes and durations as people write them: `32 KiB`, `5 minutes`.

use std::time::Duration;

/// Takes `5 minutes`, `1h 30m` or `6 years` apart into amounts and units; nothing where the text is not of that shape.
pub(super) fn amounts(text: &str) -> Option<Vec<(u64, &str)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let after = after.trim_start();
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        if unit.is_empty() {
            return None;
        }
        found.push((digits.parse().ok()?, unit));
        rest = after.trim_start();
    }
    (!found.is_empty()).then_some(found)
}

/// Reads a duration with its unit.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for (amount, unit) in amounts(text)? {
        let millis: u64 = match unit {
            "ms" | "millisecond" | "milliseconds" => 1,
            "s" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            _ => return None,
        };
        sum = sum.checked_add(Duration::from_millis(amount.checked_mul(millis)?))?;
    }
    Some(sum)
}

/// Writes a duration in the largest unit that divides it.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let plural = |amount: u128, unit: &str| format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" });
    match millis {
        0 => "0s".into(),
        _ if millis.is_multiple_of(86_400_000) => plural(millis / 86_400_000, "day"),
        _ if millis.is_multiple_of(3_600_000) => plural(millis / 3_600_000, "hour"),
        _ if millis.is_multiple_of(60_000) => plural(millis / 60_000, "minute"),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads a size with its unit, or a bare number of bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    if let Ok(bytes) = text.trim().parse() {
        return Some(bytes);
    }
    let [(amount, unit)] = amounts(text)?[..] else { return None };
    let (_, size) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    amount.checked_mul(*size)
}

/// Writes a size in the largest binary unit that divides it.
pub(super) fn show_size(bytes: u64) -> String {
    let unit = SIZES[..5].iter().rev().find(|(_, size)| bytes.is_multiple_of(*size) && bytes > 0);
    match unit {
        Some(("B", _)) | None => format!("{bytes} B"),
        Some((name, size)) => format!("{} {name}", bytes / size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text| parse_duration(text).map(|d| d.as_secs_f64());
        assert_eq!(seconds("30s"), Some(30.0));
        assert_eq!(seconds("5 minutes"), Some(300.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("1h 30m"), Some(5400.0));
        for wrong in ["", "30", "s", "30 sec onds", "-5s", "5.5s", "30 parsecs", "18446744073709551615 days", "٣s"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(parse_size("32 KiB"), Some(32_768));
        assert_eq!(parse_size("4GiB"), Some(4 << 30));
        assert_eq!(parse_size("10 MB"), Some(10_000_000));
        assert_eq!(parse_size("10 mb"), Some(10_000_000));
        assert_eq!(parse_size("512"), Some(512));
        for wrong in ["", "KiB", "4 GiB 2 MiB", "-1 B", "1.5 GiB", "17000000 TiB", "4 gigs"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(number: u64) {
            proptest::prop_assert_eq!(parse_size(&show_size(number)), Some(number));
            let duration = Duration::from_millis(number / 90_000_000);
            proptest::prop_assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-zA-Z .é٣-]*") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
