//! Eight bytes of a page, looked at all at once.

const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES << 7;

/// Eight bytes, the first of them the lowest.
#[derive(Clone, Copy, Debug)]
pub(in crate::page) struct Word(u64);

impl Word {
    /// The first bytes of `piece`, if there are eight.
    #[inline(always)]
    pub(in crate::page) fn first(piece: &[u8]) -> Option<Word> {
        piece.first_chunk().copied().map(Word::of)
    }

    #[inline(always)]
    pub(in crate::page) const fn of(bytes: [u8; 8]) -> Word {
        Word(u64::from_le_bytes(bytes))
    }

    /// Where one of `<`, `=`, `>` and `?` is, which differ in their lowest two bits alone; 8 where there is none.
    #[inline(always)]
    pub(in crate::page) const fn mark(self) -> usize {
        index(zeros((self.0 & (ONES * 0xFC)) ^ (ONES * b'<' as u64)))
    }

    /// Where a byte is that comes before `0`, as white space, `/` and quotes do; 8 where there is none.
    #[inline(always)]
    pub(in crate::page) const fn before_zero(self) -> usize {
        index(self.0.wrapping_sub(ONES * b'0' as u64) & !self.0 & HIGHS)
    }

    /// The first `length` bytes, of which there are one to seven, as a tag's name: its letters in lower case, packed
    /// big-endian.
    #[inline(always)]
    pub(in crate::page) const fn name(self, length: usize) -> u64 {
        (self.0 | (ONES * 0x20)).swap_bytes() >> (64 - 8 * length)
    }
}

/// A bit in each byte that is zero; others may be set above the lowest of these.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The index of the lowest byte in which a bit is set, or 8.
#[inline(always)]
const fn index(found: u64) -> usize {
    (found.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near_marks() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), prop::sample::select(b"<=>?;@/0 aZ\xBC\xBE\x80\0\xFF".to_vec())]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(bytes in prop::array::uniform8(near_marks())) {
            let word = Word::of(bytes);
            let plain = |is: &dyn Fn(u8) -> bool| bytes.iter().position(|&byte| is(byte));
            let or_8 = |found: Option<usize>| found.unwrap_or(8);
            prop_assert_eq!(word.mark(), or_8(plain(&|byte| matches!(byte, b'<' | b'=' | b'>' | b'?'))));
            prop_assert_eq!(word.before_zero(), or_8(plain(&|byte| byte < b'0')));
        }
    }

    #[test]
    fn a_name_is_packed_as_others_are() {
        let word = Word::of(*b"sCript a");
        assert_eq!((word.before_zero(), word.name(6)), (6, super::super::name::SCRIPT));
        assert_eq!(Word::of(*b"A href='").name(1), u64::from(b'a'));
    }
}
