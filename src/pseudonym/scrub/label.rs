//! What stands on a clicked element. It may hold anything - a patient's name, an appointment - so it is kept as text only where the
//! configuration names that text.

use std::collections::HashMap;
use std::fmt;

use super::{LONGEST_INPUT, cut, scrub_text, spaced};

/// The longest text that is looked at and that can be allowed, in bytes; the rest of a longer one makes no difference.
const LONGEST_LABEL: usize = 200;
/// The letters a hash is written in: no detector takes them for a number, a token or a word.
const LETTERS: &[u8; 16] = b"ghjkmnpqrstvwxyz";
/// How many of them are kept: 48 bits.
const HASH_LETTERS: usize = 12;

/// The texts that are kept as they are.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// By the normalised text, the text as the configuration writes it.
    allowed: HashMap<String, String>,
}

/// What is kept of an element's text. Written (`to_string`) as the text itself, as `#` and twelve letters for a hash, and as nothing
/// for an element without text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// Allowed by the configuration, in its spelling; empty for an element without text.
    Text(String),
    /// A keyed hash: the same text gives the same hash for as long as the key lives.
    Hash(u64),
}

impl Labels {
    /// The texts that may be kept; letter case and spaces make no difference, and an empty one is left out.
    pub fn new<S: AsRef<str>>(allowed: impl IntoIterator<Item = S>) -> Labels {
        let with_key = |text: S| (normalised(text.as_ref()), spaced(cut(text.as_ref(), LONGEST_LABEL)).into_owned());
        Labels { allowed: allowed.into_iter().map(with_key).filter(|(key, _)| !key.is_empty()).collect() }
    }

    /// What is kept of `text`. `keyed` is a MAC of the caller's, since whoever reads the table could try all short texts
    /// against a hash without a key; it is given the text scrubbed, in small letters, with single spaces.
    pub fn label(&self, text: &str, keyed: &dyn Fn(&[u8]) -> u64) -> Label {
        let normalised = normalised(text);
        if normalised.is_empty() {
            return Label::Text(String::new());
        }
        match self.allowed.get(&normalised) {
            Some(text) => Label::Text(text.clone()),
            None => Label::Hash(keyed(normalised.as_bytes())),
        }
    }
}

fn normalised(text: &str) -> String {
    let small = spaced(&scrub_text(&spaced(cut(text, LONGEST_INPUT)), LONGEST_LABEL)).to_lowercase();
    spaced(&small).into_owned()
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Text(text) => f.write_str(text),
            Label::Hash(hash) => {
                f.write_str("#")?;
                (0..HASH_LETTERS).try_for_each(|i| write!(f, "{}", LETTERS[(hash >> (4 * i) & 0xf) as usize] as char))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Stands for the caller's MAC.
    fn keyed(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
    }

    #[test]
    fn rule_d4_only_an_allowed_text_is_kept_as_text() {
        let labels = Labels::new(["Book now", "  Find a   GP ", "", "Call 0161 496 0000"]);
        for (text, want) in [
            ("Book now", "Book now"),
            ("  BOOK\n\tNOW ", "Book now"),
            ("book\u{a0}now", "Book now"),
            ("find a gp", "Find a GP"),
            ("Call 0161 496 0000", "Call 0161 496 0000"),
            ("", ""),
            ("  \n", ""),
        ] {
            assert_eq!(labels.label(text, &keyed).to_string(), want, "{text:?}");
        }
        for text in ["Jane Doe", "Book now, Jane", "jane@example.com", "日本"] {
            let label = labels.label(text, &keyed).to_string();
            assert!(label.starts_with('#') && label.len() == 13, "{text:?} gave {label:?}");
        }
    }

    #[test]
    fn a_hash_is_stable_keyed_and_never_of_personal_data() {
        let labels = Labels::default();
        let hash = |text| labels.label(text, &keyed);
        assert_eq!(hash("Jane  Doe"), hash("jane doe"));
        assert_ne!(hash("Jane Doe"), hash("John Doe"));
        assert_eq!(hash("mail jane@example.com"), hash("mail bob@example.com"), "the address is no part of it");
        assert_ne!(labels.label("Jane Doe", &|bytes| keyed(bytes) ^ 1), hash("Jane Doe"));
        assert_eq!(labels.label("Jane Doe", &|_| 0).to_string(), "#gggggggggggg");
    }

    proptest! {
        #[test]
        fn a_label_is_bounded_and_nothing_is_found_in_a_hash(text in ".{0,300}", hash in any::<u64>()) {
            let label = Labels::default().label(&text, &|_| hash).to_string();
            prop_assert!(label.is_empty() || label.len() == 13);
            prop_assert_eq!(scrub_text(&label, 100), label);
        }
    }
}
