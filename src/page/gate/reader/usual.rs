//! Tags that change nothing and are written as nearly every page writes them, one by one.
//!
//! Most tags need not be read to know where they end. That is at their first `>`, but for one in the quotes of a value, and:
//!
//! - without a `=` before it there is no value;
//! - without a `'` before it only a `"` could have begun one, and the last `"` did not, where neither a `=` nor white space
//!   stands before that: it ended one, or stands for itself (13.2.5.32 to .39). So `">` is nearly always the end.
//!
//! Whatever else there is goes attribute by attribute, or is left to the [`Lexer`](crate::page::scan::Lexer).

use memchr::{memchr2, memrchr};

use super::blocks::skip_blocks;
use super::plain::Plain;
use crate::page::gate::element;
use crate::page::scan::near::NEAR;
use crate::page::scan::word::Word;
use crate::page::scan::{find, find_mark, is_space};

/// Skips such tags, and the text between them; returns what follows the `<` of another, and what is known of that.
pub(super) fn skip_usual(mut rest: &[u8]) -> Option<(&[u8], Plain<'_>)> {
    loop {
        rest = rest.get(skip_blocks(rest)..).unwrap_or_default();
        let open = &rest[find(rest, 0, b'<')? + 1..];
        match unusual_tag(open) {
            Plain::Before(after) => rest = after,
            other => return Some((open, other)),
        }
    }
}

/// Whether a `"` after this byte begins no value.
#[inline(always)]
fn ends_value(before: u8) -> bool {
    before != b'=' && !is_space(before)
}

/// The length of a template's name: an end tag that is shorter, which counts, is none of a template.
const TEMPLATE: usize = "template".len();

/// Whether a tag whose name begins like one that changes something does not; `None` where that takes longer to say.
#[inline(never)]
pub(super) fn is_plain_name(open: &[u8; NEAR]) -> Option<bool> {
    let word = Word::first(open)?;
    let length = word.before_zero().min(word.mark());
    if !open[0].is_ascii_alphabetic() || length > 7 {
        return None;
    }
    let id = word.name(length);
    match open[length] {
        b'>' => Some(!element::changes_something(id) || element::is_nothing_without_attributes(id)),
        after if is_space(after) || after == b'/' => Some(!element::changes_something(id)),
        _ => None,
    }
}

/// A tag that may change something, or whose end is not told by its block.
#[inline(never)]
fn unusual_tag(open: &[u8]) -> Plain<'_> {
    let Some(near) = open.first_chunk() else { return Plain::Unknown };
    if near[0] == b'/' {
        return end_tag(open);
    }
    if element::may_change_something(near[0], near[2]) {
        match is_plain_name(near) {
            Some(true) => {}
            Some(false) => return Plain::Not,
            None => return Plain::Unknown,
        }
    }
    // A longer name may be too long to hold, which must come to the same however it is cut.
    let Some(name) = near.iter().position(|&byte| is_space(byte) || byte == b'/' || byte == b'>') else {
        return Plain::Unknown;
    };
    let attributes = &open[name..];
    if let Some(mark) = memchr2(b'\'', b'>', attributes)
        && attributes[mark] == b'>'
        && memrchr(b'"', &attributes[..mark]).is_none_or(|last| ends_value(attributes[last - 1]))
    {
        return Plain::Before(&attributes[mark + 1..]);
    }
    usual_attributes(attributes)
}

/// The rest of a tag, where an attribute may begin.
fn usual_attributes(mut rest: &[u8]) -> Plain<'_> {
    loop {
        let Some(mark) = find_mark(rest, 0) else { return Plain::Within(rest) };
        if rest[mark] == b'>' {
            return Plain::Before(&rest[mark + 1..]);
        }
        // A name may begin with `=`; before this one is the end of a name, if nothing that may come before a name.
        let usual = mark.checked_sub(1).and_then(|before| rest[before..].split_first());
        let Some((b'0'..=0xFF, [b'=', quote @ (b'"' | b'\''), value @ ..])) = usual else {
            return Plain::Within(rest);
        };
        match find(value, 0, *quote) {
            Some(quote) => rest = &value[quote + 1..],
            None => return Plain::Within(rest),
        }
    }
}

/// An end tag that is long.
fn end_tag(open: &[u8]) -> Plain<'_> {
    let near = open.get(..MOST_OF_AN_END_TAG).unwrap_or(open);
    match find_mark(near, 0) {
        Some(mark) if open[mark] == b'>' && !begins_as_template(open) => Plain::Before(&open[mark + 1..]),
        _ => Plain::Unknown,
    }
}

/// Whether an end tag may be a template's, which counts.
fn begins_as_template(open: &[u8]) -> bool {
    open.get(1..=TEMPLATE).is_some_and(|name| name.eq_ignore_ascii_case(b"template"))
}

/// So long may an end tag be that is not looked at more closely.
const MOST_OF_AN_END_TAG: usize = 64;
