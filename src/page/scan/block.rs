//! Sixty-four bytes of a page, looked at all at once: of each byte that matters a bit says where it is.

use std::sync::LazyLock;

use fearless_simd::prelude::*;
use fearless_simd::{Level, u8x64};

/// So many bytes are looked at.
pub(in crate::page) const BLOCK: usize = Bits::BITS as usize;

/// A bit for each byte; the first byte's is the lowest.
pub(in crate::page) type Bits = u64;

/// What this processor can do.
pub(in crate::page) static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// The bytes of a block, ready to be compared.
#[derive(Clone, Copy)]
pub(in crate::page) struct Block<S: Simd>(u8x64<S>);

impl<S: Simd> Block<S> {
    #[inline(always)]
    pub(in crate::page) fn of(simd: S, bytes: &[u8; BLOCK]) -> Block<S> {
        Block(u8x64::from_slice(simd, bytes))
    }

    /// Where `byte` is.
    #[inline(always)]
    pub(in crate::page) fn are(self, byte: u8) -> Bits {
        self.0.simd_eq(byte).to_bitmask()
    }

    /// Where white space or a `=` is, after which a quote may begin a value (13.2.5.37); or what comes before white space.
    #[inline(always)]
    pub(in crate::page) fn may_be_before_value(self) -> Bits {
        (self.0.simd_le(b' ') | self.0.simd_eq(b'=')).to_bitmask()
    }
}

/// Of each bit how many are set up to it: whether the number is odd.
#[inline(always)]
pub(in crate::page) const fn odd_up_to(bits: Bits) -> Bits {
    let bits = bits ^ bits << 1;
    let bits = bits ^ bits << 2;
    let bits = bits ^ bits << 4;
    let bits = bits ^ bits << 8;
    let bits = bits ^ bits << 16;
    bits ^ bits << 32
}

#[cfg(test)]
mod tests {
    use fearless_simd::dispatch;
    use proptest::prelude::*;

    use super::*;

    fn some_marks() -> impl Strategy<Value = u8> {
        prop_oneof![any::<u8>(), prop::sample::select(b"<=>\"' !\n\0\x80\xBC".to_vec())]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(bytes in prop::collection::vec(some_marks(), BLOCK)) {
            let bytes = bytes.first_chunk().expect("has that length");
            let found = |level: Level| dispatch!(level, simd => {
                let block = Block::of(simd, bytes);
                [block.are(b'<'), block.are(0xBC), block.may_be_before_value()]
            });
            let plain = |is: &dyn Fn(u8) -> bool| (0..BLOCK).filter(|&at| is(bytes[at])).fold(0, |bits, at| bits | 1 << at);
            let plain = [plain(&|byte| byte == b'<'), plain(&|byte| byte == 0xBC), plain(&|byte| byte <= b' ' || byte == b'=')];
            prop_assert_eq!(found(*LEVEL), plain);
            prop_assert_eq!(found(Level::baseline()), plain);
        }

        #[test]
        fn it_counts_as_a_plain_count_does(bits: Bits) {
            let plain = (0..BLOCK).filter(|&at| (bits & (u64::MAX >> (63 - at))).count_ones() % 2 == 1);
            prop_assert_eq!(odd_up_to(bits), plain.fold(0, |odd, at| odd | 1 << at));
        }
    }
}
