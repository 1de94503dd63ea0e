//! What the collector in visitors' pages collects: put into its file once, at the start, so that the file stays the same for
//! every visitor (C2). What is not listed the browser is not even asked.

use crate::config::Capture;

/// What the collector is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectorOptions {
    /// The words of [`Item`](crate::config::Item).
    pub words: Vec<&'static str>,
    /// Endings of files whose links are downloads, in lower case, without the dot.
    pub downloads: Vec<String>,
}

impl CollectorOptions {
    /// As it is configured.
    pub fn of(capture: &Capture) -> CollectorOptions {
        CollectorOptions {
            words: capture.collect.iter().map(|item| item.word()).collect(),
            downloads: capture.download_endings.clone(),
        }
    }

    /// `script` with both lists in it, as texts of JavaScript.
    pub(super) fn put_into(&self, script: &str) -> String {
        // JSON's texts are JavaScript's; `</` would end the element of a script that stands in a page.
        let text = |list: String| serde_json::Value::from(list).to_string().replace("</", "<\\/");
        script.replacen("\"CONSENTRY_OPTIONS\"", &text(self.words.join(" ")), 1).replacen(
            "\"CONSENTRY_DOWNLOADS\"",
            &text(self.downloads.join(",")),
            1,
        )
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
            script
                .replace("\"clicks errors\"", "\"CONSENTRY_OPTIONS\"")
                .replace("\"pdf,zip\"", "\"CONSENTRY_DOWNLOADS\""),
            built
        );
    }

    #[test]
    fn an_ending_stays_a_text_whatever_is_in_it() {
        let options = CollectorOptions { words: vec![], downloads: vec!["\"+alert(1)+\"</script>\\".into()] };
        assert_eq!(options.put_into("[\"CONSENTRY_DOWNLOADS\"]"), r#"["\"+alert(1)+\"<\/script>\\"]"#);
    }
}
