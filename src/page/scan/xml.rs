//! What only XML has: CDATA sections, processing instructions and declarations with an internal subset (XML 1.0, 2.6 to 2.8).

use super::{Lexer, State, find};

impl Lexer {
    /// One step through any of these: where to go on, or `None` at the chunk's end.
    pub(in crate::page) fn step_xml(&mut self, chunk: &[u8], mut at: usize) -> Option<usize> {
        let &byte = chunk.get(at)?;
        match self.state {
            State::CdataOpen => {
                if b"CDATA[".get(usize::from(self.matched)) != Some(&byte) {
                    self.state = State::Bogus;
                    return Some(at);
                }
                at += 1;
                self.matched += 1;
                if self.matched == 6 {
                    (self.state, self.matched) = (State::Cdata, 0);
                }
            }
            State::Cdata => {
                if self.matched == 0 {
                    let found = find(chunk, at, b']');
                    let before = chunk.get(..found.unwrap_or(chunk.len())).and_then(<[u8]>::last);
                    self.quote = before.copied().unwrap_or(self.quote);
                    at = found?;
                }
                match chunk.get(at) {
                    Some(b']') => self.matched = (self.matched + 1).min(2),
                    Some(b'>') if self.matched == 2 => self.state = State::Data,
                    _ => (self.matched, self.quote) = (0, byte),
                }
                at += 1;
            }
            State::Instruction => {
                if byte == b'>' && self.matched == 1 {
                    self.state = State::Data;
                }
                self.matched = u8::from(byte == b'?');
                at += 1;
            }
            State::Doctype => {
                match byte {
                    _ if self.quote == byte => self.quote = 0,
                    _ if self.quote != 0 => {}
                    b'"' | b'\'' => self.quote = byte,
                    b'[' => self.matched = 1,
                    b']' => self.matched = 0,
                    b'>' if self.matched == 0 => self.state = State::Data,
                    _ => {}
                }
                at += 1;
            }
            _ => return None,
        }
        Some(at)
    }
}
