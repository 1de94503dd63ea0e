//! Dates of birth: a day written in digits or with the month's name.

use super::decode::FORM_SPACE;
use super::find::Setting;
use super::heading::{self, Heading};

/// A date in these years may be a date of birth even where dates are usual (in a path, in a slug). Who was born later is
/// under 16 and is not captured at all (C11).
const BIRTH_YEARS: std::ops::RangeInclusive<u16> = 1900..=2012;
/// The years in which four digits are a year.
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2099;

/// Where the date ends that starts with the `len` digits at `at` and may be a date of birth:
///
/// | form | replaced |
/// |---|---|
/// | `12/05/1980`, `12.05.1980`, `12-05-1980` | always, but with hyphens inside a slug only for a birth year |
/// | `1980-05-12` | on its own: in text, and in a path for a birth year; never inside a slug |
/// | `1980-05-12T10:00` | for a birth year |
/// | `1980/05/12` | in text; never in a path |
/// | `12/05/80` | in text |
/// | `12 05 1980`, `12_05_1980` | for a birth year |
/// | `12 May 1980`, `12th of May, 1980` | for a birth year; with hyphens or slashes never in a path |
/// | any of these, `19800512`, `12051980`, `120580` | behind `dob`, `born` or `date of birth` |
pub fn at_digit(text: &[u8], at: usize, len: usize, setting: Setting) -> Option<usize> {
    match (len, text.get(at + len)?) {
        (1..=2 | 4, b'/' | b'-' | b'.') => numeric(text, at, setting).or_else(|| day_first(text, at, len, setting)),
        (1..=2, b' ' | b'_' | &FORM_SPACE) => spaced(text, at).or_else(|| day_first(text, at, len, setting)),
        (1..=2, _) => day_first(text, at, len, setting),
        _ => None,
    }
}

/// Where `19800512`, `12051980` or `120580` ends: a date only where it is said what it is.
pub fn compact_end(text: &[u8], at: usize, len: usize) -> Option<usize> {
    (matches!(len, 6 | 8) && heading::is(text, at, Heading::Birth)).then_some(at + len)
}

/// Whether the digits at `at` are a day in any of the numeric forms, replaced or not.
pub fn is_day_at(text: &[u8], at: usize) -> bool {
    parts(text, at).is_some_and(|day| day.year().is_some())
}

/// Three numbers with the same separator between them.
struct Parts {
    values: [u16; 3],
    lens: [usize; 3],
    separator: u8,
    end: usize,
}

impl Parts {
    /// The year, where the two others are a day and a month.
    fn year(&self) -> Option<u16> {
        let [first, second, third] = self.values;
        let is_day = |day: u16, month: u16| (1..=31).contains(&day) && (1..=12).contains(&month);
        match self.lens {
            [1..=2, 1..=2, 4] if is_day(first, second) || is_day(second, first) => Some(third),
            [4, 1..=2, 1..=2] if is_day(third, second) => Some(first),
            _ => None,
        }
        .filter(|year| YEARS.contains(year))
    }
}

fn parts(text: &[u8], at: usize) -> Option<Parts> {
    let (first, first_len, next) = part(text, at)?;
    let separator = *text.get(next)?;
    if !matches!(separator, b'/' | b'-' | b'.' | b' ' | b'_' | FORM_SPACE) {
        return None;
    }
    let (second, second_len, next) = part(text, next + 1)?;
    if text.get(next) != Some(&separator) {
        return None;
    }
    let (third, third_len, end) = part(text, next + 1)?;
    Some(Parts { values: [first, second, third], lens: [first_len, second_len, third_len], separator, end })
}

/// A number of up to four digits: its value, its length, and where it ends.
fn part(text: &[u8], at: usize) -> Option<(u16, usize, usize)> {
    let len = text.get(at..)?.iter().take(5).take_while(|b| b.is_ascii_digit()).count();
    let value = text[at..at + len].iter().take(4).fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    (1..=4).contains(&len).then_some((value, len, at + len))
}

/// `12 05 1980`, as three fields of a form are typed into one.
fn spaced(text: &[u8], at: usize) -> Option<usize> {
    let day = parts(text, at)?;
    (day.lens[2] == 4 && BIRTH_YEARS.contains(&day.year()?)).then_some(day.end)
}

fn numeric(text: &[u8], at: usize, setting: Setting) -> Option<usize> {
    let day = parts(text, at)?;
    let Parts { lens, separator, end, .. } = day;
    let Some(year) = day.year() else { return short_year(text, at, &day, setting) };
    let joins = |b: Option<&u8>| b.is_some_and(|&b| b == b'-' || b.is_ascii_alphabetic());
    let in_slug = separator == b'-' && (joins(at.checked_sub(1).map(|i| &text[i])) || joins(text.get(end)));
    let may_be_birth = BIRTH_YEARS.contains(&year);
    let replaced = if lens[2] == 4 {
        !in_slug || may_be_birth
    } else {
        let has_time =
            matches!(text.get(end..), Some([b'T' | b't' | b' ' | b'_' | FORM_SPACE, b'0'..=b'9', b'0'..=b'9', ..]));
        match (setting, separator) {
            _ if has_time => may_be_birth,
            (Setting::Text, _) => !in_slug,
            (_, b'/') => false,
            _ => !in_slug && may_be_birth,
        }
    };
    (replaced || heading::is(text, at, Heading::Birth)).then_some(end)
}

