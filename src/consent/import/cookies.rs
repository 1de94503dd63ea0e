//! The cookies of a request that a manager wrote, whole and unchanged: several managers put raw JSON into a value, so a
//! header is split at `;` alone, never at commas or quotes.

/// The longest value that is looked at, in bytes.
pub(super) const MAX_VALUE: usize = 8 << 10;

/// Different values of one name that are looked at; nobody's browser has so many.
const MAX_VALUES: usize = 4;

/// Different cookies that are looked at.
const MAX_COOKIES: usize = 64;

/// Names and values in the order they were sent, each pair once.
pub(super) struct Cookies<'c> {
    pairs: Vec<(&'c [u8], &'c [u8])>,
}

impl<'c> Cookies<'c> {
    /// The cookies whose names are `wanted`, out of the values of all `Cookie` headers. Nothing where one is longer than
    /// [`MAX_VALUE`] or there are more than a site would write.
    pub fn of(lines: impl IntoIterator<Item = &'c [u8]>, wanted: impl Fn(&[u8]) -> bool) -> Option<Cookies<'c>> {
        let mut pairs: Vec<(&[u8], &[u8])> = Vec::new();
        for pair in lines.into_iter().flat_map(|line| line.split(|byte| *byte == b';')) {
            let Some(equals) = memchr::memchr(b'=', pair) else { continue };
            let (name, value) = pair.split_at(equals);
            let (name, value) = (trim(name), trim(value.get(1..).unwrap_or_default()));
            if !wanted(name) || pairs.contains(&(name, value)) {
                continue;
            }
            if value.len() > MAX_VALUE || pairs.len() == MAX_COOKIES {
                return None;
            }
            pairs.push((name, value));
        }
        Some(Cookies { pairs })
    }

    /// Everything there is.
    pub fn pairs(&self) -> impl Iterator<Item = (&'c [u8], &'c [u8])> {
        self.pairs.iter().copied()
    }

    /// The different values of the cookie called `name`; nothing where there are more than a browser would keep.
    pub fn all(&self, name: &[u8]) -> Option<Vec<&'c [u8]>> {
        let values: Vec<&[u8]> = self.pairs().filter(|(found, _)| *found == name).map(|(_, value)| value).collect();
        (values.len() <= MAX_VALUES).then_some(values)
    }

    /// The value of the cookie called `name`, if there is one and no other says something else.
    pub fn only(&self, name: &[u8]) -> Option<&'c [u8]> {
        match self.all(name)?[..] {
            [value] => Some(value),
            _ => None,
        }
    }
}

/// Percent-decodes once (`+` stays as it is). Nothing where a `%` is not followed by two hex digits or the result is not
/// UTF-8.
pub(super) fn decoded(value: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes).ok()
}

fn trim(bytes: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_space(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_split_at_semicolons_alone() {
        let lines: [&[u8]; 2] = [b"a={\"x\":[1,2],\"y\":\"z=1\"}; b=1;a = 2 ; a= 2;a", b"c; b=1"];
        let cookies = Cookies::of(lines, |name| name == b"a" || name == b"b").unwrap();
        assert_eq!(cookies.all(b"a").unwrap(), [&b"{\"x\":[1,2],\"y\":\"z=1\"}"[..], b"2"]);
        assert_eq!((cookies.only(b"a"), cookies.only(b"b"), cookies.only(b"c")), (None, Some(&b"1"[..]), None));
    }

    #[test]
    fn what_is_too_long_or_too_much_is_nothing() {
        let line = |length: usize| format!("a={}", "x".repeat(length));
        assert!(Cookies::of([line(MAX_VALUE).as_bytes()], |_| true).is_some());
        assert!(Cookies::of([line(MAX_VALUE + 1).as_bytes()], |_| true).is_none());
        assert!(Cookies::of([line(MAX_VALUE + 1).as_bytes()], |name| name == b"b").is_some(), "another's cookie");
        let many: String = (0..5).map(|value| format!("a={value};")).collect();
        assert!(Cookies::of([many.as_bytes()], |_| true).unwrap().all(b"a").is_none());
        let names: String = (0..65).map(|name| format!("a{name}=1;")).collect();
        assert!(Cookies::of([names.as_bytes()], |_| true).is_none());
    }

    #[test]
    fn a_value_is_decoded_once() {
        assert_eq!(decoded(b"a%2Bb+c%2541%C3%A4").as_deref(), Some("a+b+c%41ä"));
        for wrong in [&b"%"[..], b"%4", b"%4g", b"%+1", b"%ff", b"\xff"] {
            assert_eq!(decoded(wrong), None, "{wrong:?}");
        }
    }
}
