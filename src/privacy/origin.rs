//! Whether a post comes from the site's own pages, and where on the site to go back to afterwards. Both read what a
//! browser says of itself; neither trusts a word of it further than the site's own host.

use std::sync::Once;

use http::header::{ORIGIN, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderName};

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Longest path that is gone back to.
const MAX_WAY_BACK: usize = 2048;

/// Whether a request that changes something was made by a page of `host` (against cross-site request forgery).
///
/// `Sec-Fetch-Site` is the browser's own word, which no page can set. `Origin` must name the host, except that browsers
/// write `null` on a site that asks for `Referrer-Policy: no-referrer`, so there `Sec-Fetch-Site` alone decides. A
/// client that sends neither is none of the browsers in which a forgery could run, unless its `Referer` says otherwise.
pub fn is_same_site_post(headers: &HeaderMap, host: &str) -> bool {
    let mut vouched = false;
    for value in headers.get_all(&SEC_FETCH_SITE) {
        match value.as_bytes() {
            b"same-origin" => vouched = true,
            b"none" => {}
            _ => return false,
        }
    }
    let mut named = false;
    for value in headers.get_all(ORIGIN) {
        match value.as_bytes() {
            b"null" if vouched => {}
            origin if is_of_host(origin, host) => named = true,
            _ => return false,
        }
    }
    vouched || named || headers.get_all(REFERER).iter().all(|referer| is_of_host(referer.as_bytes(), host))
}

/// A browser that says itself that its page is of the same site, and yet names another host than the request does, stands behind
/// a proxy that asks for another host than it was asked for: nobody could choose anything there, so the log says it, once.
pub(super) fn tell_of_other_host(headers: &HeaderMap) {
    static TOLD: Once = Once::new();
    if headers.get_all(&SEC_FETCH_SITE).iter().any(|value| value == "same-origin") {
        TOLD.call_once(|| {
            tracing::warn!(
                "a choice was refused: the page it comes from is of another host than the request's Host; a proxy in front must \
                 pass Host on as it came (nginx: proxy_set_header Host $http_host, Apache: ProxyPreserveHost On), or be believed \
                 in X-Forwarded-Host ([gateway] trusted_proxies and trust_forwarded_host)"
            );
        });
    }
}

/// Whether a browser has said itself where a request comes from. Old ones say nothing; they do send a form that was made
/// for another site, so a post of theirs must carry what only a form of ours has.
pub(super) fn is_vouched_for(headers: &HeaderMap) -> bool {
    let by_browser = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    !by_browser
        || headers.contains_key(&SEC_FETCH_SITE)
        || headers.contains_key(ORIGIN)
        || headers.contains_key(REFERER)
}

fn is_of_host(url: &[u8], host: &str) -> bool {
    // As nearly all of them are written.
    let authority = url.strip_prefix(b"https://").or_else(|| url.strip_prefix(b"http://"));
    if authority == Some(host.as_bytes()) && !host.is_empty() {
        return true;
    }
    std::str::from_utf8(url).ok().and_then(|url| below_host(url, host)).is_some()
}

/// Where to go after the choice: the path the page's script asked for, else the page the visitor came from, else the
/// site's front page. Always a path on this host, never another site.
pub(super) fn way_back(asked: Option<&str>, headers: &HeaderMap, host: &str) -> String {
    let path = asked.filter(|path| is_local(path)).or_else(|| came_from(headers, host).filter(|path| is_local(path)));
    path.unwrap_or("/").split('#').next().unwrap_or("/").to_owned()
}

/// Path and query of the page of this host that a request says it comes from.
pub fn came_from<'h>(headers: &'h HeaderMap, host: &str) -> Option<&'h str> {
    below_host(headers.get(REFERER)?.to_str().ok()?, host)
}

/// Path and query of an `http` or `https` address on `host`; nothing for any other.
fn below_host<'a>(url: &'a str, host: &str) -> Option<&'a str> {
    let (scheme, rest) = url.split_once(':')?;
    let rest = rest.strip_prefix("//")?;
    let default_port = match scheme {
        scheme if scheme.eq_ignore_ascii_case("https") => ":443",
        scheme if scheme.eq_ignore_ascii_case("http") => ":80",
        _ => return None,
    };
    let ends = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    let (authority, path) = rest.split_at(ends.unwrap_or(rest.len()));
    let is_host = without(authority, default_port).eq_ignore_ascii_case(without(host, default_port));
    (!authority.is_empty() && is_host).then_some(if path.is_empty() { "/" } else { path })
}

