//! Read buffers, lent only while bytes are at hand.
//!
//! A connection that waits, for a visitor or for the site, holds none: 256 idle connections with 64 KB each would be
//! 16 MB, and one buffer used again and again stays in the processor's cache. The stack belongs to the thread.
//!
//! What was read is a slice of the buffer, and keeps all of it until the visitor has it. Where [much](Waiting) waits for visitors
//! who do not read, buffers are small, so that each of them holds little.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use bytes::BytesMut;

/// Bytes of a buffer. Most pages come in one read of this size; 16 KB, 32 KB and 128 KB measured worse.
pub(super) const SIZE: usize = 64 * 1024;

/// The same where much waits for visitors.
const SMALL: usize = 16 * 1024;

/// What may wait for visitors on one thread, in bytes, before less is read at once: so much that visitors who read are never near it.
const PLENTY: usize = 32 << 20;

/// Buffers a thread keeps for later; more are freed, the one unused for longest first.
const KEPT: usize = 16;

thread_local! {
    static STACK: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// Bytes of answers that wait on this thread for their visitors, until this is dropped. For whoever holds such bytes to say so.
#[derive(Default)]
pub struct Waiting {
    bytes: usize,
    /// It is counted where it was made.
    _here: PhantomData<Rc<()>>,
}

impl Waiting {
    /// So many.
    pub fn of(bytes: usize) -> Waiting {
        let mut waiting = Waiting::default();
        waiting.set(bytes);
        waiting
    }

    /// So many from now on.
    pub fn set(&mut self, bytes: usize) {
        // `try_with`: at the end of a thread its count may be gone before its last answer.
        let _ = WAITING.try_with(|waiting| waiting.set(waiting.get().saturating_sub(self.bytes).saturating_add(bytes)));
        self.bytes = bytes;
    }

    /// Whether so many wait on this thread, of all visitors together, that each should hold as few as will do.
    pub fn is_plenty() -> bool {
        WAITING.try_with(Cell::get).is_ok_and(|waiting| waiting > PLENTY)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of a buffer as things are.
fn size() -> usize {
    if Waiting::is_plenty() { SMALL } else { SIZE }
}

/// A buffer on loan; dropping it gives it back.
pub(super) struct Lent(BytesMut);

/// An empty buffer of [`SIZE`] bytes, or of less where much waits for visitors.
pub(super) fn lend() -> Lent {
    if size() == SMALL {
        return Lent(BytesMut::with_capacity(SMALL));
    }
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
        let (size, used, room) = (size(), self.0.len(), self.0.capacity() - self.0.len());
        if room >= size || self.0.try_reclaim(size.saturating_sub(used).max(1)) || room >= size / 4 {
            return;
        }
        if used == 0 {
            *self = lend();
        } else {
            self.0.reserve(size);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if size() == SMALL {
            return;
        }
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
    fn where_much_waits_for_visitors_less_is_read_at_once() {
        let mut waiting = Waiting::of(PLENTY);
        assert_eq!(lend().capacity(), SIZE);
        let others = Waiting::of(1);
        let mut small = lend();
        assert_eq!(small.capacity(), SMALL);
        small.extend_from_slice(&[3; SMALL - 10]);
        let handed_out = small.split_to(SMALL - 10).freeze();
        small.make_room();
        assert_eq!((small.capacity(), &handed_out[..3]), (SMALL, &[3; 3][..]));
        drop((others, small));
        assert_eq!(lend().capacity(), SIZE, "small ones are not kept");
        waiting.set(2 * PLENTY);
        assert!(Waiting::is_plenty());
        drop(waiting);
        assert!(!Waiting::is_plenty());
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
