//! E-mail addresses, as people type them and not as RFC 5321 permits them.

/// The first address whose `@` stands in `text[from..]`; it begins at `from` at the earliest.
pub fn find(text: &[u8], from: usize) -> Option<(usize, usize)> {
    memchr::memchr_iter(b'@', &text[from..]).find_map(|offset| around(text, from, from + offset))
}

fn around(text: &[u8], from: usize, at: usize) -> Option<(usize, usize)> {
    let end = at + 1 + domain_len(&text[at + 1..])?;
    let before = &text[from..at];
    let local = before.iter().rev().take_while(|&&b| is_local(b)).count();
    if local > 0 {
        return Some((at - local, end));
    }
    // A quoted local part: "jane doe"@example.com
    let inner = before.strip_suffix(b"\"")?;
    let open = memchr::memrchr(b'"', inner)?;
    Some((from + open, end))
}

fn is_local(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b >= 0x80 || b == super::decode::FORM_SPACE || b"._%+-'~!#$*^`{|}".contains(&b)
}

const PICTURES: [&[u8]; 7] = [b"png", b"jpg", b"jpeg", b"webp", b"gif", b"svg", b"avif"];

/// The length of the domain at the start of `text`: labels of which the last is a word, as no version number's is
/// (`vue@3.4.1`), and is not a picture's double size (`photo@2x.png`).
fn domain_len(text: &[u8]) -> Option<usize> {
    let is_domain = |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || matches!(b, b'.' | b'-' | b'_');
    let reach = text.iter().take_while(|b| is_domain(b)).count();
    let domain = &text[..reach];
    if let [b'1'..=b'4', b'x', b'.', ending @ ..] = domain
        && PICTURES.contains(&ending)
    {
        return None;
    }
    let mut end = None;
    let mut start = 0;
    for label in domain.split(|&b| b == b'.') {
        let is_word = label.len() >= 2 && label.first().is_some_and(|b| b.is_ascii_alphabetic() || *b >= 0x80);
        if start > 1 && is_word {
            end = Some(start + label.len());
        }
        start += label.len() + 1;
    }
    end
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
            ("\"jane doe\"@example.com", Some("\"jane doe\"@example.com")),
            ("@user@social.example", Some("user@social.example")),
            ("vue@3.4.1/jane@example.com", Some("jane@example.com")),
            ("vue@3.4.1", None),
            ("photo@2x.png", None),
            ("jane@2x.com", Some("jane@2x.com")),
            ("/@jane", None),
            ("a@b", None),
            ("@", None),
        ] {
            let found = find(text.as_bytes(), 0).map(|(s, e)| &text[s..e]);
            assert_eq!(found, want, "{text}");
        }
    }
}
