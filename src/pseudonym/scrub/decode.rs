//! Percent-decoding and the removal of what would hide a value from the detectors: control and format characters, other
//! kinds of spaces, hyphens and digits.

use std::borrow::Cow;

/// Stands for a `+` of a form's value until the detectors have looked: it is a space, unless it was the plus of a phone number
/// or of an e-mail address that nobody encoded. As a control character it can come from nowhere else.
pub const FORM_SPACE: u8 = 0x01;

/// Text in which normalising makes new escapes again and again is nobody's; its percent signs are taken away.
const ROUNDS: usize = 4;

/// Decodes a path or a free text.
pub fn plain(text: &str) -> Cow<'_, str> {
    if is_plain(text, b'%') { Cow::Borrowed(text) } else { Cow::Owned(until_settled(text, false)) }
}

/// Decodes a value of a query: there, a `+` is a [`FORM_SPACE`].
pub fn form(text: &str) -> Cow<'_, str> {
    if is_plain(text, b'+') { Cow::Borrowed(text) } else { Cow::Owned(until_settled(text, true)) }
}

/// Printable ASCII without escapes and without `other`. Looks at every byte, so that it can look at many at once.
fn is_plain(text: &str, other: u8) -> bool {
    text.bytes().fold(true, |plain, b| plain & (0x20..0x7f).contains(&b) & (b != b'%') & (b != other))
}

fn until_settled(text: &str, plus_is_space: bool) -> String {
    let mut text = unescape(text.as_bytes(), |b| match b {
        b'+' if plus_is_space => Some(FORM_SPACE),
        b'\t' | b'\n' | 0x0b | 0x0c | b'\r' => Some(b' '),
        0..0x20 | 0x7f => None,
        b => Some(b),
    });
    for _ in 0..ROUNDS {
        if text.is_ascii() {
            return text;
        }
        let Some(normal) = normalise(&text) else { return text };
        text = unescape(normal.as_bytes(), Some);
    }
    text.replace('%', "_")
}

/// Undoes percent-encoding until no escape is left, in one pass: an escape that decoding completes (`%2540`) ends where the
/// last byte was put. `raw` maps the bytes that were not escaped.
fn unescape(text: &[u8], raw: impl Fn(u8) -> Option<u8>) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text.iter().filter_map(|&b| raw(b)) {
        let mut next = Some(byte);
        while let Some(byte) = next.take() {
            out.push(byte);
            let [.., b'%', high, low] = out[..] else { continue };
            let (Some(high), Some(low)) = ((high as char).to_digit(16), (low as char).to_digit(16)) else { continue };
            out.truncate(out.len() - 3);
            next = match (high * 16 + low) as u8 {
                b'\t' | b'\n' | 0x0b | 0x0c | b'\r' => Some(b' '),
                0..0x20 | 0x7f => None,
                decoded => Some(decoded),
            };
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Nothing where there is nothing to change.
fn normalise(text: &str) -> Option<String> {
    let has_at = text.contains(['@', '\u{ff20}', '\u{fe6b}']);
    let mapped = |c: char| match c {
        '\u{80}'..='\u{9f}' => None,
        // Soft hyphen, zero-width and bidirectional marks, joiners, byte-order mark, variation selectors, tags.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => None,
        '\u{e0000}'..='\u{e01ef}' => None,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{2010}'..='\u{2013}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => Some('-'),
        // Dots of a Japanese or Chinese domain; elsewhere they end a sentence (UTS #46).
        '\u{3002}' | '\u{ff61}' if has_at => Some('.'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xff01 + 0x21),
        '\u{fe6b}' => Some('@'),
        c if c > '\u{65f}' => Some(digit(c).unwrap_or(c)),
        c => Some(c),
    };
    if text.chars().all(|c| mapped(c) == Some(c)) {
        return None;
    }
    Some(text.chars().filter_map(mapped).collect())
}

/// The zeros of the scripts that people in the United Kingdom write digits in: Arabic, Persian, Devanagari, Bengali, Gurmukhi,
/// Gujarati, Tamil, Thai; and bold, double-struck, sans-serif and monospaced ones of mathematics.
const ZEROS: [u32; 13] =
    [0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xbe6, 0xe50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6];

/// The ASCII digit for one of another script.
fn digit(c: char) -> Option<char> {
    let zero = ZEROS.iter().rev().find(|zero| (**zero..**zero + 10).contains(&(c as u32)))?;
    char::from_digit(c as u32 - zero, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_however_deep() {
        for (given, want) in [
            ("plain", "plain"),
            ("j%40example.com", "j@example.com"),
            ("j%2540example.com", "j@example.com"),
            ("j%25252540example.com", "j@example.com"),
            ("%4%30", "@"),
            ("%%34%30", "@"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            ("a%00b%0Ac%7f", "ab c"),
            ("%e2%82%ac", "€"),
            ("%ff", "\u{fffd}"),
            ("０７７００\u{a0}900\u{2011}123＠", "07700 900-123@"),
            ("j\u{200b}@\u{ad}x", "j@x"),
            ("j%4\u{200b}0x", "j@x"),
            ("j%EF%BC%A0x", "j@x"),
            ("％４０", "@"),
            ("j﹫x", "j@x"),
            ("٠٧۷०০", "07700"),
        ] {
            assert_eq!(plain(given), want, "{given:?}");
        }
    }

    #[test]
    fn a_plus_of_a_form_is_told_from_an_encoded_one() {
        assert_eq!(form("a+b%2Bc%01"), "a\u{1}b+c");
        assert_eq!(form("é+b%EF%BC%8Bc"), "é\u{1}b+c");
    }

    #[test]
    fn normalising_without_end_ends() {
        let mut nested = "@".to_owned();
        for _ in 0..12 {
            nested = nested.replace('@', "%\u{200b}40").replace("40", "%EF%BC%94%EF%BC%90");
        }
        let out = plain(&nested).into_owned();
        assert_eq!(plain(&out), out);
    }
}
