//! Finds a byte. In a page most are near: between two tags, and in an attribute's value, stand some ten or twenty others, for
//! which a call of `memchr` takes longer than eight bytes at a time do.

use memchr::{memchr, memchr2};

/// After so many bytes it is left to `memchr`.
const NEAR: usize = 32;
const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES << 7;

/// Where `needle` is in `chunk` from `from` on.
#[inline]
pub(in crate::page) fn find(chunk: &[u8], from: usize, needle: u8) -> Option<usize> {
    let (mut at, pattern) = (from, ONES * u64::from(needle));
    let mut rest = chunk.get(from..)?;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let found = zeros(u64::from_le_bytes(*word) ^ pattern);
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
        rest = after;
        if at - from >= NEAR {
            return memchr(needle, rest).map(|found| at + found);
        }
    }
    rest.iter().position(|&byte| byte == needle).map(|found| at + found)
}

/// Where the first of two bytes is in `chunk` from `from` on.
#[inline]
pub(super) fn find_either(chunk: &[u8], from: usize, one: u8, other: u8) -> Option<usize> {
    let (mut at, patterns) = (from, [ONES * u64::from(one), ONES * u64::from(other)]);
    let mut rest = chunk.get(from..)?;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ patterns[0]) | zeros(word ^ patterns[1]);
        if found != 0 {
            return Some(at + first(found));
        }
        at += 8;
        rest = after;
        if at - from >= NEAR {
            return memchr2(one, other, rest).map(|found| at + found);
        }
    }
    rest.iter().position(|&byte| byte == one || byte == other).map(|found| at + found)
}

/// A bit in each byte that is zero; others may be set above the lowest of these.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The index of the lowest byte in which a bit is set.
#[inline]
const fn first(found: u64) -> usize {
    (found.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(
            chunk in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(vec![0x3B, 0x3C, 0x3D, 0xBC, 0])], 0..90),
            from in 0usize..90,
        ) {
            let plain = |is: &dyn Fn(u8) -> bool| Some(chunk.get(from..)?.iter().position(|&byte| is(byte))? + from);
            prop_assert_eq!(find(&chunk, from, b'<'), plain(&|byte| byte == b'<'));
            prop_assert_eq!(find_either(&chunk, from, b'=', b'<'), plain(&|byte| byte == b'=' || byte == b'<'));
        }
    }
}
