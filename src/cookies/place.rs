//! Where a cookie lies in a browser: beside its name its domain, its path and its partition tell it from others (RFC 6265
//! §5.3, CHIPS), and only a line that names all of them makes it expire. A request says none of it.

use crate::pseudonym::{RawUrl, scrub};

/// The longest path of a cookie that is dealt with, in bytes.
pub(super) const LONGEST_PATH: usize = 256;
/// The most folders of one path that are looked at: the deepest ones of a deeper path are left out.
pub(super) const DEEPEST: usize = 4;
/// The most domains a host belongs to that are looked at.
const MOST_DOMAINS: usize = 8;

/// Second labels under which a country's registry gives out names: nobody can set cookies for them.
const REGISTRIES: [&str; 17] =
    ["ac", "co", "com", "edu", "gob", "gov", "gv", "ltd", "me", "mil", "ne", "net", "nhs", "or", "org", "plc", "sch"];

/// Where one cookie lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// As the browser has it: with or without a slash at its end.
    pub path: Box<str>,
    /// In lower case; `None` for a cookie of one host alone.
    pub domain: Option<Box<str>>,
    /// Whether it lies apart for each site it is embedded in.
    pub partitioned: bool,
}

/// The path a cookie has whose line names none (RFC 6265 §5.1.4): the folder of the request's.
pub(super) fn default_path(path: &str) -> &str {
    let path = without_query(path);
    match path.rfind('/') {
        Some(slash) if slash > 0 && path.starts_with('/') => path.get(..slash).unwrap_or("/"),
        _ => "/",
    }
}

/// The folders a page at `path` lies in, `/` apart, the deepest first and without the slash at their ends: `/a/b` and `/a`
/// for `/a/b/c`. Those a browser would keep no cookie for are left out.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    fn above<'p>(path: &&'p str) -> Option<&'p str> {
        path.rfind('/').and_then(|slash| path.get(..slash))
    }
    let all = std::iter::successors(Some(default_path(path)), above);
    let usable = |path: &&str| path.len() > 1 && is_path(path) && depth(path) <= DEEPEST;
    all.filter(usable)
}

/// The path itself, without its query, where a cookie could have it.
pub(super) fn whole(path: &str) -> Option<&str> {
    Some(without_query(path)).filter(|path| path.len() > 1 && is_path(path))
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

/// How many parts a path without a slash at its end has.
pub(super) fn depth(path: &str) -> usize {
    memchr::memchr_iter(b'/', path.as_bytes()).count()
}

/// Whether a line may hold it as its path.
pub(super) fn is_path(path: &str) -> bool {
    path.len() <= LONGEST_PATH
        && path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';')
}

/// Whether a domain may stand in a line. In lower case.
pub(super) fn is_domain(domain: &str) -> bool {
    (1..=253).contains(&domain.len())
        && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Whether visitors may be told of what other visitors' requests had in their paths or cookies' names: words as sites name
/// their sections, nothing that looks like a number of something, a token or a person's. Scrubbing would change nothing of
/// it; no part of it is longer than 40 characters or holds more than four digits.
pub(super) fn is_tellable(path: &str) -> bool {
    let is_plain = |part: &str| {
        part.len() <= 40
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
            && part.bytes().filter(u8::is_ascii_digit).count() <= 4
    };
    is_path(path) && path.split('/').all(is_plain) && is_left_alone(path)
}

/// The same for a name of which the configuration declares the beginning only: it may end in a number of the site's account
/// somewhere (`_ga_1A2B3C4D5E`), but in nothing that is known as a person's.
pub(super) fn is_tellable_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/') && is_left_alone(&format!("/{name}"))
}

fn is_left_alone(path: &str) -> bool {
    scrub::scrub_path(&RawUrl::new(path), &[]) == path
}

