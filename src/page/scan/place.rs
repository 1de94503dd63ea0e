//! What the document's tags say about where its head and its body begin and end (13.2.6.4.1 to .6).

use super::name::{
    BASE, BASEFONT, BGSOUND, BODY, BR, FRAMESET, HEAD, HTML, IFRAME, LINK, META, NOEMBED, NOFRAMES, NOSCRIPT, SCRIPT,
    STYLE, TEMPLATE, TEXTAREA, TITLE, XMP,
};
use super::{Markup, Scan, State};

impl Scan {
    /// Content that belongs to the body begins at `offset`, so the head has ended too.
    #[inline]
    pub(super) fn content(&mut self, offset: u64) {
        self.head.get_or_insert(offset);
        self.body = Some(offset);
        self.finish();
    }

    #[inline]
    pub(super) fn finish(&mut self) {
        (self.done, self.lexer.state) = (true, State::Rest);
    }

    /// The name of a tag in data is known: what does it say about the head?
    #[inline]
    pub(super) fn tag_named(&mut self) {
        match (self.lexer.markup, self.lexer.closing, self.lexer.name) {
            (_, true, HEAD) | (_, false, BODY) if self.templates == 0 => {
                self.head.get_or_insert(self.tag_start);
            }
            (_, false, BASE) if self.templates == 0 => {
                // What stands after it is fetched from wherever it says; ours comes from the site, whatever it says.
                self.head.get_or_insert(self.tag_start);
            }
            (_, false, FRAMESET) if self.templates == 0 => {
                // A frameset has no body; content of ours before it would take its place (13.2.6.4.6).
                self.head.get_or_insert(self.tag_start);
                self.finish();
            }
            (_, false, LINK | META | TITLE | STYLE | SCRIPT | NOSCRIPT | TEMPLATE)
                if self.first.is_none() && self.head.is_none() =>
            {
                // A head that nobody opened.
                self.first = Some(self.tag_start);
            }
            (Markup::Xhtml, ..) => {}
            _ if self.templates > 0 => {}
            (_, false, HTML | HEAD | BASEFONT | BGSOUND | LINK | META | TITLE | STYLE) => {}
            (_, false, SCRIPT | NOSCRIPT | NOFRAMES | TEMPLATE) => {}
            (_, false, _) | (_, true, HTML | BODY | BR) => self.content(self.tag_start),
            // Every other end tag is ignored there.
            (_, true, _) => {}
        }
    }

    /// A tag has ended; the document goes on at `offset`.
    #[inline]
    pub(super) fn tag_ended(&mut self, offset: u64) {
        self.lexer.state = State::Data;
        match (self.lexer.markup, self.lexer.closing, self.lexer.name) {
            (_, false, HEAD) if self.first.is_none() && self.head.is_none() => self.first = Some(offset),
            (_, false, BODY) if self.templates == 0 => {
                (self.tag_start, self.lexer.state) = (offset, State::BodyStart);
                self.kept.clear();
            }
            (Markup::Xhtml, ..) => {}
            (_, false, TEMPLATE) => self.templates = self.templates.saturating_add(1),
            (_, true, TEMPLATE) => self.templates = self.templates.saturating_sub(1),
            (_, false, TITLE | TEXTAREA | STYLE | SCRIPT | NOSCRIPT | NOFRAMES | NOEMBED | XMP | IFRAME) => {
                self.lexer.enter_raw(self.lexer.name);
            }
            _ => {}
        }
    }
}
