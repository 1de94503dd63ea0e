//! A page on its way through the gate: in whatever encoding it is, [`Reader`] is given bytes in which ASCII is ASCII.

use std::collections::VecDeque;

use bytes::Bytes;
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE};

use super::reader::{Out, Reader};
use super::tags::Gating;
use crate::page::Markup;

/// The page.
pub(super) struct Rewrite {
    start: Start,
    reader: Reader,
    out: Out,
}

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
        Rewrite { start: Start::Unknown(None), reader: Reader::new(gating, markup), out: Out::default() }
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
            self.start = match (first.or(chunk.first().copied()), second) {
                (first @ (None | Some(0xFE | 0xFF)), None) => {
                    self.start = Start::Unknown(first);
                    return;
                }
                (Some(0xFE), Some(0xFF)) => Start::Utf16(Box::new(UTF_16BE.new_decoder_with_bom_removal())),
                (Some(0xFF), Some(0xFE)) => Start::Utf16(Box::new(UTF_16LE.new_decoder_with_bom_removal())),
                _ => Start::AsciiCompatible,
            };
            if let Start::Utf16(_) = self.start {
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
            Start::Unknown(Some(first)) => self.reader.read(&[first], None, &mut self.out),
            _ => self.decode(&[], None, true),
        }
        self.reader.finish(&mut self.out);
        self.out.close();
        out.append(&mut self.out.done);
    }

    fn decode(&mut self, chunk: &[u8], whole: Option<&Bytes>, last: bool) {
        match &mut self.start {
            Start::Unknown(_) | Start::AsciiCompatible => self.reader.read(chunk, whole, &mut self.out),
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
