//! What was found so far, and up to where that is final.

use super::language::Language;
use super::name::LONG_NAME;
use super::{Scan, State};

impl Scan {
    /// Where the head's content begins: the offset before which goes what has to come before any tag of the site's, once
    /// known. Never behind [`head`](Self::head).
    #[inline]
    pub fn first(&self) -> Option<u64> {
        self.first.or(self.head)
    }

    /// Where the head ends, or its `<base>` begins: the offset in the document before which script and style sheet go, once
    /// known.
    #[inline]
    pub fn head(&self) -> Option<u64> {
        self.head
    }

    /// Where the body's content begins, or its skip links end: the offset before which the banner goes, once known. Never
    /// before [`head`](Self::head).
    #[inline]
    pub fn body(&self) -> Option<u64> {
        self.body
    }

    /// The language the page's `<html>` names, as it stands there; nothing where it names none. Known once
    /// [`body`](Self::body) is.
    #[inline]
    pub fn language(&self) -> Option<&str> {
        self.language.as_ref().map(Language::as_str)
    }

    /// Whether there is nothing more to find.
    #[inline]
    pub fn done(&self) -> bool {
        self.done
    }

    /// Whether the document is UTF-16, as its byte order mark says: what is not UTF-16 must not stand in it.
    #[inline]
    pub fn utf16(&self) -> bool {
        self.utf16
    }

    /// Bytes of the document up to here are decided: no place that is found later lies before this offset.
    #[inline]
    pub fn decided(&self) -> u64 {
        match self.lexer.state {
            State::ByteOrderMark => 0,
            State::TagOpen | State::EndTagOpen | State::TagName if !self.done && self.lexer.name != LONG_NAME => {
                self.tag_start
            }
            State::BodyStart => self.tag_start,
            _ => self.fed,
        }
    }
}
