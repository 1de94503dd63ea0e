//! The language a page says it is in.

use super::Markup;
use super::attributes::Attributes;

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
