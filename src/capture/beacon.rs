//! What the collector sends to `POST /_privacy/events`.
//!
//! ```json
//! {"v": 1, "events": [{"n": "engagement", "u": "/pricing", "i": "9f86d081884c7d65", "p": "a1b2c3d4e5f60718",
//!                      "e": 12000, "sd": 80, "x": "link", "xt": "https://www.example.com/contact"}]}
//! ```
//! | field | of | is |
//! |---|---|---|
//! | `n`, `u` | every event | its name, path and query of its page; both are required |
//! | `i`, `p` | every event | its own id and its page view's, 16 hexadecimal digits each |
//! | `t` | every event | milliseconds since it happened, at most a day; so that no visitor's clock is believed |
//! | `h` | every event | the route in the fragment, where routes are there |
//! | `login` | every event | the site's own user id |
//! | `tz` `lang` `screen` `vp` `net` `pl` | `page_loaded`, `pageview` | time zone, languages, screen, viewport, connection, plug-ins |
//! | `ti` `r` `nt` | `page_loaded`, `pageview` | title, referrer, how the page came to be shown |
//! | `dns` `con` `ttfb` `dom` `load` | `page_loaded`, `pageview` | navigation timing, milliseconds |
//! | `e` `sd` | `engagement` | milliseconds visible since the last one, per cent scrolled |
//! | `lcp` `fcp` `inp` `cls` | `engagement` | web vitals so far |
//! | `x` `xt` | `engagement` | how the page was left (`link` `traverse` `reload` `typed` `closed` `tel` `mail` `form`), and to what URL |
//! | `el` `l` `to` `k` `d` | what happens within a page | kind of element, label, target URL, kind of failure, dwell in milliseconds |
//! | `props` `rev` | custom events | properties; `{"amount": 9.5, "currency": "GBP"}` |
//!
//! Unknown fields are ignored, so that an older gateway takes what a newer script sends. Everything is bounded here and
//! scrubbed when it becomes an event. All of a beacon counts or none.

mod refusal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::event::name;
use crate::pseudonym::{RawUrl, scrub};
pub use refusal::BeaconError;

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;
/// The most events in one beacon.
pub const MAX_EVENTS: usize = 20;
/// The most properties of a custom event.
pub const MAX_PROPERTIES: usize = 20;
/// How deep a beacon is nested at most; ours are four deep.
const DEEPEST: usize = 16;
/// A day in milliseconds: the longest visible time, and the longest an event may have waited.
const DAY_MS: u64 = 86_400_000;

/// One event of a beacon, bounded but not yet scrubbed. Without `Debug`: it holds what a visitor did.
pub struct BeaconEvent<'b> {
    pub(super) name: Name,
    pub(super) url: RawUrl,
    pub(super) id: Option<u64>,
    pub(super) page_view_id: u64,
    pub(super) age_ms: i64,
    pub(super) referrer: Option<RawUrl>,
    pub(super) exit_target: Option<RawUrl>,
    pub(super) target: Option<RawUrl>,
    pub(super) item: Item<'b>,
}

/// What an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// One of the gateway's names.
    Known(&'static str),
    /// A custom event's.
    Custom(String),
}

#[derive(Deserialize)]
struct Body<'b> {
    v: u32,
    #[serde(borrow)]
    events: Few<'b>,
}

/// So many events as a beacon may have; one more is an error.
struct Few<'b>(Vec<BeaconEvent<'b>>);

/// The same, where what is wrong is to be said: events are counted before any of them is read.
#[derive(Deserialize)]
struct Counted<'b> {
    v: u32,
    #[serde(borrow)]
    events: Vec<&'b RawValue>,
}

impl<'de: 'b, 'b> Deserialize<'de> for Few<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Vec<BeaconEvent<'de>>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {MAX_EVENTS} events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut events = Vec::with_capacity(1);
                while let Some(item) = seq.next_element()? {
                    if events.len() == MAX_EVENTS {
                        return Err(serde::de::Error::invalid_length(MAX_EVENTS + 1, &self));
                    }
                    events.push(event(events.len() + 1, item).map_err(serde::de::Error::custom)?);
                }
                Ok(events)
            }
        }

        deserializer.deserialize_seq(Each).map(Few)
    }
}

