//! What the collector sends to `POST /_privacy/events`.
//!
//! ```json
//! {"v": 1, "events": [{"n": "engagement", "u": "/pricing", "tz": "Europe/London", "lang": "en-GB",
//!                      "screen": "1920x1080", "e": 12000, "sd": 80}]}
//! ```
//! `n` (`page_loaded` or `engagement`) and `u` (path and query of the page) are required; `e` is visible time in
//! milliseconds, `sd` the part of the page that was scrolled to in percent. Unknown fields are ignored, so that an older
//! gateway takes what a newer script sends.

use serde::Deserialize;

use super::event::EventName;
use crate::pseudonym::RawUrl;

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most events in one beacon.
pub const MAX_EVENTS: usize = 20;
/// The longest visible time one event may report: a day.
const MAX_ENGAGEMENT_MS: u64 = 86_400_000;

/// Why a beacon is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeaconError {
    /// Not the JSON above. The message holds a position, never content.
    #[error("the body is not a beacon: see line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Another format.
    #[error("beacon format {0} is not known; this gateway takes 1")]
    Version(u32),
    /// Too many events.
    #[error("a beacon holds at most {MAX_EVENTS} events, not {0}")]
    TooMany(usize),
    /// An event this version does not have.
    #[error("event {0} of the beacon has an unknown name; known are `page_loaded` and `engagement`")]
    UnknownName(usize),
    /// Not a path of this site.
    #[error("event {0} of the beacon has a `u` that does not begin with `/`")]
    NotAPath(usize),
}

/// One event of a beacon, bounded but not yet scrubbed.
pub struct BeaconEvent {
    pub(super) name: EventName,
    pub(super) url: RawUrl,
    pub(super) time_zone: String,
    pub(super) language: String,
    pub(super) screen: String,
    pub(super) engagement_ms: u32,
    pub(super) scroll_pct: u8,
}

#[derive(Deserialize)]
struct Body {
    v: u32,
    events: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    n: String,
    u: String,
    #[serde(default)]
    tz: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    screen: String,
    #[serde(default)]
    e: u64,
    #[serde(default)]
    sd: u64,
}

/// Reads a beacon; all of it counts or none.
pub fn parse(body: &[u8]) -> Result<Vec<BeaconEvent>, BeaconError> {
    let body: Body =
        serde_json::from_slice(body).map_err(|e| BeaconError::Malformed { line: e.line(), column: e.column() })?;
    if body.v != 1 {
        return Err(BeaconError::Version(body.v));
    }
    if body.events.len() > MAX_EVENTS {
        return Err(BeaconError::TooMany(body.events.len()));
    }
    body.events.into_iter().enumerate().map(|(i, item)| event(i + 1, item)).collect()
}

fn event(number: usize, item: Item) -> Result<BeaconEvent, BeaconError> {
    let name = match item.n.as_str() {
        "page_loaded" => EventName::PageLoaded,
        "engagement" => EventName::Engagement,
        _ => return Err(BeaconError::UnknownName(number)),
    };
    if !item.u.starts_with('/') {
        return Err(BeaconError::NotAPath(number));
    }
    Ok(BeaconEvent {
        name,
        url: RawUrl::new(&item.u),
        time_zone: item.tz,
        language: item.lang,
        screen: item.screen,
        engagement_ms: item.e.min(MAX_ENGAGEMENT_MS) as u32,
        scroll_pct: item.sd.min(100) as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refusal(body: &str) -> BeaconError {
        match parse(body.as_bytes()) {
            Err(error) => error,
            Ok(_) => panic!("accepted {body}"),
        }
    }

    #[test]
    fn a_beacon_is_bounded() {
        let events =
            parse(br#"{"v":1,"events":[{"n":"engagement","u":"/a","e":99999999999,"sd":250,"new":[1]}]}"#).unwrap();
        assert_eq!((events[0].engagement_ms, events[0].scroll_pct), (86_400_000, 100));
    }

    #[test]
    fn what_is_wrong_is_named_without_content() {
        assert_eq!(refusal(r#"{"v":1,"events":[{"n":"engagement","u":"x@y.z"}]}"#), BeaconError::NotAPath(1));
        assert_eq!(refusal(r#"{"v":1,"events":[{"n":"click","u":"/"}]}"#), BeaconError::UnknownName(1));
        assert_eq!(refusal(r#"{"v":2,"events":[]}"#), BeaconError::Version(2));
        assert!(matches!(refusal("[]"), BeaconError::Malformed { .. }));
        let many = format!(r#"{{"v":1,"events":[{}]}}"#, [r#"{"n":"engagement","u":"/"}"#; 21].join(","));
        assert_eq!(refusal(&many), BeaconError::TooMany(21));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
