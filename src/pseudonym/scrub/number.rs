//! What is written in groups of digits: phone numbers and NHS numbers.

use super::decode::FORM_SPACE;
use super::find::{Kind, Setting};
use super::heading::{self, Heading};
use super::{address, date, document};

/// Groups of digits with up to three separators between them, as in `+44 (0) 20 7946 0018`.
struct Groups {
    digits: [u8; Groups::DIGITS],
    /// Length and end of each group.
    groups: [(usize, usize); 8],
    count: usize,
}

impl Groups {
    /// The longest number of the international plan has 15 digits (ITU-T E.164).
    const DIGITS: usize = 15;

    fn read(text: &[u8], at: usize, setting: Setting) -> Groups {
        let mut read = Groups { digits: [0; Groups::DIGITS], groups: [(0, 0); 8], count: 0 };
        let mut total = 0;
        let mut from = at;
        loop {
            let len = text[from..].iter().take(Groups::DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
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
            from += text[from..].iter().take(3).take_while(|&&b| is_separator(b, setting)).count();
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

    /// Where the last group ends.
    fn end(&self) -> Option<usize> {
        self.count.checked_sub(1).map(|last| self.groups[last].1)
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

/// A slash is one in text alone: in a path it is what segments stand between.
fn is_separator(b: u8, setting: Setting) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'(' | b')' | b'_' | FORM_SPACE) || b == b'/' && setting == Setting::Text
}

/// What starts with the digit at `at`, and where it ends.
pub fn at_digit(text: &[u8], at: usize, setting: Setting) -> Option<(Kind, usize)> {
    let len = text[at..].iter().take(Groups::DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    let next = text.get(at + len).copied().unwrap_or_default();
    if let Some(end) = date::at_digit(text, at, len, setting).or_else(|| date::compact_end(text, at, len)) {
        return Some((Kind::Date, end));
    }
    let address_end = match next {
        b'.' => address::v4_end(text, at),
        b'-' if setting == Setting::Host => address::hyphenated_v4_end(text, at),
        _ => None,
    };
    if let Some(end) = address_end {
        return Some((Kind::Address, end));
    }
    if len < 7 && !is_separator(next, setting) {
        return None;
    }
    let groups = Groups::read(text, at, setting);
    let total = groups.total();
    if total < 7 {
        return None;
    }
    if groups.starts(&[9]) && heading::is(text, at, Heading::Passport) {
        return groups.end_of(9).map(|end| (Kind::Passport, end));
    }
    if total >= 10 {
        if let Some(end) = document::card_end(text, at) {
            return Some((Kind::Card, end));
        }
        if let Some(end) = nhs_end(&groups) {
            return Some((Kind::NhsNumber, end));
        }
        if let Some(end) = phone_end(text, &groups, setting) {
            return Some((Kind::Phone, end));
        }
    }
    // Said to be one: a local number, or another country's. `/mobile/1234567` is a shelf of a shop.
    let is_said = !matches!(text[..at], [.., b'/' | b'-']) && heading::is(text, at, Heading::Phone);
    (is_said && !date::is_day_at(text, at)).then(|| groups.end()).flatten().map(|end| (Kind::Phone, end))
}

/// Where the international number ends whose `+` is at `at`.
pub fn at_plus(text: &[u8], at: usize, setting: Setting) -> Option<(Kind, usize)> {
    // Nearly every form's space has a word behind it.
    if !text.get(at + 1).is_some_and(|b| b.is_ascii_digit() || matches!(b, b' ' | b'(')) {
        return None;
    }
    let skip = 1 + text[at + 1..].iter().take(2).take_while(|&&b| b == b' ' || b == b'(').count();
    let groups = Groups::read(text, at + skip, setting);
    let follows_a_word = at > 0 && text[at - 1].is_ascii_alphanumeric();
    let is_other = |heading| heading::is(text, at + skip, heading);
    let is_no_phone = date::is_day_at(text, at + skip) || is_other(Heading::Birth) || is_other(Heading::Passport);
    let fits = match (text[at], follows_a_word) {
        (b'+', false) => groups.total() >= 7,
        // A form's space, as in `clinics, 2024 2025`, or its unencoded plus: a country's code has three digits at most.
        (_, false) => groups.total() >= 7 && groups.groups[0].0 != 4 && !is_no_phone,
        // `spring+2024-2025`
        (b'+', true) => groups.total() >= 10,
        // After a word of a form's value a plus is a space, unless what follows can only be a phone number.
        (_, true) => groups.lens().next().is_some_and(|len| len >= 10) && groups.digits[0] != b'0',
    };
    fits.then(|| groups.end()).flatten().map(|end| (Kind::Phone, end))
}

/// Ten digits, together or as 3-3-4, 3-7 or 6-4, of which the last is right (NHS data dictionary, "NHS number"). Digits right beside them make a
/// longer number of it, which is kept or is a token; letters, or further groups, do not save it.
fn nhs_end(groups: &Groups) -> Option<usize> {
    let digits: &[u8] = &groups.digits[..10];
    let spellings: [&[usize]; 4] = [&[10], &[3, 3, 4], &[3, 7], &[6, 4]];
    if !spellings.iter().any(|spelling| groups.starts(spelling)) {
        return None;
    }
    let sum: u32 = digits[..9].iter().zip((2..=10).rev()).map(|(d, weight)| u32::from(d - b'0') * weight).sum();
    let check = (11 - sum % 11) % 11;
    if check == u32::from(digits[9] - b'0') { groups.end_of(10) } else { None }
}

/// How British and Irish numbers of ten digits are grouped.
const SHORT: [&[usize]; 7] = [&[10], &[5, 5], &[6, 4], &[4, 6], &[4, 3, 3], &[5, 2, 3], &[3, 3, 4]];

/// Numbers of the United Kingdom in any grouping, and those of France and North America as they are grouped there. What
/// other countries dial within themselves cannot be told from an order number without a word before it.
fn phone_end(text: &[u8], groups: &Groups, setting: Setting) -> Option<usize> {
    let (first, first_end) = groups.groups[0];
    match &groups.digits {
        [b'0', b'0', b'1'..=b'9', ..] if groups.total() >= 11 => groups.end(),
        [b'0', b'1'..=b'9', ..] if groups.starts(&[2, 2, 2, 2, 2]) => groups.end_of(10),
        [b'0', b'1'..=b'3' | b'5' | b'7'..=b'9', ..] if first >= 3 => groups.end_of(11).or_else(|| {
            // Only some old areas and freephone numbers have a digit less; in other groups it is the number of an article.
            let is_short = matches!(groups.digits[1], b'1' | b'5' | b'8');
            (is_short && SHORT.iter().any(|spelling| groups.starts(spelling))).then(|| groups.end_of(10)).flatten()
        }),
        // "07 700 900 123", "0 7700 900123", "0(161) 496 0000", "(0)161 496 0000"
        [b'0', b'7', ..] if first == 2 && groups.groups[1].0 >= 3 => groups.end_of(11),
        [b'0', b'7', ..] if groups.starts(&[1, 4]) => groups.end_of(11),
        [b'0', b'1' | b'2' | b'7', ..] if first == 1 && matches!(text.get(first_end), Some(b'(' | b')')) => {
            groups.end_of(11)
        }
        [b'4', b'4', b'0', b'1'..=b'9', ..] => groups.end_of(13),
        [b'4', b'4', b'1'..=b'9', ..] => groups.end_of(12),
        // A mobile number without its 0.
        [b'7', b'1'..=b'5' | b'7'..=b'9', ..] if groups.starts(&[4, 6]) || groups.starts(&[4, 3, 3]) => {
            groups.end_of(10)
        }
        // In a path it is the number of an article.
        [b'7', b'1'..=b'5' | b'7'..=b'9', ..] if first == 10 && setting != Setting::Path => groups.end_of(10),
        _ => None,
    }
    .or_else(|| north_american_end(groups, setting))
}

/// `415-555-2671`, as it is grouped there, perhaps with the country's 1: neither area nor exchange begins with 0 or 1. In the
/// name of a host, where ten digits are hardly anything else, also together.
fn north_american_end(groups: &Groups, setting: Setting) -> Option<usize> {
    match &groups.digits {
        [b'1', b'2'..=b'9', _, _, b'2'..=b'9', ..] if groups.starts(&[1, 3, 3, 4]) => groups.end_of(11),
        [b'2'..=b'9', _, _, b'2'..=b'9', ..] if groups.starts(&[3, 3, 4]) => groups.end_of(10),
        [b'2'..=b'9', _, _, b'2'..=b'9', ..] if groups.starts(&[10]) && setting == Setting::Host => groups.end_of(10),
        _ => None,
    }
}
