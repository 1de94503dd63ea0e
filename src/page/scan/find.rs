//! Finds a byte. In a page most are near: between two tags, and in an attribute's value, stand some ten or twenty others, for
//! which a call of `memchr` takes longer than looking at sixteen of them at a time does.

use memchr::{memchr, memchr2, memchr3};

use super::near::{self, NEAR};

/// After so many bytes it is left to `memchr`.
const FAR: usize = 2 * NEAR;

/// Where `needle` is in `chunk` from `from` on.
#[inline]
pub(in crate::page) fn find(chunk: &[u8], from: usize, needle: u8) -> Option<usize> {
    find_with(chunk, from, |near| near::one(near, needle), |byte| byte == needle, |rest| memchr(needle, rest))
}

/// Where the first of two bytes is in `chunk` from `from` on.
#[inline]
pub(super) fn find_either(chunk: &[u8], from: usize, one: u8, other: u8) -> Option<usize> {
    let is = |byte| byte == one || byte == other;
    find_with(chunk, from, |near| near::two(near, one, other), is, |rest| memchr2(one, other, rest))
}

/// Where the first `<`, `=` or `>` is in `chunk` from `from` on.
#[inline]
pub(in crate::page) fn find_mark(chunk: &[u8], from: usize) -> Option<usize> {
    let is = |byte| matches!(byte, b'<' | b'=' | b'>');
    find_with(chunk, from, |near| near::three(near, b'<', b'=', b'>'), is, |rest| memchr3(b'<', b'=', b'>', rest))
}

#[inline(always)]
fn find_with(
    chunk: &[u8],
    from: usize,
    find_near: impl Fn(&[u8; NEAR]) -> Option<usize>,
    is: impl Fn(u8) -> bool,
    find_far: impl Fn(&[u8]) -> Option<usize>,
) -> Option<usize> {
    let rest = chunk.get(from..)?;
    // The end of a chunk, once.
    let Some((near, far)) = rest.split_first_chunk::<FAR>() else {
        return rest.iter().position(|&byte| is(byte)).map(|found| from + found);
    };
    for (index, piece) in near.as_chunks().0.iter().enumerate() {
        if let Some(found) = find_near(piece) {
            return Some(from + index * NEAR + found);
        }
    }
    find_far(far).map(|found| from + FAR + found)
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
            prop_assert_eq!(find_mark(&chunk, from), plain(&|byte| matches!(byte, b'<' | b'=' | b'>')));
        }
    }
}
