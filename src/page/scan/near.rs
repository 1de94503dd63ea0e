//! Sixteen bytes of a page, looked at all at once.
//!
//! Of memchr these are the searchers for what every processor of the kind can do. For a piece whose length the compiler knows
//! each comes to a load, a comparison or two and the place of a bit; memchr's functions for all processors come to a call.

#[cfg(not(target_arch = "x86_64"))]
use memchr::arch::all::memchr as vector;
#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr as vector;

use memchr::arch::all::memchr as portable;

/// So many bytes are looked at.
pub(in crate::page) const NEAR: usize = 16;

/// Where `needle` is.
#[inline(always)]
pub(in crate::page) fn one(near: &[u8; NEAR], needle: u8) -> Option<usize> {
    match Option::from(vector::One::new(needle)) {
        Some(searcher) => vector::One::find(&searcher, near),
        None => portable::One::new(needle).find(near),
    }
}

/// Where the first of two is.
#[inline(always)]
pub(in crate::page) fn two(near: &[u8; NEAR], one: u8, other: u8) -> Option<usize> {
    match Option::from(vector::Two::new(one, other)) {
        Some(searcher) => vector::Two::find(&searcher, near),
        None => portable::Two::new(one, other).find(near),
    }
}

/// Where the first of three is.
#[inline(always)]
pub(in crate::page) fn three(near: &[u8; NEAR], one: u8, two: u8, three: u8) -> Option<usize> {
    match Option::from(vector::Three::new(one, two, three)) {
        Some(searcher) => vector::Three::find(&searcher, near),
        None => portable::Three::new(one, two, three).find(near),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some_marks() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), prop::sample::select(b"<=>?'\"; \xBC\xBE\0".to_vec())]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds_and_what_other_processors_find(near in prop::array::uniform16(some_marks())) {
            let plain = |marks: &[u8]| near.iter().position(|byte| marks.contains(byte));
            prop_assert_eq!(one(&near, b'<'), plain(b"<"));
            prop_assert_eq!(two(&near, b'>', b'\''), plain(b">'"));
            prop_assert_eq!(three(&near, b'<', b'=', b'>'), plain(b"<=>"));
            prop_assert_eq!(one(&near, b'<'), portable::One::new(b'<').find(&near));
            prop_assert_eq!(two(&near, b'>', b'\''), portable::Two::new(b'>', b'\'').find(&near));
            prop_assert_eq!(three(&near, b'<', b'=', b'>'), portable::Three::new(b'<', b'=', b'>').find(&near));
        }
    }
}
