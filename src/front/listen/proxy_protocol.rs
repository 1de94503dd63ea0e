//! The header by which a load balancer says who connected to it (the PROXY protocol, versions 1 and 2). It is read from
//! listed peers alone, from whom it is required: whoever else could send one could claim any address. What cannot be read in
//! one way only closes the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line of version 1 with its end, in bytes.
const LONGEST_LINE: usize = 107;
/// The beginning of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// What may follow that: addresses, and extensions (a client certificate's names, a checksum) that are passed over.
const MAX_REST: usize = 4096;

/// What a header says, or will say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It is a right one so far.
    Unfinished,
    /// It is whole.
    Whole {
        /// Who connected; nothing where the proxy speaks for itself (`LOCAL`) or does not know (`UNKNOWN`).
        source: Option<IpAddr>,
        /// How many bytes the header has.
        length: usize,
    },
    /// It is none.
    Wrong,
}

/// Reads the header from a connection: who connected, and what came behind it. Nothing where it is wrong or breaks off; how
/// long that may take is for the caller to say.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Option<IpAddr>, Bytes)> {
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        match parse(&bytes) {
            Read::Whole { source, length } => return Some((source, bytes.split_off(length).freeze())),
            Read::Wrong => return None,
            Read::Unfinished => {}
        }
        // A header is unfinished only as long as it is short.
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Looks at the bytes so far.
pub fn parse(bytes: &[u8]) -> Read {
    let begins = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    if bytes.first() == SIGNATURE.first() && begins(SIGNATURE) {
        return version_2(bytes);
    }
    if begins(b"PROXY ") { version_1(bytes) } else { Read::Wrong }
}

fn version_1(bytes: &[u8]) -> Read {
    let seen = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE { Read::Unfinished } else { Read::Wrong };
    };
    let line = bytes.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    match line.and_then(source_of_line) {
        Some(source) => Read::Whole { source, length: end + 2 },
        None => Read::Wrong,
    }
}

/// `PROXY TCP4 SOURCE DESTINATION PORT PORT`, or `PROXY UNKNOWN` and anything.
fn source_of_line(line: &str) -> Option<Option<IpAddr>> {
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination, from, to] = [words.next()?, words.next()?, words.next()?, words.next()?];
    if words.next().is_some() || !is_port(from) || !is_port(to) {
        return None;
    }
    match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            Some(Some(source.parse::<Ipv4Addr>().ok()?.into()))
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            Some(Some(source.parse::<Ipv6Addr>().ok()?.into()))
        }
        _ => None,
    }
}

fn is_port(word: &str) -> bool {
    let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    digits && (word == "0" || !word.starts_with('0')) && word.parse::<u16>().is_ok()
}

