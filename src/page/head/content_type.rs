//! What an answer's `Content-Type` makes of it in a browser.
//!
//! Fetch ("extract a MIME type") takes the last of several that can be read, some browsers and programs the first, and none cares
//! much what else stands in the line. So whatever one of them could take for a page is one here: a page that is gated though it
//! is none does no harm, one that is not gated though it is one does.

use encoding_rs::Encoding;
use http::header::{self, HeaderMap, HeaderValue};

use super::super::scan::Markup;

/// What a browser may take an answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// A page, or a part of one.
    Page(Markup),
    /// Markup that a script puts into a page, by a type that no browser shows as one: `text/vnd.turbo-stream.html`,
    /// `text/html-partial` and the like.
    Piece,
    /// Whatever its first bytes look like, and so perhaps a page (WHATWG MIME Sniffing §7).
    Guessed,
    /// Something else.
    Other,
}

impl ContentType {
    /// As the head of an answer says.
    pub fn of(headers: &HeaderMap) -> ContentType {
        let mut found = ContentType::Guessed;
        for kind in members(headers) {
            let kind = essence(kind);
            if kind.eq_ignore_ascii_case(b"text/html") {
                found = ContentType::Page(Markup::Html);
            } else if kind.eq_ignore_ascii_case(b"application/xhtml+xml") {
                found = ContentType::Page(Markup::Xhtml);
            } else if !found.is_page() && is_piece(kind) {
                found = ContentType::Piece;
            } else if found == ContentType::Guessed && is_known(kind) {
                found = ContentType::Other;
            }
        }
        if found == ContentType::Guessed && forbids_guesses(headers) { ContentType::Other } else { found }
    }

    /// Whether an answer says it is a page.
    pub fn is_page(self) -> bool {
        matches!(self, ContentType::Page(_))
    }

    /// How it is to be read, where it says it is a page or a piece of one.
    pub fn markup(self) -> Option<Markup> {
        match self {
            ContentType::Page(markup) => Some(markup),
            ContentType::Piece => Some(Markup::Html),
            ContentType::Guessed | ContentType::Other => None,
        }
    }
}

/// The page's encoding where a head names it, so that nothing in the page but a byte order mark can: in one line with one
/// `charset`, written in the one way that every reader takes for it.
pub fn named_encoding(headers: &HeaderMap) -> Option<&'static Encoding> {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    if line.iter().any(|byte| b",\\".contains(byte)) {
        return None;
    }
    let mut label = None;
    for parameter in line.split(|&byte| byte == b';').skip(1).map(<[u8]>::trim_ascii) {
        let (name, value) = parameter.split_at(parameter.iter().position(|&byte| byte == b'=').unwrap_or(0));
        let value = value.get(1..).unwrap_or_default();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        let is_charset = name.eq_ignore_ascii_case(b"charset");
        // A `;` within quotes has made two of one.
        if value.contains(&b'"') || (!is_charset && mentions_charset(parameter)) || (is_charset && label.is_some()) {
            return None;
        }
        if is_charset {
            label = Some(value);
        }
    }
    label.filter(|label| label.trim_ascii() == *label).and_then(Encoding::for_label)
}

/// Whether bytes below 0x80 mean ASCII in every charset that is named; without one, or with one nobody knows, browsers use an
/// encoding where they do. Not where a `charset` is written so that readers may part it elsewhere.
pub(super) fn is_ascii_compatible(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    lines.all(|line| !mentions_charset(line) || is_parted_plainly(line))
        && named_encodings(headers).all(Encoding::is_ascii_compatible)
}

fn mentions_charset(piece: &[u8]) -> bool {
    piece.windows(7).any(|word| word.eq_ignore_ascii_case(b"charset"))
}

/// Whether nothing is escaped in a line, and nothing follows a quoted value but the next parameter or member.
fn is_parted_plainly(line: &[u8]) -> bool {
    let mut quotes = line.split(|&byte| byte == b'"').skip(2).step_by(2);
    !line.contains(&b'\\') && quotes.all(|after| matches!(after.trim_ascii_start().first(), None | Some(b';' | b',')))
}

/// The encodings that are named in all lines and known.
fn named_encodings(headers: &HeaderMap) -> impl Iterator<Item = &'static Encoding> {
    let parameters = members(headers).flat_map(|kind| kind.split(|&byte| byte == b';').skip(1));
    parameters.filter_map(|parameter| {
        let (name, label) = parameter.split_at(parameter.iter().position(|&byte| byte == b'=')?);
        let label = label.get(1..)?.trim_ascii();
        let label = label.strip_prefix(b"\"").unwrap_or(label);
        let label = label.strip_suffix(b"\"").unwrap_or(label);
        // Some readers take what follows for a comment.
        let label = label.trim_ascii().split(|byte| b" \t(".contains(byte)).next()?;
        name.trim_ascii().eq_ignore_ascii_case(b"charset").then(|| Encoding::for_label(label)).flatten()
    })
}

