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

    /// Takes the next where it is written as nearly every one is: a space, a short name, a value in quotes. The long way would
    /// come to the same.
    fn usual(&mut self) -> Option<Attribute<'t>> {
        let from = self.rest.strip_prefix(b" ")?;
        let word = Word::first(from)?;
        let (name, after) = from.split_at_checked(word.before_zero().min(word.mark()))?;
        // A name may begin with `=`.
        let value = after.strip_prefix(b"=\"").filter(|_| !name.is_empty())?;
        let (value, after) = value.split_at_checked(find(value, 0, b'"')?)?;
        self.rest = after.get(1..)?;
        let whole = from.get(..name.len() + value.len() + 3)?;
        Some(Attribute { name, value, whole })
    }

    fn take(&mut self, length: usize) -> &'t [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &'t [u8] {
        self.take(self.rest.iter().position(|&byte| !is(byte)).unwrap_or(self.rest.len()))
    }
}

impl<'t> Iterator for Attributes<'t> {
    type Item = Attribute<'t>;

    fn next(&mut self) -> Option<Attribute<'t>> {
        if let Some(usual) = self.usual() {
            return Some(usual);
        }
        self.take_while(|byte| is_space(byte) || byte == b'/');
        if matches!(self.rest, [] | [b'>', ..]) {
            return None;
        }
        // A name may begin with `=`.
        let from = self.rest;
        self.take(1);
        self.take_while(|byte| !is_space(byte) && !matches!(byte, b'/' | b'>' | b'='));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As if no attribute were written in the usual way: a `/` before the space changes nothing.
    fn the_long_way(tag: &[u8]) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let mut found = Vec::new();
        let mut rest = tag.to_vec();
        loop {
            rest.insert(0, b'/');
            let mut attributes = Attributes::of(&rest);
            let Some(Attribute { name, value, whole }) = attributes.next() else { return found };
            found.push((name.to_vec(), value.to_vec(), whole.to_vec()));
            rest = attributes.rest().to_vec();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_usual_way_comes_to_the_same(pieces in prop::collection::vec(prop::sample::select(vec![
            " ", "  ", "=", "=\"", "\"", "'", " src=\"", " a=\"b\"", "src", "data-x", "/", "\n", "a\"b", "<", "?", "é", "\0", "alongername",
        ]), 0..9)) {
            let tag = [&pieces.concat().into_bytes()[..], b" \t/="].concat();
            let read = Attributes::of(&tag).map(|a| (a.name.to_vec(), a.value.to_vec(), a.whole.to_vec()));
            prop_assert_eq!(read.collect::<Vec<_>>(), the_long_way(&tag));
        }
    }
}
