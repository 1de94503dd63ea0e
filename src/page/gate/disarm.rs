//! The last resort where markup cannot be understood: every element that loads something is disarmed, wherever it points.
//!
//! Works on bytes alone, without any idea of comments, scripts or attributes, and so cannot be led astray by them.
//!
//! In HTML a browser takes the first attribute of a name and ignores others of that name (13.2.5.33), but those that look ahead
//! for what to load do not: they take one that is not empty, of some elements the last. So what they look at is renamed: to
//! elements that are read in the same way (text up to an end tag, or no content) and that load and show nothing. The others get
//! attributes that load nothing, ahead of what the page says. They stand without quotes, which leaves texts in scripts whole.
//! In XML a second attribute of a name would be an error; there the elements, start and end tags alike, are renamed to ones
//! that no browser knows.

use memchr::memchr3;

use crate::page::Markup;
use crate::page::scan::is_space;

/// What disarms an element in HTML.
#[derive(Clone, Copy, Debug)]
enum Means {
    /// Attributes after its name.
    Attributes(&'static [u8]),
    /// Another name in its start tags, and what stands in its end tags after `</`.
    Name(&'static [u8], &'static [u8]),
}

/// The elements that can load something, and what disarms them.
const ELEMENTS: [(&[u8], Means); 26] = [
    (b"script", TEXT),
    (b"iframe", NOTHING),
    (b"frame", NOTHING),
    (b"img", NOTHING),
    (b"image", EMPTY),
    (b"link", EMPTY),
    (b"video", NOTHING),
    (b"audio", NOTHING),
    (b"source", EMPTY),
    (b"track", NOTHING),
    (b"object", NOTHING),
    (b"embed", NOTHING),
    (b"input", NOTHING),
    (b"base", EMPTY),
    (b"use", NOTHING),
    (b"feimage", NOTHING),
    (b"body", BACKGROUND),
    (b"table", BACKGROUND),
    (b"thead", BACKGROUND),
    (b"tbody", BACKGROUND),
    (b"tfoot", BACKGROUND),
    (b"tr", BACKGROUND),
    (b"td", BACKGROUND),
    (b"th", BACKGROUND),
    (b"col", BACKGROUND),
    (b"colgroup", BACKGROUND),
];

const BACKGROUND: Means = Means::Attributes(b" background ");

/// Whoever looks ahead skips what is empty, so what that looks at is not.
const NOTHING: Means = Means::Attributes(
    b" src=about:blank srcset srcdoc href xlink:href data=about:blank poster=about:blank imagesrcset code=about:blank ",
);

/// Text that nobody shows or runs, in the head as well. Where the element began before the page was given up, its end tag is
/// still its own, and the other one is ignored.
const TEXT: Means = Means::Name(b"noframes", b"script></noframes");

/// It has no content and no meaning any more, and may stand in the head.
const EMPTY: Means = Means::Name(b"basefont", b"basefont");

/// What stands before the name of an element that is renamed in XML.
pub(super) const RENAMED: &[u8] = b"consentry-";

/// The longest of the names.
const LONGEST: usize = 8;

/// The longest name of an element in XML, its prefix included, that is looked at.
const LONGEST_IN_XML: usize = 4096;

/// A reference of so many digits, which no page has, is none any more.
const MOST_DIGITS: usize = 64;

/// It begins each change of character set in ISO-2022-JP.
const ESCAPE: u8 = 0x1B;

/// Disarms a stream of markup in pieces.
#[derive(Debug)]
pub(super) struct Disarm {
    markup: Markup,
    /// A `<` at the end of the last piece, with what may become one of the names, or the beginning of an escape or a reference.
    tail: Vec<u8>,
    /// Whether bytes are halves of characters by the last escape, so that a `<` is none where escapes count.
    wide: bool,
}

impl Disarm {
    pub(super) fn new(markup: Markup) -> Disarm {
        Disarm { markup, tail: Vec::new(), wide: false }
    }