/// The members of all lines. Commas within quotes part them, too: that finds more than there is, never less.
fn members(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::as_bytes);
    lines.flat_map(|line| line.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// A member up to where its type ends, as the most forgiving browser sees it.
fn essence(member: &[u8]) -> &[u8] {
    member.split(|byte| b"; \t(".contains(byte)).next().unwrap_or_default()
}

/// Whether it is some kind of HTML. What ends with `+xml` browsers read as that.
fn is_piece(kind: &[u8]) -> bool {
    let kind = kind.to_ascii_lowercase();
    let Some(subtype) = kind.strip_prefix(b"text/") else { return false };
    memchr::memmem::find(subtype, b"html").is_some() && !subtype.ends_with(b"+xml")
}

/// Whether browsers take a type at its word.
fn is_known(kind: &[u8]) -> bool {
    let unknown = [&b"unknown/unknown"[..], b"application/unknown", b"*/*"];
    kind.contains(&b'/') && !unknown.iter().any(|unknown| kind.eq_ignore_ascii_case(unknown))
}

/// Whether the first member of the first line says so (Fetch, "determine nosniff").
fn forbids_guesses(headers: &HeaderMap) -> bool {
    let first = headers.get(header::X_CONTENT_TYPE_OPTIONS).map_or(&b""[..], HeaderValue::as_bytes);
    let first = first.split(|&byte| byte == b',').next().unwrap_or_default();
    first.trim_ascii().eq_ignore_ascii_case(b"nosniff")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CONTENT_TYPE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn rule_k4_whatever_a_browser_may_take_for_a_page_is_one() {
        for lines in [
            &["text/html"][..],
            &["Text/HTML;charset=utf-8"],
            &["text/plain", "text/html"],
            &["text/html", "text/plain"],
            &["text/plain, text/html"],
            &["text/html ,text/plain;x=\"a"],
            &["text/plain;x=\", text/html"],
            &["text/html gone"],
            &["text/html(a)"],
            &["text/html;é"],
            &["*/*", "nonsense, text/html;"],
        ] {
            assert_eq!(ContentType::of(&headers(lines)), ContentType::Page(Markup::Html), "{lines:?}");
        }
        for lines in [&["application/xhtml+xml"][..], &["text/plain,Application/XHTML+XML ; a=b"]] {
            assert_eq!(ContentType::of(&headers(lines)), ContentType::Page(Markup::Xhtml), "{lines:?}");
        }
        for lines in [&["text/plain"][..], &["text/html+xml"], &["image/png, */*"], &["x, a/text/html"]] {
            assert_eq!(ContentType::of(&headers(lines)), ContentType::Other, "{lines:?}");
        }
    }

    #[test]
    fn rule_k4_other_kinds_of_html_are_pieces_of_pages() {
        for lines in [
            &["text/vnd.turbo-stream.html; charset=utf-8"][..],
            &["Text/HTML-Partial"],
            &["text/x-html"],
            &["text/vnd.site+html"],
            &["text/plain, text/vnd.turbo-stream.html"],
            &["text/vnd.turbo-stream.html, text/plain"],
        ] {
            assert_eq!(ContentType::of(&headers(lines)), ContentType::Piece, "{lines:?}");
        }
        for lines in [&["text/html, text/x-html"][..], &["text/x-html", "text/html"]] {
            assert_eq!(ContentType::of(&headers(lines)), ContentType::Page(Markup::Html), "{lines:?}");
        }
        for line in ["text/plain", "text/html+xml", "application/vnd.ms-htmlhelp", "image/html"] {
            assert_eq!(ContentType::of(&headers(&[line])), ContentType::Other, "{line}");
        }
    }

    #[test]
    fn rule_k4_what_has_no_type_may_be_a_page_unless_guessing_is_forbidden() {
        for lines in [&[][..], &[""], &["nonsense"], &["*/*"], &["Unknown/Unknown;a", "application/unknown"]] {
            let mut headers = headers(lines);
            assert_eq!(ContentType::of(&headers), ContentType::Guessed, "{lines:?}");
            headers.insert("x-content-type-options", HeaderValue::from_static("NoSniff, x"));
            assert_eq!(ContentType::of(&headers), ContentType::Other, "{lines:?}");
        }
    }

    #[test]
    fn an_encoding_is_named_where_nothing_contradicts_it() {
        for (lines, named) in [
            (&["text/html; charset=utf-8"][..], true),
            (&["text/html"], false),
            (&["text/html; charset=who-knows"], false),
            (&["text/html; charset=utf-8", "text/html"], false),
            (&[], false),
            (&["text/html;x=y; charset=\"UTF-8\" "], true),
            (&["text/html;charset=utf-8;x=\"y\""], true),
            (&["text/html; charset =utf-8"], false),
            (&["text/html; x=\"; charset=utf-8\""], false),
            (&["text/html; charset=utf-8\""], false),
            (&["text/html; charset=\"utf-8"], false),
            (&["text/html;charset=\"utf-8;\""], false),
            (&["text/html; charset=x; charset=utf-8"], false),
            (&["text/html; charset=\"\";charset=utf-8"], false),
            (&["text/html; charset=\" utf-8\""], false),
            (&["text/html; charset=utf-8, text/html"], false),
        ] {
            assert_eq!(named_encoding(&headers(lines)).is_some(), named, "{lines:?}");
        }
    }

    #[test]
    fn one_charset_that_is_not_ascii_is_enough() {
        for (line, readable) in [
            ("text/html", true),
            ("text/html;charset=windows-1252", true),
            ("text/html;charset=who-knows", true),
            ("text/html;charset=\"utf-8\", text/html; x=y", true),
            ("text/html; charset=UTF-16", false),
            ("text/html; CharSet = \"iso-2022-jp\" ", false),
            ("text/html;charset=utf-8;charset=utf-16", false),
            ("text/html;charset=utf-16, text/html", false),
            ("text/html; charset=\"utf-16l\\e\"", false),
            ("text/html; charset=\"utf-16le\"x", false),
            ("text/html;charset=\"u\\tf-16le\"", false),
            ("text/html, text/html; charset=\"utf-16l\\e\"", false),
            ("text/html; charset=utf-16le (it is)", false),
            ("text/html; x=\"a\\b\"y", true),
            ("text/html; charset=\"utf-8\" ; x=\"y\" ", true),
        ] {
            assert_eq!(is_ascii_compatible(&headers(&[line])), readable, "{line}");
        }
    }
}
