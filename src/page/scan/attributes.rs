//! The attributes of one start tag that is there as a whole (13.2.5.32 to .39).

use super::word::Word;
use super::{find, is_space};

/// An attribute: its name as it stands there, its value without quotes, empty where it has none.
pub(in crate::page) struct Attribute<'t> {
    pub(in crate::page) name: &'t [u8],
    pub(in crate::page) value: &'t [u8],
    /// Name and value as they stand there, quotes included.
    pub(in crate::page) whole: &'t [u8],
}

/// The attributes in `tag`, which is what follows a tag's name, up to its `>`, or to the tag's end where there is none.
pub(in crate::page) struct Attributes<'t> {
    rest: &'t [u8],
}

impl<'t> Attributes<'t> {
    pub(in crate::page) fn of(tag: &'t [u8]) -> Self {
        Attributes { rest: tag }
    }

    /// What follows the attributes that were read: begins with `>` once they all were, if the tag is whole.
    pub(in crate::page) fn rest(&self) -> &'t [u8] {
        self.rest
    }

    fn take(&mut self, length: usize) -> &'t [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// The rest of an attribute's name. In the short ones that most have, nothing comes before `0` or is a mark, but their end.
    fn take_name(&mut self) {
        if let Some(word) = Word::first(self.rest) {
            self.take(word.before_zero().min(word.mark()));
        }
        self.take_while(|byte| !is_space(byte) && !matches!(byte, b'/' | b'>' | b'='));
    }

    #[inline]
    fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &'t [u8] {
        self.take(self.rest.iter().position(|&byte| !is(byte)).unwrap_or(self.rest.len()))
    }
}

impl<'t> Iterator for Attributes<'t> {
    type Item = Attribute<'t>;

    fn next(&mut self) -> Option<Attribute<'t>> {
        self.take_while(|byte| is_space(byte) || byte == b'/');
        if matches!(self.rest, [] | [b'>', ..]) {
            return None;
        }
        // A name may begin with `=`.
        let from = self.rest;
        self.take(1);
        self.take_name();
        let name = &from[..from.len() - self.rest.len()];
        let after_name = self.rest;
        self.take_while(is_space);
        if self.rest.first() != Some(&b'=') {
            self.rest = after_name;
            return Some(Attribute { name, value: b"", whole: name });
        }
        self.take(1);
        self.take_while(is_space);
        if matches!(self.rest, [] | [b'>', ..]) {
            return Some(Attribute { name, value: b"", whole: name });
        }
        let value = match self.rest.first() {
            Some(&quote @ (b'"' | b'\'')) => {
                self.take(1);
                let value = self.take(find(self.rest, 0, quote).unwrap_or(self.rest.len()));
                self.take(1);
                value
            }
            _ => self.take_while(|byte| !is_space(byte) && byte != b'>'),
        };
        Some(Attribute { name, value, whole: &from[..from.len() - self.rest.len()] })
    }
}
