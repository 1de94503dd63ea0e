//! The class of a page: its address's first part, as in `/`, `/pricing` and `/blog/*`; never the address itself.
//!
//! A visitor may ask for any address and so could write into the table what they like, their neighbour's name for one.
//! What keeps that out: an answer that is an error names no address; a part that is no plain word (longer than 40
//! characters, with a long number, with other than letters, digits and `-_.~`) or that scrubbing would change is
//! [`OTHER`]; an hour names the 200 classes seen most; and no class is stored with fewer than 10 views. A site that answers
//! every address with a page is still told ten times the same by one who means to: the class then is what the site itself
//! served.

use http::StatusCode;

use super::counters::OTHER;
use crate::pseudonym::{RawUrl, scrub};

/// The class of pages that are an error.
pub const ERROR: &str = "(error)";

/// No class is longer, in characters, without its slashes and star.
const LONGEST: usize = 40;
/// A longer run of digits is a number of something, such as an order; a year is none.
const DIGITS: usize = 4;

/// What the site declares some of its paths to be, such as health conditions under one name.
pub type Declared<'d> = &'d dyn Fn(&str) -> Option<String>;

/// The class of the page at `target` (path and query as requested) that was answered with `status`. What `declared` says of
/// the path goes before everything else, errors apart.
pub fn class(target: &str, status: StatusCode, declared: Option<Declared<'_>>) -> String {
    if status.is_client_error() || status.is_server_error() {
        return ERROR.to_owned();
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    if let Some(class) = declared.and_then(|declared| declared(path)) {
        return class;
    }
    let Some(rest) = path.strip_prefix('/').map(|rest| rest.trim_start_matches('/')) else { return OTHER.to_owned() };
    let (first, below) = rest.split_once('/').unwrap_or((rest, ""));
    if first.is_empty() {
        return "/".to_owned();
    }
    let mut class = scrub::scrub_path(&RawUrl::new(path_of(first).as_str()), &[]);
    if !class.strip_prefix('/').is_some_and(is_plain) {
        return OTHER.to_owned();
    }
    if class.contains(char::is_uppercase) {
        class = class.to_lowercase();
    }
    if !below.trim_start_matches('/').is_empty() {
        class.push_str("/*");
    }
    class
}

fn path_of(part: &str) -> String {
    let mut path = String::with_capacity(part.len() + 1);
    path.push('/');
    path.push_str(part);
    path
}

/// Whether it is a word as sites name their sections.
fn is_plain(part: &str) -> bool {
    let mut run = 0;
    !part.is_empty()
        && part.chars().take(LONGEST + 1).count() <= LONGEST
        && part.chars().all(|c| {
            run = if c.is_ascii_digit() { run + 1 } else { 0 };
            run <= DIGITS && (c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '~'))
        })
        && part.chars().any(|c| c != '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(target: &str) -> String {
        class(target, StatusCode::OK, None)
    }

    #[test]
    fn a_class_is_the_first_part_of_an_address() {
        for (target, expected) in [
            ("/", "/"),
            ("//", "/"),
            ("/?q=secret", "/"),
            ("/pricing", "/pricing"),
            ("/pricing/", "/pricing"),
            ("/Pricing?plan=pro#top", "/pricing"),
            ("//pricing", "/pricing"),
            ("/blog/2024/how-to", "/blog/*"),
            ("/blog//x", "/blog/*"),
            ("/index.html", "/index.html"),
            ("/2024/review", "/2024/*"),
            ("/%C3%BCber-uns", "/über-uns"),
            ("/健康/x", "/健康/*"),
        ] {
            assert_eq!(of(target), expected, "{target}");
        }
    }

    #[test]
    fn rule_d3_what_names_a_person_or_is_no_plain_word_is_not_named() {
        for target in [
            "/jane.doe@example.com",
            "/jane.doe%40example.com/orders",
            "/07700900123",
            "/order-123456",
            "/deadbeefdeadbeefdeadbeefdeadbeef",
            "/hello%20world",
            "/hello+world",
            "/a=b",
            "/%2e%2e",
            "/<script>",
            "/[email]",
            "/(other)",
            "*",
            "",
            "pricing",
            "/%00",
            "/%2Fjane",
            "/12345",
            &format!("/{}", "a".repeat(41)),
        ] {
            assert_eq!(of(target), OTHER, "{target}");
        }
    }

    #[test]
    fn an_error_names_no_address() {
        for status in [400, 404, 410, 500, 503] {
            assert_eq!(class("/jane-doe", StatusCode::from_u16(status).unwrap(), None), ERROR);
        }
        assert_eq!(class("/jane", StatusCode::NOT_MODIFIED, None), "/jane");
    }

    #[test]
    fn what_the_site_declares_goes_first() {
        let declared = |path: &str| path.starts_with("/conditions/").then(|| "health".to_owned());
        assert_eq!(class("/conditions/asthma?x", StatusCode::OK, Some(&declared)), "health");
        assert_eq!(class("/conditions", StatusCode::OK, Some(&declared)), "/conditions");
        assert_eq!(class("/conditions/asthma", StatusCode::NOT_FOUND, Some(&declared)), ERROR);
    }

    proptest! {
        #[test]
        fn a_class_is_short_and_plain_whatever_is_asked_for(target in "/?\\PC{0,80}") {
            let class = of(&target);
            let part = class.strip_prefix('/').map(|part| part.strip_suffix("/*").unwrap_or(part));
            // One letter in capitals may be several small ones.
            prop_assert!(class == OTHER || class == "/" || part.is_some_and(|part| part.chars().count() <= 3 * LONGEST));
            prop_assert!(!class.contains(['?', '#', '@', '[', '%', ' ', '\n']));
        }
    }
}
