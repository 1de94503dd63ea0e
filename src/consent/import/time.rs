//! Times as managers write them. All of them are the visitor's own clock.

use serde_json::Value;

/// A time of ISO 8601 as browsers write it, in seconds since 1970.
pub(super) fn iso(text: &str) -> Option<u64> {
    let time: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(time.as_second()).ok()
}

/// Milliseconds since 1970, in seconds.
pub(super) fn millis(value: &Value) -> Option<u64> {
    Some(value.as_u64()? / 1000)
}
