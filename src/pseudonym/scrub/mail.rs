//! E-mail addresses, as people type them and not as RFC 5321 permits them.
//!
//! | form | |
//! |---|---|
//! | `jane.doe+tag@example.co.uk`, `jané@exämple.de`, `jane@例え。jp`, `"jane doe"@example.com` | an address |
//! | `jane @ example.com`, `jane[@]example.com`, `jane (at) example (dot) com`, `jane@example[dot]com` | an address |
//! | `jane at example dot com` | words |
//! | `vue@3.4.1`, `photo@2x.png`, `jquery@3.6.0.min.js`, `@handle`, `a@b` | none |

use super::decode::FORM_SPACE;

/// The longest local part in quotes, in bytes (RFC 5321 §4.5.3.1.1).
const LONGEST_QUOTED: usize = 64;

/// Endings of files, none of which is a top-level domain.
const FILES: [&[u8]; 16] = [
    b"png", b"jpg", b"jpeg", b"webp", b"gif", b"svg", b"avif", b"js", b"mjs", b"css", b"min", b"map", b"json", b"html",
    b"woff", b"woff2",
];

/// The first address whose sign stands in `text[from..]`; it begins at `from` at the earliest.
pub fn find(text: &[u8], from: usize, is_spelled: bool) -> Option<(usize, usize)> {
    if !is_spelled {
        return memchr::memchr_iter(b'@', &text[from..]).find_map(|i| around(text, from, from + i, from + i + 1));
    }
    let is_sign = |b: u8| matches!(b, b'@' | b'(' | b'[' | b'{');
    (from..text.len()).filter(|&at| is_sign(text[at])).find_map(|at| {
        let end = if text[at] == b'@' { at + 1 } else { bracketed(text, at, b"at")? };
        around(text, from, at, end)
    })
}

/// Whether an address may be spelled out, with `(at)` or `(dot)`.
pub fn may_be_spelled(text: &[u8]) -> bool {
    memchr::memchr3_iter(b'(', b'[', b'{', text)
        .any(|at| bracketed(text, at, b"at").is_some() || bracketed(text, at, b"dot").is_some())
}

/// Where `(word)` ends that starts at `at`, in any brackets, perhaps with spaces inside.
fn bracketed(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    matches!(text.get(at)?, b'(' | b'[' | b'{').then_some(())?;
    let start = at + 1 + usize::from(text.get(at + 1).is_some_and(|&b| is_space(b)));
    let end = start + word.len();
    text.get(start..end)?.eq_ignore_ascii_case(word).then_some(())?;
    let end = end + usize::from(text.get(end).is_some_and(|&b| is_space(b)));
    matches!(text.get(end)?, b')' | b']' | b'}').then_some(end + 1)
}

fn around(text: &[u8], from: usize, sign: usize, sign_end: usize) -> Option<(usize, usize)> {
    // "jane [@] example.com": one bracket and one space on each side.
    let after = &text[sign_end..];
    let skipped = usize::from(matches!(after.first(), Some(b']' | b')' | b'}')));
    let skipped = skipped + usize::from(after.get(skipped).is_some_and(|&b| is_space(b)));
    let end = sign_end + skipped + domain_len(&after[skipped..])?;
    let before = &text[from..sign];
    let before =
        before.strip_suffix(b"[").or(before.strip_suffix(b"(")).or(before.strip_suffix(b"{")).unwrap_or(before);
    let before = before.strip_suffix(b" ").unwrap_or(before);
    // These two end a word everywhere but right before the sign: in a URL they are written "%3F@", which reads as a local part.
    let local_ends = before.iter().rev().take_while(|b| matches!(b, b'?' | b'&')).count();
    let local = local_ends + before[..before.len() - local_ends].iter().rev().take_while(|&&b| is_local(b)).count();
    if local > 0 {
        return Some((from + before.len() - local, end));
    }
    // A quoted local part: "jane doe"@example.com
    let inner = before.strip_suffix(b"\"")?;
    let reach = inner.len().saturating_sub(LONGEST_QUOTED);
    let is_open = |&i: &usize| inner[i] == b'"' && (i == 0 || inner[i - 1] != b'\\');
    (reach..inner.len()).rev().find(is_open).map(|open| (from + open, end))
}

