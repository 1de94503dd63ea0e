//! The parameters of a query string or a form (`application/x-www-form-urlencoded`).

/// Name and value of each parameter, decoded. Bytes that are no UTF-8 become U+FFFD; a broken `%` stays as it is.
pub fn parameters(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn decode(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|&b| char::from(b).to_digit(16)).map(|d| d as u8);
    let mut bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    while let Some((&first, rest)) = bytes.split_first() {
        bytes = rest;
        out.push(match (first, digit(rest.first()), digit(rest.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes = &rest[2..];
                high << 4 | low
            }
            (b'+', ..) => b' ',
            _ => first,
        });
    }
    String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_decoded_once() {
        let pairs = parameters("from=2026-03-01&page=%2Fa%2520b%3F+c&&flag&%C3%A4=%ff&x=100%&y=%4");
        let expected = [
            ("from", "2026-03-01"),
            ("page", "/a%20b? c"),
            ("flag", ""),
            ("ä", "\u{fffd}"),
            ("x", "100%"),
            ("y", "%4"),
        ];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back(value in ".{0,40}") {
            let encoded: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
            prop_assert_eq!(parameters(&format!("v={encoded}")), [("v".to_owned(), value)]);
        }

        #[test]
        fn garbage_never_panics(text in "[%&=+0-9a-fé ]{0,40}") {
            parameters(&text);
        }
    }
}
