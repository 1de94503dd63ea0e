//! What `crawler-user-agents` knows: the patterns of some fifteen hundred crawlers, most of them plain texts.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};

/// One pattern a line; lines that begin with `#` are notes.
const PATTERNS: &str = include_str!("crawlers.txt");

/// Plain texts are looked for in one pass, which takes a microsecond; the few real expressions in another.
struct Crawlers {
    texts: AhoCorasick,
    expressions: Regex,
}

static CRAWLERS: LazyLock<Crawlers> = LazyLock::new(|| {
    let (mut texts, mut expressions) = (Vec::new(), Vec::new());
    for pattern in PATTERNS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match plain(pattern) {
            Some(text) => texts.push(text),
            None => expressions.push(format!("(?:{pattern})")),
        }
    }
    Crawlers {
        texts: AhoCorasick::new(texts).expect("some fifteen hundred short texts"),
        expressions: RegexBuilder::new(&expressions.join("|"))
            .unicode(false)
            .build()
            .expect("the expressions stand in this room's source; a test compiles them"),
    }
});

/// Whether one of the patterns is in the agent.
pub fn is_known(agent: &str) -> bool {
    CRAWLERS.texts.is_match(agent) || CRAWLERS.expressions.is_match(agent.as_bytes())
}

/// The text a pattern stands for where it is nothing but a text.
fn plain(pattern: &str) -> Option<String> {
    let mut text = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(next) = chars.next() {
        match next {
            '\\' => text.push(chars.next().filter(|escaped| escaped.is_ascii_punctuation())?),
            '^' | '$' | '.' | '[' | ']' | '(' | ')' | '*' | '+' | '?' | '{' | '}' | '|' => return None,
            _ => text.push(next),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_operators_is_the_text_it_stands_for() {
        for (pattern, want) in [
            ("Googlebot\\/", Some("Googlebot/")),
            ("adbeat\\.com", Some("adbeat.com")),
            ("^curl", None),
            ("[wW]get", None),
            ("v\\d", None),
        ] {
            assert_eq!(plain(pattern).as_deref(), want, "{pattern}");
        }
    }
}
