//! The host an HTML attribute's URL points at, read as a browser reads it (WHATWG URL, 4.4): entities, white space, slashes
//! either way, user names, ports and percent-encoding are no way round a declared tag (K4).
//!
//! Never resolves, fetches or keeps a URL. Of Unicode's many ways to write an ASCII letter in a host name, the
//! full-width forms and the other full stops are known; any other character may stand for anything.

use std::borrow::Cow;

/// Where a URL points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// To the page's own host, or that of its `<base>`.
    Relative,
    /// To a host.
    Host(Host),
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
    /// Reads an attribute's value as it stands in the page.
    pub(super) fn of_attribute(value: &str) -> Address {
        Address::of_url(&decoded(value))
    }

    /// Reads a URL in which no character is encoded for HTML any more.
    pub(super) fn of_url(url: &str) -> Address {
        let url = url.trim_matches(|c: char| c <= ' ');
        let url: Cow<'_, str> =
            if url.contains(['\t', '\n', '\r']) { url.replace(['\t', '\n', '\r'], "").into() } else { url.into() };
        let is_slash = |c: char| c == '/' || c == '\\';
        let (rest, default_port) = match scheme(&url) {
            // With one slash or none, and the page's own scheme, these are relative. We do not know the page's, so they are
            // taken for what they would be otherwise: nobody's own folders are called like a host of somebody else.
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "ws" => (rest, Some(80)),
                "https" | "wss" => (rest, Some(443)),
                "ftp" => (rest, Some(21)),
                _ => return Address::None,
            },
            None if url.chars().take(2).filter(|&c| is_slash(c)).count() == 2 => (&*url, None),
            None => return Address::Relative,
        };
        let authority = rest.trim_start_matches(is_slash).split(['/', '\\', '?', '#']).next().unwrap_or_default();
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
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
    if name.is_empty() || !matches!(after.first(), None | Some(b'/' | b'?' | b'#')) {
        return None;
    }
    let name = std::str::from_utf8(name).ok()?;
    Some(PlainAddress::Host { name: name.trim_end_matches('.'), port })
}

/// A URL's scheme and what follows its colon.
fn scheme(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    let goes_on = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (begins && goes_on).then_some((scheme, rest))
}

/// A host name in the one form in which names compare.
pub(super) fn normal(name: &str) -> String {
    let bytes = name.as_bytes();
    // Nearly every name is in that form as it stands.
    if bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')) {
        return name.trim_end_matches('.').to_owned();
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |at: usize| bytes.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    let mapped: String = String::from_utf8_lossy(&plain)
        .chars()
        .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'))
        .map(|c| match c {
            '\u{3002}' | '\u{ff61}' => '.',
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .flat_map(char::to_lowercase)
        .collect();
    mapped.trim_end_matches('.').to_owned()
}

/// An attribute's value without its character references: all numbers, and the names that stand for ASCII. In the place of any other
/// name is U+FFFD.
pub(super) fn decoded(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return value.into();
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = match reference(after) {
            Some((text, rest)) => {
                out.push_str(&text);
                rest
            }
            None => {
                out.push('&');
                after
            }
        };
    }
    out.push_str(rest);
    out.into()
}

/// What the reference after a `&` stands for, and what follows it.
fn reference(after: &str) -> Option<(String, &str)> {
    if let Some(number) = after.strip_prefix('#') {
        let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |hex| (hex, 16));
        let length = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let (digits, rest) = digits.split_at_checked(length).filter(|(digits, _)| !digits.is_empty())?;
        let c = u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        return Some((c.into(), rest.strip_prefix(';').unwrap_or(rest)));
    }
    let (name, rest) = after.split_at(after.bytes().take_while(u8::is_ascii_alphanumeric).count());
    if name.is_empty() {
        return None;
    }
    let known = NAMES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    let text = match (rest.strip_prefix(';'), known) {
        (Some(rest), Some(text)) => return Some((text.to_owned(), rest)),
        // Of those that stand for ASCII these need no `;` (13.5), but what follows them here may be no `=`.
        (None, Some(text)) if OLD_NAMES.contains(&name) && !rest.starts_with('=') => text.to_owned(),
        (None, Some(_)) => return None,
        // A character that is none of ASCII, or it stands for itself: in a host it may be anything.
        (_, None) => char::REPLACEMENT_CHARACTER.into(),
    };
    Some((text, rest.strip_prefix(';').unwrap_or(rest)))
}

/// The names that stand for ASCII and need no `;`.
const OLD_NAMES: [&str; 8] = ["quot", "QUOT", "amp", "AMP", "lt", "LT", "gt", "GT"];

