//! Names of tags, as numbers.

/// The longest name we know.
pub(super) const LONGEST_NAME: usize = 8;

/// A tag's name in lower case, packed big-endian, so that names compare as numbers.
pub(in crate::page) type Name = u64;

/// Stands for every name longer than any we know.
pub(super) const LONG_NAME: Name = Name::MAX;

pub(in crate::page) const fn name(text: &str) -> Name {
    let bytes = text.as_bytes();
    let mut packed = 0;
    let mut i = 0;
    while i < bytes.len() {
        packed = packed << 8 | bytes[i] as Name;
        i += 1;
    }
    packed
}

macro_rules! names {
    ($($constant:ident $text:literal),* $(,)?) => { $(pub(in crate::page) const $constant: Name = name($text);)* };
}
names!(
    HTML "html", HEAD "head", BODY "body", FRAMESET "frameset", BR "br",
    BASE "base", BASEFONT "basefont", BGSOUND "bgsound", LINK "link", META "meta",
    TITLE "title", TEXTAREA "textarea", STYLE "style", SCRIPT "script", NOSCRIPT "noscript", TEMPLATE "template",
    NOFRAMES "noframes", NOEMBED "noembed", XMP "xmp", IFRAME "iframe",
);
