use proptest::prelude::*;

use super::*;
use crate::config::DeclaredCookie;

fn declared(name: &str, purpose: usize) -> DeclaredCookie {
    let prefix = name.ends_with('*');
    let name = name.trim_end_matches('*').to_owned();
    DeclaredCookie { name, prefix, purpose, ..DeclaredCookie::default() }
}

fn catalogue() -> Catalogue {
    let cookies = [("sid", 0), ("prefs", 1), ("_ga*", 2), ("wp*", 0), ("_fbp", 3)];
    Catalogue::new(&cookies.map(|(name, purpose)| declared(name, purpose)), Some(2))
}

/// Necessary and preferences are permitted, analytics and marketing are not.
fn permitted() -> PurposeSet {
    PurposeSet::of([0, 1])
}

fn filtered(lines: &[&str]) -> Option<String> {
    let kept = filter_request(lines.iter().map(|line| line.as_bytes()), &catalogue(), permitted()).header?;
    Some(String::from_utf8_lossy(&kept).into_owned())
}

#[test]
fn rule_k3_a_refused_cookie_never_reaches_the_upstream() {
    assert_eq!(
        filtered(&["sid=1; _ga=GA1.2; prefs=a b; _fbp=x; wp-x=\"q\""]).as_deref(),
        Some("sid=1; prefs=a b; wp-x=\"q\"")
    );
    assert_eq!(filtered(&["_ga=1"]), None);
    assert_eq!(filtered(&[]), None);
    assert_eq!(filtered(&[""]), None);
}

#[test]
fn what_went_is_counted_and_our_own_is_not() {
    let removed = |line: &str| filter_request([line.as_bytes()], &catalogue(), permitted()).removed;
    assert_eq!(removed("sid=1; prefs=2"), 0);
    assert_eq!(removed("sid=1; _ga=2; ; nameless; unknown=1;"), 3);
    assert_eq!(removed("consentry=x; consentry_visit=y; _ga=2"), 1);
}

#[test]
fn rule_k3_our_own_cookies_are_not_the_sites_business() {
    assert_eq!(filtered(&["consentry=v1~x; sid=1; consentry_visitor=a; consentry_visit=b"]).as_deref(), Some("sid=1"));
    let all = PurposeSet::of(0..8);
    assert_eq!(filter_request([&b"consentry_visit=b; consentry=c"[..]], &catalogue(), all).header, None);
}

#[test]
fn rule_k3_order_and_bytes_of_the_rest_stay() {
    for line in
        ["sid=1", "sid=1;prefs=2", "sid=1;  prefs = \"a\\\"b\" ;\twp=\u{e9}", "sid=1; sid=2; sid=1", "sid==;prefs=="]
    {
        let kept = filter_request([line.as_bytes()], &catalogue(), permitted()).header;
        assert!(matches!(kept, Some(Cow::Borrowed(kept)) if kept == line.as_bytes()), "{line}");
    }
    // What lies in one piece is not copied either.
    let kept = filter_request([&b"consentry=x; sid=1;prefs=2; _ga=3"[..]], &catalogue(), permitted()).header;
    assert!(matches!(kept, Some(Cow::Borrowed(b"sid=1;prefs=2"))));
}

#[test]
fn rule_k3_several_lines_become_one() {
    assert_eq!(filtered(&["sid=1", "_ga=2", "prefs=3; _ga=4", "wp=5"]).as_deref(), Some("sid=1; prefs=3; wp=5"));
}

#[test]
fn rule_k1_nothing_gets_through_by_being_malformed() {
    for line in [
        "sid",
        "=sid=1",
        "=",
        ";",
        "; ;",
        "undeclared=1",
        "SID=1",
        "\u{a0}sid=1",
        "\"sid\"=1",
        "$Version=1",
        "sid%3d=1",
        "%5fga=1",
        "sid,_ga=1",
        "wp,_ga=1",
        "wp=1,_ga=2",
        "wp=1 , _ga = 2",
        "sid=\"a,_ga=2\"",
        "sid=1,consentry=2",
        "sid=,_fbp=",
        "sid=x,\t_ga\t=",
    ] {
        assert_eq!(filtered(&[line]), None, "{line}");
    }
    assert_eq!(filtered(&["sid=\"x; _ga=1\"; prefs=1"]).as_deref(), Some("sid=\"x; prefs=1"));
    assert_eq!(filtered(&["sid=1;; prefs=2;"]).as_deref(), Some("sid=1; prefs=2"));
}

