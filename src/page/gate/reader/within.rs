//! Markup within a page that is read by itself: the document of an `<iframe srcdoc>`, the text of a `<noscript>`.

use super::{Out, Reader};
use crate::page::Markup;
use crate::page::scan::State;

/// Documents within documents within a page are looked into so deep.
const MOST_DEPTH: u8 = 8;

impl Reader {
    /// Reads a document by itself. `None` where it is not whole, or not certain. A tag that its end cuts off is none (13.2.5,
    /// end of file in a tag).
    pub(in super::super) fn document(&self, markup: &[u8]) -> Option<Vec<u8>> {
        self.read_by_itself(markup, |reader| {
            reader.is_in_text()
                || reader.is_in_attributes()
                || matches!(reader.lexer.state, State::EndTagOpen | State::TagName)
        })
    }

    /// Reads a piece of markup by itself. `None` where it is not whole, or not certain.
    pub(super) fn fragment(&self, markup: &[u8]) -> Option<Vec<u8>> {
        self.read_by_itself(markup, Reader::is_in_text)
    }

    /// The same, and `None` where it changes how what follows it is read.
    pub(super) fn closed_fragment(&self, markup: &[u8]) -> Option<Vec<u8>> {
        self.read_by_itself(markup, |reader| {
            let is_outside = reader.context.is_outside() && reader.foreign.is_html() && reader.ahead.is_none();
            reader.is_in_text() && is_outside
        })
    }

    /// Whether text is being read. A `<` at the end of markup stands for itself, whatever comes next, for that begins with one.
    fn is_in_text(&self) -> bool {
        matches!(self.lexer.state, State::Data | State::TagOpen)
    }

    fn read_by_itself(&self, markup: &[u8], is_whole: impl FnOnce(&Reader) -> bool) -> Option<Vec<u8>> {
        if self.depth >= MOST_DEPTH {
            return None;
        }
        let mut reader = Reader::new(self.gating.clone(), Markup::Html);
        (reader.base, reader.depth) = (self.base.clone(), self.depth + 1);
        reader.letters_are_whole = self.letters_are_whole;
        let mut out = Out::default();
        reader.read(markup, None, &mut out);
        let mut out = out.open;
        out.append(&mut reader.held);
        (reader.disarm.is_none() && is_whole(&reader)).then_some(out)
    }
}
