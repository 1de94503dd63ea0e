//! One who looks ahead for what to load, as browsers do while a script holds the page up, and knows of no SVG and no MathML:
//! to that a `<style>` of SVG begins text, which ends at the first `</style`, be it in a comment or a value. Where that is
//! no end tag to this reader, the two part, and the page is given up.

use super::{Out, Reader};
use crate::page::Markup;
use crate::page::gate::element::{self, Id};
use crate::page::scan::{Lexer, State};

/// Where it is in the text.
#[derive(Debug)]
pub(super) struct Ahead {
    lexer: Lexer,
    id: Id,
}

impl Ahead {
    /// The text of an element with this name begins.
    pub(super) fn new(id: Id) -> Ahead {
        let mut lexer = Lexer::new(Markup::Html, State::Raw);
        lexer.enter_raw(id);
        Ahead { lexer, id }
    }

    /// What follows the name of the end tag, if that is in `chunk`.
    pub(super) fn end(&mut self, chunk: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(next) = self.lexer.step_raw(chunk, at) {
            at = next;
            if self.lexer.state == State::BeforeAttribute {
                return Some(at);
            }
        }
        None
    }
}

impl Reader {
    /// The text of one who looks ahead has ended: with the end tag whose name was just read, or this reader gives up.
    pub(super) fn ahead_ended(&mut self, out: &mut Out) {
        let Some(ahead) = self.ahead.take().filter(|_| self.disarm.is_none()) else { return };
        let is_end_tag = match self.lexer.state {
            State::TagName => self.lexer.closing && self.held.get(2..).is_some_and(|n| element::id(n) == ahead.id),
            State::RawEndTagName => self.lexer.is_named_as_its_text(ahead.id),
            _ => false,
        };
        if !is_end_tag {
            self.abandon(out);
        }
    }
}
