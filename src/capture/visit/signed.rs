//! The visit's cookie: `SESSION.SEQ.LAST_MS.ORIGIN.TAG`, the tag 128 bits of a MAC over the visitor's pseudonym and what
//! stands before it. A visit that was made up, changed, or taken from another visitor is no visit.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::Visit;
use crate::keys::{KeyPurpose, KeyRing, Remembered};
use crate::pseudonym::VisitorId;

/// The longest value that is looked at, in bytes; ours stay far below.
const LONGEST: usize = 96;
/// How far ahead of ours the clock of another gateway may run, in milliseconds.
const SKEW_MS: i64 = 300_000;
/// Bytes of the tag; [`KeyRing::verify`] takes no fewer.
const TAG: usize = 16;

/// Signs and reads visits.
pub struct Signed {
    ring: Arc<KeyRing>,
}

impl Signed {
    /// Under the ring's keys.
    pub fn new(ring: Arc<KeyRing>) -> Signed {
        Signed { ring }
    }

    /// The cookie's value for this visitor.
    pub fn encode(&self, visitor: VisitorId, visit: &Visit) -> String {
        let mut value = String::with_capacity(LONGEST);
        // Written out, since every page is answered with one.
        hex(&mut value, &visit.session_id.to_be_bytes());
        value.push('.');
        value.push_str(itoa::Buffer::new().format(visit.seq));
        value.push('.');
        value.push_str(itoa::Buffer::new().format(visit.last_ms));
        value.push('.');
        hex(&mut value, &visit.origin.to_be_bytes());
        let tag = self.ring.mac(KeyPurpose::Visit, &[&visitor.0.to_le_bytes(), value.as_bytes()]).value;
        value.push('.');
        BASE64URL.encode_string(&tag[..TAG], &mut value);
        value
    }

    /// The visit this visitor's cookie holds; nothing where it is not one of ours.
    pub fn decode(&self, visitor: VisitorId, value: &[u8], now_ms: i64) -> Option<Visit> {
        self.verified(visitor, value).filter(|visit| visit.is_possible(now_ms))
    }

    /// The same, where what was verified before is remembered.
    pub fn decode_once(
        &self,
        visitor: VisitorId,
        value: &[u8],
        now_ms: i64,
        remembered: &Remembered<Visit>,
    ) -> Option<Visit> {
        let verify = || self.verified(visitor, value);
        let visit = remembered.or_verify(&self.ring, &visitor.0.to_le_bytes(), value, verify);
        visit.filter(|visit| visit.is_possible(now_ms))
    }

    fn verified(&self, visitor: VisitorId, value: &[u8]) -> Option<Visit> {
        let (visit, body, tag) = parse(value)?;
        self.ring.verify(KeyPurpose::Visit, &[&visitor.0.to_le_bytes(), body], &tag).then_some(visit)
    }
}

/// Two digits for each byte.
fn hex(text: &mut String, bytes: &[u8]) {
    let digit = |four: u8| char::from(if four < 10 { b'0' + four } else { b'a' + four - 10 });
    bytes.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
}

impl Visit {
    /// Whether it is one that could have happened until now.
    fn is_possible(&self, now_ms: i64) -> bool {
        let started_ms = (self.session_id >> 32) as i64 * 1000;
        started_ms <= self.last_ms.saturating_add(1000) && self.last_ms <= now_ms.saturating_add(SKEW_MS)
    }
}

/// A visit, what of the value is signed, and the tag.
fn parse(value: &[u8]) -> Option<(Visit, &[u8], [u8; TAG])> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= LONGEST)?;
    let (body, tag) = text.rsplit_once('.')?;
    let mut fields = body.split('.');
    let session_id = u64::from_str_radix(fields.next()?, 16).ok()?;
    let seq = fields.next()?.parse().ok()?;
    let last_ms: i64 = fields.next()?.parse().ok()?;
    let origin = u32::from_str_radix(fields.next()?, 16).ok()?;
    let is_whole = fields.next().is_none();
    // The decoder asks for room in whole groups of three.
    let mut room = [0; TAG + 2];
    let length = BASE64URL.decode_slice(tag, &mut room).ok()?;
    let tag = room.first_chunk().filter(|_| length == TAG)?;
    is_whole.then_some((Visit { session_id, seq, last_ms, origin }, body.as_bytes(), *tag))
}
