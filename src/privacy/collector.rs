//! What the collector in visitors' pages collects: put into its file once, at the start, so that the file stays the same for
//! every visitor (C2). What is not listed the browser is not even asked.

/// Every word there is, in the order of the beacon's description.
pub const WORDS: [&str; 15] = [
    "hover",
    "titles",
    "hash",
    "login",
    "timings",
    "vitals",
    "engagement",
    "clicks",
    "downloads",
    "outbound",
    "forms",
    "contacts",
    "errors",
    "device",
    "plugins",
];

/// Of these, what a site must ask for.
const ON_REQUEST: [&str; 4] = ["hover", "titles", "hash", "login"];

/// Endings of files that are fetched to be kept rather than shown.
const DOWNLOADS: [&str; 20] = [
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "csv", "rtf", "txt", "epub", "zip", "gz", "7z",
    "mp3", "mp4", "exe", "dmg",
];

/// What the collector is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorOptions {
    /// Out of [`WORDS`].
    pub words: Vec<&'static str>,
    /// Endings of files whose links are downloads, in lower case, without the dot.
    pub downloads: Vec<String>,
}

impl Default for CollectorOptions {
    /// Everything but what a site must ask for.
    fn default() -> Self {
        CollectorOptions {
            words: WORDS.into_iter().filter(|word| !ON_REQUEST.contains(word)).collect(),
            downloads: DOWNLOADS.map(str::to_owned).into(),
        }
    }
}

impl CollectorOptions {
    /// `script` with both lists in it, as texts of JavaScript.
    pub(super) fn put_into(&self, script: &str) -> String {
        // JSON's texts are JavaScript's; `</` would end the element of a script that stands in a page.
        let text = |list: String| serde_json::Value::from(list).to_string().replace("</", "<\\/");
        script
            .replacen("\"CONSENTRY_OPTIONS\"", &text(self.words.join(" ")), 1)
            .replacen("\"CONSENTRY_DOWNLOADS\"", &text(self.downloads.join(",")), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_has_a_place_for_each_list_and_is_otherwise_as_it_was() {
        let built = include_str!("../../static/built/collector.js");
        for place in ["\"CONSENTRY_OPTIONS\"", "\"CONSENTRY_DOWNLOADS\""] {
            assert_eq!(built.matches(place).count(), 1, "{place}");
        }
        let options = CollectorOptions { words: vec!["clicks", "errors"], downloads: vec!["pdf".into(), "zip".into()] };
        let script = options.put_into(built);
        assert!(script.contains("\"clicks errors\"") && script.contains("\"pdf,zip\""));
        assert_eq!(
            script.replace("\"clicks errors\"", "\"CONSENTRY_OPTIONS\"").replace("\"pdf,zip\"", "\"CONSENTRY_DOWNLOADS\""),
            built
        );
    }

    #[test]
    fn an_ending_stays_a_text_whatever_is_in_it() {
        let options = CollectorOptions { words: vec![], downloads: vec!["\"+alert(1)+\"</script>\\".into()] };
        assert_eq!(options.put_into("[\"CONSENTRY_DOWNLOADS\"]"), r#"["\"+alert(1)+\"<\/script>\\"]"#);
    }

    #[test]
    fn what_a_site_must_ask_for_is_off_by_default_and_no_word_is_part_of_another() {
        let words = CollectorOptions::default().words;
        assert!(words.len() == WORDS.len() - ON_REQUEST.len() && ON_REQUEST.iter().all(|word| !words.contains(word)));
        for (i, word) in WORDS.iter().enumerate() {
            assert!(WORDS.iter().enumerate().all(|(j, other)| i == j || !other.contains(word)), "{word}");
        }
    }
}
