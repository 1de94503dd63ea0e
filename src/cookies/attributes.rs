//! A `Set-Cookie` line read as browsers do (RFC 6265 §5.2), as far as it says where its cookie will lie. Its value is not
//! looked at.

use super::pairs::{name, pairs, trim};
use super::place::{self, Place};

/// The name a line sets and the place it sets it at; `path` is that of the request. `None` where no browser would take it.
pub(super) fn read<'l>(line: &'l [u8], path: &str) -> Option<(&'l [u8], Place)> {
    let mut parts = pairs(line).map(|(_, part)| part);
    let name = name(parts.next()?).filter(|name| !name.is_empty())?;
    let mut place = Place { path: place::default_path(path).into(), domain: None, partitioned: false };
    for part in parts {
        let (key, value) = match memchr::memchr(b'=', part) {
            Some(equals) => (trim(part.get(..equals)?), trim(part.get(equals + 1..)?)),
            None => (trim(part), &[][..]),
        };
        // Of several the last counts.
        if key.eq_ignore_ascii_case(b"path") {
            let given = std::str::from_utf8(value).ok()?;
            place.path = if given.starts_with('/') { given } else { place::default_path(path) }.into();
        } else if key.eq_ignore_ascii_case(b"domain") {
            let given = std::str::from_utf8(value).ok()?;
            let given = given.strip_prefix('.').unwrap_or(given).to_ascii_lowercase();
            place.domain = (!given.is_empty()).then(|| given.into());
        } else if key.eq_ignore_ascii_case(b"partitioned") {
            place.partitioned = true;
        }
    }
    let usable = place::is_path(&place.path) && place.domain.as_deref().is_none_or(place::is_domain);
    usable.then_some((name, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<(String, Option<String>, bool)> {
        let (name, place) = read(line.as_bytes(), "/shop/item?x=/y")?;
        assert_eq!(name, b"a");
        Some((place.path.into(), place.domain.map(Into::into), place.partitioned))
    }

    #[test]
    fn a_line_is_read_as_browsers_read_it() {
        let at = |path: &str, domain: Option<&str>, partitioned| {
            Some((path.to_owned(), domain.map(str::to_owned), partitioned))
        };
        assert_eq!(of("a=1"), at("/shop", None, false));
        assert_eq!(of(" a =1;PATH = / ;Secure"), at("/", None, false));
        assert_eq!(of("a=1; Path=x; Domain=.Example.ORG"), at("/shop", Some("example.org"), false));
        assert_eq!(of("a=1; Path=/x; Path=/y/; Domain=b.org; Domain="), at("/y/", None, false));
        assert_eq!(of("a=1; Path=/; Secure; Partitioned"), at("/", None, true));
        assert_eq!(of("a=\"b; Path=/x\""), at("/x\"", None, false));
    }

    #[test]
    fn what_no_browser_takes_is_not_read() {
        for line in ["", "a", "=1", "a=1; Domain=b org", "a=1; Path=/\u{fc}", "a=1; Domain=b/c"] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
