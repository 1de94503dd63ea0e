use proptest::prelude::*;

use super::*;

/// The same as [`plain_address`] says, in the long way.
fn assert_plain_is_right(value: &[u8]) {
    let long = Address::of_attribute(value);
    match plain_address(value) {
        Some(PlainAddress::Relative) => assert_eq!(long, Address::Relative, "{}", value.escape_ascii()),
        Some(PlainAddress::Host { name, port }) => {
            assert_eq!(long, Address::Host(Host { name: name.into(), port }), "{}", value.escape_ascii());
        }
        None => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_plain_address_is_what_the_long_way_finds(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "https://", "http://", "//", "/", "t.example", "T", ".", ":", "443", "@", "?", "#", "&#47;", "&sol;", "&Tab;", "&",
            "\\", "\t", "\n", " ", "%2e", "-", "_", "data:", "http:", "a", "\u{ad}", "\0", "é", "&colon;", ";", "//u@",
        ]), 0..7),
    ) {
        assert_plain_is_right(pieces.concat().as_bytes());
    }

    #[test]
    fn so_it_is_with_any_bytes(after in prop::collection::vec(any::<u8>(), 0..12)) {
        for before in ["", "//", "https://", "//t.example", "a", "/"] {
            assert_plain_is_right(&[before.as_bytes(), &after].concat());
        }
    }
}

fn host(value: &str) -> Option<String> {
    match Address::of_attribute(value.as_bytes()) {
        Address::Host(Host { name, port }) => Some(port.map_or(name.clone(), |port| format!("{name}:{port}"))),
        _ => None,
    }
}

#[test]
fn a_host_is_read_as_a_browser_reads_it() {
    for value in [
        "https://t.example/x.js",
        "HTTPS://T.EXAMPLE",
        " \n\u{1}https://t.example?x",
        "https:\\\\t.example\\x",
        "https:t.example/x",
        "https:/t.example",
        "https:////t.example",
        "ht\ntps:/\t/t.exa\rmple/x",
        "https://user:pass@t.example#x",
        "https://a@b@t.example",
        "https&#58;&#x2F;&#x2f;t&period;example/",
        "https&colon;&sol;&bsol;t&#46example",
        "https://%74.ex%61mple/",
        "https://t.example./",
        "https://ｔ．example",
        "https://t。example",
        "https://t.\u{ad}example",
        "h&Tab;ttps://t.example:443",
        "https://t.example:/x",
        "https://T.Ex&#65;mple/",
    ] {
        assert_eq!(host(value).as_deref(), Some("t.example:443"), "{value}");
    }
    for value in [
        "//t.example/x",
        "\\\\t.example",
        "/\\t.example",
        "\\/t.example?",
        "///t.example",
        " /&#10;/t.example",
        "&sol;/t.example",
    ] {
        assert_eq!(host(value).as_deref(), Some("t.example"), "{value}");
    }
    assert_eq!(host("http://[::1]:8080/x").as_deref(), Some("[::1]:8080"));
    assert_eq!(host("http://[::1]/x").as_deref(), Some("[::1]:80"));
    assert_eq!(host("//t.example:81").as_deref(), Some("t.example:81"));
    assert_eq!(host("//t.example:99999").as_deref(), Some("t.example"));
}

#[test]
fn what_points_at_no_host_is_told_apart() {
    for value in [
        "",
        "x.js",
        "/x.js",
        "./a:b//c",
        "?https://t.example",
        "#//t.example",
        "/ /t.example",
        "a/https://t.example",
        "&amp",
    ] {
        assert_eq!(Address::of_attribute(value.as_bytes()), Address::Relative, "{value}");
    }
    for value in ["data:text/html,//t.example", "javascript:1", "about:blank", "blob:https://t.example/x"] {
        assert_eq!(Address::of_attribute(value.as_bytes()), Address::None, "{value}");
    }
}

/// In Shift_JIS, Big5 and GBK a `\` may be the second byte of a letter, of the user's name here.
#[test]
fn rule_k4_a_letter_may_take_the_end_of_an_authority_with_it() {
    for url in ["http://x\u{37c1}\\@t.example/", "//\u{37c1}\\@t.example/", "http://x\u{37c1}\\\\@t.example"] {
        assert_eq!(Address::of_attribute(url.as_bytes()), Address::Any, "{url}");
    }
    assert_eq!(Address::of_attribute(b"http://x\x81\\@t.example/"), Address::Any);
    assert_eq!(host("http://\u{37c1}.example\\@t.example/").as_deref(), Some("\u{37c1}.example:80"));
}
