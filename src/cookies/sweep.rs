//! What escaped a withdrawal (C6) goes as soon as it is seen: a cookie on a path that nobody knew of is sent again with the
//! next page there, and then its path is one of the few that lead to that page.

use http::HeaderValue;

use super::Catalogue;
use super::expire::{Came, Lines, both};
use super::place::{domains, folders, whole};
use crate::consent::PurposeSet;

/// The most names that are expired in one answer.
const MOST_NAMES: usize = 8;
/// The most lines in one answer, and the bytes they may take: it goes out with a page and is paid for with each.
const MOST_LINES: usize = 24;
const MOST_BYTES: usize = 2 * 1024;

/// `Set-Cookie` lines that expire the cookies a browser sent (`lines`: all `Cookie` headers) with the request of a page at
/// `path` although they are not permitted, declared or not. For visitors who have chosen; before that nothing on their
/// device is touched. They go to the places that fit the request, for all names to one place and then to the next, so that
/// a cookie which a script sets again with each page does not stand in the way of others.
///
/// What is not declared goes for the host alone: on a domain above it may be another service's, which is not ours to end
/// with each page.
pub fn sweep<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    catalogue: &Catalogue,
    permitted: PurposeSet,
    host: &str,
    path: &str,
) -> Vec<HeaderValue> {
    let names: Vec<&[u8]> = Came::read(lines, catalogue, permitted, MOST_NAMES).all().take(MOST_NAMES).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let domains = domains(host);
    let mut paths = vec!["/".to_owned()];
    paths.extend(folders(path).flat_map(both).chain(whole(path).map(str::to_owned)));
    let mut swept = Lines::new(MOST_LINES, MOST_BYTES);
    // At the top and in the folders for the host alone; then for its domains.
    for domain in &domains {
        let here = |name: &&&[u8]| domain.is_none() || catalogue.purpose(name).is_some();
        for path in &paths {
            names.iter().filter(here).for_each(|name| swept.add(name, path, *domain, false));
        }
    }
    // In a partition. A browser that came without TLS has none, and ignores the line.
    names.iter().for_each(|name| swept.add(name, "/", None, true));
    swept.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeclaredCookie;

    fn swept(cookies: &str, path: &str) -> Vec<String> {
        let declared = |name: &str, purpose| DeclaredCookie { name: name.into(), purpose, ..DeclaredCookie::default() };
        let catalogue = Catalogue::new(&[declared("sid", 0), declared("ad", 3)], Some(2));
        let lines = sweep([cookies.as_bytes()], &catalogue, PurposeSet::of([0]), "www.shop.test", path);
        lines.iter().map(|line| line.to_str().unwrap().replace("=; Max-Age=0; Path=", " ")).collect()
    }

    #[test]
    fn rule_c6_what_escaped_goes_where_the_request_shows_it() {
        assert!(swept("sid=1; consentry=x", "/shop/item").is_empty());
        let lines = swept("sid=1; ad=2; undeclared=3", "/shop/item");
        for path in ["/", "/shop", "/shop/", "/shop/item"] {
            for line in [format!("ad {path}"), format!("ad {path}; Domain=shop.test"), format!("undeclared {path}")] {
                assert!(lines.contains(&line), "{line} in {lines:?}");
            }
        }
        assert!(!lines.iter().any(|line| line.starts_with("undeclared") && line.contains("Domain")), "{lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with("sid")));
        assert!(swept("ad=1", "/").contains(&"ad /; Secure; Partitioned".to_owned()));
    }

    #[test]
    fn rule_c6_what_is_declared_goes_first_and_what_has_no_name_goes_too() {
        let many: String = (0..100).map(|i| format!("c{i}=1; ")).collect();
        let lines = swept(&format!("{many}bare; ad=1"), "/");
        assert_eq!(lines[..3], ["ad /", "=x; Max-Age=0; Path=/", "c0 /"]);
        assert!(lines.contains(&"ad /; Domain=shop.test".to_owned()), "{lines:?}");
    }

    #[test]
    fn a_page_carries_few_lines() {
        let many: Vec<String> = (0..1000).map(|i| format!("c{i}=1")).collect();
        assert_eq!(swept(&many.join("; "), "/a/b/c/d/e").len(), MOST_LINES);
    }
}
