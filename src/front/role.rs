//! What a request is about: one of ours, a page, a frame, or anything else the site serves.

use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, DNT, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::consent::Signals;

/// What the answer to a request is for, as far as the request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A page a visitor navigates to.
    Document,
    /// HTML that becomes part of a page: a frame, or a piece that a script fetches. Its tags are gated, but it shows no
    /// banner: the page around it does.
    Part,
    /// Everything else; passed on as it is.
    Other,
}

static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");

/// What libraries that fetch pieces of pages say of themselves.
const PIECE: [&str; 5] = ["hx-request", "turbo-frame", "x-pjax", "x-up-version", "x-up-target"];
/// What scripts say that fetch anything, a piece of a page or data.
static REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

impl Role {
    /// Browsers say what they ask for in `Sec-Fetch-Dest`, on safe connections. Without it a browser that accepts a page is
    /// taken to navigate, and so is a program that [says nothing](says_nothing) of itself. A service worker that passes a navigation
    /// on says `empty`, of a page and of a frame alike, and a banner in a frame does less harm than a page without. Other
    /// methods are scripts', which may show what they are answered. Who announces a piece of a page need not accept HTML by name.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Role {
        if headers.contains_key(UPGRADE) {
            return Role::Other;
        }
        let part = || if accepts(headers, &[b"html"]) || is_piece(headers) { Role::Part } else { Role::Other };
        if !asks_for_page(method) {
            return part();
        }
        match headers.get(&SEC_FETCH_DEST).map(HeaderValue::as_bytes) {
            Some(b"document") => Role::Document,
            Some(b"iframe" | b"frame" | b"fencedframe" | b"embed" | b"object") => Role::Part,
            Some(b"empty") if navigates(headers) && accepts_page(headers) => Role::Document,
            Some(b"empty" | b"") => part(),
            Some(_) => Role::Other,
            None if is_fetched(headers) => part(),
            None if accepts_page(headers) => Role::Document,
            None if is_anyones(headers) => Role::Document,
            None => part(),
        }
    }

    /// Whether the answer may be a page or a part of one.
    pub(super) fn is_page(self) -> bool {
        self != Role::Other
    }
}

/// Whether a request does not say whether it is for a page, so that only its answer can.
pub(super) fn says_nothing(headers: &HeaderMap) -> bool {
    !headers.contains_key(&SEC_FETCH_DEST) && !is_fetched(headers) && !accepts_page(headers) && is_anyones(headers)
}

/// Whether it accepts anything, and is no browser's, who would have said more.
fn is_anyones(headers: &HeaderMap) -> bool {
    let by_browser = headers.get(USER_AGENT).is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/"));
    accepts_anything(headers) && !by_browser && !is_grpc(headers)
}

/// Whether a request accepts anything alike.
fn accepts_anything(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_none_or(|accept| accept.as_bytes().starts_with(b"*/*"))
}

/// Whether a script says that it asks.
fn is_fetched(headers: &HeaderMap) -> bool {
    headers.contains_key(&REQUESTED_WITH) || PIECE.iter().any(|name| headers.contains_key(*name))
}

/// Whether what a script asks for is a piece of a page, or may be one; data it would have named.
fn is_piece(headers: &HeaderMap) -> bool {
    let may_be = || headers.contains_key(&REQUESTED_WITH) && accepts_anything(headers);
    PIECE.iter().any(|name| headers.contains_key(*name)) || may_be()
}

/// Whether browsers navigate by such a method, or programs do that follow them.
pub(super) fn asks_for_page(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::POST)
}

/// Whether a browser says that it navigates.
fn navigates(headers: &HeaderMap) -> bool {
    headers.get(&SEC_FETCH_MODE).is_some_and(|mode| mode.as_bytes() == b"navigate")
}

/// Whether a request names a page's media type among what it accepts.
fn accepts_page(headers: &HeaderMap) -> bool {
    accepts(headers, &[b"text/html", b"application/xhtml+xml"])
}

/// Whether one of `kinds` stands in what a request accepts.
fn accepts(headers: &HeaderMap, kinds: &[&[u8]]) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| {
        let names = |kind: &&[u8]| accept.as_bytes().windows(kind.len()).any(|part| part.eq_ignore_ascii_case(kind));
        kinds.iter().any(names)
    })
}

/// Whether a request is a call of gRPC, which nobody looks at.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// What the headers say on the visitor's behalf (C8).
pub(super) fn signals(headers: &HeaderMap, honour_dnt: bool) -> Signals {
    let fields = |name| headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    let signals = Signals::read(fields(&SEC_GPC));
    if honour_dnt { signals.with_dnt(fields(&DNT)) } else { signals }
}