/// What a cookie on `host` can have as its domain: first none at all, then the host and every domain above it, likely ones
/// first: the highest that is nobody's registry, for which statistics of third parties set theirs, and from there down.
/// `host` is with or without port. A browser ignores lines for public suffixes.
pub(super) fn domains(host: &str) -> Vec<Option<&str>> {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
    let name = name.trim_end_matches('.');
    // An address has no domains above it (RFC 6265 §5.1.3), and what is no host name belongs in no header.
    let is_address = name.rsplit('.').next().is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let usable = if is_domain(name) && !is_address { name } else { "" };
    let above = |name: &&'_ str| -> Option<usize> { name.find('.').map(|dot| dot + 1) };
    let mut all: Vec<Option<&str>> =
        std::iter::successors(Some(usable), move |name| above(name).and_then(|from| name.get(from..)))
            .filter(|name| name.contains('.') || *name == "localhost")
            .map(Some)
            .take(MOST_DOMAINS)
            .collect();
    all.push(None);
    all.reverse();
    if all.get(1).is_some_and(|highest| highest.is_some_and(is_registry)) {
        all[1..].rotate_left(1);
    }
    all
}

/// Whether it looks like `co.uk`. Only its place in the order rests on it.
fn is_registry(domain: &str) -> bool {
    domain.split_once('.').is_some_and(|(second, country)| country.len() == 2 && REGISTRIES.contains(&second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_without_a_path_has_the_folder_of_its_request() {
        for (path, expected) in
            [("", "/"), ("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b?c=/d", "/a"), ("a/b", "/"), ("/a//b", "/a/")]
        {
            assert_eq!(default_path(path), expected, "{path}");
        }
    }

    #[test]
    fn folders_lead_from_a_page_to_the_top() {
        let all = |path: &str| folders(path).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(all("/a/b/c?d=/e"), ["/a/b", "/a"]);
        assert_eq!(all("/a/"), ["/a"]);
        assert!(all("/").is_empty() && all("/a").is_empty() && all("").is_empty() && all("a/b/c").is_empty());
        assert_eq!(all("/1/2/3/4/5/6"), ["/1/2/3/4", "/1/2/3", "/1/2", "/1"]);
        assert!(all("/\u{fc}/x").is_empty() && all("/a;b/x").is_empty());
        assert_eq!(whole("/a?b"), Some("/a"));
        assert_eq!(whole("/"), None);
    }

    #[test]
    fn no_visitor_is_told_what_may_be_another_visitors() {
        for tellable in ["/shop", "/en-GB/shop", "/2024/05", "/v2.1/docs_old", "/_ga_AB12"] {
            assert!(is_tellable(tellable), "{tellable}");
        }
        for hidden in [
            "/users/12345",
            "/jane@example.org",
            "/~jane",
            "/caf%C3%A9",
            "/01632960123",
            "/0123456789abcdef0123",
            "/a b",
            "/QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            "/abcdefghij-abcdefghij-abcdefghij-abcdefghij",
            "shop",
        ] {
            assert!(!is_tellable(hidden), "{hidden}");
        }
    }

    #[test]
    fn a_name_may_end_in_a_number_of_the_sites_but_not_in_a_persons() {
        for tellable in ["_ga_1A2B3C4D5E", "_hjSession_1234567", "_gat_UA-123456-1", "_pk_id.1.1fff"] {
            assert!(is_tellable_name(tellable), "{tellable}");
        }
        for hidden in ["seen_jane@example.org", "u_07700900123", "s_0123456789abcdef0123", "a/b", "a b"] {
            assert!(!is_tellable_name(hidden), "{hidden}");
        }
    }

    #[test]
    fn an_address_has_no_domains_and_a_registry_comes_last() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "[::1]:80", "a b.org", "a.org;x", "", "."] {
            assert_eq!(domains(host), [None], "{host}");
        }
        assert_eq!(domains("localhost:8080"), [None, Some("localhost")]);
        assert_eq!(domains("example.org."), [None, Some("example.org")]);
        let all = domains("www.shop.co.uk:443");
        assert_eq!(all, [None, Some("shop.co.uk"), Some("www.shop.co.uk"), Some("co.uk")]);
        let all = domains("www.x.de");
        assert_eq!(all, [None, Some("x.de"), Some("www.x.de")]);
    }
}
