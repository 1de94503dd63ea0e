//! What a request is about: one of ours, a page, a frame, or anything else the site serves.

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Method};

/// What the answer to a request is for, as far as the request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A page a visitor navigates to.
    Document,
    /// A page within a page.
    Frame,
    /// Everything else; passed on as it is.
    Other,
}

impl Role {
    /// Browsers say what they ask for in `Sec-Fetch-Dest`. Who does not say gets a page where they would take one; what
    /// scripts fetch is never changed, since it is not a page even where it is HTML.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Role {
        if method != Method::GET && method != Method::HEAD && method != Method::POST {
            return Role::Other;
        }
        match headers.get("sec-fetch-dest").map(HeaderValue::as_bytes) {
            Some(b"document") => Role::Document,
            Some(b"iframe" | b"frame" | b"fencedframe" | b"embed" | b"object") => Role::Frame,
            Some(_) => Role::Other,
            None if headers.contains_key("x-requested-with") || headers.contains_key("upgrade") => Role::Other,
            None => {
                let takes_page = headers.get_all(ACCEPT).iter().any(|value| {
                    let value = value.as_bytes();
                    value.windows(9).any(|w| w == b"text/html") || value.windows(3).any(|w| w == b"*/*")
                });
                if takes_page || !headers.contains_key(ACCEPT) { Role::Document } else { Role::Other }
            }
        }
    }

    /// Whether the answer may be a page.
    pub(super) fn is_page(self) -> bool {
        self != Role::Other
    }
}

/// The path below the folder of the visitors' endpoints, or nothing where the request is the site's.
pub(super) fn own_path<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All `Cookie` headers.
pub(super) fn cookie_lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes)
}

/// Whether an answer says it is HTML.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_visitor_looks_at_is_a_page() {
        let role = |method: Method, headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            Role::of(&method, &map)
        };
        assert_eq!(role(Method::GET, &[("sec-fetch-dest", "document")]), Role::Document);
        assert_eq!(role(Method::GET, &[("sec-fetch-dest", "iframe"), ("accept", "text/html")]), Role::Frame);
        assert_eq!(role(Method::GET, &[("sec-fetch-dest", "empty"), ("accept", "text/html")]), Role::Other);
        assert_eq!(role(Method::GET, &[("accept", "text/html,*/*;q=0.8")]), Role::Document);
        assert_eq!(role(Method::GET, &[("accept", "image/avif")]), Role::Other);
        assert_eq!(role(Method::GET, &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]), Role::Other);
        assert_eq!(role(Method::GET, &[]), Role::Document);
        assert_eq!(role(Method::PUT, &[("sec-fetch-dest", "document")]), Role::Other);
    }

    #[test]
    fn a_path_that_only_begins_like_ours_is_the_sites() {
        assert_eq!(own_path("/_privacy/consent", "/_privacy"), Some("/consent"));
        assert_eq!(own_path("/_privacy", "/_privacy"), Some(""));
        assert_eq!(own_path("/_privacyx", "/_privacy"), None);
        assert_eq!(own_path("/a/_privacy/", "/_privacy"), None);
    }
}