    /// Appends the disarmed `input` to `out`, but for a name that is not complete.
    pub(super) fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let joined;
        let mut rest = input;
        if !self.tail.is_empty() {
            joined = [&*std::mem::take(&mut self.tail), input].concat();
            rest = &joined;
        }
        let reference = if self.markup == Markup::Xhtml { b'&' } else { b'<' };
        while let Some(mark) = memchr3(b'<', ESCAPE, reference, rest) {
            let (before, tag) = rest.split_at(mark);
            out.extend_from_slice(before);
            if tag[0] != b'<' {
                let Some(length) = self.escape_or_reference(tag, out) else {
                    self.tail = tag.to_vec();
                    return;
                };
                rest = &tag[length..];
                continue;
            }
            let slash = tag.get(1) == Some(&b'/') || (self.markup == Markup::Xhtml && tag.get(1) == Some(&b'?'));
            let name_at = if slash { 2 } else { 1 };
            let length = name_at + self.name_length(tag.get(name_at..).unwrap_or_default());
            let Some(next) = tag.get(length) else {
                self.tail = tag.to_vec();
                return;
            };
            if (*next == ESCAPE && !self.wide) || (*next == b'&' && self.markup == Markup::Xhtml) {
                // What follows may be part of the name to a browser.
                out.extend_from_slice(b"&lt;");
                rest = &tag[1..];
                continue;
            }
            let (open, after) = tag.split_at(length);
            let (less, name) = open.split_at(name_at);
            let ends = matches!(next, b' ' | b'\t' | b'\n' | b'\r' | 0x0C | b'/' | b'>');
            // An element is what it is called without its prefix.
            let colon = name.iter().rposition(|&byte| byte == b':').map_or(0, |at| at + 1);
            let (prefix, name) = name.split_at(if self.markup == Markup::Xhtml { colon } else { 0 });
            let element = ELEMENTS.iter().find(|(element, _)| ends && element.eq_ignore_ascii_case(name));
            out.extend_from_slice(less);
            out.extend_from_slice(prefix);
            if less == b"<?" && name == b"xml-stylesheet" {
                out.extend_from_slice(RENAMED);
            }
            match (element, self.markup) {
                (Some((_, Means::Attributes(disarmed))), Markup::Html) if !slash => {
                    out.extend_from_slice(name);
                    out.extend_from_slice(disarmed);
                }
                (Some((_, Means::Name(start, end))), Markup::Html) => {
                    out.extend_from_slice(if slash { end } else { start });
                }
                (Some(_), Markup::Xhtml) => {
                    out.extend_from_slice(RENAMED);
                    out.extend_from_slice(name);
                }
                _ => out.extend_from_slice(name),
            }
            rest = after;
        }
        out.extend_from_slice(rest);
    }

