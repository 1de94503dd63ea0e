//! Host names, in the one form in which they compare.
//!
//! Of Unicode's many ways to write an ASCII letter the full-width forms and the other full stops are known; any other
//! character stays and may stand for anything ([`Gating`](crate::page::gate::tags::Gating) compares so).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A host name in the one form in which names compare.
pub(in crate::page::gate) fn normal(name: &str) -> String {
    let bytes = name.as_bytes();
    // Nearly every name is in that form as it stands.
    if bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.')) && !may_be_number(bytes) {
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
    let mapped = mapped.trim_end_matches('.');
    v4(mapped).map(|ip| ip.to_string()).or_else(|| v6(mapped)).unwrap_or_else(|| mapped.to_owned())
}

/// Whether a name may be an address of IPv4: each part is a number then, the first and the last as well.
pub(super) fn may_be_number(name: &[u8]) -> bool {
    let begins = |part: &[u8]| part.first().is_some_and(u8::is_ascii_digit);
    begins(name) && name.rsplit(|&byte| byte == b'.').find(|part| !part.is_empty()).is_some_and(begins)
}

/// The address of IPv4 that a name in lower case, without a full stop at its end, is: up to four numbers, each decimal, octal or
/// hexadecimal, the last of which fills the bytes that are left (WHATWG URL, 3.5).
fn v4(name: &str) -> Option<Ipv4Addr> {
    if !may_be_number(name.as_bytes()) {
        return None;
    }
    let mut address = 0u64;
    let mut parts = name.split('.');
    for left in (0..4).rev() {
        let number = number(parts.next()?)?;
        if parts.clone().next().is_none() {
            let bytes_left = 8 * (left + 1);
            return (number >> bytes_left == 0).then(|| Ipv4Addr::from_bits((address << bytes_left | number) as u32));
        }
        if number > 255 {
            return None;
        }
        address = address << 8 | number;
    }
    None
}

/// One part of an address of IPv4.
fn number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.as_bytes() {
        [b'0', b'x', ..] => (part.get(2..)?, 16),
        [b'0', _, ..] => (part.get(1..)?, 8),
        _ => (part, 10),
    };
    if digits.is_empty() && radix == 16 {
        return Some(0);
    }
    // A sign is no digit.
    digits.bytes().all(|digit| char::from(digit).is_digit(radix)).then(|| u64::from_str_radix(digits, radix).ok())?
}

/// An address of IPv6 in brackets, in its shortest form.
fn v6(name: &str) -> Option<String> {
    let address: Ipv6Addr = name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
    Some(format!("[{address}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_k4_an_ip_address_has_one_form() {
        for form in
            ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0x7F000001", "127.0.0.1.", "１２７。1"]
        {
            assert_eq!(normal(form), "127.0.0.1", "{form}");
        }
        assert_eq!(normal("127.0x.0.1"), "127.0.0.1");
        assert_eq!(normal("00000000000000000000000000000000177.1"), "127.0.0.1");
        assert_eq!(normal("1.65535"), "1.0.255.255");
        assert_eq!(normal("255.255.255.255"), "255.255.255.255");
        for none in
            ["256.1.1.1", "1.2.3.4.5", "4294967296", "1.2.3.256", "08.1", "1..2", "1.0xg", "1.+2", "1.example", "3d"]
        {
            assert_eq!(normal(none), none);
        }
        assert_eq!(normal("[0:0::0:1]"), "[::1]");
        assert_eq!(normal("[::1"), "[::1");
    }
}
