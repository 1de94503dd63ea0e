//! What begins with `<!`, and what browsers make a comment of (13.2.5.41 to .52).

use super::{Lexer, Markup, State, find};

impl Lexer {
    /// One step through a comment or declaration: where to go on, or `None` at the chunk's end.
    pub(in crate::page) fn step_comment(&mut self, chunk: &[u8], mut at: usize) -> Option<usize> {
        let &byte = chunk.get(at)?;
        match self.state {
            State::Declaration => {
                self.state = match (byte, self.markup) {
                    (b'-', _) => State::DeclarationDash,
                    (b'[', Markup::Xhtml) => State::CdataOpen,
                    (_, Markup::Xhtml) => State::Doctype,
                    _ => State::Bogus,
                };
                at += usize::from(matches!(self.state, State::DeclarationDash | State::CdataOpen));
            }
            State::DeclarationDash => {
                self.state = match (byte, self.markup) {
                    (b'-', Markup::Html) => State::CommentStart,
                    (b'-', Markup::Xhtml) => State::Comment,
                    _ => State::Bogus,
                };
                at += usize::from(self.state != State::Bogus);
            }
            State::Bogus => {
                let found = find(chunk, at, b'>')?;
                (self.state, at) = (State::Data, found + 1);
            }
            State::CommentStart | State::CommentStartDash => {
                self.state = match (byte, self.state) {
                    (b'>', _) => State::Data,
                    (b'-', State::CommentStart) => State::CommentStartDash,
                    (b'-', _) => State::CommentEnd,
                    _ => State::Comment,
                };
                at += usize::from(self.state != State::Comment);
            }
            State::Comment => {
                let found = find(chunk, at, b'-')?;
                (self.state, at) = (State::CommentDash, found + 1);
            }
            State::CommentDash => {
                self.state = if byte == b'-' { State::CommentEnd } else { State::Comment };
                at += 1;
            }
            State::CommentEnd => {
                self.state = match byte {
                    b'>' => State::Data,
                    b'-' => State::CommentEnd,
                    b'!' if self.markup == Markup::Html => State::CommentBang,
                    _ => State::Comment,
                };
                at += 1;
            }
            State::CommentBang => {
                self.state = match byte {
                    b'>' => State::Data,
                    b'-' => State::CommentDash,
                    _ => State::Comment,
                };
                at += 1;
            }
            _ => return None,
        }
        Some(at)
    }
}
