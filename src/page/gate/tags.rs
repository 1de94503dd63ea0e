//! The declared third-party tags (K4): which purpose a host serves.

use std::sync::{Arc, OnceLock};

use memchr::memmem::Finder;

use super::address::{Address, Host, normal};
use super::key::Key;
use crate::config::DeclaredTag;
use crate::consent::{Policy, PurposeSet};

/// Every host that is declared, with the ids of the purposes.
#[derive(Debug)]
pub struct Tags {
    /// The closest first: hosts before `*.` patterns, with a port before without, long before short.
    patterns: Vec<Pattern>,
    /// What a script in a page itself is known by, each with its purpose.
    inline: Vec<(Finder<'static>, usize)>,
    ids: Vec<String>,
}

#[derive(Debug)]
struct Pattern {
    /// The host's name, or what it ends with, the dot included.
    name: String,
    below: bool,
    port: Option<u16>,
    purpose: usize,
}

/// The tags together with what is permitted to one request: what a [`Gate`](super::Gate) works by.
#[derive(Clone, Debug)]
pub struct Gating {
    tags: Arc<Tags>,
    permitted: PurposeSet,
    /// Stands on what is made inert; nothing in a piece of a page.
    key: Option<Key>,
    /// The ids of all purposes that are refused, as a tag names them; made when one is met that may need any.
    every: OnceLock<String>,
}

impl Tags {
    /// Prepares the `declared` tags; their purposes are indices in `policy`.
    pub fn new(declared: &[DeclaredTag], policy: &Policy) -> Arc<Tags> {
        let mut patterns: Vec<Pattern> = declared
            .iter()
            .map(|tag| {
                let (name, port) = match tag.host.rsplit_once(':') {
                    Some((name, port)) if !name.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                        (name, port.parse().ok())
                    }
                    _ => (tag.host.as_str(), None),
                };
                let below = name.starts_with("*.");
                let name = normal(name.strip_prefix('*').unwrap_or(name));
                Pattern { name, below, port, purpose: tag.purpose }
            })
            .collect();
        patterns.sort_by_key(|pattern| (pattern.below, pattern.port.is_none(), std::cmp::Reverse(pattern.name.len())));
        let inline =
            declared.iter().flat_map(|tag| tag.inline.iter().map(|text| (Finder::new(text).into_owned(), tag.purpose)));
        Arc::new(Tags {
            patterns,
            inline: inline.collect(),
            ids: policy.purposes().iter().map(|purpose| purpose.id.clone()).collect(),
        })
    }

    /// What a gate needs to work by, or `None` where every declared tag is permitted and no page has to be gated.
    pub fn gating(self: &Arc<Self>, permitted: PurposeSet) -> Option<Gating> {
        let gated = self.patterns.iter().any(|pattern| !permitted.contains(pattern.purpose));
        gated.then(|| Gating { tags: Arc::clone(self), permitted, key: None, every: OnceLock::new() })
    }

    fn id(&self, purpose: usize) -> &str {
        self.ids.get(purpose).map_or("unknown", String::as_str)
    }
}

impl Gating {
    /// The same for a page that knows this key.
    pub fn with_key(self, key: Key) -> Gating {
        Gating { key: Some(key), ..self }
    }

    pub(super) fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// The id of the purpose that the host of an `address` would need and does not have, or all where it may be any host. The closest declaration counts; a host that
    /// nobody declared is nobody's tag. A purpose the policy does not know is permitted to nobody.
    pub(super) fn refused(&self, address: &Address) -> Option<&str> {
        match address {
            Address::Host(Host { name, port }) => self.refused_host(name, *port),
            Address::Any => Some(self.every.get_or_init(|| joined(self.all_refused()))),
            Address::Relative | Address::None => None,
        }
    }

    /// The same for a host with this name, in its one form, and port.
    pub(super) fn refused_host(&self, name: &str, port: Option<u16>) -> Option<&str> {
        let pattern = self.tags.patterns.iter().find(|pattern| pattern.matches(name, port))?;
        let refused = !self.permitted.contains(pattern.purpose);
        refused.then(|| self.tags.id(pattern.purpose))
    }
}

