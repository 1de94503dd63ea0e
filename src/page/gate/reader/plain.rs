//! The most of every page: text, and tags that can change nothing, in as few steps as it takes to find their ends.

use super::{Reader, Tag};
use crate::page::gate::context::Context;
use crate::page::gate::element::{self, Id};
use crate::page::scan::{State, find, is_space};

impl Reader {
    /// Whether tags matter by their own names alone.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.context == Context::Certain && self.foreign.is_html()
    }

    /// Skips text and tags that change nothing, from `at` on; returns where a `<` stands of which that cannot be said, or the
    /// end of the chunk, which may be within such a tag.
    pub(super) fn skip_plain(&mut self, chunk: &[u8], mut at: usize) -> usize {
        while let Some(less) = find(chunk, at, b'<') {
            let closing = chunk.get(less + 1) == Some(&b'/');
            let name_at = less + 1 + usize::from(closing);
            let (mut end, mut id): (usize, Id) = (name_at, 0);
            let after = loop {
                match chunk.get(end) {
                    Some(byte) if byte.is_ascii_alphanumeric() => {
                        id = id << 8 | Id::from(byte | 0x20);
                        end += 1;
                    }
                    after => break after,
                }
            };
            let is_name = chunk.get(name_at).is_some_and(u8::is_ascii_alphabetic) && end - name_at <= 8;
            if !is_name || (!closing && element::changes_something(id)) {
                return less;
            }
            match after {
                Some(b'>') => at = end + 1,
                Some(&byte) if is_space(byte) || byte == b'/' => {
                    self.lexer.state = State::BeforeAttribute;
                    self.tag = Tag::default();
                    match self.lexer.read_attributes(chunk, end) {
                        Some(after) => (self.lexer.state, at) = (State::Data, after),
                        None => return chunk.len(),
                    }
                }
                _ => return less,
            }
        }
        chunk.len()
    }
}