fn version_2(bytes: &[u8]) -> Read {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED) else { return Read::Unfinished };
    let &[.., command, family, high, low] = fixed else { return Read::Wrong };
    let announced = usize::from(u16::from_be_bytes([high, low]));
    if announced > MAX_REST || !matches!(command, 0x20 | 0x21) {
        return Read::Wrong;
    }
    let Some(rest) = rest.get(..announced) else { return Read::Unfinished };
    let source = match (command, family) {
        // The proxy's own, such as a look whether we are well.
        (0x20, _) => None,
        // Version 4 and 6 over a stream: source, destination, two ports.
        (_, 0x11) => match rest.first_chunk::<12>() {
            Some([a, b, c, d, ..]) => Some(Ipv4Addr::new(*a, *b, *c, *d).into()),
            None => return Read::Wrong,
        },
        (_, 0x21) => match rest.first_chunk::<36>().and_then(|all| all.first_chunk::<16>()) {
            Some(source) => Some(Ipv6Addr::from(*source).into()),
            None => return Read::Wrong,
        },
        // Unspecified, or a Unix socket: an address is not to be had.
        (_, 0x00 | 0x31) => None,
        _ => return Read::Wrong,
    };
    Read::Whole { source, length: FIXED + announced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(source: Option<&str>, length: usize) -> Read {
        Read::Whole { source: source.map(|address| address.parse().unwrap()), length }
    }

    fn version_2(command: u8, family: u8, announced: u16, rest: &[u8]) -> Vec<u8> {
        [SIGNATURE.as_slice(), &[command, family], &announced.to_be_bytes(), rest].concat()
    }

    #[test]
    fn a_right_header_says_who_connected() {
        let line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
        assert_eq!(parse(format!("{line}GET / HTTP/1.1").as_bytes()), whole(Some("192.0.2.7"), line.len()));
        let line = "PROXY TCP6 2001:db8::7 ::1 0 65535\r\n";
        assert_eq!(parse(line.as_bytes()), whole(Some("2001:db8::7"), line.len()));
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever 1 2\r\n"] {
            assert_eq!(parse(line.as_bytes()), whole(None, line.len()));
        }
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb];
        assert_eq!(parse(&version_2(0x21, 0x11, 12, &four)), whole(Some("192.0.2.7"), 28));
        // Extensions are passed over, whatever is in them.
        let extended = [&four[..], &[0x04, 0, 1, 9, 0xff]].concat();
        assert_eq!(parse(&version_2(0x21, 0x11, 17, &extended)), whole(Some("192.0.2.7"), 33));
        let six = [&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets()[..], &[0; 20]].concat();
        assert_eq!(parse(&version_2(0x21, 0x21, 36, &six)), whole(Some("2001:db8::7"), 52));
        assert_eq!(parse(&version_2(0x20, 0x11, 12, &four)), whole(None, 28), "LOCAL is the proxy itself");
        assert_eq!(parse(&version_2(0x20, 0x00, 0, &[])), whole(None, 16));
        assert_eq!(parse(&version_2(0x21, 0x31, 216, &[0; 216])), whole(None, 232));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_wrong() {
        for line in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 1\r\n",
            "PROXY TCP4  192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
            "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 01 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 1 443\nGET / HTTP/1.1\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 1 443\r\n",
            "PROXY \r\n",
            "proxy TCP4 192.0.2.7 198.51.100.1 1 443\r\n",
            "PROXYTCP4",
            "\r\n\r\nGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Read::Wrong, "{line:?}");
        }
        assert_eq!(parse(format!("PROXY UNKNOWN {}\r\n", "x".repeat(107)).as_bytes()), Read::Wrong);
        for (command, family, announced) in [(0x31, 0x11, 12), (0x22, 0x11, 12), (0x21, 0x12, 12), (0x21, 0x11, 11)] {
            assert_eq!(parse(&version_2(command, family, announced, &[0; 12])), Read::Wrong);
        }
        assert_eq!(parse(&version_2(0x21, 0x11, 4097, &[])), Read::Wrong, "too long is seen before it comes");
    }

    proptest::proptest! {
        #[test]
        fn a_header_in_pieces_is_the_same_header(cut in 0usize..30, tail: Vec<u8>) {
            let headers = [b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), version_2(0x21, 0x11, 12, &[1; 12])];
            for header in headers {
                let cut = cut.min(header.len() - 1);
                proptest::prop_assert_eq!(parse(&header[..cut]), Read::Unfinished);
                let all = [&header[..], &tail].concat();
                proptest::prop_assert_eq!(parse(&all), parse(&header));
            }
        }

        #[test]
        fn no_bytes_panic_and_none_are_waited_for_without_end(bytes: Vec<u8>, long: bool) {
            let _ = parse(&bytes);
            let bytes = [if long { &SIGNATURE[..] } else { b"PROXY " }, &bytes].concat();
            let _ = parse(&bytes);
            let padded = [&bytes[..], &[b'x'; FIXED + MAX_REST]].concat();
            proptest::prop_assert_ne!(parse(&padded), Read::Unfinished);
        }
    }

    #[tokio::test]
    async fn what_comes_behind_the_header_is_not_lost() {
        let mut sent: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nGET /";
        let (source, rest) = read(&mut sent).await.unwrap();
        assert_eq!((source, &rest[..]), (Some("192.0.2.7".parse().unwrap()), &b"GET /"[..]));
        let mut broken: &[u8] = b"PROXY TCP4 192.0.2.7";
        assert!(read(&mut broken).await.is_none());
    }
}
