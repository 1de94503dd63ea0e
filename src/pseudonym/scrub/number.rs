//! What is written in digits: phone numbers, NHS numbers and dates of birth.

use super::address;
use super::decode::FORM_SPACE;
use super::find::{Kind, Setting};

/// A date in these years may be a date of birth even where dates are usual (in a path, in a slug). Who was born later is
/// under 16 and is not captured at all (C11).
const BIRTH_YEARS: std::ops::RangeInclusive<u16> = 1900..=2012;

/// Groups of digits with up to three separators between them, as in `+44 (0) 20 7946 0018`.
struct Groups {
    digits: [u8; Groups::DIGITS],
    /// Length and end of each group.
    groups: [(usize, usize); 8],
    count: usize,
}

impl Groups {
    /// The longest number of the international plan has 15 digits.
    const DIGITS: usize = 15;

    fn read(text: &[u8], at: usize) -> Groups {
        let mut read = Groups { digits: [0; Groups::DIGITS], groups: [(0, 0); 8], count: 0 };
        let mut total = 0;
        let mut from = at;
        loop {
            let len = text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
            if len == 0 {
                return read;
            }
            if total + len > Groups::DIGITS || read.count == read.groups.len() {
                return read;
            }
            read.digits[total..total + len].copy_from_slice(&text[from..from + len]);
            read.groups[read.count] = (len, from + len);
            read.count += 1;
            total += len;
            from += len;
            from += text[from..].iter().take(3).take_while(|&&b| is_separator(b)).count();
            if from == read.groups[read.count - 1].1 {
                return read;
            }
        }
    }

    /// The lengths of the groups.
    fn lens(&self) -> impl Iterator<Item = usize> {
        self.groups[..self.count].iter().map(|g| g.0)
    }

    fn total(&self) -> usize {
        self.lens().sum()
    }

    /// Where the group ends that completes `total` digits.
    fn end_of(&self, total: usize) -> Option<usize> {
        let mut sum = 0;
        self.groups[..self.count].iter().find_map(|&(len, end)| {
            sum += len;
            (sum == total).then_some(end)
        })
    }

    fn starts(&self, lens: &[usize]) -> bool {
        self.count >= lens.len() && self.lens().zip(lens).all(|(len, want)| len == *want)
    }
}

fn is_separator(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'(' | b')' | b'_' | FORM_SPACE)
}

/// What starts with the digit at `at`, and where it ends.
pub fn at_digit(text: &[u8], at: usize, setting: Setting) -> Option<(Kind, usize)> {
    if let Some(end) = date_end(text, at, setting) {
        return Some((Kind::Date, end));
    }
    if let Some(end) = address::v4_end(text, at) {
        return Some((Kind::Address, end));
    }
    let groups = Groups::read(text, at);
    if groups.total() < 10 {
        return None;
    }
    if let Some(end) = nhs_end(&groups) {
        return Some((Kind::NhsNumber, end));
    }
    phone_end(&groups).map(|end| (Kind::Phone, end))
}

/// Where the international number ends whose `+` is at `at`.
pub fn at_plus(text: &[u8], at: usize) -> Option<(Kind, usize)> {
    let skip = 1 + text[at + 1..].iter().take(2).take_while(|&&b| b == b' ' || b == b'(').count();
    let groups = Groups::read(text, at + skip);
    let follows_a_word = at > 0 && text[at - 1].is_ascii_alphanumeric();
    let fits = if text[at] == b'+' || !follows_a_word {
        groups.total() >= 7
    } else {
        // After a word of a form's value a plus is a space, unless what follows can only be a phone number.
        groups.lens().next().is_some_and(|len| len >= 10) && groups.digits[0] != b'0'
    };
    fits.then(|| (Kind::Phone, groups.groups[groups.count - 1].1))
}

/// Ten digits, together or as 3-3-4, of which the last is right.
fn nhs_end(groups: &Groups) -> Option<usize> {
    let digits: &[u8] = &groups.digits[..10];
    if !(groups.starts(&[10]) || groups.starts(&[3, 3, 4])) {
        return None;
    }
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    let check = (11 - sum % 11) % 11;
    if check == u32::from(digits[9] - b'0') { groups.end_of(10) } else { None }
}

