//! Scrubbing (D3): free text and URLs lose what may name a person before anyone keeps them.
//!
//! E-mail addresses, IP addresses, phone numbers, NHS numbers, UK postcodes, dates of birth and tokens are replaced by their
//! kind in square brackets, as in `[email]`. Percent-encoding, however often applied, is undone first, so what comes out is decoded text
//! without control characters. Scrubbing scrubbed text changes nothing. What has the form of personal data is replaced even
//! where it is something else (an ISBN has the check digit of an NHS number); prices, dates in slugs, product codes and times
//! are kept. `capture` calls this for every text that came from outside; nothing here keeps or logs what it took out.

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

/// What is left of a free text (a title, a search term, a property's value): at most `max_len` bytes.
pub fn scrub_text(text: &str, max_len: usize) -> String {
    settle(decode::plain(cut(text, LONGEST_INPUT)), Setting::Text, max_len)
}

/// Replaces until nothing is found any more, in at most `max_len` bytes. Again after a cut, since a cut can make a number of
/// the right length out of a longer one.
fn settle(decoded: Cow<'_, str>, setting: Setting, max_len: usize) -> String {
    let mut text = match find::replace(&decoded, setting) {
        Some(scrubbed) => scrubbed,
        None if decoded.len() <= max_len => return decoded.into_owned(),
        None => cut(&decoded, max_len).to_owned(),
    };
    loop {
        text.truncate(cut(&text, max_len).len());
        match find::replace(&text, setting) {
            Some(scrubbed) => text = scrubbed,
            None => return text,
        }
    }
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
