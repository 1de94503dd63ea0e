//! What a telephone system sends to `POST /_privacy/calls`, as JSON or as CSV with a header line.
//!
//! ```json
//! {"calls": [{"id": "c-1001", "at": "2026-11-26T10:00:00Z", "from": "+44 20 7946 0018", "duration_s": 180, "consent": true}]}
//! ```
//! | field | is |
//! |---|---|
//! | `id` | the telephone system's own id of the call, at most 256 bytes; the same one twice is one call |
//! | `at` | when it began, RFC 3339 with its offset; at most 400 days ago and not in the future |
//! | `from` | the caller's number, international or as within the configured country |
//! | `duration_s` | how long, in seconds; at most a day |
//! | `consent` | `true`, or the receipt of a choice in 16 hexadecimal digits; anything else, or nothing, is no consent |
//!
//! Other fields, the called number among them, are ignored and never kept. Each call counts by itself: what is wrong with
//! one is said beside its place in the list, counted from 0, and the others are taken. Of a call without consent nothing is
//! looked at but that.

mod csv;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::contact::is_timely;
use super::event::Event;
use super::{Capture, Shared};
use crate::consent::{self, Permit, PhoneCall, Policy};
use crate::pseudonym::{RawPhone, VisitorId};

/// The largest body, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most calls in one import.
pub const MAX_CALLS: usize = 500;
/// The longest id, in bytes.
const MAX_ID: usize = 256;
/// The longest call, in seconds.
const MAX_DURATION_S: f64 = 86_400.0;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`
    Json,
    /// `text/csv`
    Csv,
}

/// Why none of a body's calls are taken. Neither code nor message holds any of its content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallsError {
    /// Not JSON of the right form.
    #[error("the body is not {{\"calls\": [...]}}: see line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// CSV with a quoted field that does not end.
    #[error("the body is not CSV: a quoted field does not end")]
    OpenQuote,
    /// Not text.
    #[error("the body is not UTF-8")]
    NotText,
    /// CSV without a column it needs.
    #[error("the header line has no column `{0}`; it needs id, at, from, duration_s and consent")]
    Column(&'static str),
    /// Too many calls.
    #[error("an import holds at most {MAX_CALLS} calls; send the rest in another")]
    TooMany,
}

impl CallsError {
    /// The reason as one word.
    pub fn code(&self) -> &'static str {
        match self {
            CallsError::Malformed { .. } | CallsError::OpenQuote | CallsError::NotText => "malformed",
            CallsError::Column(_) => "column",
            CallsError::TooMany => "too-many",
        }
    }
}

/// Why one call is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The record does not state the caller's consent.
    NoConsent,
    /// It has no id, or one that is too long.
    Id,
    /// The caller's number is withheld or none.
    Number,
    /// It is of no time, of the future, or too old to be kept.
    Time,
    /// Its duration is none.
    Duration,
}

impl Refusal {
    /// The reason as one word.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::NoConsent => "no-consent",
            Refusal::Id => "id",
            Refusal::Number => "number",
            Refusal::Time => "time",
            Refusal::Duration => "duration",
        }
    }
}

/// A call's fields as they came, empty where they did not. Without `Debug`: they say who called.
#[derive(Default)]
pub struct Record {
    id: String,
    at: String,
    from: Zeroizing<String>,
    duration_s: String,
    consent: String,
}

/// A call that may be kept.
pub struct Call {
    pub(super) from: RawPhone,
    pub(super) at_ms: i64,
    pub(super) duration_ms: u32,
}

/// What became of an import.
#[derive(Default)]
pub struct Import {
    /// The calls that are new.
    pub events: Vec<Event>,
    /// For each of them, by what it is known when it comes again.
    pub ids: Vec<u128>,
    /// Which are not kept, and why.
    pub refused: Vec<(usize, Refusal)>,
    /// How many were imported before.
    pub repeated: usize,
}

#[derive(Deserialize)]
struct Body<'b> {
    // Counted before any of them is read.
    #[serde(borrow)]
    calls: Vec<&'b RawValue>,
}

/// Reads a body.
pub fn parse(body: &[u8], format: Format) -> Result<Vec<Record>, CallsError> {
    match format {
        Format::Json => json(body),
        Format::Csv => csv::records(body),
    }
}

fn json(body: &[u8]) -> Result<Vec<Record>, CallsError> {
    let malformed = |error: serde_json::Error| CallsError::Malformed { line: error.line(), column: error.column() };
    let calls = serde_json::from_slice::<Body<'_>>(body).map_err(malformed)?.calls;
    if calls.len() > MAX_CALLS {
        return Err(CallsError::TooMany);
    }
    let record = |call: &&RawValue| {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(call.get()) else { return Record::default() };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(truth)) => truth.to_string(),
            _ => String::new(),
        };
        Record {
            id: text("id"),
            at: text("at"),
            from: Zeroizing::new(text("from")),
            duration_s: text("duration_s"),
            consent: text("consent"),
        }
    };
    Ok(calls.iter().map(record).collect())
}

impl Record {
    /// The call, where the caller consents and all of it makes sense.
    fn judge(&self, policy: &Policy, calling_code: u16, now_ms: i64) -> Result<(Permit<PhoneCall>, Call), Refusal> {
        if consent::call::stated(&self.consent, policy, 0).is_none() {
            return Err(Refusal::NoConsent);
        }
        if !(1..=MAX_ID).contains(&self.id.trim().len()) {
            return Err(Refusal::Id);
        }
        let at: jiff::Timestamp = self.at.trim().parse().map_err(|_| Refusal::Time)?;
        let at_ms = at.as_millisecond();
        if !is_timely(at_ms, now_ms) {
            return Err(Refusal::Time);
        }
        let at_s = u64::try_from(at_ms.min(now_ms) / 1000).map_err(|_| Refusal::Time)?;
        let permit = consent::call::stated(&self.consent, policy, at_s).ok_or(Refusal::NoConsent)?;
        let from = RawPhone::new(&self.from, calling_code).ok_or(Refusal::Number)?;
        let seconds: f64 = self.duration_s.trim().parse().map_err(|_| Refusal::Duration)?;
        if !(0.0..=MAX_DURATION_S).contains(&seconds) {
            return Err(Refusal::Duration);
        }
        Ok((permit, Call { from, at_ms, duration_ms: (seconds * 1000.0).round() as u32 }))
    }
}

impl Capture {
    /// Judges each call of an import; the new ones become events, in their order.
    pub fn calls(&self, records: &[Record], policy: &Policy, now_ms: i64) -> Import {
        let mut import = Import::default();
        for (index, record) in records.iter().enumerate() {
            let (permit, call) = match record.judge(policy, self.shared.calling_code, now_ms) {
                Ok(judged) => judged,
                Err(refusal) => {
                    import.refused.push((index, refusal));
                    continue;
                }
            };
            let Some(event) = self.call(&permit, &call, now_ms) else {
                import.refused.push((index, Refusal::Time));
                continue;
            };
            let Some(id) = self.shared.admit_call(record.id.trim()) else {
                import.repeated += 1;
                continue;
            };
            import.events.push(event);
            import.ids.push(id);
        }
        import
    }

    /// Forgets a call that could not be kept, so that it may be imported again.
    pub fn forget_call(&self, id: u128) {
        self.shared.calls.forget(VisitorId(id), 0);
    }
}

impl Shared {
    /// Remembers calls that were imported before the start.
    pub fn know_calls(&self, ids: &[u128]) {
        for id in ids {
            self.calls.admit(VisitorId(*id), 0);
        }
    }

    /// Remembers a visitor's event that an earlier process kept.
    pub fn know_event(&self, visitor: u128, event: u64) {
        self.repeats.admit(VisitorId(visitor), event);
    }

    /// The keyed form of an id that comes for the first time, under whichever key; it is remembered. Keyed, since an id may
    /// have the caller's number in it.
    fn admit_call(&self, id: &str) -> Option<u128> {
        let mut ids = self.pseudonymiser.every_call(id.as_bytes()).into_iter();
        let newest = ids.next()?;
        let is_new = !ids.any(|older| self.calls.knows(VisitorId(older), 0));
        (is_new && self.calls.admit(VisitorId(newest), 0)).then_some(newest)
    }
}
