//! Tokens: JSON Web Tokens, UUIDs, long hexadecimal and decimal numbers and long runs of base64.
//!
//! A file's hash of eight digits (`app-3f9a2c1b.js`) is kept, one of sixteen or more is a token: nobody counts pages by it, and a
//! session has the same form.

/// A run of hexadecimal digits from this length on is a token.
const HEX_LEN: usize = 16;
/// A run of base64url from this length on is one, where it looks drawn at random.
const MIXED_LEN: usize = 20;
/// Runs shorter than this need not be shown to [`find`].
pub const SHORTEST: usize = 15;

/// A run of digits from this length on is a token; a day with its time has fourteen.
const DIGITS_LEN: usize = 15;
/// How far a run of base64 with `/` in it is followed, in bytes.
const PADDED_LEN: usize = 128;

/// Letters, digits, `-` and `_` (the alphabet of base64url) and the `+` of base64. Its `/` is only seen by [`padded_end`].
pub const fn is_run(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+')
}

/// Where the run of base64 ends that goes on with the `/` at `slash`, if its padding (`=`) shows that it is one and no path.
pub fn padded_end(text: &[u8], slash: usize) -> Option<usize> {
    let len = text[slash..].iter().take(PADDED_LEN).take_while(|&&b| is_run(b) || b == b'/').count();
    (text.get(slash + len) == Some(&b'=') && !text.get(slash + len + 1).is_some_and(u8::is_ascii_alphanumeric))
        .then_some(slash + len)
}

/// The first token in the run `text[start..end]`; a JSON Web Token and padding reach beyond the run. Looks at no byte after the
/// token, so that a run full of tokens is read once.
pub fn find(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let certain = first_certain(text, start, end);
    let before = certain.map_or(end, |token| token.0);
    let may_be_mixed = |run: &[u8]| run.len() >= MIXED_LEN && !run.iter().all(|b| b.is_ascii_lowercase() || *b == b'-');
    let mixed = if may_be_mixed(&text[start..before]) { random_part(text, start, before) } else { None };
    let (from, to) = mixed.or(certain)?;
    let padding = text[to..].iter().take(2).take_while(|&&b| b == b'=').count();
    Some((from, to + padding))
}

/// The first token that its form alone gives away.
fn first_certain(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let mut from = start;
    while from < end {
        let to = from + text[from..end].iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let segment = &text[from..to];
        if is_uuid(&text[from..end]) {
            return Some((from, from + 36));
        }
        if segment.starts_with(b"eyJ") && text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(|&b| is_run(b))
        {
            return Some((from, json_web_token_end(text, end)));
        }
        if has_long_hex(segment) {
            return Some((from, to));
        }
        from = to + 1;
    }
    None
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() >= 36
        && text[8] == b'-'
        && text[..36].iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
        && !text.get(36).is_some_and(u8::is_ascii_alphanumeric)
}

fn json_web_token_end(text: &[u8], mut end: usize) -> usize {
    while text.get(end) == Some(&b'.') {
        let part = text[end + 1..].iter().take_while(|&&b| is_run(b)).count();
        if part == 0 {
            break;
        }
        end += 1 + part;
    }
    end
}

fn has_long_hex(segment: &[u8]) -> bool {
    if segment.len() >= DIGITS_LEN && segment.iter().all(u8::is_ascii_digit) {
        return true;
    }
    segment.len() >= HEX_LEN && segment.split(|b| !b.is_ascii_hexdigit()).any(|hex| hex.len() >= HEX_LEN)
}

/// The part of a run that looks drawn at random. Between its hyphens, a random text jumps between small letters, capitals and
/// digits at every second character; words, camel case, model numbers and product codes do so at every fifth at most. What jumps less than
/// at every sixth is a word with a number in it (`Lookalike1pct`) and does not count.
fn random_part(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    let (mut random_len, mut jumps) = (0, 0);
    let (mut digits, mut small, mut capital) = (false, false, false);
    let mut span: Option<(usize, usize)> = None;
    let mut from = start;
    while from < end {
        let segment: &[u8] = &text[from..end];
        let len = segment.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
        let segment = &segment[..len];
        let own = jumps_in(segment);
        if len >= 4 && own >= 2 && own * 6 >= len {
            random_len += len;
            jumps += own;
            digits |= segment.iter().any(u8::is_ascii_digit);
            small |= segment.iter().any(u8::is_ascii_lowercase);
            capital |= segment.iter().any(u8::is_ascii_uppercase);
        }
        if !is_word(segment) && len > 0 {
            span = Some((span.map_or(from, |s| s.0), from + len));
        }
        from += len + 1;
    }
    // Without digits there is camel case to tell it from, which jumps at the start of every word; without one kind of letters
    // there are model numbers.
    let needed = if digits { random_len / 5 } else { random_len / 4 };
    let long_enough = random_len >= if digits && small && capital { 10 } else { 15 };
    (long_enough && jumps > needed).then_some(span).flatten()
}

/// How often the class of character changes, a capital at the start of a word not counted.
fn jumps_in(segment: &[u8]) -> usize {
    let class = |b: u8| if b.is_ascii_digit() { 0 } else { 1 + u8::from(b.is_ascii_uppercase()) };
    let mut jumps = 0;
    let mut capitals = 0;
    for pair in segment.windows(2) {
        let (before, after) = (class(pair[0]), class(pair[1]));
        capitals = if before == 2 { capitals + 1 } else { 0 };
        let starts_a_word = before == 2 && after == 1 && capitals == 1;
        jumps += usize::from(before != after && !starts_a_word);
    }
    jumps
}

fn is_word(segment: &[u8]) -> bool {
    segment.len() >= 3 && segment[1..].iter().all(u8::is_ascii_lowercase) && segment[0].is_ascii_alphabetic()
}
