//! Where a tag that begins raw text may be ignored by a browser, so that what follows is read as markup after all: within
//! `<select>`, after `<frameset>`, and after a `<col>` in a `<template>` (13.2.6.4.12 and .16 to .20; newer browsers read
//! `<select>` as any other element).

use super::element::{COL, FRAMESET, INPUT, Id, KEYGEN, NOFRAMES, SCRIPT, SELECT, TEMPLATE, TEXTAREA, is_raw_text};

/// What the tags so far say about the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Context {
    within: Within,
    /// How many `<template>`s are open, or more: in SVG one that closes itself counts.
    templates: u32,
    /// How many were open where one of them began to be read as a group of columns, in which all but `<col>` is ignored.
    columns: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// In a `<select>` that is itself in so many templates, or in fewer.
    Select(u32),
    Frameset,
}

impl Context {
    /// Whether all browsers read on as from any other place.
    #[inline]
    pub(super) fn is_certain(&self) -> bool {
        self.within == Within::Nothing && self.columns.is_none()
    }

    /// Whether nothing is open that matters to what follows.
    pub(super) fn is_outside(&self) -> bool {
        self.is_certain() && self.templates == 0
    }

    /// Takes note of a start tag. False where it begins raw text to some browsers, and to others it may not.
    pub(super) fn start(&mut self, id: Id) -> bool {
        // What is in a template in a `<select>` does not end that.
        let directly = self.within == Within::Select(self.templates);
        let certain = match self.within {
            _ if self.columns.is_some() => false,
            Within::Nothing => true,
            // Scripts are allowed there.
            Within::Select(_) => id == SCRIPT || (id == TEXTAREA && directly),
            Within::Frameset => id == NOFRAMES,
        };
        match (self.within, id) {
            (_, TEMPLATE) => self.templates = self.templates.saturating_add(1),
            (_, COL) if self.templates > 0 => {
                self.columns.get_or_insert(self.templates);
            }
            (Within::Nothing, SELECT) => self.within = Within::Select(self.templates),
            (Within::Nothing, FRAMESET) => self.within = Within::Frameset,
            // These end a `<select>`. Another `<select>` does so, too, or begins one, where the end of what was around the first
            // has ended that.
            (Within::Select(_), TEXTAREA | INPUT | KEYGEN) if directly => self.within = Within::Nothing,
            _ => {}
        }
        certain || !is_raw_text(id)
    }

    /// Takes note of an end tag.
    pub(super) fn end(&mut self, id: Id) {
        match (id, self.within) {
            (TEMPLATE, within) => {
                self.templates = self.templates.saturating_sub(1);
                self.columns = self.columns.filter(|columns| *columns <= self.templates);
                if let Within::Select(around) = within {
                    self.within = Within::Select(around.min(self.templates));
                }
            }
            (SELECT, Within::Select(around)) if around == self.templates => self.within = Within::Nothing,
            _ => {}
        }
    }
}
