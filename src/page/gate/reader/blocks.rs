//! Tags that change nothing and are written as nearly every page writes them, sixty-four bytes at a time.
//!
//! Where a tag begins is known only once the one before it has ended, and a processor that has to wait for that does nothing
//! else. So it is supposed that each `<` begins a tag and the first `>` after it ends that, for a whole block, and looked at
//! where that may be wrong:
//!
//! - at a `<` in a tag, or a `>` in text: one of the two is not what it was taken for;
//! - at a `'` in a tag: it may begin a value in which a `>` stands;
//! - at the end of a tag that has a `"`, unless one stands right before it which begins no value, having neither a `=` nor
//!   white space before it: it ended one, or stands for itself (13.2.5.32 to .39);
//! - at the beginning of a tag whose name may be one that changes something, and of whatever is no tag.
//!
//! The first of these is left to who reads tag by tag; whatever comes before it is certain.

use fearless_simd::{Simd, dispatch};

use super::usual::is_plain_name;
use crate::page::gate::element;
use crate::page::scan::block::{BLOCK, Bits, Block, LEVEL, odd_up_to};
use crate::page::scan::near::NEAR;

/// So much of what follows a block is looked at.
const AHEAD: usize = NEAR;

/// A tag that is longer is left to who reads tag by tag: one whose name is too long to hold must come to the same however
/// the page is cut.
const MOST: usize = 4096;

/// What is known of a block from those before it.
#[derive(Default)]
struct Before {
    /// Whether it begins in a tag: all bits, or none.
    within: Bits,
    /// Whether that tag has had a `"`: 1 or 0.
    quoted: Bits,
    /// Whether the last byte may stand before a value: 1 or 0.
    before_value: Bits,
    /// Whether the last byte was a `"` that begins no value: 1 or 0.
    ends_value: Bits,
}

/// What a block says.
struct Marks {
    /// Each `<`.
    less: Bits,
    /// Each `>` in text, where nothing before it is in doubt.
    more_in_text: Bits,
    /// Where what was supposed may be wrong.
    doubts: Bits,
}

/// How much of `page`, which begins in text, is text and whole tags that change nothing: up to text, or to a `<`.
pub(super) fn skip_blocks(page: &[u8]) -> usize {
    dispatch!(*LEVEL, simd => skip(simd, page))
}

#[inline(always)]
fn skip<S: Simd>(simd: S, page: &[u8]) -> usize {
    let mut before = Before::default();
    let (mut at, mut tag) = (0, 0);
    while let Some(near) = page.get(at..).and_then(<[u8]>::first_chunk) {
        let block = Block::of(simd, near.first_chunk().expect("a block is shorter"));
        let marks = before.look_at(block);
        let doubt = marks.doubts & marks.doubts.wrapping_neg();
        let less = marks.less & doubt.wrapping_sub(1);
        if may_count(near, less)
            && let Some(less) = first_that_counts(near, less)
        {
            return at + less;
        }
        tag = less.checked_ilog2().map_or(tag, |last| at + last as usize);
        if doubt != 0 {
            let in_text = marks.more_in_text & doubt != 0;
            return if in_text { at + doubt.trailing_zeros() as usize } else { tag };
        }
        at += BLOCK;
        if at - tag > MOST && before.within != 0 {
            return tag;
        }
    }
    if before.within != 0 { tag } else { at }
}

impl Before {
    /// Looks at the next block.
    #[inline(always)]
    fn look_at<S: Simd>(&mut self, block: Block<S>) -> Marks {
        let (less, more) = (block.are(b'<'), block.are(b'>'));
        // From each `<` on, up to the `>`.
        let within = odd_up_to(less | more) ^ self.within;
        let more_in_text = more & within;
        let before_value = block.may_be_before_value();
        let double = block.are(b'"');
        let ends_value = double & !(before_value << 1 | self.before_value);
        // A bit added to a run of them is carried to what follows it: each tag that has a quote gets one at its end.
        let (sum, carried) = within.overflowing_add(double & within);
        let (sum, carried_too) = sum.overflowing_add(self.quoted);
        let quoted_ends = sum & more & !within;
        let doubts = less & !within
            | more_in_text
            | block.are(b'\'') & within
            | quoted_ends & !(ends_value << 1 | self.ends_value);
        *self = Before {
            within: 0_u64.wrapping_sub(within >> 63),
            quoted: Bits::from(carried | carried_too),
            before_value: before_value >> 63,
            ends_value: ends_value >> 63,
        };
        Marks { less, more_in_text, doubts }
    }
}

/// Whether one of these `<` may begin a tag that changes something, or what is no tag: nearly always where one does, and
/// seldom where none does.
#[inline(always)]
fn may_count(near: &[u8; BLOCK + AHEAD], mut less: Bits) -> bool {
    let mut may = false;
    while less != 0 {
        let at = less.trailing_zeros() as usize;
        may |= element::may_change_something(near[at + 1], near[at + 3]);
        less &= less - 1;
    }
    may
}

/// The first of these `<` which does.
#[inline(never)]
fn first_that_counts(near: &[u8; BLOCK + AHEAD], mut less: Bits) -> Option<usize> {
    while less != 0 {
        let at = less.trailing_zeros() as usize;
        let open: &[u8; NEAR] = near[at + 1..].first_chunk().expect("so much is there after each byte of a block");
        let counts = match open {
            // A template's, or a `<textarea>`'s out of place.
            [b'/', first, second, ..] => [first | 0x20, second | 0x20] == *b"te",
            _ => element::may_change_something(open[0], open[2]) && is_plain_name(open) != Some(true),
        };
        if counts {
            return Some(at);
        }
        less &= less - 1;
    }
    None
}
