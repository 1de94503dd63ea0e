//! Where a tag that begins raw text may be ignored by a browser, so that what follows is read as markup after all: within
//! `<select>` and after `<frameset>` (13.2.6.4.16 to .20; newer browsers read `<select>` as any other element).

use super::element::{FRAMESET, INPUT, Id, KEYGEN, NOFRAMES, SCRIPT, SELECT, TEMPLATE, TEXTAREA, is_raw_text};

/// What the tags so far say about the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Context {
    #[default]
    Certain,
    Select,
    TemplateInSelect,
    Frameset,
}

impl Context {
    /// Takes note of a start tag. False where browsers may read on after it in two ways.
    pub(super) fn start(&mut self, id: Id) -> bool {
        *self = match (*self, id) {
            (Context::Certain, SELECT) => Context::Select,
            (Context::Certain, FRAMESET) => Context::Frameset,
            // These end a `<select>`, and scripts are allowed in it. Another `<select>` does so, too, or begins one, where the end
            // of what was around the first has ended that.
            (Context::Select, TEXTAREA | INPUT | KEYGEN) => Context::Certain,
            (Context::Select, TEMPLATE) => Context::TemplateInSelect,
            (Context::Select, SCRIPT) | (Context::Frameset, NOFRAMES) | (Context::Certain, _) => *self,
            _ if is_raw_text(id) => return false,
            _ => *self,
        };
        true
    }

    /// Takes note of an end tag.
    pub(super) fn end(&mut self, id: Id) {
        if *self == Context::Select && id == SELECT {
            *self = Context::Certain;
        }
    }
}