fn is_space(b: u8) -> bool {
    b == b' ' || b == FORM_SPACE
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b == FORM_SPACE || b"._%+-'~!#$*^`{|}".contains(&b)
}

fn is_domain(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || matches!(b, b'-' | b'_')
}

/// The length of the domain at the start of `text`: labels of which the last is a word, as no version number's and no file's is.
fn domain_len(text: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    // Two labels of digits at the start are a version's: `3.4.1-beta.js`.
    let mut numbers = 0;
    loop {
        let len = text[at..].iter().take_while(|&&b| is_domain(b)).count();
        let label = &text[at..at + len];
        if len == 0 || numbers == 2 {
            return end;
        }
        let is_number = label.iter().all(u8::is_ascii_digit);
        if is_number && end.is_none() {
            numbers += 1;
        }
        let is_word = len >= 2 && (label[0].is_ascii_alphabetic() || label[0] >= 0x80);
        if at > 1 && is_word && !FILES.iter().any(|file| label.eq_ignore_ascii_case(file)) {
            end = Some(at + len);
        }
        at += len;
        at += match dot_len(text, at) {
            0 => return end,
            dot => dot,
        };
    }
}

/// The length of what stands for a dot at `at`: a dot, or `(dot)` with spaces around it.
fn dot_len(text: &[u8], at: usize) -> usize {
    if text.get(at) == Some(&b'.') {
        return 1;
    }
    let open = at + usize::from(text.get(at).is_some_and(|&b| is_space(b)));
    let Some(end) = bracketed(text, open, b"dot") else { return 0 };
    end + usize::from(text.get(end).is_some_and(|&b| is_space(b))) - at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_versions_and_handles() {
        for (text, want) in [
            ("jane@example.com", Some("jane@example.com")),
            ("/u/jane.doe+tag@mail.example.co.uk/x", Some("jane.doe+tag@mail.example.co.uk")),
            ("to jane@example.com.", Some("jane@example.com")),
            ("jané@exämple.de", Some("jané@exämple.de")),
            ("jane@xn--exmple-cua.de", Some("jane@xn--exmple-cua.de")),
            ("\"jane doe\"@example.com", Some("\"jane doe\"@example.com")),
            ("\"jane \\\"jd\\\" doe\"@example.com", Some("\"jane \\\"jd\\\" doe\"@example.com")),
            ("@user@social.example", Some("user@social.example")),
            ("ask=jane?@example.com", Some("jane?@example.com")),
            ("a&?@example.com", Some("a&?@example.com")),
            ("why?jane@example.com", Some("jane@example.com")),
            ("medium.example/@jane.doe", None),
            ("vue@3.4.1/jane@example.com", Some("jane@example.com")),
            ("jane @ example.com", Some("jane @ example.com")),
            ("jane@ example.com", Some("jane@ example.com")),
            ("jane [@] example.com", Some("jane [@] example.com")),
            ("mail jane(at)example.com", Some("jane(at)example.com")),
            ("jane [AT] example [dot] co [dot] uk now", Some("jane [AT] example [dot] co [dot] uk")),
            ("jane@example(dot)com", Some("jane@example(dot)com")),
            ("jane{ at }example.com", Some("jane{ at }example.com")),
            ("jane@163.com", Some("jane@163.com")),
            ("jane@example.com.png", Some("jane@example.com")),
            ("vue@3.4.1", None),
            ("vue@3.4.1-beta.next", None),
            ("jquery@3.6.0.min.js", None),
            ("app@1.css", None),
            ("photo@2x.png", None),
            ("photo@1.5x.png", None),
            ("jane@2x.com", Some("jane@2x.com")),
            ("/@jane", None),
            ("look (at) this.", None),
            ("[address]", None),
            ("a@b", None),
            ("@", None),
        ] {
            let found = find(text.as_bytes(), 0, may_be_spelled(text.as_bytes())).map(|(s, e)| &text[s..e]);
            assert_eq!(found, want, "{text}");
        }
    }
}
