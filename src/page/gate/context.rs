//! Where a tag that begins raw text may be ignored by a browser, so that what follows is read as markup after all: within
//! `<select>` and after `<frameset>`. The same places as in lol_html's own strict mode, whose error would lose what is in
//! flight; ours lets it go on into [`Disarm`](super::disarm::Disarm).

/// What the tags so far say about the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Context {
    #[default]
    Certain,
    Select,
    TemplateInSelect,
    Frameset,
}

/// Browsers may read what follows a tag in two ways.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("after `<{0}>` here, browsers may read on in two ways; close the element around it")]
pub(super) struct Ambiguous(pub(super) String);

impl Context {
    /// Takes note of a start tag, or refuses it.
    pub(super) fn start(&mut self, name: &str) -> Result<(), Ambiguous> {
        *self = match (*self, name) {
            (Context::Certain, "select") => Context::Select,
            (Context::Certain, "frameset") => Context::Frameset,
            // These end a `<select>` (13.2.6.4.16), and scripts are allowed in it.
            (Context::Select, "select" | "textarea" | "input" | "keygen") => Context::Certain,
            (Context::Select, "template") => Context::TemplateInSelect,
            (Context::Select, "script") | (Context::Frameset, "noframes") | (Context::Certain, _) => *self,
            _ if is_raw_text(name) => return Err(Ambiguous(name.to_owned())),
            _ => *self,
        };
        Ok(())
    }

    /// Takes note of a `</select>`. One that goes unnoticed only means more care.
    pub(super) fn end_select(&mut self) {
        if *self == Context::Select {
            *self = Context::Certain;
        }
    }
}

/// Whether text in an element called `name` is read up to its end tag, whatever it looks like.
pub(super) fn is_raw_text(name: &str) -> bool {
    const NAMES: [&str; 10] =
        ["script", "style", "title", "textarea", "noscript", "iframe", "xmp", "noembed", "noframes", "plaintext"];
    NAMES.contains(&name)
}
