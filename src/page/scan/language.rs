//! The language a page says it is in.

use super::attributes::Attributes;
use super::{Markup, Scan};

/// The most bytes of the tag's attributes that are kept where they come in pieces; what stands after them is not seen.
pub(super) const MOST: usize = 4096;
/// The longest tag of a language that is read, as long as one can usefully be (RFC 5646 §4.4.1).
const LONGEST: usize = 35;

/// A language's tag as the page wrote it: letters, digits and `-`, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Language {
    bytes: [u8; LONGEST],
    length: u8,
}

impl Language {
    /// The language in the attributes of an `<html>`: `lang`, in XML also `xml:lang`. Of several the first counts.
    pub(super) fn in_tag(attributes: &[u8], markup: Markup) -> Option<Language> {
        let named = |wanted: &[u8]| {
            let found = Attributes::of(attributes).find(|attribute| match markup {
                Markup::Html => attribute.name.eq_ignore_ascii_case(wanted),
                Markup::Xhtml => attribute.name == wanted,
            });
            found.map(|attribute| attribute.value)
        };
        let value = match markup {
            Markup::Html => named(b"lang"),
            Markup::Xhtml => named(b"xml:lang").or_else(|| named(b"lang")),
        };
        Language::of(value?.trim_ascii())
    }

    fn of(tag: &[u8]) -> Option<Language> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..tag.len())?.copy_from_slice(tag);
        let is_tag = !tag.is_empty() && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        is_tag.then_some(Language { bytes, length: tag.len() as u8 })
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl Scan {
    /// Reads the rest of the first `<html>`, with a look at what it says; returns what follows it, if it ends here.
    #[cold]
    pub(super) fn read_html_tag(&mut self, chunk: &[u8], at: usize) -> Option<usize> {
        let after = self.lexer.read_attributes(chunk, at);
        self.read_language(chunk.get(at..after.unwrap_or(chunk.len())).unwrap_or_default(), after.is_some());
        self.tag_ended(self.fed + after? as u64);
        after
    }

    /// Reads on in the attributes of the first `<html>`, which may have come in pieces.
    fn read_language(&mut self, piece: &[u8], ended: bool) {
        if !self.kept.is_empty() || !ended {
            let room = MOST.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        }
        if ended {
            let kept = std::mem::take(&mut self.kept);
            self.language = Language::in_tag(if kept.is_empty() { piece } else { &kept }, self.lexer.markup);
            self.html_seen = true;
        }
    }
}