/// The path below the folder of the visitors' endpoints, or nothing where the request is the site's.
pub(super) fn own_path<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All `Cookie` headers.
pub(super) fn cookie_lines(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes)
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
        let (browser, curl) = (("user-agent", "Mozilla/5.0"), ("user-agent", "curl/8"));
        let (page, any) = (("accept", "text/html,*/*;q=0.8"), ("accept", "*/*"));
        for (headers, expected) in [
            (&[("sec-fetch-dest", "document"), any][..], Role::Document),
            (&[("sec-fetch-dest", "iframe"), page], Role::Part),
            (&[("sec-fetch-dest", "empty"), page], Role::Part),
            (&[("sec-fetch-dest", "empty"), any], Role::Other),
            (&[("sec-fetch-dest", "image"), page], Role::Other),
            (&[browser, page], Role::Document),
            (&[browser, any], Role::Other),
            (&[browser, page, ("x-requested-with", "XMLHttpRequest")], Role::Part),
            (&[browser, page, ("upgrade", "websocket")], Role::Other),
            (&[curl, any], Role::Document),
            (&[curl, any, ("range", "bytes=0-1")], Role::Document),
            (&[("user-agent", "grpc-go/1.71.0"), ("content-type", "application/grpc+proto")], Role::Other),
            (&[], Role::Document),
        ] {
            assert_eq!(role(Method::GET, headers), expected, "{headers:?}");
        }
        assert_eq!(role(Method::PUT, &[("sec-fetch-dest", "document")]), Role::Other);
        let streams = ("accept", "text/vnd.turbo-stream.html");
        for headers in [&[("sec-fetch-dest", "empty"), streams][..], &[browser, streams]] {
            assert_eq!(role(Method::GET, headers), Role::Part, "{headers:?}");
        }
    }

    #[test]
    fn rule_k4_a_piece_that_is_announced_is_one_whatever_it_accepts() {
        let role = |method: &Method, name: &'static str, accept: &'static str, dest: Option<&'static str>| {
            let mut map = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            map.insert(USER_AGENT, HeaderValue::from_static("Mozilla/5.0"));
            map.insert(name, HeaderValue::from_static("1"));
            map.extend(dest.map(|dest| (SEC_FETCH_DEST.clone(), HeaderValue::from_static(dest))));
            Role::of(method, &map)
        };
        for (method, dest) in
            [(Method::GET, None), (Method::GET, Some("empty")), (Method::POST, None), (Method::PUT, None)]
        {
            for name in ["hx-request", "turbo-frame", "x-pjax", "x-up-version", "x-up-target", "x-requested-with"] {
                assert_eq!(role(&method, name, "*/*", dest), Role::Part, "{method} {name} {dest:?}");
            }
            let json = "application/json, text/javascript, */*; q=0.01";
            assert_eq!(role(&method, "x-requested-with", json, dest), Role::Other, "{method} {dest:?}");
            assert_eq!(role(&method, "x-csrf-token", "*/*", dest), Role::Other, "{method} {dest:?}");
        }
        assert_eq!(role(&Method::GET, "hx-request", "*/*", Some("document")), Role::Document);
    }

    #[test]
    fn rule_k4_a_page_that_a_service_worker_passes_on_is_a_page() {
        let role = |mode: &'static str, accept: &'static str| {
            let fields = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", mode), ("accept", accept)];
            let headers = fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            Role::of(&Method::GET, &HeaderMap::from_iter(headers))
        };
        assert_eq!(role("navigate", "text/html,application/xhtml+xml,*/*;q=0.8"), Role::Document);
        assert_eq!(role("navigate", "*/*"), Role::Other);
        for mode in ["cors", "same-origin", "no-cors"] {
            assert_eq!(role(mode, "text/html,*/*"), Role::Part, "{mode}");
        }
    }

    #[test]
    fn rule_k4_what_a_script_is_answered_by_any_method_may_be_shown() {
        let accept = |accept: &'static str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(Role::of(&method, &accept("text/html, application/xhtml+xml")), Role::Part, "{method}");
            assert_eq!(Role::of(&method, &accept("*/*")), Role::Other, "{method}");
            assert_eq!(Role::of(&method, &HeaderMap::new()), Role::Other, "{method}");
        }
    }

    #[test]
    fn a_path_that_only_begins_like_ours_is_the_sites() {
        assert_eq!(own_path("/_privacy/consent", "/_privacy"), Some("/consent"));
        assert_eq!(own_path("/_privacy", "/_privacy"), Some(""));
        assert_eq!(own_path("/_privacyx", "/_privacy"), None);
        assert_eq!(own_path("/a/_privacy/", "/_privacy"), None);
    }
}
