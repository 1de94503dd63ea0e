//! Character references in an attribute's value (13.2.5.72), as far as they can matter to an address or to markup.

use std::borrow::Cow;

/// An attribute's value without its character references: all numbers, and the names that stand for ASCII or begin with it. In the
/// place of any other name is U+FFFD.
pub(in crate::page::gate) fn decoded(value: &str) -> Cow<'_, str> {
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

/// Every named character reference that stands for ASCII alone, then those that add what stands over it.
const NAMES: [(&str, &str); 49] = [
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
    ("nvlt", "<\u{20d2}"),
    ("nvgt", ">\u{20d2}"),
    ("bne", "=\u{20e5}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_decoded_and_the_rest_stays() {
        assert_eq!(decoded("a&amp;b&unknown;c&#;&#x;&#x41g&#65;&"), "a&b\u{fffd}c&#;&#x;Ag\u{41}&");
        assert_eq!(decoded("&#xFFFFFFFFFF;&#xD800;"), "\u{fffd}\u{fffd}");
    }
}
