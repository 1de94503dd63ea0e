//! The most of every page: text, and tags that can change nothing, in as few steps as it takes to find their ends.
//!
//! Most of it is done in words of eight bytes. Whatever is not written as nearly every page writes it (a name of more than
//! seven letters, white space around an `=`, a value without quotes) is left to the [`Lexer`](crate::page::scan::Lexer),
//! which is right about everything.

use super::{Reader, Tag};
use crate::page::Markup;
use crate::page::gate::element::{self, Id};
use crate::page::scan::word::Word;
use crate::page::scan::{State, find, find_mark, is_space};

/// A tag that changes nothing, as far as it was read.
enum Plain<'c> {
    /// It ends before this.
    Before(&'c [u8]),
    /// It goes on at this, after its name or the quotes of an attribute's value.
    Within(&'c [u8]),
    /// It cannot be said yet that it is one.
    Unknown,
    /// It is none.
    Not,
}

impl Reader {
    /// Whether tags matter by their own names alone.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.context.is_certain() && self.foreign.is_html() && self.lexer.markup == Markup::Html
    }

    /// Skips text and tags that change nothing, from `at` on; returns where a `<` stands of which that cannot be said, or the
    /// end of the chunk, which may be within such a tag.
    pub(super) fn skip_plain(&mut self, chunk: &[u8], at: usize) -> usize {
        let mut rest = chunk.get(at..).unwrap_or_default();
        loop {
            let Some((open, mut plain)) = skip_usual(rest) else { return chunk.len() };
            if matches!(plain, Plain::Unknown) {
                plain = plain_name(open);
            }
            match plain {
                Plain::Before(after) => rest = after,
                Plain::Within(within) => {
                    self.lexer.state = State::BeforeAttribute;
                    self.tag = Tag::default();
                    let Some(end) = self.lexer.read_attributes(within, 0) else { return chunk.len() };
                    self.lexer.state = State::Data;
                    rest = within.get(end..).unwrap_or_default();
                }
                Plain::Unknown | Plain::Not => return chunk.len() - open.len() - 1,
            }
        }
    }
}

/// Skips tags that change nothing and are written in the usual way; returns what follows the `<` of another, and what is
/// known of that.
#[inline(never)] // By itself it has the processor's registers to itself.
fn skip_usual(mut rest: &[u8]) -> Option<(&[u8], Plain<'_>)> {
    while let Some(near) = rest.first_chunk() {
        let Some(less) = find_near(near) else {
            rest = rest.get(find(rest, NEAR, b'<')?..)?;
            continue;
        };
        match usual_tag(rest, near, less) {
            Plain::Before(after) => rest = after,
            other => return Some((&rest[less + 1..], other)),
        }
    }
    // The last bytes of the chunk, once.
    let less = find(rest, 0, b'<')?;
    Some((&rest[less + 1..], Plain::Unknown))
}

/// So far a `<` is looked for in words,
const NEAR: usize = 32;
/// and so many bytes are there, enough for a name after it and what follows that: with their number known, nothing has to be
/// asked of the length of the chunk.
const AHEAD: usize = NEAR + 16;

/// Where the first `<` is in the first bytes.
#[inline(always)]
fn find_near(near: &[u8; AHEAD]) -> Option<usize> {
    let words = near.as_chunks().0.iter().take(NEAR / 8).enumerate();
    words.filter_map(|(index, word)| Some(index * 8 + Word::of(*word).find(b'<')?)).next()
}

