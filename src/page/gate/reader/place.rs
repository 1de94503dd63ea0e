//! Where the reader is in a chunk, and what of the page has gone out, or is held until more is known.

use super::Reader;

/// The most bytes of one tag that are held. Longer tags are mostly images within the page itself (`data:`); one and what
/// comes after it is disarmed.
pub(super) const MOST_HELD: usize = 1 << 20;

/// Where the reader is in a chunk: the token that is being read is what is held and what is here from `start` on.
pub(super) struct Place<'c, 'o> {
    pub(super) chunk: &'c [u8],
    pub(super) at: usize,
    pub(super) start: usize,
    /// Up to here it has gone out, or is held.
    pub(super) gone: usize,
    pub(super) out: &'o mut Vec<u8>,
}

impl Place<'_, '_> {
    /// Sends out what is here up to `end`.
    pub(super) fn emit(&mut self, end: usize) {
        let piece = self.chunk.get(self.gone..end).unwrap_or_default();
        if !piece.is_empty() {
            self.make_room();
            self.out.extend_from_slice(piece);
        }
        self.gone = end.max(self.gone);
    }

    pub(super) fn make_room(&mut self) {
        if self.out.capacity() == 0 {
            self.out.reserve(self.chunk.len() + 256);
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
            place.make_room();
            place.out.append(&mut self.held);
        }
    }

    /// Gives up where a token is too long that goes to `end` at least.
    #[inline]
    pub(super) fn check_length(&mut self, place: &mut Place<'_, '_>, end: usize) {
        if self.held.len() + end.saturating_sub(place.start) > MOST_HELD {
            place.emit(if self.held.is_empty() { place.start } else { 0 });
            let held = std::mem::take(&mut self.held);
            self.give_up().feed(&held, place.out);
        }
    }
}
