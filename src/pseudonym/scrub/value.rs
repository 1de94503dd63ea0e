//! What a page's own scripts and its visitors give as text - search terms, titles, names of events, properties - held to bounds (D4).

use super::find::Setting;
use super::{LONGEST_INPUT, cut, decode, replace, scrub_text, spaced};

/// The longest search term, in bytes.
pub const LONGEST_SEARCH_TERM: usize = 100;
/// The longest title, in bytes.
pub const LONGEST_TITLE: usize = 200;
/// The longest value of a property, in bytes.
pub const LONGEST_PROPERTY: usize = 100;
/// The longest value of a property that may be free text, in bytes.
pub const LONGEST_FREE_TEXT: usize = 300;
/// More words than this make a value free text.
pub const MOST_WORDS: usize = 4;
/// The longest key of a property, in bytes.
const LONGEST_KEY: usize = 40;
/// The longest name of an event, in bytes.
const LONGEST_EVENT_NAME: usize = 64;

/// A term of the site's own search, as the visitor typed it: scrubbed, in small letters, with single spaces, at most 100 bytes.
/// Empty where nothing is left.
pub fn search_term(text: &str) -> String {
    let kept = line(text, LONGEST_SEARCH_TERM);
    if kept.chars().all(|c| c.is_lowercase() || !c.is_alphabetic()) {
        kept
    } else {
        line(&kept.to_lowercase(), LONGEST_SEARCH_TERM)
    }
}

/// A page's title: scrubbed, with single spaces, at most 200 bytes.
pub fn title(text: &str) -> String {
    line(text, LONGEST_TITLE)
}

/// Scrubbed text in one line. Spaces are put in order first, since a number may be hidden between them, and last, since a
/// cut may leave one.
fn line(text: &str, max_len: usize) -> String {
    let decoded = decode::plain(cut(text, LONGEST_INPUT));
    let mut kept = scrub_text(&spaced(&decoded), max_len);
    kept.truncate(kept.trim_end().len());
    kept
}

/// Why a property is refused. Names neither the key nor the value: both are the page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// Not `[a-zA-Z][a-zA-Z0-9_.-]{0,39}`, or personal data itself.
    #[error("a property's key is a letter and up to 39 letters, digits, `_`, `.` or `-`, and names nobody")]
    Key,
    /// The value is longer than 100 bytes.
    #[error(
        "a property's value has at most {LONGEST_PROPERTY} bytes; declare the property as free text to keep {LONGEST_FREE_TEXT} of it"
    )]
    TooLong,
    /// The value has more than four words.
    #[error(
        "a property's value has at most {MOST_WORDS} words; declare the property as free text to keep more, scrubbed"
    )]
    FreeText,
    /// The detectors find something in the value.
    #[error("a property's value looks like personal data; declare the property as free text to keep it, scrubbed")]
    Personal,
}

/// A property of an event, with key and value as they are kept: the value decoded and with single spaces. A value of more
/// than 100 bytes, of more than four words, or in which any detector finds something is refused, unless the configuration declares the
/// property as `free_text`: then it is scrubbed and cut to 300 bytes.
pub fn property(key: &str, value: &str, free_text: bool) -> Result<(String, String), PropertyError> {
    let is_key = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let begins = key.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    if !begins || key.len() > LONGEST_KEY || !key.bytes().all(is_key) || names_someone(key) {
        return Err(PropertyError::Key);
    }
    if free_text {
        return Ok((key.to_owned(), line(value, LONGEST_FREE_TEXT)));
    }
    if value.len() > LONGEST_INPUT {
        return Err(PropertyError::TooLong);
    }
    let decoded = decode::plain(value);
    let value = spaced(&decoded);
    if value.len() > LONGEST_PROPERTY {
        return Err(PropertyError::TooLong);
    }
    if value.split(' ').count() > MOST_WORDS {
        return Err(PropertyError::FreeText);
    }
    if names_someone(&value) {
        return Err(PropertyError::Personal);
    }
    Ok((key.to_owned(), value.into_owned()))
}

/// The name of an event of the site's own, such as `Brochure: asked for`: 1 to 64 bytes of letters, ASCII digits, spaces, `_`, `.`, `:` and
/// `-`, with single spaces. Nothing where it is anything else or a detector finds something in it.
pub fn event_name(text: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphabetic() || c.is_ascii_digit() || " _.:-".contains(c);
    let decoded = decode::plain(cut(text, LONGEST_INPUT));
    let name = spaced(&decoded);
    let fits = (1..=LONGEST_EVENT_NAME).contains(&name.len()) && name.chars().all(is_name);
    (fits && !names_someone(&name)).then(|| name.into_owned())
}

