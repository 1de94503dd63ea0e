//! The declared third-party tags (K4): which purpose a host serves.

use std::sync::Arc;

use super::address::{Host, normal};
use crate::config::DeclaredTag;
use crate::consent::{Policy, PurposeSet};

/// Every host that is declared, with the ids of the purposes.
#[derive(Debug)]
pub struct Tags {
    /// The closest first: hosts before `*.` patterns, with a port before without, long before short.
    patterns: Vec<Pattern>,
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
        Arc::new(Tags { patterns, ids: policy.purposes().iter().map(|purpose| purpose.id.clone()).collect() })
    }

    /// What a gate needs to work by, or `None` where every declared tag is permitted and no page has to be gated.
    pub fn gating(self: &Arc<Self>, permitted: PurposeSet) -> Option<Gating> {
        let gated = self.patterns.iter().any(|pattern| !permitted.contains(pattern.purpose));
        gated.then(|| Gating { tags: Arc::clone(self), permitted })
    }

    fn id(&self, purpose: usize) -> &str {
        self.ids.get(purpose).map_or("unknown", String::as_str)
    }
}

impl Gating {
    /// The id of the purpose that `host` would need and does not have. The closest declaration counts; a host that nobody
    /// declared is nobody's tag. A purpose the policy does not know is permitted to nobody.
    pub(super) fn refused(&self, host: &Host) -> Option<&str> {
        self.refused_host(&host.name, host.port)
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
/// any number of others that are, or for none (UTS #46).
fn may_be(name: &str, declared: &str, below: bool) -> bool {
    let declared: Vec<char> = declared.chars().collect();
    // Of the declared name so much may be read after each character, as bits would say it.
    let mut reached = vec![false; declared.len() + 1];
    reached[0] = true;
    for c in name.chars() {
        let mut next = vec![false; reached.len()];
        if below {
            next[0] = true;
        }
        for at in 0..reached.len() {
            if !reached[at] {
                continue;
            }
            if !c.is_ascii() {
                next[at..].fill(true);
                break;
            }
            if declared.get(at) == Some(&c) {
                next[at + 1] = true;
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::super::address::Address;
    use super::*;

    fn refused(declared: &[(&str, usize)], permitted: &[usize], url: &str) -> Option<String> {
        let declared: Vec<DeclaredTag> =
            declared.iter().map(|(host, purpose)| DeclaredTag { host: (*host).into(), purpose: *purpose }).collect();
        let tags = Tags::new(&declared, &Policy::default());
        let gating = tags.gating(PurposeSet::of(permitted.iter().copied()))?;
        match Address::of_attribute(url) {
            Address::Host(host) => gating.refused(&host).map(str::to_owned),
            _ => None,
        }
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

    #[test]
    fn a_page_is_gated_only_where_something_is_refused() {
        let tags = [("t.example", 2)];
        assert_eq!(refused(&tags, &[0, 2], "//t.example"), None);
        assert_eq!(refused(&tags, &[0], "//t.example").as_deref(), Some("analytics"));
        assert_eq!(refused(&[("t.example", 7)], &[0], "//t.example").as_deref(), Some("unknown"));
        assert!(Tags::new(&[], &Policy::default()).gating(PurposeSet::of([0])).is_none());
    }
}
