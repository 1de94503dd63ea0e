use proptest::prelude::*;

use super::*;

const PLAIN: Asked = Asked { by_head: false, websocket: false };

/// Status, lines, framing, whether the connection is kept, and how many bytes are left.
type Read = (u16, String, Framing, bool, usize);

/// What a head comes to, in a form that can be compared.
fn read(bytes: &[u8], asked: Asked) -> Result<Option<Read>, String> {
    let mut buffer = BytesMut::from(bytes);
    match parse(&mut buffer, asked) {
        Ok(Parsed::Partial) => Ok(None),
        Ok(Parsed::Interim) => Ok(Some((100, String::new(), Framing::Empty, true, buffer.len()))),
        Ok(Parsed::Answer(head)) => {
            let lines = head.headers.iter().map(|(name, value)| format!("{name}={value:?};")).collect();
            Ok(Some((head.status.as_u16(), lines, head.framing, head.keep_alive, buffer.len())))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_value_is_the_bytes_between_the_blanks() {
    let (_, lines, ..) =
        read(b"HTTP/1.1 200 OK\r\nX-A:  b \t\r\nX-B:\r\nX-C: \xff\r\n\r\nrest", PLAIN).unwrap().unwrap();
    assert_eq!(lines, "x-a=\"b\";x-b=\"\";x-c=\"\\xff\";");
}

#[test]
fn a_sites_keep_alive_time_is_read() {
    for (value, seconds) in
        [("timeout=5, max=100", Some(5)), ("max=100", None), ("timeout=x", None), ("timeout=-1", None)]
    {
        assert_eq!(keep_alive_seconds(value.as_bytes()), seconds);
    }
}

#[test]
fn http_1_0_is_kept_only_where_the_site_says_so() {
    let keeps = |head: &str| read(format!("{head}\r\nContent-Length: 1\r\n\r\n").as_bytes(), PLAIN).unwrap().unwrap().3;
    assert!(keeps("HTTP/1.1 200 OK"));
    assert!(keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive"));
    assert!(!keeps("HTTP/1.0 200 OK"));
    assert!(!keeps("HTTP/1.0 200 OK\r\nConnection: keep-alive, close"));
    assert!(!keeps("HTTP/1.1 200 OK\r\nConnection: foo\r\nConnection: CLOSE"));
}

/// Lines as sites send them, and as they should not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"Content-Length: 5".to_vec()),
        Just(b"content-length: 7".to_vec()),
        Just(b"Transfer-Encoding: chunked".to_vec()),
        Just(b"Connection: close, x-a".to_vec()),
        Just(b"Connection: Upgrade".to_vec()),
        Just(b"Upgrade: websocket".to_vec()),
        Just(b"Keep-Alive: timeout=99999999999999999999".to_vec()),
        Just(b"X-A: 1".to_vec()),
        Just(b"Set-Cookie: a=b; Path=/".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
        "[!-~]{1,12}: [ -~]{0,12}".prop_map(String::into_bytes),
    ]
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        (100u16..1000, 0u8..3).prop_map(|(status, minor)| format!("HTTP/1.{minor} {status} X").into_bytes()),
        Just(b"HTTP/1.1 101".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    (start, prop::collection::vec(line(), 0..8)).prop_map(|(start, lines)| {
        let mut head = start;
        for line in lines {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(&line);
        }
        head.extend_from_slice(b"\r\n\r\nbody");
        head
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), by_head: bool, websocket: bool) {
        let _ = read(&bytes, Asked { by_head, websocket });
    }

    #[test]
    fn a_head_read_early_is_the_head_read_whole(bytes in head(), by_head: bool, websocket: bool, cut in any::<prop::sample::Index>()) {
        let asked = Asked { by_head, websocket };
        let early = &bytes[..cut.index(bytes.len() + 1)];
        match read(early, asked) {
            // What is complete does not change when more bytes come.
            Ok(Some((status, lines, framing, keep_alive, left))) => {
                let more = left + bytes.len() - early.len();
                prop_assert_eq!(read(&bytes, asked), Ok(Some((status, lines, framing, keep_alive, more))));
            }
            Err(_) => prop_assert!(read(&bytes, asked).is_err()),
            Ok(None) => {}
        }
    }

    #[test]
    fn framing_and_connection_never_pass(bytes in head(), by_head: bool, websocket: bool) {
        let mut buffer = BytesMut::from(&bytes[..]);
        if let Ok(Parsed::Answer(head)) = parse(&mut buffer, Asked { by_head, websocket }) {
            for name in ["transfer-encoding", "keep-alive", "trailer", "te"] {
                prop_assert!(!head.headers.contains_key(name));
            }
            if head.framing != Framing::Switched {
                prop_assert!(!head.headers.contains_key("connection") && !head.headers.contains_key("upgrade"));
            }
            prop_assert!(head.headers.get_all("content-length").iter().count() < 2);
            prop_assert!(head.framing != Framing::Switched || websocket);
        }
    }
}