fn names_someone(decoded: &str) -> bool {
    replace(decoded, Setting::Text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_d3_a_search_term_is_scrubbed_and_comparable() {
        for (given, want) in [
            ("  GP   near\nMe ", "gp near me"),
            ("B12 Deficiency", "b12 deficiency"),
            ("jane.doe@example.com results", "[email] results"),
            ("943     476     5919", "[nhs-number]"),
            ("SW1A  1AA pharmacy", "[postcode] pharmacy"),
            ("ÉPILEPSIE", "épilepsie"),
            ("\u{212a}T1 1AA", "[postcode]"),
            ("", ""),
            ("   ", ""),
        ] {
            assert_eq!(search_term(given), want, "{given:?}");
        }
        assert_eq!(search_term(&"long ".repeat(50)).len(), 99);
    }

    #[test]
    fn rule_d3_a_title_is_scrubbed_and_bounded() {
        assert_eq!(title("Results for\tJane.Doe@example.com |  Clinic"), "Results for [email] | Clinic");
        assert_eq!(title(&"é".repeat(300)).len(), 200);
    }

    #[test]
    fn rule_d4_free_text_is_refused_unless_declared() {
        fn kept(key: &str, value: &str, free: bool) -> Result<String, PropertyError> {
            property(key, value, free).map(|(_, value)| value)
        }
        for (value, want) in [
            ("premium", Ok("premium")),
            ("", Ok("")),
            ("  two   words ", Ok("two words")),
            ("12.99", Ok("12.99")),
            ("2024-05-12T10:30:00Z", Ok("2024-05-12T10:30:00Z")),
            ("one two three four", Ok("one two three four")),
            ("one two three four five", Err(PropertyError::FreeText)),
            ("jane@example.com", Err(PropertyError::Personal)),
            ("07700 900123", Err(PropertyError::Personal)),
            ("j%2540example.com", Err(PropertyError::Personal)),
        ] {
            assert_eq!(kept("plan", value, false), want.map(str::to_owned), "{value:?}");
        }
        assert_eq!(kept("plan", &"x".repeat(101), false), Err(PropertyError::TooLong));
        assert_eq!(kept("plan", &"é".repeat(50), false), Ok("é".repeat(50)));
        let story = "please call jane@example.com on 07700 900123 about it";
        assert_eq!(kept("comment", story, true), Ok("please call [email] on [phone] about it".to_owned()));
        assert_eq!(kept("comment", &"word ".repeat(100), true).map(|v| v.len()), Ok(299));
        for key in ["a", "plan.tier_2-x", &*"k".repeat(40)] {
            assert!(property(key, "x", false).is_ok(), "{key}");
        }
        for key in ["", "2nd", "_a", "a b", "é", "a%40b", "nhs9434765919", &*"k".repeat(41)] {
            assert_eq!(property(key, "x", true), Err(PropertyError::Key), "{key}");
        }
    }

    #[test]
    fn rule_d4_an_events_name_is_short_and_names_nobody() {
        for (given, want) in [
            ("signup", Some("signup")),
            ("Brochure: asked  for", Some("Brochure: asked for")),
            ("step_2.done-now", Some("step_2.done-now")),
            (" Übersicht ", Some("Übersicht")),
            ("", None),
            ("  ", None),
            ("a/b", None),
            ("a<b", None),
            ("jane@example.com", None),
            ("call 07700 900123", None),
            ("nhs 943 476 5919", None),
            ("x9434765919", None),
            (&*"n".repeat(65), None),
        ] {
            assert_eq!(event_name(given).as_deref(), want, "{given:?}");
        }
    }

    proptest! {
        #[test]
        fn rule_d4_every_value_is_bounded_settled_and_in_one_line(text in "([a-zA-Z]{0,6}|.{0,6}|[0-9 @.+%-]{0,12}|  |\n|07700 900123|İ){0,30}", key in "[a-z0-9.]{0,45}") {
            for (kept, max, again) in [
                (search_term(&text), 100, search_term as fn(&str) -> String),
                (title(&text), 200, title),
            ] {
                prop_assert!(kept.len() <= max && !kept.chars().any(char::is_control) && !kept.contains("  "));
                prop_assert!(kept.trim() == kept);
                prop_assert_eq!(again(&kept), kept);
            }
            for free in [false, true] {
                if let Ok((key, value)) = property(&key, &text, free) {
                    let most = if free { 300 } else { 100 };
                    prop_assert!(value.len() <= most);
                    prop_assert_eq!(property(&key, &value, free), Ok((key, value)));
                }
            }
            if let Some(name) = event_name(&text) {
                prop_assert!((1..=64).contains(&name.len()));
                prop_assert_eq!(event_name(&name), Some(name));
            }
        }
    }
}
