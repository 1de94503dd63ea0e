//! The head of an answer that carries a page: whether the page is one we can change, and what the head must say once we do
//! (K7). Never looks at the body. Called by the front door before the first byte of the page leaves.

mod content_type;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::response::Parts;

pub use content_type::{ContentType, named_encoding};

use super::scan::Markup;

/// How the page an answer carries is to be read; `None` where the answer must pass untouched.
///
/// Pages are changed whatever their status is, error pages too, but not parts of pages (206), downloads, bodies somebody
/// has compressed, and encodings in which a byte `<` need not be one. `no-transform` is obeyed (RFC 9110 §7.7).
///
/// Such a page has no banner and its tags are not gated, so ask the upstream for `identity`.
pub fn eligible(parts: &Parts) -> Option<Markup> {
    if matches!(
        parts.status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
    ) || parts.status.is_informational()
    {
        return None;
    }
    let markup = ContentType::of(&parts.headers).markup()?;
    let whole = |name: HeaderName, refused: &str| !has_token(&parts.headers, name, refused);
    let readable = content_type::is_ascii_compatible(&parts.headers)
        && parts.headers.get_all(header::CONTENT_ENCODING).iter().all(|coding| {
            let coding = coding.as_bytes().trim_ascii();
            coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
        });
    (readable && !is_download(&parts.headers) && whole(header::CACHE_CONTROL, "no-transform")).then_some(markup)
}

/// Whether an answer is to be saved rather than shown, for certain: browsers look at what the one line begins with.
pub fn is_download(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_DISPOSITION).iter().map(HeaderValue::as_bytes);
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let kind = line.split(|&byte| byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"attachment")
}

/// Whether a header whose values are lists, by `,` or `;`, has `token` among them.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        let mut parts = value.as_bytes().split(|&byte| byte == b',' || byte == b';');
        parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    })
}

/// Makes the head of an answer say what is true of the changed page.
///
/// `added` is how many bytes longer the page becomes, as [`Insert::len`](super::Insert::len) knows it; `None` where that is
/// not known beforehand, as with a [`Gate`](super::gate::Gate). Also for answers to `HEAD`.
///
/// - The length is corrected or taken out.
/// - Whatever names the bytes of the site's page is taken out: validators, digests, ranges.
/// - No shared cache keeps the page, whichever header it listens to (RFC 9111, RFC 9213 and older custom), and the browser
///   asks again each time, since what it got depends on the choice (K7). The site's `no-store` stays.
pub fn prepare_head(parts: &mut Parts, added: Option<u64>) {
    let headers = &mut parts.headers;
    match (content_length(headers), added) {
        (Some(length), Some(added)) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length.saturating_add(added)));
        }
        _ => {
            headers.remove(header::CONTENT_LENGTH);
        }
    }
    // One pass over the names costs less than a look-up for each that is unwanted and mostly absent.
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| is_unwanted(name)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
    depends_on_choice(headers);
}

/// What a page depends on: the choice, and whether it was asked for as a page. A script may fetch it as it is, and its browser
/// goes back to a page without asking, so that what was fetched must not be taken for the page.
const VARIES: [&str; 3] = ["cookie", "accept", "sec-fetch-dest"];
const VARY: &str = "Cookie, Accept, Sec-Fetch-Dest";
const VARY_WITH_LANGUAGE: &str = "Cookie, Accept, Sec-Fetch-Dest, Accept-Language";

