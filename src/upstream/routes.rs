//! Which part of the site a request is for: the most specific pattern wins, whatever order they were written in.
//!
//! Hosts come first: an exact one before `*.host`, of those the longer one, then every host; among the same host the longer
//! path. A path is compared segment by segment as the visitor sent it, without decoding: a route says where a request goes,
//! it is no lock. All pure.

use super::settings::HostPattern;

/// The patterns, the most specific first.
pub(super) struct Routes {
    /// Each with the place it had among those that were given.
    sorted: Vec<(HostPattern, String, usize)>,
    /// Whether there is only one, for every host and path.
    only: bool,
}

impl Routes {
    pub(super) fn new(patterns: impl Iterator<Item = (HostPattern, String)>) -> Routes {
        let mut sorted: Vec<_> = patterns.enumerate().map(|(place, (host, path))| (host, path, place)).collect();
        sorted.sort_by_key(|(host, path, place)| {
            let rank = match host {
                HostPattern::Exact(name) => (0, name.len()),
                HostPattern::Below(name) => (1, name.len()),
                HostPattern::Any => (2, 0),
            };
            (rank.0, usize::MAX - rank.1, usize::MAX - path.trim_end_matches('/').len(), *place)
        });
        let only = matches!(&sorted[..], [(HostPattern::Any, path, _)] if path == "/");
        Routes { sorted, only }
    }

    /// The place of the route for a request; nothing where no route names its host or path.
    pub(super) fn choose(&self, host: &[u8], path: &str) -> Option<usize> {
        if self.only {
            return Some(0);
        }
        let host = name_of(host);
        self.sorted
            .iter()
            .find(|(pattern, below, _)| is_for(pattern, host) && is_below(path, below))
            .map(|found| found.2)
    }
}

/// The host without its port and without the dot that may end a name.
fn name_of(host: &[u8]) -> &[u8] {
    let name = match host.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !host[colon..].contains(&b']') => &host[..colon],
        _ => host,
    };
    name.strip_suffix(b".").unwrap_or(name)
}

fn is_for(pattern: &HostPattern, host: &[u8]) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(name) => host.eq_ignore_ascii_case(name.as_bytes()),
        HostPattern::Below(name) => {
            let Some(label) = host.len().checked_sub(name.len() + 1).filter(|length| *length > 0) else { return false };
            host[label] == b'.' && host[label + 1..].eq_ignore_ascii_case(name.as_bytes())
        }
    }
}

/// Whether `path` is `prefix` or lies below it: `/shop/a` is below `/shop`, `/shopping` is not.
pub(super) fn is_below(path: &str, prefix: &str) -> bool {
    prefix == "/" || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn routes(patterns: &[(&str, &str)]) -> Routes {
        let host = |text: &str| match text.strip_prefix("*.") {
            _ if text.is_empty() => HostPattern::Any,
            Some(name) => HostPattern::Below(name.to_owned()),
            None => HostPattern::Exact(text.to_owned()),
        };
        Routes::new(patterns.iter().map(|(name, path)| (host(name), (*path).to_owned())))
    }

    #[test]
    fn the_most_specific_route_wins() {
        let patterns = [
            ("", "/"),
            ("", "/shop"),
            ("*.example.com", "/"),
            ("*.eu.example.com", "/"),
            ("www.example.com", "/"),
            ("www.example.com", "/shop"),
            ("www.example.com", "/shop/new"),
        ];
        let routes = routes(&patterns);
        for (host, path, place) in [
            ("other.test", "/", 0),
            ("other.test", "/shopping", 0),
            ("other.test", "/shop", 1),
            ("other.test", "/shop/", 1),
            ("a.example.com", "/shop", 2),
            ("a.b.example.com", "/", 2),
            ("a.eu.example.com", "/", 3),
            ("eu.example.com", "/", 2),
            ("example.com", "/", 0),
            (".example.com", "/", 0),
            ("notexample.com", "/", 0),
            ("WWW.Example.COM:8443", "/", 4),
            ("www.example.com.", "/a", 4),
            ("www.example.com", "/shop/neww", 5),
            ("www.example.com", "/shop/new/x", 6),
            ("[2001:db8::1]:80", "/", 0),
            ("", "/", 0),
        ] {
            assert_eq!(routes.choose(host.as_bytes(), path), Some(place), "{host} {path}");
        }
    }

    #[test]
    fn a_host_nobody_named_has_no_route() {
        let routes = routes(&[("a.test", "/"), ("b.test", "/only")]);
        assert_eq!(routes.choose(b"c.test", "/"), None);
        assert_eq!(routes.choose(b"b.test", "/"), None);
        assert_eq!(routes.choose(b"b.test", "/only"), Some(1));
    }

    #[test]
    fn an_address_in_brackets_is_a_host() {
        let routes = routes(&[("[2001:db8::1]", "/")]);
        assert_eq!(routes.choose(b"[2001:DB8::1]:8080", "/"), Some(0));
        assert_eq!(routes.choose(b"[2001:db8::2]", "/"), None);
    }

    proptest! {
        #[test]
        fn the_order_they_are_written_in_does_not_matter(
            order in Just(vec![("", "/"), ("", "/a"), ("*.t", "/"), ("x.t", "/"), ("x.t", "/a"), ("x.t", "/a/b")]).prop_shuffle(),
            host in prop::sample::select(vec!["x.t", "y.t", "t", "z.y.t", "X.T:1"]),
            path in prop::sample::select(vec!["/", "/a", "/a/b", "/ab", "/a/bc", "/a/b/c", "*"]),
        ) {
            let sorted = [("", "/"), ("", "/a"), ("*.t", "/"), ("x.t", "/"), ("x.t", "/a"), ("x.t", "/a/b")];
            let one = routes(&sorted).choose(host.as_bytes(), path).map(|place| sorted[place]);
            let other = routes(&order).choose(host.as_bytes(), path).map(|place| order[place]);
            prop_assert_eq!(one, other);
        }
    }
}
