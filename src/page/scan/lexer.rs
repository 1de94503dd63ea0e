//! Where a tokenizer is, and what it must know to read on after any byte. [`Scan`](super::Scan) drives it as far as the body
//! begins, the gate over the whole page.

use super::name::Name;
use super::{Markup, State};

/// The tokenizer's state.
#[derive(Debug)]
pub(in crate::page) struct Lexer {
    pub(in crate::page) markup: Markup,
    pub(in crate::page) state: State,
    /// Name and kind of the tag that is being read.
    pub(super) name: Name,
    pub(super) name_len: usize,
    pub(in crate::page) closing: bool,
    /// The name of the element whose raw text is being read.
    pub(super) raw: Name,
    /// Script escaping: 0 none, 1 in `<!--`, 2 in `<!-- <script`.
    pub(super) escaped: u8,
    /// What some states count.
    pub(in crate::page) matched: u8,
    /// The quote of XML's [`State::Doctype`], the byte before a `]` in [`State::Cdata`], or the first byte of the document.
    pub(in crate::page) quote: u8,
}

impl Lexer {
    /// One that begins in `state`.
    pub(in crate::page) fn new(markup: Markup, state: State) -> Lexer {
        Lexer { markup, state, name: 0, name_len: 0, closing: false, raw: 0, escaped: 0, matched: 0, quote: 0 }
    }

    /// Goes on in the text of an element called `name`, which only its end tag ends.
    #[inline]
    pub(in crate::page) fn enter_raw(&mut self, name: Name) {
        (self.raw, self.escaped, self.state) = (name, 0, State::Raw);
    }

    /// Whether the name of an end tag in the text of an element called `name` is the same.
    pub(in crate::page) fn is_named_as_its_text(&self, name: Name) -> bool {
        self.name == name && self.raw == name
    }
}