#[test]
fn a_comma_in_a_value_is_only_a_comma() {
    let line = "prefs={\"a\":1,\"b\":\"x=1\"}; sid=Mon, 01 Jan";
    assert_eq!(filtered(&[line]).as_deref(), Some(line));
    // Old servers too see a cookie only where an `=` stands behind its name (RFC 2109 §4.3.4).
    for kept in ["sid=,_fbp", "sid=x,_gaming", "sid=x , _ga", "sid=x,consentry", "sid=,_ga,_fbp; prefs=a,_ga"] {
        assert_eq!(filtered(&[kept]).as_deref(), Some(kept));
    }
    assert_eq!(filtered(&["sid=x,_ga; prefs=a,_ga,_fbp=2; wp=1"]).as_deref(), Some("sid=x,_ga; wp=1"));
}

fn soup() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let pieces = prop::sample::select(vec![
        "sid",
        "prefs",
        "_ga",
        "_ga_X",
        "_fbp",
        "wp",
        "wp-1",
        "consentry",
        "consentry_visit",
        "x",
        "=",
        "=",
        ";",
        ";",
        "; ",
        ",",
        ", ",
        "\"",
        " ",
        "\t",
        "1",
        "\u{e9}",
        "%",
        "\\",
        "$",
    ]);
    let line = prop_oneof![
        4 => prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(line, 0..4)
}

/// Every name any server could see: it may split at semicolons only or at commas too, where a cookie has an `=`.
fn names_seen(header: &[u8]) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    let behind_commas = header.split(|&b| b == b';' || b == b',').filter(|part| part.contains(&b'='));
    for part in header.split(|&b| b == b';').chain(behind_commas) {
        let name = part.split(|&b| b == b'=').next().unwrap_or_default();
        names.push(name.trim_ascii().to_vec());
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn rule_k3_no_byte_soup_carries_a_refused_cookie(lines in soup()) {
        let catalogue = catalogue();
        let kept = filter_request(lines.iter().map(Vec::as_slice), &catalogue, permitted()).header;
        for name in names_seen(kept.as_deref().unwrap_or_default()) {
            prop_assert!(!catalogue.is_ours(&name));
            prop_assert!(catalogue.purpose(&name).is_none_or(|purpose| permitted().contains(purpose)));
        }
        // At semicolons alone, every name is a permitted one.
        for pair in kept.as_deref().into_iter().flat_map(|kept| kept.split(|&b| b == b';')) {
            let name = pair.split(|&b| b == b'=').next().unwrap_or_default();
            prop_assert!(catalogue.permits(name.trim_ascii(), permitted()));
        }
    }

    #[test]
    fn what_stays_is_what_came_in_its_order_and_stays_again(lines in soup()) {
        let catalogue = catalogue();
        let kept = filter_request(lines.iter().map(Vec::as_slice), &catalogue, permitted()).header;
        let came: Vec<&[u8]> = lines.iter().flat_map(|line| line.split(|&b| b == b';')).collect();
        let mut left = came.iter();
        for pair in kept.as_deref().into_iter().flat_map(|kept| kept.split(|&b| b == b';')) {
            let pair = pair.trim_ascii_start();
            prop_assert!(left.any(|came| came.trim_ascii_start() == pair), "{:?}", String::from_utf8_lossy(pair));
        }
        let again = kept.as_deref().and_then(|kept| filter_request([kept], &catalogue, permitted()).header);
        prop_assert_eq!(again.as_deref(), kept.as_deref());
    }

    #[test]
    fn a_permitted_cookie_is_never_lost(names in prop::collection::vec("sid|prefs|wp[a-z0-9_-]{0,8}|_ga|other", 0..12)) {
        let line = names.iter().enumerate().map(|(i, name)| format!("{name}={i}")).collect::<Vec<_>>().join("; ");
        let expected: Vec<String> = names.iter().enumerate()
            .filter(|(_, name)| catalogue().permits(name.as_bytes(), permitted()))
            .map(|(i, name)| format!("{name}={i}")).collect();
        prop_assert_eq!(filtered(&[&line]).unwrap_or_default(), expected.join("; "));
    }
}