/// Every named character reference that stands for ASCII alone.
const NAMES: [(&str, &str); 46] = [
    ("Tab", "\t"),
    ("NewLine", "\n"),
    ("excl", "!"),
    ("quot", "\""),
    ("QUOT", "\""),
    ("num", "#"),
    ("dollar", "$"),
    ("percnt", "%"),
    ("amp", "&"),
    ("AMP", "&"),
    ("apos", "'"),
    ("lpar", "("),
    ("rpar", ")"),
    ("ast", "*"),
    ("midast", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("period", "."),
    ("sol", "/"),
    ("colon", ":"),
    ("semi", ";"),
    ("lt", "<"),
    ("LT", "<"),
    ("equals", "="),
    ("gt", ">"),
    ("GT", ">"),
    ("quest", "?"),
    ("commat", "@"),
    ("lsqb", "["),
    ("lbrack", "["),
    ("bsol", "\\"),
    ("rsqb", "]"),
    ("rbrack", "]"),
    ("Hat", "^"),
    ("lowbar", "_"),
    ("UnderBar", "_"),
    ("grave", "`"),
    ("DiacriticalGrave", "`"),
    ("fjlig", "fj"),
    ("lcub", "{"),
    ("lbrace", "{"),
    ("verbar", "|"),
    ("vert", "|"),
    ("VerticalLine", "|"),
    ("rcub", "}"),
    ("rbrace", "}"),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same as [`plain_address`] says, in the long way.
    fn assert_plain_is_right(value: &[u8]) {
        let long = Address::of_attribute(&String::from_utf8_lossy(value));
        match plain_address(value) {
            Some(PlainAddress::Relative) => assert_eq!(long, Address::Relative, "{}", value.escape_ascii()),
            Some(PlainAddress::Host { name, port }) => {
                assert_eq!(long, Address::Host(Host { name: name.into(), port }), "{}", value.escape_ascii());
            }
            None => {}
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_plain_address_is_what_the_long_way_finds(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "https://", "http://", "//", "/", "t.example", "T", ".", ":", "443", "@", "?", "#", "&#47;", "&sol;", "&Tab;", "&",
                "\\", "\t", "\n", " ", "%2e", "-", "_", "data:", "http:", "a", "\u{ad}", "\0", "é", "&colon;", ";", "//u@",
            ]), 0..7),
        ) {
            assert_plain_is_right(pieces.concat().as_bytes());
        }

        #[test]
        fn so_it_is_with_any_bytes(after in prop::collection::vec(any::<u8>(), 0..12)) {
            for before in ["", "//", "https://", "//t.example", "a", "/"] {
                assert_plain_is_right(&[before.as_bytes(), &after].concat());
            }
        }
    }

    fn host(value: &str) -> Option<String> {
        match Address::of_attribute(value) {
            Address::Host(Host { name, port }) => Some(port.map_or(name.clone(), |port| format!("{name}:{port}"))),
            _ => None,
        }
    }

    #[test]
    fn a_host_is_read_as_a_browser_reads_it() {
        for value in [
            "https://t.example/x.js",
            "HTTPS://T.EXAMPLE",
            " \n\u{1}https://t.example?x",
            "https:\\\\t.example\\x",
            "https:t.example/x",
            "https:/t.example",
            "https:////t.example",
            "ht\ntps:/\t/t.exa\rmple/x",
            "https://user:pass@t.example#x",
            "https://a@b@t.example",
            "https&#58;&#x2F;&#x2f;t&period;example/",
            "https&colon;&sol;&bsol;t&#46example",
            "https://%74.ex%61mple/",
            "https://t.example./",
            "https://ｔ．example",
            "https://t。example",
            "https://t.\u{ad}example",
            "h&Tab;ttps://t.example:443",
            "https://t.example:/x",
            "https://T.Ex&#65;mple/",
        ] {
            assert_eq!(host(value).as_deref(), Some("t.example:443"), "{value}");
        }
        for value in [
            "//t.example/x",
            "\\\\t.example",
            "/\\t.example",
            "\\/t.example?",
            "///t.example",
            " /&#10;/t.example",
            "&sol;/t.example",
        ] {
            assert_eq!(host(value).as_deref(), Some("t.example"), "{value}");
        }
        assert_eq!(host("http://[::1]:8080/x").as_deref(), Some("[::1]:8080"));
        assert_eq!(host("http://[::1]/x").as_deref(), Some("[::1]:80"));
        assert_eq!(host("//t.example:81").as_deref(), Some("t.example:81"));
        assert_eq!(host("//t.example:99999").as_deref(), Some("t.example"));
    }

    #[test]
    fn what_points_at_no_host_is_told_apart() {
        for value in [
            "",
            "x.js",
            "/x.js",
            "./a:b//c",
            "?https://t.example",
            "#//t.example",
            "/ /t.example",
            "a/https://t.example",
            "&amp",
        ] {
            assert_eq!(Address::of_attribute(value), Address::Relative, "{value}");
        }
        for value in ["data:text/html,//t.example", "javascript:1", "about:blank", "blob:https://t.example/x"] {
            assert_eq!(Address::of_attribute(value), Address::None, "{value}");
        }
    }

    #[test]
    fn references_are_decoded_and_the_rest_stays() {
        assert_eq!(decoded("a&amp;b&unknown;c&#;&#x;&#x41g&#65;&"), "a&b\u{fffd}c&#;&#x;Ag\u{41}&");
        assert_eq!(decoded("&#xFFFFFFFFFF;&#xD800;"), "\u{fffd}\u{fffd}");
    }
}
