//! A page on its way through the gate: in whatever encoding it is, [`Reader`] is given bytes in which ASCII is ASCII.

use std::collections::VecDeque;

use bytes::Bytes;
use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use memchr::memchr;

use super::reader::{Out, Reader};
use super::tags::Gating;
use crate::page::Markup;
use crate::page::scan::attributes::{Attribute, Attributes};
use crate::page::scan::is_space;

/// The page.
pub(super) struct Rewrite {
    start: Start,
    markup: Markup,
    reader: Reader,
    out: Out,
    /// The first bytes, up to [`MOST_TO_NAME`], as long as an escape would tell that the page is in an encoding in which a byte `<` need not be one.
    beginning: Option<Vec<u8>>,
    /// Whether the head names the encoding.
    named: bool,
}

/// It begins each change of character set in ISO-2022-JP, the one encoding of that kind which a page may name by itself.
const ESCAPE: u8 = 0x1B;

/// In so many bytes browsers look for the encoding a page names (HTML, 13.2.3.2).
const MOST_TO_NAME: usize = 1024;

/// A byte order mark decides how a page is read, whatever its head says. UTF-16 would hide every tag from us, so such a page is
/// made UTF-8, with that mark.
enum Start {
    /// The first byte alone, if there is one, does not tell.
    Unknown(Option<u8>),
    AsciiCompatible,
    Utf16(Box<Decoder>),
}

impl Rewrite {
    pub(super) fn new(gating: Gating, markup: Markup) -> Rewrite {
        let reader = Reader::new(gating, markup);
        Rewrite {
            start: Start::Unknown(None),
            markup,
            reader,
            out: Out::default(),
            beginning: Some(Vec::new()),
            named: false,
        }
    }

    /// Takes note of the encoding, if the head names it.
    pub(super) fn encoding_is_named(&mut self, named: Option<&'static Encoding>) {
        self.named = named.is_some();
        self.beginning = named.is_none().then(Vec::new);
        self.reader.letters_are_whole = named.is_some_and(|named| named == UTF_8 || named.is_single_byte());
    }

    /// Takes a piece of the page in and gives out what is certain.
    pub(super) fn feed(&mut self, chunk: &Bytes, out: &mut VecDeque<Bytes>) {
        self.decode_piece(chunk);
        self.out.close();
        out.append(&mut self.out.done);
    }

    fn decode_piece(&mut self, chunk: &Bytes) {
        if let Start::Unknown(first) = self.start {
            let second = if first.is_some() { chunk.first() } else { chunk.get(1) };
            // Where nothing names the encoding, `<?x` in UTF-16 does (XML 1.0, F.1; HTML, 13.2.3.2, the prescan).
            let may_be_wide = self.markup == Markup::Xhtml || self.beginning.is_some();
            self.start = match (first.or(chunk.first().copied()), second) {
                (first, None)
                    if matches!(first, None | Some(0xFE | 0xFF))
                        || (may_be_wide && matches!(first, Some(0 | b'<'))) =>
                {
                    self.start = Start::Unknown(first);
                    return;
                }
                (Some(0xFE), Some(0xFF)) => Start::Utf16(Box::new(UTF_16BE.new_decoder_with_bom_removal())),
                (Some(0xFF), Some(0xFE)) => Start::Utf16(Box::new(UTF_16LE.new_decoder_with_bom_removal())),
                // What is made of it has a mark, and so is read in one way.
                (Some(0), Some(b'<')) if may_be_wide => {
                    Start::Utf16(Box::new(UTF_16BE.new_decoder_without_bom_handling()))
                }
                (Some(b'<'), Some(0)) if may_be_wide => {
                    Start::Utf16(Box::new(UTF_16LE.new_decoder_without_bom_handling()))
                }
                _ => Start::AsciiCompatible,
            };
            if let Start::Utf16(_) = self.start {
                self.reader.letters_are_whole = true;
                self.reader.read("\u{feff}".as_bytes(), None, &mut self.out);
            }
            if let Some(first) = first {
                self.decode(&[first], None, false);
            }
        }
        self.decode(chunk, Some(chunk), false);
    }

