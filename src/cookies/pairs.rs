//! A `Cookie` header taken apart (RFC 6265 §5.4), without copying.

/// The name in a pair, without white space; `None` where there is no `=`.
pub(super) fn name(pair: &[u8]) -> Option<&[u8]> {
    // Names are short: a search that reads 32 bytes at once takes longer to begin than this to end.
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some(trim(pair.get(..equals)?))
}

/// Without the white space HTTP knows, at both ends.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// What lies between the semicolons of one header line, with the offset of each.
pub(super) fn pairs(line: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = line.get(start..)?;
        let length = memchr::memchr(b';', rest);
        next = length.map(|length| start + length + 1);
        Some((start, rest.get(..length.unwrap_or(rest.len()))?))
    })
}

/// All values of the cookie called `name`, in the order they were sent: a browser may send several, from parent domains and
/// paths. `lines` are the values of all `Cookie` headers (HTTP/2 splits them). Quotes around a value are part of it.
pub fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    lines.into_iter().flat_map(|line| pairs(line).map(|(_, pair)| pair)).filter_map(move |pair| {
        let equals = memchr::memchr(b'=', pair)?;
        let (found, value) = pair.split_at_checked(equals)?;
        (trim(found) == name).then(|| trim(value.get(1..).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_name_is_read_in_order() {
        let lines: [&[u8]; 3] = [b"a=1; consentry=x~y; a=2", b"", b" a = \"3 \" ;;=; consentry ;consentryx=1; a=4=5 "];
        let read = |name: &str| read(lines, name.as_bytes()).collect::<Vec<_>>();
        assert_eq!(read("a"), [&b"1"[..], b"2", b"\"3 \"", b"4=5"]);
        assert_eq!(read("consentry"), [b"x~y"]);
        assert_eq!(read("A"), [&b""[..]; 0]);
        assert_eq!(read(""), [b""]);
    }

    #[test]
    fn pairs_cover_the_line() {
        let found: Vec<_> = pairs(b"a=1;; b").collect();
        assert_eq!(found, [(0, &b"a=1"[..]), (4, b""), (5, b" b")]);
        assert_eq!(pairs(b"").count(), 1);
    }
}
