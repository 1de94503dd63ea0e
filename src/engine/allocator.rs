//! The program's allocator: mimalloc, asked in the plain way. Blocks of its plain way lie at multiples of 16 bytes anyway; its
//! way for chosen alignments, which the crate of that name always takes, goes over every block that is no power of two
//! twice and makes it larger.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};

/// What the plain way aligns blocks to that are no smaller (`MI_MAX_ALIGN_SIZE`).
const PLAIN: usize = 16;

/// mimalloc for `#[global_allocator]`.
pub struct Allocator;

/// Whether the plain way gives such a block: none of Rust's types is smaller than its alignment, but a layout may be.
const fn is_plain(layout: Layout) -> bool {
    layout.align() <= PLAIN && layout.align() <= layout.size()
}

// SAFETY: mimalloc's functions give blocks of at least the size asked for, aligned as asked for or, in the plain way, to 16
// bytes where they are that large and to 8 where they are smaller, or null; they keep what is in them, and do not unwind.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size and any power of two may be asked for.
        unsafe {
            match is_plain(layout) {
                true => libmimalloc_sys::mi_malloc(layout.size()).cast(),
                false => libmimalloc_sys::mi_malloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            match is_plain(layout) {
                true => libmimalloc_sys::mi_zalloc(layout.size()).cast(),
                false => libmimalloc_sys::mi_zalloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the block is one of ours, by the caller's promise; mimalloc frees both kinds in one way.
        unsafe { libmimalloc_sys::mi_free(block.cast()) };
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is one of ours, and the alignment was one before; a block of either kind may be moved into one of
        // the other.
        unsafe {
            match layout.align() <= PLAIN && layout.align() <= size {
                true => libmimalloc_sys::mi_realloc(block.cast(), size).cast(),
                false => libmimalloc_sys::mi_realloc_aligned(block.cast(), size, layout.align()).cast(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_kept_and_zeroed_whatever_their_size() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            for size in (1..300).chain([1000, 1024, 1500, 2000, 4097, 70_000, 3 << 20]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the layout is not empty; what is read and written is within the blocks, which are freed once.
                unsafe {
                    let block = Allocator.alloc_zeroed(layout);
                    assert!((block as usize).is_multiple_of(align), "{size} at {align}");
                    assert!((0..size).all(|at| *block.add(at) == 0));
                    block.write_bytes(7, size);
                    let more = size * 3 / 2 + 1;
                    let block = Allocator.realloc(block, layout, more);
                    assert!((block as usize).is_multiple_of(align), "{size} at {align}, made larger");
                    assert!((0..size).all(|at| *block.add(at) == 7));
                    let layout = Layout::from_size_align(more, align).unwrap();
                    let small = Allocator.realloc(block, layout, 1);
                    assert!((small as usize).is_multiple_of(align) && *small == 7);
                    Allocator.dealloc(small, Layout::from_size_align(1, align).unwrap());
                    let other = Allocator.alloc(Layout::from_size_align(size, align).unwrap());
                    assert!((other as usize).is_multiple_of(align));
                    Allocator.dealloc(other, Layout::from_size_align(size, align).unwrap());
                }
            }
        }
    }
}