/// Makes the head of a page say that it depends on the choice and on what it was asked for as: no shared cache keeps it, and the
/// browser asks again each time (K7). Also where only the head was changed, by cookies or a policy.
pub fn depends_on_choice(headers: &mut HeaderMap) {
    forbid_other_caches(headers);
    let has = |token: &str| has_token(headers, header::CACHE_CONTROL, token);
    let cache = match (has("no-store"), has("no-transform")) {
        (false, false) => "private, no-cache",
        (false, true) => "private, no-cache, no-transform",
        (true, false) => "private, no-cache, no-store",
        (true, true) => "private, no-cache, no-store, no-transform",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    let varies = |token: &&str| has_token(headers, header::VARY, token);
    if !varies(&"*") && !VARIES.iter().all(varies) {
        headers.append(header::VARY, HeaderValue::from_static(VARY));
    }
}

/// Makes the head of a page say that it also depends on the languages the browser asks for: so it is where there are words of
/// ours in it.
pub fn depends_on_language(headers: &mut HeaderMap) {
    if has_token(headers, header::VARY, "accept-language") || has_token(headers, header::VARY, "*") {
        return;
    }
    // Mostly the line there is, is ours.
    match headers.get_mut(header::VARY).filter(|line| *line == VARY) {
        Some(line) => *line = HeaderValue::from_static(VARY_WITH_LANGUAGE),
        None => {
            headers.append(header::VARY, HeaderValue::from_static("Accept-Language"));
        }
    }
}

/// Keeps an answer that sets cookies, or would set them for another choice, out of shared caches (K7): there a cookie that one
/// visitor permits would reach one who does not. The browser's own cache may keep it as the site says.
pub fn sets_cookies(headers: &mut HeaderMap) {
    forbid_other_caches(headers);
    let is_safe = |token: &str| has_token(headers, header::CACHE_CONTROL, token);
    if is_safe("private") || is_safe("no-store") {
        return;
    }
    // One line, and nothing in it that says the contrary: caches differ in which of two contradicting words they believe.
    let mut control = b"private".to_vec();
    for line in headers.get_all(header::CACHE_CONTROL) {
        let directives = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        for directive in directives.filter(|directive| !is_for_shared_caches(directive)) {
            control.extend_from_slice(b", ");
            control.extend_from_slice(directive);
        }
    }
    let control = HeaderValue::from_bytes(&control).expect("pieces of header values, and commas, are a header value");
    headers.insert(header::CACHE_CONTROL, control);
}

/// Whether a directive of `Cache-Control` invites shared caches (RFC 9111 §5.2.2.9, §5.2.2.10), or is none at all.
fn is_for_shared_caches(directive: &[u8]) -> bool {
    let name = directive.split(|&byte| byte == b'=').next().unwrap_or_default().trim_ascii();
    name.is_empty() || name.eq_ignore_ascii_case(b"public") || name.eq_ignore_ascii_case(b"s-maxage")
}

/// Takes out what speaks to shared caches past `Cache-Control`.
fn forbid_other_caches(headers: &mut HeaderMap) {
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| is_for_other_caches(name)).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

/// The length the upstream announced, if it announced one that can be believed.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = values.next()?;
    values.all(|other| other == first).then_some(())?;
    first.to_str().ok()?.trim().parse().ok()
}

/// Headers that speak of the bytes the site sent, or tell caches to keep them.
fn is_unwanted(name: &HeaderName) -> bool {
    const UNWANTED: [&str; 9] = [
        "accept-ranges",
        "content-digest",
        "content-md5",
        "digest",
        "etag",
        "expires",
        "last-modified",
        "pragma",
        "repr-digest",
    ];
    UNWANTED.contains(&name.as_str())
}

