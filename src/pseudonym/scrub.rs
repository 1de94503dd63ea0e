//! Scrubbing (D3): free text and URLs lose what may name a person before anyone keeps them.
//!
//! What the detectors find is replaced by its kind. Percent-encoding, however often applied, is undone first, so what comes out is decoded
//! text without control characters. Scrubbing scrubbed text changes nothing.
//!
//! | kind | found | kept |
//! |---|---|---|
//! | `[email]` | in the spellings of `mail.rs`, `(at)` and `(dot)` among them | `jane at example dot com` |
//! | `[address]` | IPv4 and IPv6 addresses, hardware addresses; in a host's name also `203-0-113-9` | `v1.2.3.4` |
//! | `[phone]` | British numbers in any grouping, `+` and `00` with any country, French and North American ones as they are grouped there, any after `tel`, `phone`, `mobile`, `fax` | another country's without its code; `111`, `116 123`, `0800 1111` |
//! | `[nhs-number]` | ten digits, together, 3-3-4, 3-7 or 6-4, with the right check digit, letters or other groups beside them or not | with further digits right beside them; a wrong check digit |
//! | `[postcode]` | of every area that exists, with or without a separator | districts (`SW1A`); areas and endings that are not used |
//! | `[date]` | what may be a date of birth: see the table in `date.rs` | dates of the site: in slugs, in folders, after 2012 |
//! | `[ni-number]`, `[licence]`, `[passport]`, `[account]`, `[card]` | National Insurance and driving licence numbers, passports behind that word, IBANs and cards with the right check digit | nine digits alone |
//! | `[token]` | JSON Web Tokens, UUIDs, 16 hexadecimal and 15 decimal digits, 20 characters of base64 that look random | eight-digit hashes of files, camel case, model numbers |
//!
//! What has the form of personal data is replaced even where it is something else: an ISBN has the check digit of an NHS number. What has no
//! form - a name, a street - no detector finds: paths are given a class ([`PathClasses`]), labels are kept only if allowed ([`Labels`]), free text
//! is refused unless declared ([`property`]). `tests/kept.rs` and `tests/replaced.rs` next door are the two tables to read.
//!
//! `capture` calls this for every text that came from outside; nothing here keeps or logs what it took out, and no error holds it.

mod address;
mod class;
mod click_id;
mod date;
mod decode;
mod document;
mod find;
mod heading;
mod label;
mod mail;
mod number;
mod postcode;
#[cfg(test)]
mod tests;
mod token;
mod url;
mod value;

use std::borrow::Cow;

pub use class::{Match, PathClass, PathClassError, PathClasses};
pub use click_id::{ClickId, Mark};
use find::Setting;
pub use label::{Label, Labels};
pub use url::{Campaign, Referrer, host, referrer, script_source, scrub_path, searched, target, utm};
pub use value::{PropertyError, event_name, property, search_term, title};

/// Longer text is cut before anything looks at it, in bytes; what is kept is far shorter.
const LONGEST_INPUT: usize = crate::pseudonym::RawUrl::MAX;

/// What is left of a free text: decoded, scrubbed, without control characters, at most `max_len` bytes. Spaces and letter case stay as they are;
/// [`title`], [`search_term`] and [`property`] put them in order.
pub fn scrub_text(text: &str, max_len: usize) -> String {
    settle(decode::plain(cut(text, LONGEST_INPUT)), Setting::Text, max_len)
}

/// Replaces until nothing is found any more, in at most `max_len` bytes. Again after a cut, since a cut can make a number of
/// the right length out of a longer one.
fn settle(decoded: Cow<'_, str>, setting: Setting, max_len: usize) -> String {
    let mut text = match replace(&decoded, setting) {
        Some(scrubbed) => scrubbed,
        None if decoded.len() <= max_len => return decoded.into_owned(),
        None => cut(&decoded, max_len).to_owned(),
    };
    loop {
        text.truncate(cut(&text, max_len).len());
        match replace(&text, setting) {
            Some(scrubbed) => text = scrubbed,
            None => return text,
        }
    }
}

/// The text with every finding replaced; nothing where nothing is found. Where it has a plus it is looked at twice, since a
/// plus may be one and may stand for a space, as in `/call/07700+900123`.
fn replace(text: &str, setting: Setting) -> Option<String> {
    if let Some(scrubbed) = find::replace(text, setting) {
        return Some(scrubbed);
    }
    if !text.as_bytes().contains(&b'+') {
        return None;
    }
    find::replace_seen(text, &text.replace('+', "_"), setting)
}

/// The longest beginning of `text` in at most `max_len` bytes.
fn cut(text: &str, max_len: usize) -> &str {
    let mut end = text.len().min(max_len);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Without spaces at its ends and with single spaces inside; line breaks and tabs are spaces.
fn spaced(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    let mut before = ' ';
    let is_spaced = trimmed.chars().all(|c| {
        let doubled = c.is_whitespace() && (c != ' ' || before == ' ');
        before = c;
        !doubled
    });
    if is_spaced {
        Cow::Borrowed(trimmed)
    } else {
        Cow::Owned(trimmed.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}
