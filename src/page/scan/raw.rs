//! Raw text: what stands in `<title>`, `<style>`, `<noscript>`, `<script>` and their like, up to the end tag of that name
//! (13.2.5.2 to .4 and .9 to .31). Within a script, `<!--` and a `<script` after it hide an end tag.

use fearless_simd::{Simd, dispatch};
use memchr::memchr2;

use super::block::{BLOCK, Block, LEVEL};
use super::name::{LONG_NAME, LONGEST_NAME, Name, SCRIPT};
use super::{Lexer, State, find, is_space};

/// So much of what follows a block is looked at.
const AHEAD: usize = 2;

impl Lexer {
    /// One step through raw text: where to go on, or `None` at the chunk's end.
    pub(in crate::page) fn step_raw(&mut self, chunk: &[u8], mut at: usize) -> Option<usize> {
        let &byte = chunk.get(at)?;
        match self.state {
            State::Raw => {
                let after = at + dispatch!(*LEVEL, simd => self.skip_raw(simd, chunk.get(at..).unwrap_or_default()));
                let found = find(chunk, after, b'<')?;
                (self.state, at) = (State::RawLess, found + 1);
            }
            State::RawLess => {
                self.state = match byte {
                    b'/' => State::RawEndTagOpen,
                    b'!' if self.raw == SCRIPT => State::ScriptBang,
                    _ => State::Raw,
                };
                at += usize::from(self.state != State::Raw);
            }
            State::RawEndTagOpen => {
                (self.name, self.name_len) = (0, 0);
                self.state = if byte.is_ascii_alphabetic() { State::RawEndTagName } else { self.raw_text() };
            }
            State::RawEndTagName => {
                if byte.is_ascii_alphabetic() {
                    self.push_name(byte);
                    at += 1;
                } else if self.name == self.raw && (is_space(byte) || byte == b'/' || byte == b'>') {
                    (self.closing, self.state) = (true, State::BeforeAttribute);
                } else {
                    self.state = self.raw_text();
                }
            }
            State::ScriptBang | State::ScriptBangDash => {
                self.state = match (byte, self.state) {
                    (b'-', State::ScriptBang) => State::ScriptBangDash,
                    (b'-', _) => {
                        self.escaped = 1;
                        State::ScriptEscapedDashDash
                    }
                    _ => State::Raw,
                };
                at += usize::from(self.state != State::Raw);
            }
            State::ScriptEscaped => {
                let rest = chunk.get(at..).unwrap_or_default();
                let found = memchr2(b'-', b'<', rest)?;
                let dash = rest.get(found) == Some(&b'-');
                self.state = if dash { State::ScriptEscapedDash } else { State::ScriptEscapedLess };
                at += found + 1;
            }
            State::ScriptEscapedDash | State::ScriptEscapedDashDash => {
                self.state = match (byte, self.state) {
                    (b'-', _) => State::ScriptEscapedDashDash,
                    (b'<', _) => State::ScriptEscapedLess,
                    (b'>', State::ScriptEscapedDashDash) => {
                        self.escaped = 0;
                        State::Raw
                    }
                    _ => State::ScriptEscaped,
                };
                at += 1;
            }
            State::ScriptEscapedLess => {
                (self.name, self.name_len) = (0, 0);
                self.state = match byte {
                    b'/' if self.escaped == 1 => State::RawEndTagOpen,
                    b'/' => State::ScriptEscapedName,
                    _ if self.escaped == 1 && byte.is_ascii_alphabetic() => State::ScriptEscapedName,
                    _ => State::ScriptEscaped,
                };
                at += usize::from(byte == b'/');
            }
            State::ScriptEscapedName => {
                if byte.is_ascii_alphabetic() {
                    self.push_name(byte);
                    at += 1;
                    return Some(at);
                }
                if self.name == SCRIPT && (is_space(byte) || byte == b'/' || byte == b'>') {
                    self.escaped = 3 - self.escaped;
                    at += 1;
                }
                self.state = State::ScriptEscaped;
            }
            _ => return None,
        }
        Some(at)
    }

    /// How much of `text` is certain to be that, whatever comes after it: no `<` in it begins what might be an end tag of
    /// this text, nor `<!` in a script.
    #[inline(always)]
    fn skip_raw<S: Simd>(&self, simd: S, text: &[u8]) -> usize {
        let mut at = 0;
        while let Some(near) = text.get(at..).and_then(<[u8]>::first_chunk::<{ BLOCK + AHEAD }>) {
            let block = |from: usize| Block::of(simd, near[from..].first_chunk().expect("a block is shorter"));
            let (open, next) = (block(0).are(b'<'), block(1));
            let mut open = open & (next.are(b'/') | next.are(b'!'));
            while open != 0 {
                let less = open.trailing_zeros() as usize;
                if self.may_end_raw(near[less + 1], near[less + 2]) {
                    return at + less;
                }
                open &= open - 1;
            }
            at += BLOCK;
        }
        at
    }

    /// Whether these, after a `<`, may be more than text.
    #[inline(always)]
    fn may_end_raw(&self, mark: u8, letter: u8) -> bool {
        let first = self.raw >> (63_u32.saturating_sub(self.raw.leading_zeros()) & !7);
        if mark == b'/' { Name::from(letter | 0x20) == first } else { self.raw == SCRIPT }
    }

    /// Adds a letter to the name of an end tag in raw text, or of what might be one.
    fn push_name(&mut self, byte: u8) {
        self.name_len += 1;
        let name = self.name << 8 | Name::from(byte.to_ascii_lowercase());
        (self.name, self.name_len) =
            if self.name_len > LONGEST_NAME { (LONG_NAME, LONGEST_NAME + 1) } else { (name, self.name_len) };
    }

    /// The state in which the raw text around a tag that was none goes on.
    fn raw_text(&self) -> State {
        if self.escaped > 0 { State::ScriptEscaped } else { State::Raw }
    }
}