impl Gating {
    /// The ids of all purposes that are refused to some tag, for what cannot be told apart.
    pub(super) fn all_refused(&self) -> Vec<&str> {
        let patterns = self.tags.patterns.iter().filter(|pattern| !self.permitted.contains(pattern.purpose));
        patterns.map(|pattern| self.tags.id(pattern.purpose)).collect()
    }
}

impl Gating {
    /// Whether scripts in the page itself have to be looked into.
    pub(super) fn looks_inline(&self) -> bool {
        self.tags.inline.iter().any(|(_, purpose)| !self.permitted.contains(*purpose))
    }

    /// The ids of the purposes that a script in the page itself would need and does not have; of all that any would need, where its
    /// text is not known.
    pub(super) fn refused_inline(&self, text: Option<&[u8]>) -> Vec<&str> {
        let matches = |finder: &Finder<'_>| text.is_none_or(|text| finder.find(text).is_some());
        let refused = self.tags.inline.iter().filter(|(_, purpose)| !self.permitted.contains(*purpose));
        refused.filter(|(finder, _)| matches(finder)).map(|(_, purpose)| self.tags.id(*purpose)).collect()
    }
}

/// The ids of purposes as a tag names them: each once, in one order.
pub(super) fn joined(mut ids: Vec<&str>) -> String {
    ids.sort_unstable();
    ids.dedup();
    ids.join(" ")
}

impl Pattern {
    fn matches(&self, name: &str, port: Option<u16>) -> bool {
        if !name.is_ascii() {
            return may_be(name, &self.name, self.below);
        }
        let named =
            if self.below { name.len() > self.name.len() && name.ends_with(&self.name) } else { name == self.name };
        // A URL without scheme has the page's port; it may be any.
        named && (self.port.is_none() || port.is_none() || self.port == port)
    }
}

