use proptest::prelude::*;

use super::*;
use crate::config::DeclaredCookie;

fn catalogue() -> Catalogue {
    let cookies = [("sid", false, 0), ("prefs", false, 1), ("_ga", true, 2), ("wp", true, 0)];
    let declared = cookies.map(|(name, prefix, purpose)| DeclaredCookie {
        name: name.into(),
        prefix,
        purpose,
        ..DeclaredCookie::default()
    });
    Catalogue::new(&declared, Some(2))
}

fn permitted() -> PurposeSet {
    PurposeSet::of([0, 1])
}

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("server", HeaderValue::from_static("s"));
    for line in lines {
        headers.append(SET_COOKIE, HeaderValue::from_bytes(line).expect("is a value"));
    }
    headers
}

fn left(headers: &HeaderMap) -> Vec<&[u8]> {
    headers.get_all(SET_COOKIE).iter().map(HeaderValue::as_bytes).collect()
}

#[test]
fn rule_k2_a_refused_cookie_never_reaches_the_visitor() {
    let mut headers = headers(&[
        b"sid=1; Path=/; HttpOnly; X-Unknown=\"a,b\"; Expires=Wed, 21 Oct 2037 07:28:00 GMT",
        b"_ga=2; Path=/",
        b"  prefs = \xe9 ;; SameSite=Lax",
        b"undeclared=1",
        b"sid=3",
        b"sid=,_gaming; Path=/",
    ]);
    assert_eq!(filter_response(&mut headers, &catalogue(), permitted()), 2);
    let expected: [&[u8]; 4] = [
        b"sid=1; Path=/; HttpOnly; X-Unknown=\"a,b\"; Expires=Wed, 21 Oct 2037 07:28:00 GMT",
        b"  prefs = \xe9 ;; SameSite=Lax",
        b"sid=3",
        b"sid=,_gaming; Path=/",
    ];
    assert_eq!(left(&headers), expected);
    assert_eq!(headers.get("server").map(HeaderValue::as_bytes), Some(&b"s"[..]));
}

#[test]
fn rule_k2_what_cannot_be_read_is_removed() {
    let lines: [&[u8]; 12] = [
        b"",
        b"sid",
        b"=sid=1",
        b"=",
        b"; sid=1",
        b"sid; x=1",
        b"\"sid\"=1",
        b"wp,_ga=1",
        b"sid=1, _ga=2; Path=/",
        b"SID=1",
        b"sid=1; Path=/, consentry=x",
        b"\xa0sid=1",
    ];
    let mut headers = headers(&lines);
    assert_eq!(filter_response(&mut headers, &catalogue(), permitted()), lines.len());
    assert!(left(&headers).is_empty() && !headers.contains_key(SET_COOKIE));
}

#[test]
fn the_upstream_cannot_set_our_cookies() {
    let mut headers =
        headers(&[b"consentry=forged", b"consentry_visitor=1", b"Consentry=1", b"__Host-consentry=1", b"sid=1"]);
    assert_eq!(filter_response(&mut headers, &catalogue(), PurposeSet::of(0..8)), 4);
    assert_eq!(left(&headers), [b"sid=1"]);
}

#[test]
fn the_abandoned_header_is_removed_whatever_it_says() {
    let mut headers = headers(&[b"sid=1"]);
    headers.append("set-cookie2", HeaderValue::from_static("sid=1"));
    headers.append("set-cookie2", HeaderValue::from_static("sid=2"));
    assert_eq!(filter_response(&mut headers, &catalogue(), permitted()), 2);
    assert_eq!(left(&headers), [b"sid=1"]);
}

#[test]
fn an_answer_without_cookies_is_left_alone() {
    let mut headers = headers(&[]);
    assert_eq!(filter_response(&mut headers, &catalogue(), permitted()), 0);
    assert_eq!(headers.len(), 1);
}

proptest! {
    #[test]
    fn rule_k2_no_byte_soup_sets_a_refused_cookie(
        lines in prop::collection::vec("(sid|prefs|_ga|_gat|wp|consentry|x|=|=|;|,| |\t|\"|é|1){0,12}", 0..6)
    ) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let mut headers = headers(&lines);
        let removed = filter_response(&mut headers, &catalogue(), permitted());
        let once = headers.clone();
        prop_assert_eq!(left(&headers).len() + removed, lines.len());
        let mut came = lines.iter();
        for line in left(&headers) {
            prop_assert!(came.any(|came| *came == line), "lines keep their bytes and order");
            let name = line.split(|&b| b == b';').next().and_then(|pair| pair.split(|&b| b == b'=').next());
            prop_assert!(catalogue().permits(name.unwrap_or_default().trim_ascii(), permitted()));
            let pairs = line.split(|&b| b == b',').filter_map(|part| part.split(|&b| b == b';').next());
            for pair in pairs.filter(|pair| pair.contains(&b'=')) {
                let name = pair.split(|&b| b == b'=').next().unwrap_or_default().trim_ascii();
                prop_assert!(catalogue().purpose(name).is_none_or(|purpose| permitted().contains(purpose)));
            }
        }
        prop_assert_eq!(filter_response(&mut headers, &catalogue(), permitted()), 0);
        prop_assert_eq!(headers, once);
    }
}
