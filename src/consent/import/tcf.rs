//! The TC string of IAB Europe's Transparency and Consent Framework 2: the fields of its core segment that say what was
//! agreed to and when. Vendors, legitimate interests and publisher's purposes are not looked at.
//!
//! Core segment, in bits from the left: version 6, created 36, last updated 36 (both in tenths of a second since 1970), CMP 12,
//! its version 12, screen 6, language 2×6, vendor list 12, policy 6, service-specific 1, non-standard texts 1, special features
//! 12, purposes consented 24, purposes by legitimate interest 24, one treatment 1, country 2×6, highest vendor 16, ranges 1.

use super::manager::Site;
use super::said::{Answer, Said};

/// How many purposes a string has room for.
pub(super) const PURPOSES: u8 = 24;

const CREATED: usize = 6;
const UPDATED: usize = 42;
const CMP: usize = 78;
const CONSENTED: usize = 152;

/// Where the core's fixed fields end.
const CORE_BITS: usize = 230;

/// Segments a string may have: the core and one of each other type.
const MAX_SEGMENTS: usize = 4;

/// Reads it: the categories are the purposes' numbers. Without purpose 1, which is storing on the device, none is accepted.
pub(super) fn read(value: &[u8], _site: &Site<'_>) -> Option<Said> {
    let mut segments = value.split(|byte| *byte == b'.');
    let core = Bits::of(segments.next()?)?;
    for (number, segment) in segments.enumerate() {
        let others = Bits::of(segment)?;
        // 1 is vendors disclosed, 2 vendors allowed, 3 the publisher's own purposes.
        if number + 2 > MAX_SEGMENTS || !(1..=3).contains(&others.number(0, 3)?) {
            return None;
        }
    }
    let (created, updated) = (core.number(CREATED, 36)?, core.number(UPDATED, 36)?);
    if core.number(0, 6)? != 2 || core.len() < CORE_BITS || created > updated || core.number(CMP, 12)? == 0 {
        return None;
    }
    let mut said = Said::new(Answer::Refused, Some(updated / 10));
    let consented = |purpose: u8| core.number(CONSENTED + usize::from(purpose) - 1, 1) == Some(1);
    for purpose in 1..=PURPOSES {
        said.note(&purpose.to_string(), Answer::of(consented(1) && consented(purpose)));
    }
    Some(said)
}

/// Six bits for each character of base64url.
struct Bits(Vec<u8>);

impl Bits {
    fn of(text: &[u8]) -> Option<Bits> {
        let bits = |byte: &u8| match byte {
            b'A'..=b'Z' => Some(byte - b'A'),
            b'a'..=b'z' => Some(byte - b'a' + 26),
            b'0'..=b'9' => Some(byte - b'0' + 52),
            b'-' => Some(62),
            b'_' => Some(63),
            _ => None,
        };
        text.iter().map(bits).collect::<Option<_>>().map(Bits)
    }

    fn len(&self) -> usize {
        self.0.len() * 6
    }

    /// The number in `length` bits (at most 64) from `start`; nothing where there are not as many.
    fn number(&self, start: usize, length: usize) -> Option<u64> {
        (start..start + length).try_fold(0, |number, bit| {
            let six = self.0.get(bit / 6)?;
            Some(number << 1 | u64::from(six >> (5 - bit % 6) & 1))
        })
    }
}