/// `12/05/80`: two digits each, since `1/2/3` is a list; in a path it is a path.
fn short_year(text: &[u8], at: usize, day: &Parts, setting: Setting) -> Option<usize> {
    let [first, second, _] = day.values;
    let is_day = (1..=31).contains(&first) && (1..=12).contains(&second);
    let stands_alone = |b: Option<&u8>| !b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == day.separator);
    let has_short_year = matches!(day.lens, [1..=2, 1..=2, 2]) && is_day;
    let fits = has_short_year && stands_alone(text.get(day.end)) && stands_alone(before(text, at));
    let usual = setting == Setting::Text && day.separator == b'/' && day.lens == [2; 3];
    (fits && (usual || heading::is(text, at, Heading::Birth))).then_some(day.end)
}

/// `12 May 1980`, `12th of May 1980`, `12-may-1980`, `12May1980`.
fn day_first(text: &[u8], at: usize, len: usize, setting: Setting) -> Option<usize> {
    let next = at + len;
    let begins = |b: &u8| b.is_ascii_alphabetic();
    // Most numbers have no word behind them.
    if len > 2 || !text.get(next..)?.iter().take(3).any(begins) {
        return None;
    }
    let (day, _, _) = part(text, at)?;
    let ordinal = text.get(next..next + 2).is_some_and(is_ordinal);
    let (month_at, one) = gap(text, if ordinal { next + 2 } else { next });
    let of = text.get(month_at..month_at + 3).is_some_and(|w| w[..2].eq_ignore_ascii_case(b"of") && is_gap(w[2]));
    let month_end = month(text, if of { month_at + 3 } else { month_at })?;
    let (year_at, two) = gap(text, month_end);
    if before(text, at).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let is_said = heading::is(text, at, Heading::Birth);
    year_end(text, year_at, (1..=31).contains(&day), is_said, setting, one.or(two))
}

/// Where the date ends that starts with the month's name at `at`: `May 12, 1980`.
pub fn at_letter(text: &[u8], at: usize, setting: Setting) -> Option<usize> {
    let (day_at, one) = gap(text, month(text, at)?);
    let (day, _, next) = part(text, day_at)?;
    let ordinal = text.get(next..next + 2).is_some_and(is_ordinal);
    let (year_at, two) = gap(text, if ordinal { next + 2 } else { next });
    year_end(text, year_at, (1..=31).contains(&day), heading::is(text, at, Heading::Birth), setting, one.or(two))
}

/// Where the year at `at` ends, if it may be somebody's. `is_said` is whether a word says so; `joint` is what holds the date together: with
/// hyphens, slashes and the like it is part of a slug in a path.
fn year_end(text: &[u8], at: usize, is_day: bool, is_said: bool, setting: Setting, joint: Option<u8>) -> Option<usize> {
    let (year, len, end) = part(text, at)?;
    let in_slug = setting != Setting::Text && joint != Some(b' ');
    let fits = if is_said { len == 2 || YEARS.contains(&year) } else { !in_slug && BIRTH_YEARS.contains(&year) };
    (is_day && fits && !text.get(end).is_some_and(u8::is_ascii_digit)).then_some(end)
}

fn month(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let name: &[u8] = match &rest.first_chunk::<3>()?.map(|b| b.to_ascii_lowercase()) {
        b"jan" => b"january",
        b"feb" => b"february",
        b"mar" => b"march",
        b"apr" => b"april",
        b"may" => b"may",
        b"jun" => b"june",
        b"jul" => b"july",
        b"aug" => b"august",
        b"sep" => b"september",
        b"oct" => b"october",
        b"nov" => b"november",
        b"dec" => b"december",
        _ => return None,
    };
    let len = rest.iter().take(10).take_while(|b| b.is_ascii_alphabetic()).count();
    let is_name = len == 3 || rest[..len].eq_ignore_ascii_case(name) || rest[..len].eq_ignore_ascii_case(b"sept");
    is_name.then_some(at + len)
}

fn is_ordinal(word: &[u8]) -> bool {
    [b"st", b"nd", b"rd", b"th"].iter().any(|ending| word.eq_ignore_ascii_case(*ending))
}

fn is_gap(b: u8) -> bool {
    matches!(b, b' ' | b'-' | b'.' | b'/' | b'_' | b',' | FORM_SPACE)
}

/// Behind up to two separators, and the first of them; a form's space is a space.
fn gap(text: &[u8], at: usize) -> (usize, Option<u8>) {
    let len = text.get(at..).unwrap_or_default().iter().take(2).take_while(|&&b| is_gap(b)).count();
    let first = (len > 0).then(|| if matches!(text[at], FORM_SPACE | b',') { b' ' } else { text[at] });
    (at + len, first)
}

fn before(text: &[u8], at: usize) -> Option<&u8> {
    at.checked_sub(1).map(|i| &text[i])
}
