//! Names and attributes of tags (13.2.5.8, .32 to .40).

use super::name::{LONG_NAME, LONGEST_NAME, Name};
use super::{Lexer, Scan, State, find, find_either, is_space};

impl Scan {
    /// Reads on in a tag's name; returns where to go on.
    pub(super) fn read_name(&mut self, chunk: &[u8], from: usize) -> usize {
        let mut at = from;
        let (mut name, mut length) = (self.lexer.name, self.lexer.name_len);
        let ended = loop {
            let Some(&byte) = chunk.get(at) else { break false };
            if !byte.is_ascii_alphabetic() && (is_space(byte) || byte == b'/' || byte == b'>') {
                break true;
            }
            at += 1;
            length += 1;
            name = name << 8 | Name::from(byte.to_ascii_lowercase());
        };
        let known = self.lexer.name_len <= LONGEST_NAME;
        (self.lexer.name, self.lexer.name_len) =
            if length > LONGEST_NAME { (LONG_NAME, LONGEST_NAME + 1) } else { (name, length) };
        if known && (ended || length > LONGEST_NAME) {
            self.tag_named();
        }
        if ended && !self.done {
            self.lexer.state = State::BeforeAttribute;
        }
        at
    }
}

impl Lexer {
    /// Reads on in what follows a tag's name; returns what follows the tag, or `None` where the chunk ends first. At a tag's
    /// end, a `/` before its `>` is one of its own, and not a value's, if the state is [`State::BeforeAttribute`].
    #[inline(always)] // Into the loop over tags, where it is most of the work.
    pub(in crate::page) fn read_attributes(&mut self, chunk: &[u8], mut at: usize) -> Option<usize> {
        let mut state = self.state;
        while let Some(&byte) = chunk.get(at) {
            state = match state {
                State::BeforeAttribute | State::AttributeName => {
                    // Nothing but these two changes what a quote means, so names need not be looked at one by one.
                    let end = find_either(chunk, at, b'=', b'>').unwrap_or(chunk.len());
                    let (names, rest) = (chunk.get(at..end).unwrap_or_default(), chunk.get(end..).unwrap_or_default());
                    let state = after_names(state, names);
                    at += names.len();
                    match *rest {
                        [] => {
                            self.state = state;
                            return None;
                        }
                        [b'>', ..] => {
                            self.state = state;
                            return Some(at + 1);
                        }
                        // A name may begin with `=`.
                        _ if state == State::BeforeAttribute => {
                            at += 1;
                            State::AttributeName
                        }
                        // Nearly every attribute is written so; the states below would come to the same.
                        [_, quote @ (b'"' | b'\''), ..] => match find(chunk, at + 2, quote) {
                            Some(found) => {
                                at = found + 1;
                                State::BeforeAttribute
                            }
                            None => {
                                self.state = if quote == b'"' { State::DoubleQuoted } else { State::SingleQuoted };
                                return None;
                            }
                        },
                        _ => {
                            at += 1;
                            State::BeforeValue
                        }
                    }
                }
                State::AfterAttribute if is_space(byte) => {
                    at += 1;
                    State::AfterAttribute
                }
                State::AfterAttribute if byte == b'=' => {
                    at += 1;
                    State::BeforeValue
                }
                State::AfterAttribute => State::BeforeAttribute,
                State::BeforeValue => {
                    at += 1;
                    match byte {
                        b'"' => State::DoubleQuoted,
                        b'\'' => State::SingleQuoted,
                        b'>' => {
                            self.state = state;
                            return Some(at);
                        }
                        _ if is_space(byte) => State::BeforeValue,
                        _ => State::Unquoted,
                    }
                }
                State::DoubleQuoted | State::SingleQuoted => {
                    let quote = if state == State::DoubleQuoted { b'"' } else { b'\'' };
                    let Some(found) = find(chunk, at, quote) else { break };
                    at = found + 1;
                    State::BeforeAttribute
                }
                _ => {
                    at += 1;
                    match byte {
                        b'>' => {
                            self.state = state;
                            return Some(at);
                        }
                        _ if is_space(byte) => State::BeforeAttribute,
                        _ => State::Unquoted,
                    }
                }
            };
        }
        self.state = state;
        None
    }
}

/// The state after `names`, in which there is neither `=` nor `>`, beginning in `state`.
fn after_names(state: State, names: &[u8]) -> State {
    let Some(last) = names.last() else { return state };
    if !is_space(*last) {
        return if *last == b'/' { State::BeforeAttribute } else { State::AttributeName };
    }
    match names.iter().rfind(|&&byte| !is_space(byte)) {
        Some(b'/') => State::BeforeAttribute,
        None if state == State::BeforeAttribute => State::BeforeAttribute,
        _ => State::AfterAttribute,
    }
}