/// Whether a host's `name` may be `declared`, or end with that if it is `below` it: a character that is none of ASCII may stand for
/// any number of others that are, or for none (UTS #46). In some encodings the byte after one belongs to it.
///
/// The cost is linear in the name, whoever wrote it.
fn may_be(name: &str, declared: &str, below: bool) -> bool {
    let mut pieces = name.split(|c: char| !c.is_ascii());
    let (Some(first), Some(last)) = (pieces.next(), pieces.next_back()) else { return name == declared };
    let last = last.get(1..).unwrap_or_default();
    if below {
        return declared.ends_with(last) || last.ends_with(declared);
    }
    if may_be_number(declared, name) {
        return true;
    }
    let Some(mut rest) = declared.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for piece in pieces.filter_map(|piece| piece.get(1..)) {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    true
}

/// Whether an IP address is `declared` and a name may be it in one of the other forms.
fn may_be_number(declared: &str, name: &str) -> bool {
    declared.parse::<std::net::Ipv4Addr>().is_ok()
        && name.bytes().filter(u8::is_ascii).all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(declared: &[(&str, usize)], permitted: &[usize], url: &str) -> Option<String> {
        let declared: Vec<DeclaredTag> = declared
            .iter()
            .map(|(host, purpose)| DeclaredTag { host: (*host).into(), inline: Vec::new(), purpose: *purpose })
            .collect();
        let tags = Tags::new(&declared, &Policy::default());
        let gating = tags.gating(PurposeSet::of(permitted.iter().copied()))?;
        gating.refused(&Address::of_attribute(url.as_bytes())).map(str::to_owned)
    }

    #[test]
    fn the_closest_declaration_of_a_host_counts() {
        let tags =
            [("*.Example.com", 3), ("cdn.example.com", 0), ("cdn.example.com:8443", 2), ("*.cdn.example.com", 2)];
        let refused = |url| refused(&tags, &[0], url);
        assert_eq!(refused("//a.example.com").as_deref(), Some("marketing"));
        assert_eq!(refused("https://cdn.example.com"), None);
        assert_eq!(refused("https://cdn.example.com:8443").as_deref(), Some("analytics"));
        assert_eq!(refused("https://x.cdn.example.com").as_deref(), Some("analytics"));
        for other in ["//example.com", "//notexample.com", "//example.com.evil.org", "//.example.com", "//example.org"]
        {
            assert_eq!(refused(other), None, "{other}");
        }
    }

    #[test]
    fn rule_k4_a_host_that_may_be_a_declared_one_is_taken_for_it() {
        let tags = [("t.example", 2), ("*.ads.example", 3), ("tel.example", 2)];
        for url in [
            "http://t.ex&shy;ample/",
            "http://t.ex&ZeroWidthSpace;ample/",
            "http://t.ex&afr;mple/",
            "http://t&shy.example/",
            "http://\u{24e3}.example/",
            "http://t.exampl&#x212F;/",
            "http://t.exa&#xFE0F;mple/",
            "http://t.exa\u{34f}mple/",
            "http://t\u{2024}example/",
            "http://\u{2121}.example/",
            "http://x.%E2%93%90ds.example/",
        ] {
            assert!(refused(&tags, &[0], url).is_some(), "{url}");
        }
        for url in ["http://m\u{fc}nchen.example/", "http://\u{4f8b}.org/", "http://a.example/?a=1&t.example"] {
            assert_eq!(refused(&tags, &[0], url), None, "{url}");
        }
    }

    /// The second of two bytes that look like UTF-8's here and are half a letter to a browser: `\u{37c1}` and `B` are three
    /// bytes and one, or twice two, the last a full stop, in Shift_JIS.
    #[test]
    fn rule_k4_a_letter_may_take_the_next_byte_with_it() {
        let tags = [("t.example", 2), ("*.ads.example", 3)];
        for url in ["//\u{37c1}Bads.example/", "//\u{37c3}@.ads.example/", "//x\u{37c3}\\.ads.example/"] {
            assert!(refused(&tags, &[0], url).is_some(), "{url}");
        }
    }

    #[test]
    fn rule_k4_an_ip_address_is_refused_in_any_form() {
        let tags = [("127.0.0.1", 2), ("[::1]", 3)];
        for url in ["http://2130706433/", "http://0x7f.1", "//127.1", "//0177.0.0.1/", "//\u{2460}27.1/", "//[0:0::1]"]
        {
            assert!(refused(&tags, &[0], url).is_some(), "{url}");
        }
        for url in ["//127.2", "//128.0.0.1", "//m\u{fc}nchen.example/", "//3d.example", "//[::2]", "//127.1.example"] {
            assert_eq!(refused(&tags, &[0], url), None, "{url}");
        }
    }

    /// [`may_be`], by trying everything.
    fn may_be_by_trial(name: &[char], declared: &[u8]) -> bool {
        match name {
            [] => declared.is_empty(),
            [c, rest @ ..] if c.is_ascii() => {
                declared.first().is_some_and(|&byte| char::from(byte) == *c) && may_be_by_trial(rest, &declared[1..])
            }
            [_, rest @ ..] => {
                let without = rest.split_first().map(|(c, rest)| if c.is_ascii() { rest } else { &name[1..] });
                (0..=declared.len()).any(|at| {
                    may_be_by_trial(rest, &declared[at..])
                        || without.is_some_and(|rest| may_be_by_trial(rest, &declared[at..]))
                })
            }
        }
    }

    proptest! {
        #[test]
        fn what_a_name_may_be_is_found_in_one_pass(name in "[ab.é]{0,4}é[ab.é]{0,3}", declared in "[ab.]{1,5}") {
            let letters: Vec<char> = name.chars().collect();
            prop_assert_eq!(may_be(&name, &declared, false), may_be_by_trial(&letters, declared.as_bytes()));
            let below = (1..letters.len()).any(|at| may_be_by_trial(&letters[at..], declared.as_bytes()));
            prop_assert!(may_be(&name, &declared, true) || !below);
        }
    }

    #[test]
    fn a_page_is_gated_only_where_something_is_refused() {
        let tags = [("t.example", 2)];
        assert_eq!(refused(&tags, &[0, 2], "//t.example"), None);
        assert_eq!(refused(&tags, &[0], "//t.example").as_deref(), Some("analytics"));
        assert_eq!(refused(&[("t.example", 7)], &[0], "//t.example").as_deref(), Some("unknown"));
        assert!(Tags::new(&[], &Policy::default()).gating(PurposeSet::of([0])).is_none());
    }
}
