//! A random name for each request: in the log line, in the request to the site and on an error page, so that a visitor who
//! quotes it leads the operator to the one line. It says nothing of the visitor and is never used again.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderValue};

use super::balance::mix;

/// The header it travels in.
pub const REQUEST_ID: &str = "x-request-id";

/// Lengths of an id that is taken over.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Where a UUID's hyphens stand (RFC 9562 §4), and how long it is.
const HYPHENS: ([usize; 4], usize) = ([8, 13, 18, 23], 36);

/// One request's id: a UUID, or 16 to 64 hexadecimal digits.
#[derive(Clone, Copy)]
pub struct RequestId {
    text: [u8; *LENGTHS.end()],
    length: u8,
}

impl RequestId {
    /// What a trusted proxy called the request, where `trusted` says that one sent it and it looks drawn by lot; else a new one
    /// of 128 random bits. Many proxies pass on what the visitor calls it: an address, a name or a telephone number must not get
    /// into the log that way.
    pub fn of(headers: &HeaderMap, trusted: bool) -> RequestId {
        trusted.then(|| headers.get(REQUEST_ID)).flatten().and_then(taken_over).unwrap_or_else(RequestId::new)
    }

    /// A new one.
    pub fn new() -> RequestId {
        let mut text = [0; *LENGTHS.end()];
        for digits in text[..32].chunks_exact_mut(16) {
            let bits = draw();
            digits[..8].copy_from_slice(&hex((bits >> 32) as u32));
            digits[8..].copy_from_slice(&hex(bits as u32));
        }
        RequestId { text, length: 32 }
    }

    /// Its characters.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }

    /// As a header's value.
    pub fn to_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(self.as_bytes()).expect("letters and digits make a value")
    }
}

impl Default for RequestId {
    fn default() -> Self {
        RequestId::new()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

fn taken_over(value: &HeaderValue) -> Option<RequestId> {
    let bytes = value.as_bytes();
    if !LENGTHS.contains(&bytes.len()) {
        return None;
    }
    let is_uuid = bytes.len() == HYPHENS.1 && HYPHENS.0.iter().all(|&place| bytes[place] == b'-');
    let is_hyphen = |place: usize| is_uuid && HYPHENS.0.contains(&place);
    let mut has_letter = false;
    for (place, byte) in bytes.iter().enumerate() {
        has_letter |= byte.is_ascii_alphabetic();
        if !byte.is_ascii_hexdigit() && !is_hyphen(place) {
            return None;
        }
    }
    // Decimal digits alone are rather a number that somebody has: of a card, of a telephone.
    has_letter.then(|| {
        let mut text = [0; *LENGTHS.end()];
        text[..bytes.len()].copy_from_slice(bytes);
        RequestId { text, length: bytes.len() as u8 }
    })
}

/// Eight digits at once, four bits spread over each byte of a word.
fn hex(bits: u32) -> [u8; 8] {
    let mut spread = u64::from(bits);
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte that holds more than 9.
    let letters = (spread + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (spread + 0x3030_3030_3030_3030 + letters * (b'a' - b'9' - 1) as u64).to_be_bytes()
}

/// 64 random bits for names and jitter, not for secrets: a count, scrambled twice under keys drawn when the thread first
/// asked. No system call, no lock.
pub(super) fn draw() -> u64 {
    thread_local! {
        static STATE: (Cell<u64>, u64) = {
            let keys = RandomState::new();
            (Cell::new(keys.hash_one(0)), keys.hash_one(1))
        };
    }
    STATE.with(|(count, key)| {
        count.set(count.get().wrapping_add(1));
        mix(mix(count.get()) ^ key)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(value: &'static str, trusted: bool) -> String {
        let headers = HeaderMap::from_iter([(REQUEST_ID.parse().unwrap(), HeaderValue::from_static(value))]);
        RequestId::of(&headers, trusted).to_string()
    }

    #[test]
    fn a_trusted_proxys_id_is_kept_and_nobody_elses() {
        for id in [
            "4bf92f3577b34da6",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "4BF92F35-77b3-4da6-a3ce-929d0e0e4736",
            "a111111111111111111111111111111111111111111111111111111111111111",
        ] {
            assert_eq!(of(id, true), id);
        }
        for (value, trusted) in [
            ("4bf92f3577b34da6", false),
            ("4bf92f3577b34da", true),
            ("jane@example.org", true),
            ("jane-doe-of-leeds", true),
            ("has a blank in it", true),
            ("<script>alert(1)</script>", true),
            ("203.0.113.9", true),
            ("2001:db8::c0:ffee:1:2", true),
            ("07700900123", true),
            ("4111111111111111", true),
            ("1234-5678-1234-abcd", true),
            ("11111111-1111-1111-1111-111111111111", true),
            ("4bf92f35-77b3-4da6-a3ce-929d0e0e473", true),
            ("4bf92f35-77b3-4da6a-3ce-929d0e0e4736", true),
            ("4bf92f35-77b3-4da6-a3ce-929d0e0e47-6", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("", true),
        ] {
            let made = of(value, trusted);
            assert_eq!(made.len(), 32, "{value}");
            assert!(made.bytes().all(|byte| byte.is_ascii_hexdigit()) && made != value);
        }
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for bits in [0, 1, 0x0123_4567, 0x89ab_cdef, 0x9a9a_0f0f, u32::MAX] {
            assert_eq!(std::str::from_utf8(&hex(bits)).unwrap(), format!("{bits:08x}"));
        }
    }

    #[test]
    fn no_two_requests_have_one_id() {
        let here = (0..1000).map(|_| RequestId::new().to_string());
        let there = std::thread::spawn(|| (0..1000).map(|_| RequestId::new().to_string()).collect::<Vec<_>>());
        let all: HashSet<String> = here.chain(there.join().unwrap()).collect();
        assert_eq!(all.len(), 2000);
    }
}