/// An event's fields as they came; text that has no escapes in it stays where it is.
#[derive(Deserialize)]
pub(super) struct Item<'b> {
    #[serde(borrow)]
    n: Cow<'b, str>,
    #[serde(borrow)]
    u: Cow<'b, str>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    i: Option<Cow<'b, str>>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    p: Option<Cow<'b, str>>,
    #[serde(default)]
    t: f64,
    #[serde(borrow, default, deserialize_with = "in_place")]
    r: Option<Cow<'b, str>>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    xt: Option<Cow<'b, str>>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    to: Option<Cow<'b, str>>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    pub h: Option<Cow<'b, str>>,
    #[serde(borrow, default, deserialize_with = "in_place")]
    pub login: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    pub tz: Cow<'b, str>,
    #[serde(borrow, default)]
    pub lang: Cow<'b, str>,
    #[serde(borrow, default)]
    pub screen: Cow<'b, str>,
    #[serde(borrow, default)]
    pub vp: Cow<'b, str>,
    #[serde(borrow, default)]
    pub net: Cow<'b, str>,
    #[serde(default)]
    pub pl: Vec<String>,
    #[serde(borrow, default)]
    pub ti: Cow<'b, str>,
    #[serde(borrow, default)]
    pub nt: Cow<'b, str>,
    #[serde(default)]
    pub dns: f64,
    #[serde(default)]
    pub con: f64,
    #[serde(default)]
    pub ttfb: f64,
    #[serde(default)]
    pub dom: f64,
    #[serde(default)]
    pub load: f64,
    #[serde(default)]
    pub lcp: f64,
    #[serde(default)]
    pub fcp: f64,
    #[serde(default)]
    pub inp: f64,
    #[serde(default)]
    pub cls: Option<f64>,
    #[serde(default)]
    pub e: f64,
    #[serde(default)]
    pub sd: f64,
    #[serde(borrow, default)]
    pub x: Cow<'b, str>,
    #[serde(borrow, default)]
    pub el: Cow<'b, str>,
    #[serde(borrow, default)]
    pub l: Cow<'b, str>,
    #[serde(borrow, default)]
    pub k: Cow<'b, str>,
    #[serde(default)]
    pub d: f64,
    #[serde(default)]
    pub props: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    pub rev: Option<Revenue>,
}

/// A text that may be absent and stays where it is; by themselves optional ones are copied.
fn in_place<'de: 'b, 'b, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'b, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'b>(#[serde(borrow)] Cow<'b, str>);
    Ok(Option::<Text<'b>>::deserialize(deserializer)?.map(|Text(text)| text))
}

/// Money a custom event brought.
#[derive(Deserialize)]
pub(super) struct Revenue {
    pub amount: f64,
    pub currency: String,
}

/// Milliseconds or another measure, cut to what may be.
pub(super) fn bounded(value: f64, most: u64) -> u32 {
    // A number that is none becomes 0.
    value.round().clamp(0.0, most.min(u64::from(u32::MAX)) as f64) as u32
}

/// Reads a beacon; all of it counts or none.
pub fn parse(body: &[u8]) -> Result<Vec<BeaconEvent<'_>>, BeaconError> {
    // Most have fewer brackets than they may be deep.
    let opening = memchr::memchr2_iter(b'{', b'[', body).count();
    if opening > DEEPEST && depth(body) > DEEPEST {
        return Err(BeaconError::TooDeep);
    }
    // As text, so that no string in it is looked at again for being one.
    let read = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    match read {
        Some(Body { v: 1, events: Few(events) }) => Ok(events),
        _ => one_by_one(body),
    }
}

/// Reads a beacon that is none, to say why: nearly all are read in one go.
fn one_by_one(body: &[u8]) -> Result<Vec<BeaconEvent<'_>>, BeaconError> {
    let malformed = |e: serde_json::Error| BeaconError::Malformed { line: e.line(), column: e.column() };
    let body: Counted<'_> = serde_json::from_slice(body).map_err(malformed)?;
    if body.v != 1 {
        return Err(BeaconError::Version(body.v));
    }
    if body.events.len() > MAX_EVENTS {
        return Err(BeaconError::TooMany(body.events.len()));
    }
    let mut events = Vec::with_capacity(body.events.len());
    for (index, raw) in body.events.into_iter().enumerate() {
        let item = serde_json::from_str(raw.get()).map_err(|_| BeaconError::Field(index + 1))?;
        events.push(event(index + 1, item)?);
    }
    Ok(events)
}

/// How deep objects and lists are nested, whether the text is JSON or not.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0usize, 0, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn event(number: usize, mut item: Item<'_>) -> Result<BeaconEvent<'_>, BeaconError> {
    if !item.u.starts_with('/') {
        return Err(BeaconError::NotAPath(number));
    }
    if item.props.len() > MAX_PROPERTIES {
        return Err(BeaconError::TooManyProperties(number));
    }
    let id = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) if text.len() == 16 => u64::from_str_radix(text, 16).map(Some).map_err(|_| BeaconError::Id(number)),
        Some(_) => Err(BeaconError::Id(number)),
    };
    let (own_id, page_view_id) = (id(item.i.as_deref())?, id(item.p.as_deref())?.unwrap_or_default());
    let url = |text: Option<Cow<'_, str>>| text.filter(|text| !text.is_empty()).map(|text| RawUrl::new(&text));
    Ok(BeaconEvent {
        name: self::name(&item.n).ok_or(BeaconError::Name(number))?,
        url: RawUrl::new(&item.u),
        id: own_id,
        page_view_id,
        age_ms: bounded(item.t, DAY_MS).into(),
        referrer: url(item.r.take()),
        exit_target: url(item.xt.take()),
        target: url(item.to.take()),
        item,
    })
}

/// The event a name stands for; nothing where no collector may say it.
fn name(text: &str) -> Option<Name> {
    let collectors = [name::PAGE_VIEW, name::PAGE_LOADED, name::ENGAGEMENT];
    match collectors.iter().chain(&name::WITHIN_PAGE).find(|known| **known == text) {
        Some(known) => Some(Name::Known(known)),
        None if name::GATEWAYS_OWN.contains(&text) => None,
        None => scrub::event_name(text).map(Name::Custom),
    }
}
