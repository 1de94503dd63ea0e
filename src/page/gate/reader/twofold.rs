//! Text that is markup to some, or to one who looks ahead: both come to the same as long as no tag may begin in it, and where
//! one may, the page is given up. A `<` is held until what follows it is known.

use std::ops::Range;

use memchr::memchr;

use super::Reader;
use super::place::Place;
use crate::page::scan::State;

impl Reader {
    /// One step was made from `state` through raw text that is markup to some.
    pub(super) fn look_at_less(&mut self, place: &mut Place<'_, '_>, state: State) {
        match self.lexer.state {
            State::RawLess => place.start = place.at - 1,
            State::RawEndTagOpen | State::RawEndTagName => self.check_length(place, place.at),
            State::Raw if state == State::RawLess && !begins_tag(place.chunk[place.at]) => self.release(place),
            // Its end tag is one to everybody.
            State::BeforeAttribute => {
                self.twofold = false;
                self.release(place);
            }
            _ => self.give_up_at_less(place),
        }
    }

    /// Looks at a piece of a CDATA section.
    pub(super) fn look_for_tags(&mut self, place: &mut Place<'_, '_>, text: Range<usize>) {
        let (chunk, mut from) = (place.chunk, text.start);
        if std::mem::take(&mut self.less) {
            if begins_tag(chunk[from]) {
                return self.give_up_at_less(place);
            }
            self.release(place);
        }
        while let Some(less) = memchr(b'<', &chunk[from..text.end]) {
            place.start = from + less;
            from = place.start + 1;
            match chunk.get(from) {
                Some(&next) if begins_tag(next) => return self.give_up_at_less(place),
                Some(_) => {}
                None => self.less = true,
            }
        }
    }

    /// Gives up at the `<` that is held, or is in this chunk where the token starts.
    fn give_up_at_less(&mut self, place: &mut Place<'_, '_>) {
        if self.held.is_empty() {
            place.emit(place.start);
        }
        let held = std::mem::take(&mut self.held);
        self.give_up().feed(&held, &mut place.out.open);
    }
}

/// Whether a `<` is more than that before this byte (13.2.5.6).
fn begins_tag(next: u8) -> bool {
    next.is_ascii_alphabetic() || matches!(next, b'/' | b'!' | b'?')
}
