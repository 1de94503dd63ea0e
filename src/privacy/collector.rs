//! What the collector in visitors' pages collects: put into its file once, at the start, so that the file stays the same for
//! every visitor (C2). What is not listed the browser is not even asked.

use crate::config::{Capture, Item};

/// What the collector is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectorOptions {
    /// What it is to collect.
    pub items: Vec<Item>,
    /// Endings of files whose links are downloads, of letters and digits, without the dot.
    pub downloads: Vec<String>,
}

impl CollectorOptions {
    /// As it is configured.
    pub fn of(capture: &Capture) -> CollectorOptions {
        CollectorOptions { items: capture.collect.clone(), downloads: capture.download_endings.clone() }
    }

    /// `script` with both in it: a bit for each item, and the endings as a regular expression has them.
    pub(super) fn put_into(&self, script: &str) -> String {
        let bits: u32 = self.items.iter().map(|item| 1 << *item as u32).sum();
        let is_plain = |ending: &&String| ending.bytes().all(|b| b.is_ascii_alphanumeric()) && !ending.is_empty();
        let endings: Vec<&str> = self.downloads.iter().filter(is_plain).map(String::as_str).collect();
        // Of no ending there must not be the empty one.
        let endings = if endings.is_empty() { "(?!)".to_owned() } else { endings.join("|") };
        script.replacen(OPTIONS, &bits.to_string(), 1).replacen(DOWNLOADS, &endings, 1)
    }
}

/// What stands in the script instead.
const OPTIONS: &str = "CONSENTRY_OPTIONS";
const DOWNLOADS: &str = "CONSENTRY_DOWNLOADS";

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &str = include_str!("../../static/built/collector.js");

    #[test]
    fn the_script_has_a_place_for_both_and_is_otherwise_as_it_was() {
        for place in [OPTIONS, DOWNLOADS] {
            assert_eq!(BUILT.matches(place).count(), 1, "{place}");
        }
        let options =
            CollectorOptions { items: vec![Item::Plugins, Item::Clicks], downloads: vec!["pdf".into(), "zip".into()] };
        let script = options.put_into(BUILT);
        assert!(script.contains("=34,") && script.contains("\\.(pdf|zip)(\\?|$)"), "{script}");
        assert_eq!(script.replacen("=34,", "=CONSENTRY_OPTIONS,", 1).replacen("pdf|zip", DOWNLOADS, 1), BUILT);
    }

    #[test]
    fn an_ending_that_is_none_is_left_out_and_none_matches_nothing() {
        let options = CollectorOptions { items: vec![], downloads: vec![")/;alert(1)//".into(), String::new()] };
        assert_eq!(options.put_into("CONSENTRY_OPTIONS (CONSENTRY_DOWNLOADS)"), "0 ((?!))");
    }

    #[test]
    fn the_script_counts_the_options_as_the_configuration_does() {
        let words = include_str!("../../static/collector/words.js");
        let places = Item::ALL.map(|item| words.find(&format!("'{}'", item.word())).unwrap_or(usize::MAX));
        assert!(places.is_sorted() && !places.contains(&usize::MAX), "the words are others, or in another order");
        assert_eq!(words.matches("  '").count(), Item::ALL.len());
        assert!(Item::ALL.iter().enumerate().all(|(place, item)| *item as usize == place));
    }
}