fn phone_end(groups: &Groups) -> Option<usize> {
    let first = groups.groups[0].0;
    match &groups.digits {
        [b'0', b'0', b'1'..=b'9', ..] if groups.total() >= 11 => Some(groups.groups[groups.count - 1].1),
        [b'0', b'1'..=b'9', ..] if groups.starts(&[2, 2, 2, 2, 2]) => groups.end_of(10),
        [b'0', b'1'..=b'3' | b'5' | b'7'..=b'9', ..] if first >= 3 => groups.end_of(11).or_else(|| {
            // Only some old areas and freephone numbers have a digit less.
            if matches!(groups.digits[1], b'1' | b'5' | b'8') { groups.end_of(10) } else { None }
        }),
        [b'4', b'4', b'0', b'1'..=b'9', ..] => groups.end_of(13),
        [b'4', b'4', b'1'..=b'9', ..] => groups.end_of(12),
        [b'1', b'2'..=b'9', _, _, b'2'..=b'9', ..] if groups.starts(&[1, 3, 3, 4]) => groups.end_of(11),
        [b'2'..=b'9', _, _, b'2'..=b'9', ..] if groups.starts(&[3, 3, 4]) => groups.end_of(10),
        _ => None,
    }
}

/// A day written in digits, where it may be a date of birth:
///
/// | form | replaced |
/// |---|---|
/// | `12/05/1980`, `12.05.1980`, `12-05-1980` | always, but with hyphens inside a slug only for a birth year |
/// | `1980-05-12` | on its own: in text, and in a path for a birth year; never inside a slug |
/// | `1980-05-12T10:00` | for a birth year |
/// | `1980/05/12` | in text; never in a path |
fn date_end(text: &[u8], at: usize, setting: Setting) -> Option<usize> {
    let (first, first_len, next) = part(text, at)?;
    let separator = *text.get(next)?;
    if !matches!(separator, b'/' | b'-' | b'.') {
        return None;
    }
    let (second, second_len, next) = part(text, next + 1)?;
    if text.get(next) != Some(&separator) {
        return None;
    }
    let (third, third_len, end) = part(text, next + 1)?;
    let is_day = |day: u16, month: u16| (1..=31).contains(&day) && (1..=12).contains(&month);
    let joins = |b: Option<&u8>| b.is_some_and(|&b| b == b'-' || b.is_ascii_alphabetic());
    let in_slug = separator == b'-' && (joins(at.checked_sub(1).map(|i| &text[i])) || joins(text.get(end)));
    let replaced = match (first_len, second_len, third_len) {
        (1..=2, 1..=2, 4) if is_day(first, second) || is_day(second, first) => {
            (1900..=2099).contains(&third) && (!in_slug || BIRTH_YEARS.contains(&third))
        }
        (4, 1..=2, 1..=2) if is_day(third, second) && (1900..=2099).contains(&first) => {
            let has_time =
                matches!(text.get(end..), Some([b'T' | b't' | b' ' | b'_' | FORM_SPACE, b'0'..=b'9', b'0'..=b'9', ..]));
            let may_be_birth = BIRTH_YEARS.contains(&first);
            match (setting, separator) {
                _ if has_time => may_be_birth,
                (Setting::Path, b'/') => false,
                (Setting::Path, _) => !in_slug && may_be_birth,
                (Setting::Text, _) => !in_slug,
            }
        }
        _ => false,
    };
    replaced.then_some(end)
}

/// A number of up to four digits: its value, its length, and where it ends.
fn part(text: &[u8], at: usize) -> Option<(u16, usize, usize)> {
    let len = text.get(at..)?.iter().take(5).take_while(|b| b.is_ascii_digit()).count();
    let value = text[at..at + len].iter().take(4).fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    (1..=4).contains(&len).then_some((value, len, at + len))
}