/// The tag that begins in `rest` at `less`, which is one of the `near` bytes `rest` begins with, where its name is short and
/// its attributes are written as `name="value"` or `name`.
#[inline(always)]
fn usual_tag<'c>(rest: &'c [u8], near: &[u8; AHEAD], less: usize) -> Plain<'c> {
    let open = less + 1;
    let Some(word) = Word::first(&near[open..]) else { return Plain::Unknown };
    let mark = word.mark();
    if word.byte(0) == b'/' {
        // An end tag, or what browsers make a comment of. Only after a `=` are there quotes that could hide its `>`.
        return match mark {
            0..8 if near[open + mark] == b'>' => Plain::Before(&rest[open + mark + 1..]),
            0..8 => Plain::Unknown,
            _ => end_tag(&rest[open..]),
        };
    }
    let length = word.before_zero();
    if mark < length {
        // The name alone, or with something in it that is in none we know.
        let plain = near[open + mark] == b'>' && is_plain(word, mark, true);
        return if plain { Plain::Before(&rest[open + mark + 1..]) } else { Plain::Unknown };
    }
    if length > 7 {
        return Plain::Unknown;
    }
    if !is_plain(word, length, false) {
        return Plain::Not;
    }
    let after = near[open + length];
    if after != b' ' && !is_space(after) && after != b'/' {
        return Plain::Unknown;
    }
    match mark {
        // A name may begin with `=`; before this one is the end of a name, if nothing that may come before a name.
        0..8 if matches!(near[open + mark - 1..], [b'0'..=0xFF, b'=', b'"', ..]) => {
            match after_value(&rest[open + mark + 2..]) {
                Some([b'>', after @ ..]) => Plain::Before(after),
                Some(after) => usual_attributes(after),
                None => Plain::Within(&rest[open + length..]),
            }
        }
        0..8 if near[open + mark] == b'>' => Plain::Before(&rest[open + mark + 1..]),
        _ => usual_attributes(&rest[open + length..]),
    }
}

/// What follows the quote at the end of a value.
#[inline(always)]
fn after_value(value: &[u8]) -> Option<&[u8]> {
    value.get(find(value, 0, b'"')? + 1..)
}

/// The rest of a tag, where an attribute may begin.
#[inline(never)]
fn usual_attributes(mut rest: &[u8]) -> Plain<'_> {
    loop {
        let Some(mark) = find_mark(rest, 0) else { return Plain::Within(rest) };
        if rest[mark] == b'>' {
            return Plain::Before(&rest[mark + 1..]);
        }
        let usual = mark.checked_sub(1).and_then(|before| rest[before..].split_first());
        let Some((b'0'..=0xFF, [b'=', b'"', value @ ..])) = usual else { return Plain::Within(rest) };
        match after_value(value) {
            Some([b'>', after @ ..]) => return Plain::Before(after),
            Some(after) => rest = after,
            None => return Plain::Within(rest),
        }
    }
}

/// Whether a tag changes nothing whose name, which ends at `>` or not, is the first `length` bytes of `word`.
#[inline(always)]
fn is_plain(word: Word, length: usize, bare: bool) -> bool {
    !element::may_change_something(word.byte(0), length) || is_plain_name(word, length, bare)
}

#[inline(never)]
fn is_plain_name(word: Word, length: usize, bare: bool) -> bool {
    if !word.byte(0).is_ascii_alphabetic() {
        return false;
    }
    let id = word.name(length);
    !element::changes_something(id) || (bare && element::is_nothing_without_attributes(id))
}

/// An end tag whose name is not that short.
#[inline(never)]
fn end_tag(open: &[u8]) -> Plain<'_> {
    let near = open.get(..MOST_OF_AN_END_TAG).unwrap_or(open);
    match find_mark(near, 0) {
        Some(mark) if open[mark] == b'>' && !begins_as_template(open) => Plain::Before(&open[mark + 1..]),
        _ => Plain::Unknown,
    }
}

/// Whether an end tag may be a template's, which counts.
fn begins_as_template(open: &[u8]) -> bool {
    open.get(1).is_some_and(|byte| byte | 0x20 == b't')
        && open.get(1..9).is_some_and(|name| name.eq_ignore_ascii_case(b"template"))
}

/// So long may an end tag be that is not looked at more closely.
const MOST_OF_AN_END_TAG: usize = 64;

/// A tag whose name alone says that it changes nothing, of up to eight letters.
fn plain_name(open: &[u8]) -> Plain<'_> {
    let closing = open.first() == Some(&b'/');
    let name_at = usize::from(closing);
    let (mut end, mut id): (usize, Id) = (name_at, 0);
    let after = loop {
        match open.get(end) {
            Some(byte) if byte.is_ascii_alphanumeric() => {
                id = id << 8 | Id::from(byte | 0x20);
                end += 1;
            }
            after => break after,
        }
    };
    let is_name = open.get(name_at).is_some_and(u8::is_ascii_alphabetic) && end - name_at <= 8;
    let counts = if closing { id == element::TEMPLATE } else { element::changes_something(id) };
    if !is_name || counts {
        return Plain::Unknown;
    }
    match after {
        Some(b'>') => Plain::Before(&open[end + 1..]),
        Some(&byte) if is_space(byte) || byte == b'/' => Plain::Within(&open[end..]),
        _ => Plain::Unknown,
    }
}