/// An authority without its port, where that is the scheme's own.
fn without<'a>(authority: &'a str, default_port: &str) -> &'a str {
    authority.strip_suffix(default_port).unwrap_or(authority)
}

/// Whether a browser that is sent to `path` stays on this host: one slash first, and nothing that browsers drop or take
/// for a slash.
fn is_local(path: &str) -> bool {
    path.len() <= MAX_WAY_BACK
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_the_sites_own_pages_may_post() {
        let allowed: &[&[(&str, &str)]] = &[
            &[],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
            &[("origin", "https://shop.example")],
            &[("origin", "http://shop.example")],
            &[("origin", "https://SHOP.example:443")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("referer", "https://shop.example/a")],
        ];
        for lines in allowed {
            assert!(is_same_site_post(&headers(lines), "shop.example"), "{lines:?}");
        }
        let refused: &[&[(&str, &str)]] = &[
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "Same-Origin")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[("sec-fetch-site", "none"), ("origin", "null")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://shop.example.evil.example")],
            &[("origin", "https://www.shop.example")],
            &[("origin", "https://shop.example:8443")],
            &[("origin", "https://shop.example@evil.example")],
            &[("origin", "https://evil.example/https://shop.example")],
            &[("origin", "ftp://shop.example")],
            &[("origin", "https://shop.example"), ("origin", "https://evil.example")],
            &[("origin", "\u{fc}")],
            &[("referer", "https://evil.example/?shop.example")],
        ];
        for lines in refused {
            assert!(!is_same_site_post(&headers(lines), "shop.example"), "{lines:?}");
        }
        assert!(is_same_site_post(&headers(&[("origin", "http://[::1]:8080")]), "[::1]:8080"));
        assert!(!is_same_site_post(&headers(&[("origin", "http://[::1]")]), "[::1]:8080"));
    }

    #[test]
    fn a_browser_that_says_nothing_must_show_a_form_of_ours() {
        let vouched = |lines: &[(&'static str, &str)]| is_vouched_for(&headers(lines));
        assert!(vouched(&[]) && vouched(&[("user-agent", "curl/8")]));
        assert!(!vouched(&[("user-agent", "Mozilla/4.0")]));
        for said in ["origin", "sec-fetch-site", "referer"] {
            assert!(vouched(&[("user-agent", "Mozilla/5.0"), (said, "https://shop.example")]));
        }
    }

    #[test]
    fn the_way_back_never_leaves_the_site() {
        let back = |asked: Option<&str>, referer: Option<&str>| {
            let lines: Vec<_> = referer.map(|r| ("referer", r)).into_iter().collect();
            way_back(asked, &headers(&lines), "shop.example")
        };
        assert_eq!(back(Some("/a?b=c%20d"), None), "/a?b=c%20d");
        assert_eq!(back(None, Some("https://shop.example/a?b=c#d")), "/a?b=c");
        assert_eq!(back(None, Some("http://shop.example:80/a")), "/a");
        assert_eq!(back(Some("/asked"), Some("https://shop.example/came")), "/asked");
        assert_eq!(back(None, Some("https://shop.example")), "/");
        assert_eq!(back(None, None), "/");
        for evil in [
            "",
            "a",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/ /evil.example",
            "/a\r\nSet-Cookie: b=c",
            "/\u{fc}",
            &format!("/{}", "a".repeat(MAX_WAY_BACK)),
        ] {
            assert_eq!(back(Some(evil), None), "/", "{evil:?}");
        }
        for evil in [
            "https://evil.example/a",
            "https://shop.example@evil.example/a",
            "https://shop.example.evil.example/a",
            "https://shop.example:8443/a",
            "https://shop.example//evil.example",
            "https://shop.example\\@evil.example",
            "https://shop.example?a",
            "//shop.example/a",
            "about:blank",
            "",
        ] {
            assert_eq!(back(None, Some(evil)), "/", "{evil:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_is_a_path_of_this_host(
            asked in "[/\\\\a.:@?#\t ]{0,8}",
            referer in "(https?://)?[/\\\\a.:@?#]{0,12}",
        ) {
            let lines = [("referer", referer.as_str())];
            let path = way_back(Some(&asked), &headers(&lines), "a");
            prop_assert!(path.starts_with('/') && !path.starts_with("//"));
            prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#'));
        }
    }
}
