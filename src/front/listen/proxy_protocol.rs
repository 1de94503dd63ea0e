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
/// What may follow that: addresses, and extensions, of which all but the one that tells of TLS are passed over.
const MAX_REST: usize = 4096;
/// The extension that says how the visitor's TLS ended at the proxy (`PP2_TYPE_SSL`), and its bit for that there was any.
const TLS: u8 = 0x20;
const BY_TLS: u8 = 0x01;

/// What a proxy says of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Who connected; nothing where the proxy speaks for itself (`LOCAL`) or does not know (`UNKNOWN`).
    pub source: Option<IpAddr>,
    /// Whether it says that they spoke TLS with it.
    pub https: bool,
}

/// What a header says, or will say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// It is a right one so far.
    Unfinished,
    /// It is whole.
    Whole {
        /// What it says.
        announced: Announced,
        /// How many bytes the header has.
        length: usize,
    },
    /// It is none.
    Wrong,
}

/// Reads the header from a connection: what it says, and what came behind it. Nothing where it is wrong or breaks off; how
/// long that may take is for the caller to say.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Announced, Bytes)> {
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        match parse(&bytes) {
            Read::Whole { announced, length } => return Some((announced, bytes.split_off(length).freeze())),
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
        Some(source) => Read::Whole { announced: Announced { source, https: false }, length: end + 2 },
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
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST || !matches!(command, 0x20 | 0x21) {
        return Read::Wrong;
    }
    let Some(rest) = rest.get(..length) else { return Read::Unfinished };
    let (source, addresses) = match (command, family) {
        // The proxy's own, such as a look whether we are well.
        (0x20, _) => (None, length),
        // Version 4 and 6 over a stream: source, destination, two ports.
        (_, 0x11) => match rest.first_chunk::<12>() {
            Some([a, b, c, d, ..]) => (Some(Ipv4Addr::new(*a, *b, *c, *d).into()), 12),
            None => return Read::Wrong,
        },
        (_, 0x21) => match rest.first_chunk::<36>().and_then(|all| all.first_chunk::<16>()) {
            Some(source) => (Some(Ipv6Addr::from(*source).into()), 36),
            None => return Read::Wrong,
        },
        // Unspecified, or a Unix socket: an address is not to be had.
        (_, 0x00) => (None, 0),
        (_, 0x31) => (None, 216),
        _ => return Read::Wrong,
    };
    let https = rest.get(addresses..).is_some_and(tells_of_tls);
    Read::Whole { announced: Announced { source, https }, length: FIXED + length }
}

/// Whether one of the extensions says that TLS is spoken with the proxy. What is none ends them.
fn tells_of_tls(mut extensions: &[u8]) -> bool {
    while let [kind, high, low, rest @ ..] = extensions {
        let Some((value, others)) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))) else {
            break;
        };
        if *kind == TLS {
            return value.first().is_some_and(|client| client & BY_TLS != 0);
        }
        extensions = others;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(source: Option<&str>, length: usize) -> Read {
        let announced = Announced { source: source.map(|address| address.parse().unwrap()), https: false };
        Read::Whole { announced, length }
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
    fn that_the_visitor_spoke_tls_with_the_proxy_is_told_by_an_extension() {
        let said = |family: u8, addresses: usize, extensions: &[u8]| {
            let rest = [&vec![1; addresses][..], extensions].concat();
            match parse(&version_2(0x21, family, rest.len() as u16, &rest)) {
                Read::Whole { announced, .. } => announced.https,
                other => panic!("{other:?}"),
            }
        };
        let tls = [0x20, 0, 5, 1, 0, 0, 0, 0];
        for (family, addresses) in [(0x11, 12), (0x21, 36), (0x31, 216), (0x00, 0)] {
            assert!(said(family, addresses, &tls), "{family}");
            assert!(said(family, addresses, &[&[0x04, 0, 2, 0x20, 0], &tls[..]].concat()), "{family}");
            for other in
                [&[][..], &[0x20], &[0x20, 0, 0], &[0x20, 0, 5, 0, 0, 0, 0, 0], &[0x21, 0, 1, 1], &[0x20, 0, 9, 1]]
            {
                assert!(!said(family, addresses, other), "{family} {other:?}");
            }
            // What is too long for what is left ends them.
            assert!(!said(family, addresses, &[&[0x04, 0xff, 0xff], &tls[..]].concat()), "{family}");
        }
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
        let (announced, rest) = read(&mut sent).await.unwrap();
        assert_eq!((announced.source, &rest[..]), (Some("192.0.2.7".parse().unwrap()), &b"GET /"[..]));
        let mut broken: &[u8] = b"PROXY TCP4 192.0.2.7";
        assert!(read(&mut broken).await.is_none());
    }
}
