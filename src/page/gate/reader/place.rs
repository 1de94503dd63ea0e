//! Where the reader is in a chunk, and what of the page has gone out, or is held until more is known.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::Reader;

/// The most bytes of one tag that are held. Longer tags are mostly images within the page itself (`data:`); one and what
/// comes after it is disarmed.
pub(super) const MOST_HELD: usize = 1 << 20;

/// Pieces of a chunk up to so many bytes are copied together; longer ones go out as they are.
const SHORT: usize = 4096;

/// What has gone out.
#[derive(Debug, Default)]
pub(in crate::page::gate) struct Out {
    pub(in crate::page::gate) done: VecDeque<Bytes>,
    /// What goes after that, to which more may be added.
    pub(in crate::page::gate) open: Vec<u8>,
}

impl Out {
    /// Adds a piece of `chunk`, which is a slice of `whole` where that is there.
    #[inline]
    fn add(&mut self, chunk: &[u8], piece: Range<usize>, whole: Option<&Bytes>) {
        match whole {
            Some(whole) if piece.len() > SHORT || piece.len() == chunk.len() => {
                self.close();
                self.done.push_back(whole.slice(piece));
            }
            _ => {
                if self.open.capacity() == 0 {
                    self.open.reserve(chunk.len().min(SHORT) + SHORT / 8);
                }
                self.open.extend_from_slice(chunk.get(piece).unwrap_or_default());
            }
        }
    }

    /// Nothing more is added to what is there.
    pub(in crate::page::gate) fn close(&mut self) {
        if !self.open.is_empty() {
            self.done.push_back(std::mem::take(&mut self.open).into());
        }
    }
}

/// Where the reader is in a chunk: the token that is being read is what is held and what is here from `start` on.
pub(super) struct Place<'c, 'o> {
    pub(super) chunk: &'c [u8],
    /// The same, where pieces of it may go out uncopied.
    pub(super) whole: Option<&'c Bytes>,
    pub(super) at: usize,
    pub(super) start: usize,
    /// Up to here it has gone out, or is held.
    pub(super) gone: usize,
    pub(super) out: &'o mut Out,
}

impl Place<'_, '_> {
    /// Sends out what is here up to `end`.
    pub(super) fn emit(&mut self, end: usize) {
        if end > self.gone {
            self.out.add(self.chunk, self.gone..end, self.whole);
            self.gone = end;
        }
    }
}

impl Reader {
    /// Holds what is here of the token.
    pub(super) fn hold(&mut self, place: &mut Place<'_, '_>) {
        self.held.extend_from_slice(&place.chunk[place.start..place.at]);
        (place.start, place.gone) = (place.at, place.at);
    }

    /// Sends out what is held of the token.
    #[inline]
    pub(super) fn release(&mut self, place: &mut Place<'_, '_>) {
        if !self.held.is_empty() {
            place.out.open.append(&mut self.held);
        }
    }

    /// Gives up where a token is too long that goes to `end` at least.
    #[inline]
    pub(super) fn check_length(&mut self, place: &mut Place<'_, '_>, end: usize) {
        if self.held.len() + end.saturating_sub(place.start) > MOST_HELD {
            place.emit(if self.held.is_empty() { place.start } else { 0 });
            let held = std::mem::take(&mut self.held);
            self.give_up().feed(&held, &mut place.out.open);
        }
    }
}