    /// How long the name is that begins here, as far as that matters.
    fn name_length(&self, name: &[u8]) -> usize {
        match self.markup {
            Markup::Html => name.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphabetic()).count(),
            Markup::Xhtml => {
                let ends =
                    |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>' | b'<' | b'&' | b'"' | b'\'' | &ESCAPE);
                name.iter().take(LONGEST_IN_XML).take_while(|byte| !ends(byte)).count()
            }
        }
    }

    /// Writes an escape, of which note is taken, or in XML a reference: where a document declares entities, one to `<` or `&` would
    /// be markup. `None` where it is not whole; else its length.
    fn escape_or_reference(&mut self, from: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let (length, written) = match from {
            // Encoding, 12.2.1, escape: after any other the bytes are read again.
            [ESCAPE, b'$', b'@' | b'B', ..] | [ESCAPE, b'(', b'I' | b'B' | b'J', ..] => {
                self.wide = from[1] == b'$' || from[2] == b'I';
                (3, &from[..3])
            }
            [ESCAPE] | [ESCAPE, b'$' | b'('] | [b'&'] => return None,
            [b'&', b'#', number @ ..] => {
                let digits = number.iter().take(MOST_DIGITS).take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let end = *number.get(digits)?;
                if digits == MOST_DIGITS {
                    out.extend_from_slice(b"&amp;");
                    return Some(1);
                }
                let text = std::str::from_utf8(&number[..digits]).unwrap_or_default();
                let radix = if text.starts_with('x') { 16 } else { 10 };
                match u32::from_str_radix(text.trim_start_matches('x'), radix) {
                    Ok(60) if end == b';' => (digits + 3, &b"&lt;"[..]),
                    Ok(38) if end == b';' => (digits + 3, &b"&amp;"[..]),
                    _ => (1, &from[..1]),
                }
            }
            _ => (1, from.get(..1)?),
        };
        out.extend_from_slice(written);
        Some(length)
    }

    /// The markup has ended: what was held back is no tag.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.tail);
    }

    /// The whole of `markup`, disarmed.
    #[cfg(test)]
    pub(super) fn all(markup: Markup, input: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(input.len());
        let mut disarm = Disarm::new(markup);
        disarm.feed(input, &mut out);
        disarm.finish(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn disarmed(markup: Markup, input: &str) -> String {
        String::from_utf8(Disarm::all(markup, input.as_bytes())).expect("only ASCII was added")
    }

    #[test]
    fn the_first_attribute_counts_and_it_loads_nothing() {
        assert!(disarmed(Markup::Html, "<img\nsrc=//t>").starts_with("<img src=about:blank srcset "));
        for untouched in
            ["<p>", "<scripts>", "<im", "</scripts>", "</img>", "<imgx", "< img>", "<", "<feimagex>", "a<b && <video1>"]
        {
            assert_eq!(disarmed(Markup::Html, untouched), untouched);
        }
    }

    /// Chromium's preload scanner skips empty attributes, takes the last `type` of a script, and knows `<image>` and `<script>`
    /// of SVG by their names.
    #[test]
    fn rule_k4_what_looks_ahead_finds_nothing_to_load_in_a_disarmed_page() {
        for (page, expected) in [
            ("<SCRIPT/type=module src=//t></script >", "<noframes/type=module src=//t></script></noframes >"),
            ("<svg><script href=//t /></svg>", "<svg><noframes href=//t /></svg>"),
            ("<link rel=modulepreload href=//t>", "<basefont rel=modulepreload href=//t>"),
            ("<picture><source srcset=//t></picture>", "<picture><basefont srcset=//t></picture>"),
            ("<svg><image xlink:href=//t></image>", "<svg><basefont xlink:href=//t></basefont>"),
            ("<base href=//t>", "<basefont href=//t>"),
            ("<col background=//t>", "<col background  background=//t>"),
            ("<colgroup background=//t>", "<colgroup background  background=//t>"),
        ] {
            assert_eq!(disarmed(Markup::Html, page), expected);
        }
        assert!(disarmed(Markup::Html, "<video poster=//t>").contains(" poster=about:blank "));
    }

    /// Encoding, 12.2.1: what follows an escape to no known set is read again.
    #[test]
    fn rule_k4_an_escape_to_no_character_set_swallows_no_tag() {
        for escape in ["\x1b(", "\x1b$", "\x1b((", "\x1b$$", "\x1b"] {
            assert_eq!(
                disarmed(Markup::Html, &format!("{escape}<img src=//t>"))
                    .split_once(" src=about:blank ")
                    .map(|s| s.0.len()),
                Some(escape.len() + 4)
            );
            assert_eq!(
                disarmed(Markup::Html, &format!("{escape}<script src=//t>")),
                format!("{escape}<noframes src=//t>")
            );
        }
    }

    #[test]
    fn xml_stays_well_formed() {
        assert_eq!(
            disarmed(Markup::Xhtml, "<img src='//t'/><p><script a='1'>x</script ></p>"),
            "<consentry-img src='//t'/><p><consentry-script a='1'>x</consentry-script ></p>"
        );
    }

    proptest! {
        #[test]
        fn pieces_make_the_same(input in "(<|</|script|SCRIPT|img|image|feimage|x| |>|/|=|\x1b|\\$|\\(|B){0,20}", cuts in prop::collection::vec(1usize..5, 0..40)) {
            for markup in [Markup::Html, Markup::Xhtml] {
                let (mut out, mut disarm, mut rest) = (Vec::new(), Disarm::new(markup), input.as_bytes());
                for cut in &cuts {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    disarm.feed(piece, &mut out);
                    rest = after;
                }
                disarm.feed(rest, &mut out);
                disarm.finish(&mut out);
                prop_assert_eq!(String::from_utf8_lossy(&out), disarmed(markup, &input));
            }
        }
    }
}
