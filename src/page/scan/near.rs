//! Sixteen bytes of a page, looked at all at once.
//!
//! These are searchers of memchr's. For a piece whose length the compiler knows each comes to a load, a comparison or two and
//! the place of a bit; memchr's functions, which ask what the processor can do, come to a call.

#[cfg(not(target_arch = "x86_64"))]
pub(in crate::page) use portable::{one, three, two};
#[cfg(target_arch = "x86_64")]
pub(in crate::page) use sse2::{one, three, two};

/// So many bytes are looked at.
pub(in crate::page) const NEAR: usize = 16;

/// What every processor of the kind can do.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use memchr::arch::x86_64::sse2::memchr::{One, Three, Two};

    use super::{NEAR, portable};

    /// Where `needle` is.
    #[inline(always)]
    pub(in crate::page) fn one(near: &[u8; NEAR], needle: u8) -> Option<usize> {
        One::new(needle).map_or_else(|| portable::one(near, needle), |searcher| searcher.find(near))
    }

    /// Where the first of two is.
    #[inline(always)]
    pub(in crate::page) fn two(near: &[u8; NEAR], one: u8, two: u8) -> Option<usize> {
        Two::new(one, two).map_or_else(|| portable::two(near, one, two), |searcher| searcher.find(near))
    }

    /// Where the first of three is.
    #[inline(always)]
    pub(in crate::page) fn three(near: &[u8; NEAR], one: u8, two: u8, three: u8) -> Option<usize> {
        Three::new(one, two, three)
            .map_or_else(|| portable::three(near, one, two, three), |searcher| searcher.find(near))
    }
}

/// The same for other processors.
mod portable {
    use memchr::arch::all::memchr::{One, Three, Two};

    use super::NEAR;

    #[inline(always)]
    pub(in crate::page) fn one(near: &[u8; NEAR], needle: u8) -> Option<usize> {
        One::new(needle).find(near)
    }

    #[inline(always)]
    pub(in crate::page) fn two(near: &[u8; NEAR], one: u8, two: u8) -> Option<usize> {
        Two::new(one, two).find(near)
    }

    #[inline(always)]
    pub(in crate::page) fn three(near: &[u8; NEAR], one: u8, two: u8, three: u8) -> Option<usize> {
        Three::new(one, two, three).find(near)
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
        fn it_finds_what_a_plain_search_finds_on_any_processor(near in prop::array::uniform16(some_marks())) {
            let plain = |marks: &[u8]| near.iter().position(|byte| marks.contains(byte));
            prop_assert_eq!(one(&near, b'<'), plain(b"<"));
            prop_assert_eq!(two(&near, b'>', b'\''), plain(b">'"));
            prop_assert_eq!(three(&near, b'<', b'=', b'>'), plain(b"<=>"));
            prop_assert_eq!(portable::one(&near, b'<'), plain(b"<"));
            prop_assert_eq!(portable::two(&near, b'>', b'\''), plain(b">'"));
            prop_assert_eq!(portable::three(&near, b'<', b'=', b'>'), plain(b"<=>"));
        }
    }
}
