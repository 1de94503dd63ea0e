//! Withdrawal (C6): the cookies a browser still has of purposes that are no longer permitted are made to expire.

use http::HeaderValue;

use super::Catalogue;
use super::pairs::{name, pairs};
use crate::consent::PurposeSet;

/// The most names that are expired in one answer.
const MOST_NAMES: usize = 40;
/// The most lines in one answer: proxies in front bound an answer's head, often to 8 KiB.
const MOST_LINES: usize = 90;
/// The longest name that is expired. A line of ours must not be what bursts the head.
const LONGEST_NAME: usize = 256;

/// `Set-Cookie` lines that expire every cookie the browser sent (`lines`, all `Cookie` headers) and may not keep.
///
/// What the browser sent says nothing of domain and path, so each name is expired for the host alone, for the domain `host` and
/// for each domain above it, all with `Path=/`. A cookie with another path or in another partition stays in the browser, but
/// [`filter_request`](super::filter_request) keeps it from the site. `host` is the request's host, with or without port.
pub fn expire<'a>(
    lines: impl IntoIterator<Item = &'a [u8]>,
    catalogue: &Catalogue,
    permitted: PurposeSet,
    host: &str,
) -> Vec<HeaderValue> {
    let mut names: Vec<&[u8]> = Vec::new();
    for (_, pair) in lines.into_iter().flat_map(pairs) {
        // A cookie without a name is sent as its value alone; there is no line that would expire it.
        let Some(name) = name(pair).filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME) else { continue };
        if names.len() < MOST_NAMES && !catalogue.permits(name, permitted) && !names.contains(&name) {
            names.push(name);
        }
    }
    let domains: Vec<&str> = domains(host).collect();
    let mut expired = Vec::new();
    // The host's own cookies first, so that a bound that is hit leaves out the least likely.
    for domain in std::iter::once(None).chain(domains.into_iter().map(Some)) {
        expired.extend(names.iter().filter_map(|name| line(name, domain)));
    }
    expired.truncate(MOST_LINES);
    expired
}

/// The host and every domain above it that a cookie could have been set for. A browser ignores lines for public suffixes.
fn domains(host: &str) -> impl Iterator<Item = &str> {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host });
    let name = name.trim_end_matches('.');
    // An address has no domains above it (RFC 6265 §5.1.3), and what is no host name belongs in no header.
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let is_address = name.rsplit('.').next().is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    let usable = if is_name && !is_address && name.len() <= 253 { name } else { "" };
    let above = |name: &&'_ str| -> Option<usize> { name.find('.').map(|dot| dot + 1) };
    std::iter::successors(Some(usable), move |name| above(name).and_then(|from| name.get(from..)))
        .filter(|name| name.contains('.') || *name == "localhost")
        .take(8)
}

fn line(name: &[u8], domain: Option<&str>) -> Option<HeaderValue> {
    let starts =
        |prefix: &str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()));
    let host_only = starts("__Host-");
    if host_only && domain.is_some() {
        return None;
    }
    let mut line = name.to_vec();
    line.extend_from_slice(b"=; Max-Age=0; Path=/");
    if let Some(domain) = domain {
        line.extend_from_slice(b"; Domain=");
        line.extend_from_slice(domain.as_bytes());
    }
    if host_only || starts("__Secure-") {
        line.extend_from_slice(b"; Secure");
    }
    HeaderValue::from_bytes(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeclaredCookie;

    fn expired(cookies: &str, host: &str) -> Vec<String> {
        let sid = DeclaredCookie {
            name: "sid".into(),
            prefix: false,
            purpose: 0,
            provider: None,
            period: None,
            description: None,
        };
        let catalogue = Catalogue::new(&[sid], Some(2));
        let lines = expire([cookies.as_bytes()], &catalogue, PurposeSet::of([0]), host);
        lines.iter().map(|line| line.to_str().expect("is ASCII").replace("=; Max-Age=0; Path=/", "")).collect()
    }

    #[test]
    fn rule_c6_what_may_not_stay_is_expired_for_host_and_domains() {
        let lines = expired("sid=1; _ga=2; consentry=x; consentry_visitor=y; _ga=3", "www.shop.example.org:8443");
        let domains = ["", "; Domain=www.shop.example.org", "; Domain=shop.example.org", "; Domain=example.org"];
        let expected: Vec<String> =
            domains.iter().flat_map(|d| ["_ga", "consentry_visitor"].map(|name| format!("{name}{d}"))).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_address_has_no_domains() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "[::1]:80", "a b.org", "a.org;x", "", "."] {
            assert_eq!(expired("_ga=1", host), ["_ga"], "{host}");
        }
        assert_eq!(expired("_ga=1", "localhost:8080"), ["_ga", "_ga; Domain=localhost"]);
        assert_eq!(expired("_ga=1", "example.org."), ["_ga", "_ga; Domain=example.org"]);
    }

    #[test]
    fn prefixed_names_are_expired_as_browsers_demand() {
        assert_eq!(
            expired("__Host-a=1; __Secure-b=2", "example.org"),
            ["__Host-a; Secure", "__Secure-b; Secure", "__Secure-b; Domain=example.org; Secure"]
        );
    }

    #[test]
    fn the_answer_stays_bounded() {
        let many: Vec<String> = (0..1000).map(|i| format!("c{i}=1")).collect();
        assert_eq!(expired(&many.join("; "), "a.b.c.d.example.org").len(), MOST_LINES);
        assert!(expired(&format!("{}=1; =2; noname; ", "x".repeat(5000)), "example.org").is_empty());
    }
}