    /// The page has ended; gives out the rest.
    pub(super) fn finish(&mut self, out: &mut VecDeque<Bytes>) {
        match self.start {
            Start::Unknown(Some(first)) => self.decode(&[first], None, true),
            _ => self.decode(&[], None, true),
        }
        self.reader.finish(&mut self.out);
        self.out.close();
        out.append(&mut self.out.done);
    }

    fn decode(&mut self, chunk: &[u8], whole: Option<&Bytes>, last: bool) {
        match &mut self.start {
            Start::Unknown(_) | Start::AsciiCompatible => {
                // Where nothing names it, a frame may have the encoding of the page around it, and be in UTF-16 by that. Without
                // zeros there is no markup to it then; to others they are nothing, or no part of what they stand in.
                let without_zeros: Vec<u8>;
                let (chunk, whole) = if !self.named && memchr(0, chunk).is_some() {
                    without_zeros = chunk.iter().copied().filter(|&byte| byte != 0).collect();
                    (&without_zeros[..], None)
                } else {
                    (chunk, whole)
                };
                let escape = self.beginning.as_mut().and_then(|beginning| {
                    let escape = memchr(ESCAPE, chunk);
                    let before = &chunk[..escape.unwrap_or(chunk.len())];
                    beginning.extend(before.iter().take(MOST_TO_NAME - beginning.len()));
                    escape
                });
                let beginning = escape.and_then(|_| self.beginning.take());
                if let (Some(escape), Some(beginning)) = (escape, beginning)
                    && !beginning.starts_with("\u{feff}".as_bytes())
                    && (self.markup == Markup::Xhtml || !names_plain_encoding(&beginning))
                {
                    let (before, after) = chunk.split_at(escape);
                    self.reader.read(before, None, &mut self.out);
                    self.reader.abandon(&mut self.out);
                    return self.reader.read(after, None, &mut self.out);
                }
                self.reader.read(chunk, whole, &mut self.out);
            }
            Start::Utf16(decoder) => {
                let most =
                    decoder.max_utf8_buffer_length(chunk.len()).expect("a chunk is far from the address space's end");
                let mut text = String::with_capacity(most);
                let _ = decoder.decode_to_string(chunk, &mut text, last); // There is room for all of it.
                self.reader.read(text.as_bytes(), None, &mut self.out);
            }
        }
    }

    /// Whether the page could not be read for certain, and whether a token is held whose end has not come.
    #[cfg(test)]
    pub(super) fn gave_up_or_holds(&self) -> (bool, bool) {
        (self.reader.has_given_up(), self.reader.is_holding())
    }
}

/// Whether a page that begins so names an encoding in which an escape is a character as any other, in a way of which no
/// browser may think otherwise: by the first tag in its head.
fn names_plain_encoding(beginning: &[u8]) -> bool {
    let after = |rest: &[u8], start: &[u8]| {
        let (open, rest) = rest.trim_ascii_start().split_at_checked(start.len())?;
        let ends = rest.first().is_some_and(|&byte| is_space(byte) || byte == b'>');
        (open.eq_ignore_ascii_case(start) && ends).then(|| rest.to_vec())
    };
    let mut rest = beginning.to_vec();
    for skipped in [&b"<!doctype html"[..], b"<html", b"<head"] {
        let Some(tag) = after(&rest, skipped) else { continue };
        if skipped.starts_with(b"<!") {
            // To a declaration quotes are nothing: its first `>` ends it (13.2.5.54 to .66).
            let Some(end) = memchr(b'>', &tag) else { return false };
            rest = tag[end + 1..].to_vec();
            continue;
        }
        let mut attributes = Attributes::of(&tag);
        attributes.by_ref().for_each(drop);
        let Some(after) = attributes.rest().strip_prefix(b">") else { return false };
        rest = after.to_vec();
    }
    let Some(tag) = after(&rest, b"<meta") else { return false };
    let mut attributes = Attributes::of(&tag);
    let only = (attributes.next(), attributes.next());
    let is_whole = attributes.rest().starts_with(b">");
    let plain = [&b"utf-8"[..], b"iso-8859-1", b"windows-1252"];
    matches!(only, (Some(Attribute { name, value, .. }), None)
        if is_whole && name.eq_ignore_ascii_case(b"charset") && plain.iter().any(|plain| value.eq_ignore_ascii_case(plain)))
}
