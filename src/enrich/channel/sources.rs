//! The table of known sources, which is the text file beside this one, made quick to ask: a few look-ups for a host, however
//! many sources there are.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::hosts::{Map, suffixes};

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A search engine.
    Search,
    /// A social network, a forum, or a place for videos.
    Social,
    /// An AI assistant.
    Assistant,
    /// E-mail read in the browser.
    Webmail,
    /// A network that pays those who send visitors.
    Affiliate,
    /// A server of the advertisements beside what was searched for.
    Advert,
    /// A server of other advertisements.
    Display,
    /// Known by name, and nothing of these.
    Site,
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As reports show it.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// The table.
struct Table {
    /// By a whole host, which stands for those below it too.
    hosts: Map<Source>,
    /// By a host without its country's ending: `google` for `google.*`.
    brands: Map<Source>,
    /// By a name or an alias, as [`spelt`]; made once and for the life of the program.
    names: Map<Source>,
}

const TEXT: &str = include_str!("sources.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table { hosts: Map::default(), brands: Map::default(), names: Map::default() };
    for line in lines(TEXT) {
        let source = || Source { name: line.name, kind: line.kind };
        for host in line.hosts.split_whitespace() {
            match host.strip_suffix(".*") {
                Some(brand) => table.brands.insert(brand, source()),
                None => table.hosts.insert(host, source()),
            };
        }
        for alias in line.aliases.split_whitespace() {
            table.names.insert(alias, source());
        }
        table.names.insert(String::leak(spelt(line.name).into_owned()), source());
    }
    table
});

struct Line {
    name: &'static str,
    kind: Kind,
    hosts: &'static str,
    aliases: &'static str,
}

fn lines(text: &'static str) -> impl Iterator<Item = Line> {
    let mut kind = Kind::Site;
    text.lines().filter(|line| !line.starts_with('#')).filter_map(move |line| {
        if let Some(word) = line.strip_prefix('[') {
            kind = kind_named(word.strip_suffix(']')?)?;
            return None;
        }
        let (name, rest) = line.split_once(": ")?;
        let (hosts, aliases) = rest.split_once(" | ").unwrap_or((rest, ""));
        Some(Line { name, kind, hosts, aliases })
    })
}

fn kind_named(word: &str) -> Option<Kind> {
    Some(match word {
        "search" => Kind::Search,
        "social" => Kind::Social,
        "assistant" => Kind::Assistant,
        "webmail" => Kind::Webmail,
        "affiliate" => Kind::Affiliate,
        "advert" => Kind::Advert,
        "display" => Kind::Display,
        "site" => Kind::Site,
        _ => return None,
    })
}

/// What the table says of a host in small letters: of the longest part of it that is there, counted from its end.
pub fn at_host(host: &str) -> Option<&'static Source> {
    let stem = without_ending(host);
    suffixes(host).find_map(|below| {
        let brand = || stem.and_then(|stem| TABLE.brands.get(stem.get(host.len() - below.len()..)?));
        TABLE.hosts.get(below).or_else(brand)
    })
}

/// What the table says of a name or an alias.
pub fn named(name: &str) -> Option<&'static Source> {
    TABLE.names.get(&*spelt(name))
}

/// In small letters and with `-` for blanks and `_`: campaigns write Google Ads in every way.
fn spelt(name: &str) -> Cow<'_, str> {
    let is_other = |c: char| matches!(c, ' ' | '_' | 'A'..='Z');
    if !name.contains(is_other) {
        return name.into();
    }
    name.chars().map(|c| if matches!(c, ' ' | '_') { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// A host without its ending, where that is of one label (`com`, `de`) or of two of which the second is a country's (`co.uk`,
/// `com.au`).
fn without_ending(host: &str) -> Option<&str> {
    let (before, last) = host.rsplit_once('.')?;
    let is_country = last.len() == 2;
    if let Some((stem, second)) = before.rsplit_once('.')
        && is_country
        && matches!(second, "co" | "com" | "net" | "org" | "ne" | "or")
    {
        return Some(stem);
    }
    (is_country || matches!(last, "com" | "net" | "org")).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_no_host_stands_twice() {
        let written = TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '['])).count();
        assert_eq!(lines(TEXT).count(), written);
        assert_eq!(TEXT.lines().filter(|line| line.starts_with('[')).count(), 8, "each kind once");
        let mut hosts = std::collections::HashSet::new();
        let mut names = std::collections::HashSet::new();
        for line in lines(TEXT) {
            for host in line.hosts.split_whitespace() {
                assert!(hosts.insert(host), "{host} stands twice");
                let is_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_*".contains(&b);
                assert!(host.contains('.') && host.bytes().all(is_host), "{host}");
                let asked = host.replace(".*", ".com");
                assert_eq!(at_host(&asked).map(|source| source.name), Some(line.name), "{host} is hidden");
            }
            let aliases = line.aliases.split_whitespace().map(Cow::from);
            for name in aliases.chain([spelt(line.name)]) {
                assert!(names.insert(name.clone()), "{name} stands twice");
                assert_eq!(named(&name).map(|source| source.name), Some(line.name));
            }
        }
        assert!(hosts.len() > 1000, "{}", hosts.len());
    }
}
