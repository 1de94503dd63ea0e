//! The host an HTML attribute's URL points at, read as a browser reads it (WHATWG URL, 4.4): entities, white space, slashes
//! either way, user names, ports and percent-encoding are no way round a declared tag (K4).
//!
//! Never resolves, fetches or keeps a URL. What it costs is linear in what it reads, whoever wrote that.

mod host;
mod references;

use std::borrow::Cow;

pub(super) use host::normal;
pub(super) use references::decoded;

/// Where a URL points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// To the page's own host, or that of its `<base>`.
    Relative,
    /// To a host.
    Host(Host),
    /// To a host that cannot be told: it may be any.
    Any,
    /// To no host: `data:`, `javascript:`, `blob:` and their like.
    None,
}

/// A host in lower case, and the port where one is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: Option<u16>,
}

impl Address {
    /// Reads an attribute's value as it stands in the page. The page's encoding is not known: where bytes are no UTF-8, those
    /// of a host may be any letters, ASCII ones of two bytes among them.
    pub(super) fn of_attribute(value: &[u8]) -> Address {
        let text = String::from_utf8_lossy(value);
        let is_utf8 = matches!(text, Cow::Borrowed(_));
        Part::of(&without_breaks(&decoded(&text)), b"").address(is_utf8)
    }

    /// Reads a URL in which no character is encoded for HTML any more.
    pub(super) fn of_url(url: &str) -> Address {
        Part::of(&without_breaks(url), b"").address(true)
    }

    /// All that a `word` may point at which holds URLs with a byte `between` two of them and no white space: what it is as a whole, and
    /// what follows each such byte and begins as a URL with a host does. How such a text is parted depends on what stands before it, so a
    /// URL that holds another is taken for both. No host has such a byte in it; one that seems to may be any.
    pub(super) fn in_word<'w>(word: &'w str, between: &'w [u8], is_utf8: bool) -> impl Iterator<Item = Address> + 'w {
        let is_between = |byte: u8| between.contains(&byte);
        let word = word.trim_matches(|c: char| c <= ' ' || u8::try_from(c).is_ok_and(is_between));
        let after = word.bytes().enumerate().filter(move |(_, byte)| is_between(*byte)).filter_map(|(at, _)| {
            let url = word.get(at + 1..)?.trim_start_matches(|c: char| c <= ' ');
            url.starts_with(['h', 'H', 'w', 'W', 'f', 'F', '/', '\\']).then_some(url)
        });
        let whole = (!word.is_empty()).then_some(word);
        whole.into_iter().chain(after).map(move |url| match plain_address(url.as_bytes()) {
            Some(PlainAddress::Relative) => Address::Relative,
            _ => Part::of(url, between).address(is_utf8),
        })
    }
}

/// A URL as a browser reads it: without white space around it and line breaks and tabs in it.
fn without_breaks(url: &str) -> Cow<'_, str> {
    let url = url.trim_matches(|c: char| c <= ' ');
    if url.contains(['\t', '\n', '\r']) { url.replace(['\t', '\n', '\r'], "").into() } else { url.into() }
}

/// The part of a URL that says where it points.
enum Part<'u> {
    /// User, host and port, and the port that is meant where there is none.
    Authority {
        text: &'u str,
        default_port: Option<u16>,
    },
    Other(Address),
}

impl<'u> Part<'u> {
    /// The part of a URL that may have any of the bytes in `between` after it. No more is read of it than up to the authority's end.
    fn of(url: &'u str, between: &[u8]) -> Part<'u> {
        let is_slash = |c: char| c == '/' || c == '\\';
        let (rest, default_port) = match scheme(url) {
            // With one slash or none, and the page's own scheme, these are relative. We do not know the page's, so they are
            // taken for what they would be otherwise: nobody's own folders are called like a host of somebody else.
            Some((scheme, rest)) => {
                let is = |known: &[&str]| known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
                match () {
                    () if is(&["http", "ws"]) => (rest, Some(80)),
                    () if is(&["https", "wss"]) => (rest, Some(443)),
                    () if is(&["ftp"]) => (rest, Some(21)),
                    () => return Part::Other(Address::None),
                }
            }
            None if url.chars().take(2).filter(|&c| is_slash(c)).count() == 2 => (url, None),
            None => return Part::Other(Address::Relative),
        };
        let rest = rest.trim_start_matches(is_slash);
        let ends = |byte: &u8| matches!(byte, b'/' | b'\\' | b'?' | b'#') || between.contains(byte);
        let end = rest.as_bytes().iter().position(ends).unwrap_or(rest.len());
        match rest.as_bytes().get(end) {
            Some(end) if between.contains(end) => Part::Other(Address::Any),
            // In some encodings `\\` is the second byte of a letter, and the authority goes on.
            Some(b'\\') if rest[..end].ends_with(|c: char| !c.is_ascii()) => Part::Other(Address::Any),
            _ => Part::Authority { text: rest.get(..end).unwrap_or_default(), default_port },
        }
    }

    fn address(self, is_utf8: bool) -> Address {
        let (text, default_port) = match self {
            Part::Authority { text, default_port } => (text, default_port),
            Part::Other(address) => return address,
        };
        let (user, authority) = text.rsplit_once('@').unwrap_or(("", text));
        // In some encodings `@` is the second byte of a letter.
        if !user.is_ascii() || !(is_utf8 || authority.is_ascii()) {
            return Address::Any;
        }
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (name, port.parse().ok()),
            _ => (authority, None),
        };
        Address::Host(Host { name: normal(name), port: port.or(default_port) })
    }
}

/// What most addresses are, told without decoding or copying anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainAddress<'v> {
    Relative,
    Host { name: &'v str, port: Option<u16> },
}

/// Where an attribute's value points whose beginning is plain: a scheme in lower case or none, a host of lower-case letters,
/// digits, `-` and `.`, and no more of an authority; or a path, which begins with a letter or digit, perhaps after one `/`.
/// `None` where it has to be read more closely. What follows the host, or the path's first part, can change neither.
pub(super) fn plain_address(value: &[u8]) -> Option<PlainAddress<'_>> {
    let (rest, port) = match value {
        [b'/', b'/', rest @ ..] => (rest, None),
        [b'/', second, ..] => return second.is_ascii_alphanumeric().then_some(PlainAddress::Relative),
        [b'h', b't', b't', b'p', b's', b':', b'/', b'/', rest @ ..] => (rest, Some(443)),
        [b'h', b't', b't', b'p', b':', b'/', b'/', rest @ ..] => (rest, Some(80)),
        [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', rest @ ..] => {
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let after = rest.iter().find(|byte| !is_part(byte));
            return matches!(after, None | Some(b'/' | b'?' | b'#')).then_some(PlainAddress::Relative);
        }
        _ => return None,
    };
    let is_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let length = rest.iter().position(|byte| !is_name(byte)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(length);
    if name.is_empty() || host::may_be_number(name) || !matches!(after.first(), None | Some(b'/' | b'?' | b'#')) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(PlainAddress::Host { name: name.trim_end_matches('.'), port })
}

/// A URL's scheme and what follows its colon.
fn scheme(url: &str) -> Option<(&str, &str)> {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let (scheme, rest) = url.split_at(url.bytes().take_while(|byte| goes_on(byte)).count());
    Some((scheme, rest.strip_prefix(':')?)).filter(|(scheme, _)| scheme.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests;
