//! The header `Forwarded` (RFC 7239 §4). Pure; what it says is believed of nobody here.

/// One hop, as the proxy that received it tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// `for`, without quotes; nothing where it is not given.
    pub node: Option<String>,
    /// Whether `proto` is https; nothing where it is not given.
    pub https: Option<bool>,
}

/// The hops of a line, the visitor's side first; nothing where the line is not well formed, since then nobody can say where one
/// ends.
pub(super) fn hops(line: &str) -> Option<Vec<Hop>> {
    let mut hops = Vec::new();
    let mut hop = Hop::default();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start();
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after) = value(after)?;
        let is_first = match name.to_ascii_lowercase().as_str() {
            "for" => hop.node.replace(value).is_none(),
            "proto" => hop.https.replace(value.eq_ignore_ascii_case("https")).is_none(),
            _ => true,
        };
        if !is_first {
            // RFC 7239 §4: each parameter once for each hop.
            return None;
        }
        let after = after.trim_start();
        rest = match after.split_at_checked(1) {
            Some((";", more)) => more,
            Some((",", more)) => {
                hops.push(std::mem::take(&mut hop));
                more.trim_start()
            }
            Some(_) => return None,
            None => after,
        };
        // A mark with nothing behind it promised more.
        if rest.is_empty() && !after.is_empty() {
            return None;
        }
    }
    hops.push(hop);
    Some(hops)
}

/// A token or a quoted text, and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Many proxies write addresses of version 6 and ports without the quotes they need.
        let is_plain = |byte: u8| is_token(byte) || matches!(byte, b':' | b'[' | b']');
        let end = text.bytes().position(|byte| !is_plain(byte)).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            _ => value.push(letter),
        }
    }
    None
}

/// RFC 9110 §5.6.2
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read_as_the_rfc_writes_them() {
        let read = |line: &str| {
            let said = |hop: Hop| (hop.node.unwrap_or_default(), hop.https);
            hops(line).map(|hops| hops.into_iter().map(said).collect::<Vec<_>>())
        };
        let one = |node: &str, https| Some(vec![(node.to_owned(), https)]);
        assert_eq!(read("for=192.0.2.60;proto=http;by=203.0.113.43"), one("192.0.2.60", Some(false)));
        assert_eq!(read("For=\"[2001:db8:cafe::17]:4711\""), one("[2001:db8:cafe::17]:4711", None));
        assert_eq!(read("for=192.0.2.60:80 ; proto=HTTPS"), one("192.0.2.60:80", Some(true)));
        assert_eq!(read("for=\"_gaz,el;x=\\\"1\""), one("_gaz,el;x=\"1", None));
        assert_eq!(
            read("for=192.0.2.43, for=198.51.100.17;proto=https"),
            Some(vec![("192.0.2.43".into(), None), ("198.51.100.17".into(), Some(true))])
        );
        assert_eq!(read("by=203.0.113.43"), one("", None));
        for wrong in
            ["for", "for=", "=x", "for=\"x", "for=x,", "for=x;", "for=x y", "for=x for=y", "for=a;for=b", "f o=x"]
        {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics_and_quotes_hide_no_hop(line in "[ -~]{0,60}", node in "[ -~]{0,20}") {
            let _ = hops(&line);
            let quoted = node.replace('\\', "\\\\").replace('"', "\\\"");
            let read = hops(&format!("for=\"{quoted}\", for=1.2.3.4"));
            let nodes: Vec<_> = read.unwrap().into_iter().filter_map(|hop| hop.node).collect();
            proptest::prop_assert_eq!(nodes, [node.as_str(), "1.2.3.4"]);
        }
    }
}
