//! The header `Forwarded` (RFC 7239 §4), read from its right end, where the nearest proxy has written. Pure; what it says is
//! believed of nobody here.
//!
//! What stands left of a hop is a visitor's to choose, so it must not change how the hop is read: no quote that is open there,
//! and no byte that is not text. Whatever is well formed comes to the same from either end.

/// One hop, as the proxy that received it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop<'l> {
    /// `for`, without its quotes, its escapes as they stand; nothing where it is not given.
    pub node: Option<&'l [u8]>,
    /// Whether `proto` is https; nothing where it is not given.
    pub https: Option<bool>,
}

/// The hops of a line, the gateway's side first; nothing in the place of one that is not well formed, which is the last.
pub(super) fn hops_from_right(line: &[u8]) -> impl Iterator<Item = Option<Hop<'_>>> {
    let mut rest = Some(line.trim_ascii());
    std::iter::from_fn(move || {
        let hop = last_hop(rest.take()?);
        rest = hop.and_then(|(_, rest)| rest);
        Some(hop.map(|(hop, _)| hop))
    })
}

/// The last hop, and what stands before its comma, if there is one.
fn last_hop(line: &[u8]) -> Option<(Hop<'_>, Option<&[u8]>)> {
    let mut hop = Hop::default();
    let mut rest = line;
    loop {
        let (before, value) = last_value(rest.trim_ascii_end())?;
        let before = before.strip_suffix(b"=")?;
        let start = before.iter().rposition(|&byte| !is_token(byte)).map_or(0, |at| at + 1);
        let (before, name) = before.split_at_checked(start)?;
        let is_first = match name {
            [] => return None,
            name if name.eq_ignore_ascii_case(b"for") => hop.node.replace(value).is_none(),
            name if name.eq_ignore_ascii_case(b"proto") => {
                hop.https.replace(value.eq_ignore_ascii_case(b"https")).is_none()
            }
            _ => true,
        };
        if !is_first {
            // RFC 7239 §4: each parameter once for each hop.
            return None;
        }
        match before.trim_ascii_end().split_last() {
            None => return Some((hop, None)),
            Some((b',', before)) => return Some((hop, Some(before))),
            Some((b';', before)) => rest = before,
            Some(_) => return None,
        }
    }
}

/// The token or quoted text at the end, and what stands before it.
fn last_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(quoted) = text.strip_suffix(b"\"") else {
        // Many proxies write addresses of version 6 and ports without the quotes they need.
        let is_plain = |byte: u8| is_token(byte) || matches!(byte, b':' | b'[' | b']');
        let start = text.iter().rposition(|&byte| !is_plain(byte)).map_or(0, |at| at + 1);
        return text.split_at_checked(start).filter(|(_, value)| !value.is_empty());
    };
    if is_escaped(quoted) {
        return None;
    }
    let mut open = quoted;
    loop {
        // Within a quoted text each quote is escaped, so the first that is not, opens it.
        let at = open.iter().rposition(|&byte| byte == b'"')?;
        open = open.get(..at)?;
        if !is_escaped(open) {
            return Some((open, quoted.get(at + 1..)?));
        }
    }
}

/// Whether the byte behind `text` is escaped (RFC 9110 §5.6.4): an odd number of backslashes is at its end.
fn is_escaped(text: &[u8]) -> bool {
    text.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// RFC 9110 §5.6.2
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hops, the gateway's side first, up to one that cannot be read.
    fn read(line: &[u8]) -> Vec<Option<(String, Option<bool>)>> {
        let text = |node: &[u8]| String::from_utf8_lossy(node).into_owned();
        hops_from_right(line).map(|hop| hop.map(|hop| (hop.node.map(text).unwrap_or_default(), hop.https))).collect()
    }

    #[test]
    fn hops_are_read_as_the_rfc_writes_them() {
        let one = |node: &str, https| vec![Some((node.to_owned(), https))];
        assert_eq!(read(b"for=192.0.2.60;proto=http;by=203.0.113.43"), one("192.0.2.60", Some(false)));
        assert_eq!(read(b"For=\"[2001:db8:cafe::17]:4711\""), one("[2001:db8:cafe::17]:4711", None));
        assert_eq!(read(b"for=192.0.2.60:80 ; proto=HTTPS"), one("192.0.2.60:80", Some(true)));
        assert_eq!(read(b"for=\"_gaz,el;x=\\\"1\""), one("_gaz,el;x=\\\"1", None));
        assert_eq!(
            read(b"for=192.0.2.43, for=198.51.100.17;proto=https"),
            [Some(("198.51.100.17".into(), Some(true))), Some(("192.0.2.43".into(), None))]
        );
        assert_eq!(read(b"by=203.0.113.43"), one("", None));
        for wrong in [
            "",
            "for",
            "for=",
            "=x",
            "for=x\"",
            "for=\"x\\\"",
            "for=x,",
            "for=x;",
            "for=x y",
            "for=x for=y",
            "for=a;for=b",
            "for=é",
        ] {
            assert_eq!(read(wrong.as_bytes()), [None], "{wrong:?}");
        }
    }

    #[test]
    fn nothing_left_of_a_hop_changes_how_it_is_read() {
        for left in [&b"\xff"[..], b"for=\"", b"\"", b"for=\"\\", b"for", b"x y", b";", b",", b"for=\"a\" \"", b""] {
            for right in [&b"for=1.2.3.4;proto=https"[..], b"for=\"1.2.3.4\";proto=https"] {
                let first = read(&[left, b", ", right].concat()).swap_remove(0);
                assert_eq!(first, Some(("1.2.3.4".into(), Some(true))), "{left:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics_and_quotes_hide_no_hop(line in "[ -~]{0,60}", node in "[ -~]{0,20}") {
            let _ = read(line.as_bytes());
            let quoted = node.replace('\\', "\\\\").replace('"', "\\\"");
            let hops = read(format!("for=\"{quoted}\", for=1.2.3.4").as_bytes());
            proptest::prop_assert_eq!(hops, [Some(("1.2.3.4".to_owned(), None)), Some((quoted, None))]);
        }
    }
}
