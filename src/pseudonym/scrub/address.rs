//! Internet addresses: where a visitor's own, or another person's, stands in a path, a campaign or a host name (D1).

use std::net::Ipv6Addr;

/// The longest IPv6 address in letters, with an IPv4 address at its end.
const LONGEST_V6: usize = 45;
/// So many digits at least make `a::b` an address and not two words of a program.
const FEWEST_V6_DIGITS: usize = 5;

/// Where the IPv4 address ends that starts with the digit at `at`: four numbers up to 255. A version number of four parts
/// has the same form and is taken for one unless it is written `v1.2.3.4`; with more or fewer parts it is none.
pub fn v4_end(text: &[u8], at: usize) -> Option<usize> {
    let is_version = match &text[..at] {
        [b'v' | b'V'] => true,
        [.., before, b'v' | b'V'] => !before.is_ascii_alphanumeric(),
        _ => false,
    };
    let goes_before = at > 1 && text[at - 1] == b'.' && text[at - 2].is_ascii_digit();
    if is_version || goes_before { None } else { four_numbers_end(text, at, b'.') }
}

/// `203-0-113-9`, as providers write an address into the name of a host; another number may stand before it.
pub fn hyphenated_v4_end(text: &[u8], at: usize) -> Option<usize> {
    four_numbers_end(text, at, b'-')
}

fn four_numbers_end(text: &[u8], at: usize, separator: u8) -> Option<usize> {
    let mut end = at;
    for part in 0..4 {
        if part > 0 {
            end += usize::from(text.get(end) == Some(&separator));
        }
        let digits = text[end..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        let number = text[end..end + digits].iter().fold(0, |n: u16, digit| n * 10 + u16::from(digit - b'0'));
        if !(1..=3).contains(&digits) || number > 255 || part > 0 && text[end - 1] != separator {
            return None;
        }
        end += digits;
    }
    let goes_on = text.get(end) == Some(&separator) && text.get(end + 1).is_some_and(u8::is_ascii_digit);
    (!goes_on).then_some(end)
}

/// Where the hardware address ends that starts at `at`, where a word starts: six pairs of hexadecimal digits with colons, or with hyphens if
/// one of them has a letter.
pub fn hardware_end(text: &[u8], at: usize) -> Option<usize> {
    let separator = *text.get(at + 2).filter(|b| matches!(b, b':' | b'-'))?;
    let pairs = text.get(at..at + 17)?;
    let fits = pairs.iter().enumerate().all(|(i, b)| if i % 3 == 2 { *b == separator } else { b.is_ascii_hexdigit() });
    let has_letter = separator == b':' || pairs.iter().any(u8::is_ascii_alphabetic);
    let goes_on = text.get(at + 17).is_some_and(|&b| b == separator || b.is_ascii_alphanumeric());
    (fits && has_letter && !goes_on).then_some(at + 17)
}

/// Where the IPv6 address ends that starts at `at`, where a word starts.
pub fn v6_end(text: &[u8], at: usize) -> Option<usize> {
    if at > 0 && text[at - 1] == b':' {
        return None;
    }
    let is_of_v6 = |b: &&u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let run = &text[at..at + text[at..].iter().take(LONGEST_V6 + 1).take_while(is_of_v6).count()];
    // A sentence may end behind it.
    let run = run.strip_suffix(b".").unwrap_or(run);
    let run = run.strip_suffix(b":").filter(|shorter| !shorter.ends_with(b":")).unwrap_or(run);
    let enough = run.iter().filter(|b| b.is_ascii_hexdigit()).count() >= FEWEST_V6_DIGITS;
    let colons = memchr::memchr_iter(b':', run).take(2).count();
    if !enough || colons < 2 || text.get(at + run.len()).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    std::str::from_utf8(run).ok()?.parse::<Ipv6Addr>().ok().map(|_| at + run.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_versions_times_and_words() {
        for (text, want) in [
            ("203.0.113.9", Some(11)),
            ("203.0.113.9:8080", Some(11)),
            ("203.000.113.009/x", Some(15)),
            ("203.0.113.9.", Some(11)),
            ("203.0.113.9.nip.io", Some(11)),
            ("203.0.113.256", None),
            ("203.0.113", None),
            ("1.2.3.4.5", None),
            ("119.0.6045.105", None),
            ("2030.0.113.9", None),
            ("1..2.3.4", None),
        ] {
            assert_eq!(hyphenated_v4_end(text.replace('.', "-").as_bytes(), 0), want, "{text} with hyphens");
            assert_eq!(v4_end(text.as_bytes(), 0), want, "{text}");
        }
        assert_eq!(v4_end(b"1.2.3.4.5", 2), None);
        assert_eq!(v4_end(b"v1.2.3.4", 1), None);
        assert_eq!(v4_end(b"-V1.2.3.4", 2), None);
        assert_eq!(v4_end(b"srv1.2.3.4", 3), Some(10));
        for (text, want) in [
            ("00:1a:2b:3c:4d:5e", Some(17)),
            ("00-1A-2B-3C-4D-5E x", Some(17)),
            ("10-20-30-40-50-60", None),
            ("00:1a:2b:3c:4d:5e:6f", None),
            ("00:1a:2b:3c:4d", None),
            ("10:30:00", None),
        ] {
            assert_eq!(hardware_end(text.as_bytes(), 0), want, "{text}");
        }
        for (text, want) in [
            ("2001:db8:1:2:3:4:5:6", Some(20)),
            ("2001:db8::1/64", Some(11)),
            ("2a02:c7f::.", Some(10)),
            ("2001:db8::1:", Some(11)),
            ("fe80::1", Some(7)),
            ("::ffff:203.0.113.9", Some(18)),
            ("a::b", None),
            ("::1", None),
            ("10:30:00", None),
            ("00:1a:2b:3c:4d:5e", None),
            ("2001:db8::1g", None),
        ] {
            assert_eq!(v6_end(text.as_bytes(), 0), want, "{text}");
        }
    }
}
