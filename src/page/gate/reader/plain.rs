//! The most of every page: text, and tags that can change nothing, in as few steps as it takes to find their ends.
//!
//! Most of it is done by [`skip_usual`]. Whatever is not written as nearly every page writes it (white space around an `=`, a
//! value without quotes) is left to the [`Lexer`](crate::page::scan::Lexer), which is right about everything.

use super::usual::skip_usual;
use super::{Reader, Tag};
use crate::page::Markup;
use crate::page::gate::element::{self, Id};
use crate::page::scan::{State, is_space};

/// A tag that changes nothing, as far as it was read.
pub(super) enum Plain<'c> {
    /// It ends before this.
    Before(&'c [u8]),
    /// It goes on at this, after its name or the quotes of an attribute's value.
    Within(&'c [u8]),
    /// It cannot be said yet that it is one.
    Unknown,
    /// It is none.
    Not,
}

impl Reader {
    /// Whether tags matter by their own names alone.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.context.is_certain() && self.foreign.is_html() && self.lexer.markup == Markup::Html
    }

    /// Skips text and tags that change nothing, from `at` on; returns where a `<` stands of which that cannot be said, or the
    /// end of the chunk, which may be within such a tag.
    pub(super) fn skip_plain(&mut self, chunk: &[u8], at: usize) -> usize {
        let mut rest = chunk.get(at..).unwrap_or_default();
        loop {
            let Some((open, mut plain)) = skip_usual(rest) else { return chunk.len() };
            if matches!(plain, Plain::Unknown) {
                plain = plain_name(open);
            }
            match plain {
                Plain::Before(after) => rest = after,
                Plain::Within(within) => {
                    self.lexer.state = State::BeforeAttribute;
                    self.tag = Tag::default();
                    let Some(end) = self.lexer.read_attributes(within, 0) else { return chunk.len() };
                    self.lexer.state = State::Data;
                    rest = within.get(end..).unwrap_or_default();
                }
                Plain::Unknown | Plain::Not => return chunk.len() - open.len() - 1,
            }
        }
    }
}

/// A tag whose name alone says that it changes nothing, of up to eight letters.
fn plain_name(open: &[u8]) -> Plain<'_> {
    let closing = open.first() == Some(&b'/');
    let name_at = usize::from(closing);
    let (mut end, mut id): (usize, Id) = (name_at, 0);
    let after = loop {
        match open.get(end) {
            Some(byte) if byte.is_ascii_alphanumeric() => {
                id = id << 8 | Id::from(byte | 0x20);
                end += 1;
            }
            after => break after,
        }
    };
    let is_name = open.get(name_at).is_some_and(u8::is_ascii_alphabetic) && end - name_at <= 8;
    let counts = if closing { id == element::TEMPLATE } else { element::changes_something(id) };
    if !is_name || counts {
        return Plain::Unknown;
    }
    match after {
        Some(b'>') => Plain::Before(&open[end + 1..]),
        Some(&byte) if is_space(byte) || byte == b'/' => Plain::Within(&open[end..]),
        _ => Plain::Unknown,
    }
}
