//! Read buffers, lent only while bytes are at hand.
//!
//! A connection that waits, for a visitor or for the site, holds none: 256 idle connections with 64 KB each would be
//! 16 MB, and one buffer used again and again stays in the processor's cache. The stack belongs to the thread.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

use bytes::BytesMut;

/// Bytes of a buffer. Most pages come in one read of this size; 16 KB, 32 KB and 128 KB measured worse.
pub(super) const SIZE: usize = 64 * 1024;

/// Buffers a thread keeps for later; more are freed, the one unused for longest first.
const KEPT: usize = 16;

thread_local! {
    static STACK: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on loan; dropping it gives it back.
pub(super) struct Lent(BytesMut);

/// An empty buffer of [`SIZE`] bytes.
pub(super) fn lend() -> Lent {
    let kept = STACK.with_borrow_mut(|stack| {
        // Parts of a buffer may still be on their way to a visitor; it stays until they have left.
        let free = (0..stack.len()).rev().find(|&place| stack[place].try_reclaim(SIZE))?;
        Some(stack.remove(free))
    });
    Lent(kept.unwrap_or_else(|| BytesMut::with_capacity(SIZE)))
}

impl Lent {
    /// Makes room for the next read; what is in the buffer stays.
    pub(super) fn make_room(&mut self) {
        let (used, room) = (self.0.len(), self.0.capacity() - self.0.len());
        if room >= SIZE || self.0.try_reclaim(SIZE.saturating_sub(used).max(1)) || room >= SIZE / 4 {
            return;
        }
        if used == 0 {
            *self = lend();
        } else {
            self.0.reserve(SIZE);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.0);
        buffer.clear();
        // `try_with`: at the end of a thread its stack may be gone before its last connection.
        let _ = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            if stack.len() == KEPT {
                stack.remove(0);
            }
            stack.push(buffer);
        });
    }
}

impl Deref for Lent {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.0
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_and_one_still_in_use_is_not() {
        let mut first = lend();
        let address = first.as_ptr();
        first.extend_from_slice(b"page");
        let page = first.split_to(4).freeze();
        drop(first);
        let mut second = lend();
        assert_ne!(second.as_ptr(), address, "its bytes are still on their way");
        second.extend_from_slice(&[7; SIZE]);
        let address = second.as_ptr();
        drop(second);
        assert_eq!(lend().as_ptr(), address);
        assert_eq!(&page[..], b"page");
    }

    #[test]
    fn room_for_a_read_never_touches_bytes_that_were_handed_out() {
        let mut buffer = lend();
        buffer.extend_from_slice(&[1; SIZE - 10]);
        let handed_out = buffer.split_to(SIZE - 10).freeze();
        buffer.make_room();
        assert!(buffer.capacity() >= SIZE / 4);
        buffer.extend_from_slice(&[2; 100]);
        assert!(handed_out.iter().all(|&byte| byte == 1));
    }
}
