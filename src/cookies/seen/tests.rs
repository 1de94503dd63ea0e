use http::{Response, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::config::DeclaredCookie;

fn catalogue() -> Catalogue {
    let declared = |(name, prefix, purpose): (&str, bool, usize)| DeclaredCookie {
        name: name.into(),
        prefix,
        purpose,
        ..DeclaredCookie::default()
    };
    let cookies = [("sid", false, 0), ("_ga", true, 2), ("ad", false, 3), ("lang", false, 1)];
    Catalogue::new(&cookies.map(declared), Some(2))
}

fn answer(status: StatusCode, lines: &[&str]) -> Parts {
    let mut answer = Response::builder().status(status);
    for line in lines {
        answer = answer.header(SET_COOKIE, *line);
    }
    answer.body(()).unwrap().into_parts().0
}

/// What is known once a browser has sent `cookies` with pages at `paths`.
fn after(cookies: &str, paths: &[&str]) -> Seen {
    let seen = Seen::default();
    for path in paths {
        seen.learn(Some(cookies.as_bytes()), &answer(StatusCode::OK, &[]), &catalogue(), path);
    }
    seen
}

fn known(seen: &Seen, name: &str) -> Known {
    let mut found = seen.known(|known| known == name.as_bytes());
    found.pop().map(|(_, known)| known).unwrap_or_default()
}

fn folders(seen: &Seen, name: &str) -> Vec<String> {
    known(seen, name).folders(false).map(str::to_owned).collect()
}

#[test]
fn rule_c6_the_places_the_site_sets_are_learnt() {
    let seen = Seen::default();
    let lines = [
        "_ga_X=1; Path=/; HttpOnly",
        "ad=1; Domain=.Shop.test; Path=/shop/",
        "lang=en; Secure; Partitioned",
        "sid=1; Path=/x",
        "undeclared=1; Path=/y",
        "consentry_visit=1; Path=/z",
    ];
    for _ in 0..2 {
        seen.learn(None, &answer(StatusCode::NOT_FOUND, &lines), &catalogue(), "/deep/page");
    }
    let place = |path: &str, domain: Option<&str>, partitioned| {
        vec![Place { path: path.into(), domain: domain.map(Into::into), partitioned }]
    };
    assert_eq!(known(&seen, "_ga_X").places, place("/", None, false));
    assert_eq!(known(&seen, "ad").places, place("/shop/", Some("shop.test"), false));
    assert_eq!(known(&seen, "lang").places, place("/deep", None, true));
    assert_eq!(seen.known(|_| true).len(), 3, "necessary, undeclared and own cookies are none of it");
}

#[test]
fn rule_c6_the_folders_a_cookie_comes_with_are_learnt() {
    let seen = after("sid=1; ad=secret; other=2", &["/shop/item?q=1", "/shop/other", "/blog/x", "/blog/y", "/blog/z"]);
    assert_eq!(folders(&seen, "ad"), ["/blog", "/shop"], "those it came with most first");
    assert!(folders(&seen, "sid").is_empty() && folders(&seen, "other").is_empty());
    assert!(!format!("{seen:?}").contains("secret"), "never a value");
    let missing = Seen::default();
    missing.learn(Some(b"ad=1"), &answer(StatusCode::NOT_FOUND, &[]), &catalogue(), "/made-up/x");
    assert!(missing.known(|_| true).is_empty(), "nor from pages that are not there");
}

#[test]
fn a_cookie_at_the_top_is_not_taken_to_lie_in_every_folder() {
    let seen = after("ad=1", &["/", "/shop/a", "/blog/b"]);
    assert_eq!(known(&seen, "ad").folders(true).count(), 0);
    assert_eq!(known(&seen, "ad").folders(false).count(), 2, "unless it did not come with the withdrawal");
    seen.learn(Some(b"ad=1; ad=2"), &answer(StatusCode::OK, &[]), &catalogue(), "/blog/b");
    assert_eq!(known(&seen, "ad").folders(true).collect::<Vec<_>>(), ["/blog"], "one that comes twice lies there too");
}

#[test]
fn rule_d1_nothing_of_one_visitor_is_told_to_others() {
    let seen = after("ad=1; _ga_jane@example.org=1; _ga_B1=1", &["/jane@example.org/x", "/orders/123456/x"]);
    assert_eq!(folders(&seen, "ad"), ["/orders"]);
    assert_eq!(folders(&seen, "_ga_B1"), ["/orders"]);
    assert!(folders(&seen, "_ga_jane@example.org").is_empty());
    let seen = after("ad=1", &["/users/jane/1"]);
    assert_eq!(folders(&seen, "ad"), ["/users"], "a folder below needs more than one page");
    for page in 2..12 {
        let path = format!("/users/jane/{page}");
        seen.learn(Some(b"ad=1"), &answer(StatusCode::OK, &[]), &catalogue(), &path);
    }
    assert_eq!(folders(&seen, "ad"), ["/users", "/users/jane"]);
    let line = ["ad=1; Path=/users/4711-0815"];
    seen.learn(None, &answer(StatusCode::OK, &line), &catalogue(), "/");
    assert!(known(&seen, "ad").places.is_empty());
}

#[test]
fn whatever_visitors_make_up_stays_bounded() {
    let seen = Seen::default();
    let page = answer(StatusCode::OK, &[]);
    let letters = |i: usize| {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        [letter(i), letter(i / 26), letter(i / 676)].iter().collect::<String>()
    };
    for _ in 0..3 {
        seen.learn(Some(b"ad=1"), &answer(StatusCode::OK, &["ad=1; Path=/kept"]), &catalogue(), "/shop/");
    }
    for i in 0..2000 {
        let (cookies, path) = (format!("_ga_{}=1; ad=1", letters(i)), format!("/{}/x", letters(i * 7)));
        seen.learn(Some(cookies.as_bytes()), &page, &catalogue(), &path);
        let line = format!("ad=1; Path=/{}", letters(i));
        seen.learn(None, &answer(StatusCode::OK, &[&line]), &catalogue(), "/");
    }
    let known_names = seen.known(|_| true);
    assert_eq!(known_names.len(), MOST_BROUGHT + 1);
    for (_, known) in &known_names {
        assert!(known.places.len() <= MOST_PLACES && known.folders.len() <= MOST_PLACES);
    }
    assert_eq!(&*known(&seen, "ad").places[0].path, "/kept", "what the site sets is not driven out");
}

#[test]
fn rule_c6_requests_take_no_room_from_what_the_site_sets_or_declares() {
    let (seen, page) = (Seen::default(), answer(StatusCode::OK, &[]));
    let name = |kind: &str, i: u8| format!("_ga_{kind}{}{}", char::from(b'a' + i / 26), char::from(b'a' + i % 26));
    for i in 0..200 {
        let cookies = format!("{}=1; {}=1", name("x", i), name("!", i));
        seen.learn(Some(cookies.as_bytes()), &page, &catalogue(), "/shop/");
    }
    let brought = seen.known(|_| true);
    assert_eq!(brought.len(), MOST_BROUGHT);
    assert!(brought.iter().all(|(name, known)| !known.is_the_sites() && !name.contains(&b'!')));
    for i in 0..=255 {
        let line = format!("{}=1; Path=/a", name("x", i));
        seen.learn(Some(b"ad=1; lang=1"), &answer(StatusCode::OK, &[&line]), &catalogue(), "/shop/");
    }
    let kinds = |seen: &Seen| {
        let all = seen.known(|_| true);
        let count = |kind: Voucher| all.iter().filter(|(_, known)| known.voucher == kind).count();
        assert!(all.is_sorted_by_key(|(_, known)| std::cmp::Reverse(known.voucher)));
        [Voucher::Declared, Voucher::Site, Voucher::Requests].map(count)
    };
    assert_eq!(kinds(&seen), [2, 256, 0], "those the site has set since are the site's");
    for i in 0..200 {
        let line = format!("{}=1; Path=/a", name("y", i));
        seen.learn(Some(line.as_bytes()), &answer(StatusCode::OK, &[&line]), &catalogue(), "/shop/");
    }
    assert_eq!(kinds(&seen), [2, 256, 32]);
    assert_eq!(known(&seen, "_ga_xaa").places.len(), 1);
}

proptest! {
    #[test]
    fn no_exchange_whatever_it_holds_is_a_panic(
        cookies in "[a-z_=;, \u{fc}]{0,40}", line in "[a-zA-Z=;/. ]{0,60}", path in "[/a-z?\u{fc}]{0,20}",
    ) {
        let seen = Seen::default();
        let Ok(line) = http::HeaderValue::from_str(&line) else { return Ok(()) };
        let mut answer = answer(StatusCode::OK, &[]);
        answer.headers.append(SET_COOKIE, line);
        seen.learn(Some(cookies.as_bytes()), &answer, &catalogue(), &path);
    }
}