/// Headers that tell shared caches more than `Cache-Control` does (RFC 9213 and older custom).
fn is_for_other_caches(name: &HeaderName) -> bool {
    match name.as_str() {
        "surrogate-control" | "x-accel-expires" | "edge-control" => true,
        name => name.ends_with("cdn-cache-control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Parts {
        let mut builder = http::Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("a test's head is valid").into_parts().0
    }

    fn all<'a>(parts: &'a Parts, name: &str) -> Vec<&'a str> {
        parts.headers.get_all(name).iter().map(|value| value.to_str().expect("is ASCII")).collect()
    }

    #[test]
    fn pages_are_changed_whatever_their_status() {
        for status in [200, 201, 403, 404, 500, 503] {
            let parts = answer(status, &[("content-type", "text/html; charset=utf-8")]);
            assert_eq!(eligible(&parts), Some(Markup::Html), "{status}");
        }
        for status in [204, 205, 206, 304] {
            assert_eq!(eligible(&answer(status, &[("content-type", "text/html")])), None, "{status}");
        }
        let xhtml = answer(200, &[("content-type", " Application/XHTML+XML ;charset=\"UTF-8\"")]);
        assert_eq!(eligible(&xhtml), Some(Markup::Xhtml));
    }

    #[test]
    fn what_is_no_readable_page_passes_untouched() {
        let html = ("content-type", "text/html");
        for headers in [
            &[][..],
            &[("content-type", "text/plain")],
            &[("content-type", "text/html+xml")],
            &[("content-type", "text/html; charset=UTF-16")],
            &[("content-type", "text/html; charset=\"utf-16le\"")],
            &[("content-type", "text/html; CharSet = iso-2022-jp")],
            &[("content-type", "text/html;charset=utf-7;charset=utf-16")][..0],
            &[html, ("content-encoding", "gzip")],
            &[html, ("content-encoding", "identity"), ("content-encoding", "br")],
            &[html, ("content-disposition", "Attachment; filename=\"a.html\"")],
            &[html, ("cache-control", "public, No-Transform")],
        ] {
            assert_eq!(eligible(&answer(200, headers)), None, "{headers:?}");
        }
        for headers in [
            &[("content-type", "text/html;charset=windows-1252")][..],
            &[("content-type", "text/html;charset=who-knows")],
            &[("content-type", "text/html;charset=Shift_JIS")],
            &[html, ("content-encoding", "Identity")],
            &[html, ("content-disposition", "inline; filename=attachment.html")],
            &[html, ("content-disposition", "inline; attachment")],
            &[html, ("content-disposition", "filename=x; attachment")],
            &[html, ("content-disposition", "attachment"), ("content-disposition", "inline")],
        ] {
            assert_eq!(eligible(&answer(200, headers)), Some(Markup::Html), "{headers:?}");
        }
    }

    #[test]
    fn rule_k7_no_shared_cache_keeps_a_changed_page() {
        let mut parts = answer(
            200,
            &[
                ("cache-control", "public, max-age=600"),
                ("cache-control", "s-maxage=900"),
                ("cdn-cache-control", "max-age=60"),
                ("cloudflare-cdn-cache-control", "max-age=60"),
                ("surrogate-control", "max-age=60"),
                ("expires", "Wed, 21 Oct 2037 07:28:00 GMT"),
                ("vary", "Accept-Language"),
            ],
        );
        prepare_head(&mut parts, Some(0));
        assert_eq!(all(&parts, "cache-control"), ["private, no-cache"]);
        assert_eq!(all(&parts, "vary"), ["Accept-Language", VARY]);
        for gone in ["cdn-cache-control", "cloudflare-cdn-cache-control", "surrogate-control", "expires"] {
            assert!(all(&parts, gone).is_empty(), "{gone}");
        }
    }

    #[test]
    fn rule_k7_a_page_with_words_of_ours_depends_on_the_language_asked_for() {
        for (given, want) in [
            (&[][..], &["Accept-Language"][..]),
            (&[VARY], &[VARY_WITH_LANGUAGE]),
            (&["Cookie"], &["Cookie", "Accept-Language"]),
            (&["Accept"], &["Accept", "Accept-Language"]),
            (&["accept-language, cookie"], &["accept-language, cookie"]),
            (&["*"], &["*"]),
        ] {
            let given: Vec<_> = given.iter().map(|value| ("vary", *value)).collect();
            let mut parts = answer(200, &given);
            depends_on_language(&mut parts.headers);
            assert_eq!(all(&parts, "vary"), want);
        }
    }

    #[test]
    fn rule_k7_what_the_site_forbids_to_store_stays_forbidden() {
        let mut parts =
            answer(200, &[("cache-control", "max-age=0, No-Store"), ("vary", "accept, cookie, Sec-Fetch-dest")]);
        prepare_head(&mut parts, Some(0));
        assert_eq!(all(&parts, "cache-control"), ["private, no-cache, no-store"]);
        assert_eq!(all(&parts, "vary"), ["accept, cookie, Sec-Fetch-dest"]);
        let mut parts = answer(200, &[("vary", "*")]);
        prepare_head(&mut parts, None);
        assert_eq!(all(&parts, "vary"), ["*"]);
    }

    #[test]
    fn rule_k7_a_page_of_which_only_the_head_depends_on_the_choice_is_private_too() {
        let mut parts =
            answer(200, &[("cache-control", "public, no-transform, max-age=9"), ("surrogate-control", "x")]);
        depends_on_choice(&mut parts.headers);
        assert_eq!(all(&parts, "cache-control"), ["private, no-cache, no-transform"]);
        assert_eq!(all(&parts, "vary"), [VARY]);
        assert!(all(&parts, "surrogate-control").is_empty());
    }

    #[test]
    fn rule_k7_no_shared_cache_keeps_an_answer_with_cookies() {
        for (given, want) in [
            (&[][..], &["private"][..]),
            (&["public, max-age=9"], &["private, max-age=9"]),
            (&["s-maxage = 60, immutable", ",Public"], &["private, immutable"]),
            (&["no-store"], &["no-store"]),
            (&["max-age=9, Private"], &["max-age=9, Private"]),
        ] {
            let given: Vec<_> = given.iter().map(|value| ("cache-control", *value)).collect();
            let mut parts = answer(200, &[&given[..], &[("cdn-cache-control", "max-age=60")]].concat());
            sets_cookies(&mut parts.headers);
            assert_eq!(all(&parts, "cache-control"), want);
            assert!(all(&parts, "cdn-cache-control").is_empty());
        }
    }

    #[test]
    fn nothing_speaks_of_the_bytes_the_site_sent() {
        let mut headers: Vec<(&str, &str)> = vec![("content-length", "100"), ("x-kept", "1"), ("server", "s")];
        let gone = ["accept-ranges", "etag", "last-modified", "content-md5", "digest", "content-digest", "repr-digest"];
        headers.extend(gone.map(|name| (name, "x")));
        let mut parts = answer(200, &headers);
        prepare_head(&mut parts, Some(23));
        assert_eq!(all(&parts, "content-length"), ["123"]);
        assert!(gone.iter().all(|name| !parts.headers.contains_key(*name)));
        assert_eq!((all(&parts, "x-kept"), all(&parts, "server")), (vec!["1"], vec!["s"]));
    }

    #[test]
    fn an_unknown_length_is_not_announced() {
        for (headers, added) in [
            (&[("content-length", "100")][..], None),
            (&[("content-length", "1"), ("content-length", "2")], Some(1)),
            (&[("content-length", "x")], Some(1)),
            (&[], Some(1)),
        ] {
            let mut parts = answer(200, headers);
            prepare_head(&mut parts, added);
            assert!(all(&parts, "content-length").is_empty());
        }
    }
}
