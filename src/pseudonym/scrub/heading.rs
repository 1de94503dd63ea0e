//! The word before a number that says what it is: `dob: 120580`, `tel 496 0000`, `passport no. 123456789`.

use super::decode::FORM_SPACE;

/// What a word makes of the number behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heading {
    /// A date of birth.
    Birth,
    /// A phone number.
    Phone,
    /// A passport's number.
    Passport,
}

/// The longest word that is compared, in bytes.
const LONGEST: usize = 12;

/// Whether the number at `at` stands behind a word for `heading`, with up to three separators and perhaps a "number" between.
pub fn is(text: &[u8], at: usize, heading: Heading) -> bool {
    let Some((word, start)) = word_before(text, at) else { return false };
    let filler: &[&[u8]] = &[b"no", b"nr", b"num", b"number", b"is", b"on", b"date", b"of"];
    if means(text, word, start, heading) {
        return true;
    }
    filler.iter().any(|filler| word.eq_ignore_ascii_case(filler))
        && word_before(text, start).is_some_and(|(word, start)| means(text, word, start, heading))
}

fn means(text: &[u8], word: &[u8], start: usize, heading: Heading) -> bool {
    let words: &[&[u8]] = match heading {
        Heading::Birth => &[b"dob", b"born", b"birth", b"birthday", b"birthdate", b"dateofbirth"],
        Heading::Phone => {
            &[b"tel", b"telephone", b"phone", b"phoneno", b"phonenumber", b"mobile", b"mob", b"fax", b"cell"]
        }
        Heading::Passport => &[b"passport", b"passportno"],
    };
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
        // "d.o.b."
        || heading == Heading::Birth && word.eq_ignore_ascii_case(b"b") && start >= 4 && text[start - 4..start].eq_ignore_ascii_case(b"d.o.")
}

/// The word whose end is up to three separators before `at`, and where it starts.
fn word_before(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let is_separator =
        |b: &&u8| matches!(**b, b' ' | b':' | b'=' | b'-' | b'_' | b'/' | b'.' | b'#' | b'(' | FORM_SPACE);
    let end = at - text[..at].iter().rev().take(3).take_while(is_separator).count();
    let len = text[..end].iter().rev().take(LONGEST + 1).take_while(|b| b.is_ascii_alphabetic()).count();
    (1..=LONGEST).contains(&len).then(|| (&text[end - len..end], end - len))
}
