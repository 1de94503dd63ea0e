use http::Response;
use http::header::SET_COOKIE;
use proptest::prelude::*;

use super::*;
use crate::config::DeclaredCookie;

fn declared(name: &str, purpose: usize, path: Option<&str>, domain: Option<&str>) -> DeclaredCookie {
    DeclaredCookie {
        name: name.trim_end_matches('*').into(),
        prefix: name.ends_with('*'),
        purpose,
        path: path.map(Into::into),
        domain: domain.map(Into::into),
        ..DeclaredCookie::default()
    }
}

fn catalogue(cookies: &[DeclaredCookie]) -> Catalogue {
    Catalogue::new(cookies, Some(2))
}

fn seen(catalogue: &Catalogue, cookies: &str, lines: &[&str], path: &str) -> Seen {
    let mut answer = Response::builder();
    for line in lines {
        answer = answer.header(SET_COOKIE, *line);
    }
    let seen = Seen::default();
    seen.learn(Some(cookies.as_bytes()), &answer.body(()).unwrap().into_parts().0, catalogue, path);
    seen
}

/// A withdrawal of everything on `host`, of one who had permitted everything.
fn withdrawal<'w>(catalogue: &'w Catalogue, seen: &'w Seen, host: &'w str) -> Withdrawal<'w> {
    let permitted = PurposeSet::of([0]);
    Withdrawal {
        catalogue,
        seen,
        permitted,
        before: Some(PurposeSet::of(0..8)),
        host,
        https: true,
        pages: &[],
        used: 0,
    }
}

fn short(lines: Vec<HeaderValue>) -> Vec<String> {
    lines.iter().map(|line| line.to_str().expect("is ASCII").replace("=; Max-Age=0; Path=", " ")).collect()
}

fn expired(cookies: &str, host: &str) -> Vec<String> {
    let (catalogue, seen) = (catalogue(&[declared("sid", 0, None, None)]), Seen::default());
    short(expire(
        [cookies.as_bytes()],
        &Withdrawal { before: None, https: false, ..withdrawal(&catalogue, &seen, host) },
    ))
}

#[test]
fn rule_c6_what_may_not_stay_is_expired_for_host_and_domains() {
    let lines = expired("sid=1; _ga=2; consentry=x; consentry_visitor=y; _ga=3", "www.shop.example.org:8443");
    let domains = ["", "; Domain=example.org", "; Domain=shop.example.org", "; Domain=www.shop.example.org"];
    let expected = ["consentry_visitor", "_ga"].map(|name| domains.map(|domain| format!("{name} /{domain}")));
    assert_eq!(lines, expected.concat(), "what is declared comes first");
}

#[test]
fn prefixed_names_are_expired_as_browsers_demand() {
    assert_eq!(
        expired("__Host-a=1; __Secure-b=2", "example.org"),
        ["__Host-a /; Secure", "__Secure-b /; Secure", "__Secure-b /; Domain=example.org; Secure"]
    );
}

#[test]
fn rule_c6_what_the_site_set_is_expired_where_it_set_it() {
    let catalogue = catalogue(&[declared("_ga*", 2, None, None), declared("sid", 0, None, None)]);
    let lines = [
        "_ga_A=1; Path=/shop/; HttpOnly",
        "_ga_B=1; Path=/; Domain=shop.test",
        "_ga_C=1; Secure; Partitioned; Path=/p",
        "_ga_D=1; Domain=elsewhere.test",
        "sid=1; Path=/s",
    ];
    let seen = seen(&catalogue, "", &lines, "/x");
    let all = short(expire([&b""[..]], &withdrawal(&catalogue, &seen, "www.shop.test")));
    assert_eq!(all[..3], ["_ga_A /shop/", "_ga_B /; Domain=shop.test", "_ga_C /p; Secure; Partitioned"]);
    assert!(!all.iter().any(|line| line.contains("elsewhere") || line.starts_with("sid")));
    let http = Withdrawal { https: false, ..withdrawal(&catalogue, &seen, "www.shop.test") };
    assert!(!short(expire([&b""[..]], &http)).iter().any(|line| line.contains("Partitioned")));
}

#[test]
fn rule_c6_folders_are_expired_too() {
    let catalogue = catalogue(&[declared("ad", 3, None, None), declared("lang", 1, None, None)]);
    let seen = seen(&catalogue, "ad=1", &[], "/shop/item");
    let of = Withdrawal { pages: &["/blog/post?x=1"], ..withdrawal(&catalogue, &seen, "shop.test") };
    let lines = short(expire([&b"lang=1"[..]], &of));
    for expected in ["lang /", "ad /shop", "ad /shop/", "ad /blog", "ad /blog/", "lang /blog", "ad /blog/post"] {
        for domain in ["", "; Domain=shop.test"] {
            assert!(lines.contains(&format!("{expected}{domain}")), "{expected}{domain} in {lines:?}");
        }
    }
    assert!(!lines.contains(&"lang /shop".to_owned()), "it never came from there");
    assert!(lines.contains(&"lang /; Secure; Partitioned".to_owned()));
}

#[test]
fn rule_k1_a_declared_place_is_expired() {
    let catalogue = catalogue(&[
        declared("ad", 3, Some("/a/b"), Some("shop.test")),
        declared("_ga*", 2, Some("/g"), None),
        declared("x", 2, None, Some("other.test")),
        declared("sid", 0, Some("/s"), None),
    ]);
    let seen = Seen::default();
    let lines = short(expire([&b"_ga_1=1"[..]], &withdrawal(&catalogue, &seen, "www.shop.test")));
    for expected in ["ad /a/b; Domain=shop.test", "_ga_1 /g", "_ga_1 /g; Domain=shop.test"] {
        assert!(lines.contains(&expected.to_owned()), "{expected} in {lines:?}");
    }
    assert!(!lines.iter().any(|line| line.contains("other.test") || line.starts_with("sid")));
}

#[test]
fn a_first_refusal_has_nothing_to_expire_that_was_never_permitted() {
    let catalogue = catalogue(&[declared("ad", 3, Some("/a"), None)]);
    let seen = seen(&catalogue, "ad=1", &["ad=1; Path=/b"], "/shop/");
    let of =
        Withdrawal { before: Some(PurposeSet::of([0])), pages: &["/x/y"], ..withdrawal(&catalogue, &seen, "a.test") };
    assert!(expire([&b""[..]], &of).is_empty());
    assert!(!expire([&b""[..]], &Withdrawal { before: None, ..of }).is_empty(), "unless it is not known");
}

#[test]
fn the_answer_stays_bounded() {
    let many: Vec<String> = (0..1000).map(|i| format!("c{i}=1")).collect();
    assert_eq!(expired(&many.join("; "), "a.b.c.d.example.org").len(), MOST_LINES);
    assert!(expired(&format!("{}=1; =; ;", "x".repeat(5000)), "example.org").is_empty());
    let long: Vec<String> = (0..1000).map(|i| format!("c{i}{}=1", "x".repeat(200))).collect();
    let lines = expired(&long.join("; "), "a.b.c.d.example.org");
    assert!(lines.iter().map(|line| line.len() + 30).sum::<usize>() < MOST_BYTES + 2 * 1024 && lines.len() > 15);
}

/// What lines take of an answer's head, in bytes.
fn taken(lines: &[HeaderValue]) -> usize {
    lines.iter().map(|line| line.len() + 14).sum()
}

#[test]
fn the_head_stays_below_what_proxies_take_whatever_it_holds_already() {
    let (catalogue, seen) = (catalogue(&[declared("ad", 3, None, None)]), Seen::default());
    let many: Vec<String> = (0..40).map(|i| format!("c{i}{}=1", "x".repeat(123))).chain(["ad=1".into()]).collect();
    let lines = |used| {
        expire([many.join("; ").as_bytes()], &Withdrawal { used, ..withdrawal(&catalogue, &seen, "www.shop.test") })
    };
    for used in [0, 500, 1989, 4000, 7000, 7168, 9000] {
        let lines = lines(used);
        assert!(taken(&lines) <= (7 * 1024usize).saturating_sub(used).min(6 * 1024), "{used}: {}", taken(&lines));
        assert_eq!(short(lines).first().is_some_and(|first| first == "ad /"), used < 7100, "{used}");
    }
    assert!(taken(&lines(0)) > 5900 && taken(&lines(1989)) > 4900, "what room there is, is used");
}

#[test]
fn rule_c6_what_is_declared_goes_however_much_else_came_before_it() {
    let catalogue =
        catalogue(&[declared("_ga*", 2, None, None), declared("mk", 3, None, None), declared("ad", 3, None, None)]);
    let lines = ["ad=1; Path=/shop", "_ga_SITE=1; Path=/blog"];
    let seen = seen(&catalogue, "", &lines, "/");
    let of = Withdrawal { pages: &["/a/b/c/d/e"], ..withdrawal(&catalogue, &seen, "www.shop.test") };
    let number = |begin: &str, most: usize| (0..most).map(|i| format!("{begin}{i}=1; ")).collect::<String>();
    for before in [number("u", 45), number("u", 500), number("_ga_", 500), number("_ga_", 45) + &number("u", 45)] {
        let lines = short(expire([format!("{before}_ga=1; mk=1").as_bytes()], &of));
        let top = ["", "; Domain=shop.test", "; Domain=www.shop.test"].map(|domain| format!("mk /{domain}"));
        assert!(lines.len() <= 90, "{lines:?}");
        for expected in top.iter().map(String::as_str).chain(["ad /shop", "ad /", "_ga_SITE /blog"]) {
            assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:?}");
        }
        assert!(before.starts_with('_') || lines[3] == "_ga /", "{lines:?}");
        assert!(!before.contains('u') || lines.iter().filter(|line| line.starts_with('u')).count() >= 10, "{lines:?}");
    }
}

#[test]
fn rule_c6_what_one_visitor_makes_up_is_neither_told_to_others_nor_in_their_way() {
    let catalogue =
        catalogue(&[declared("_ga*", 2, None, None), declared("mk", 3, None, None), declared("ad", 3, None, None)]);
    let seen = seen(&catalogue, "ad=1", &["mk=1; Path=/shop", "_ga_SITE=1; Path=/blog"], "/news/x");
    let withdrawn = |pages: &[&str]| {
        short(expire([&b"sid=1"[..]], &Withdrawal { pages, ..withdrawal(&catalogue, &seen, "www.shop.test") }))
    };
    let before = [withdrawn(&[]), withdrawn(&["/shop/item"])];
    for expected in ["mk /shop", "_ga_SITE /blog", "ad /news"] {
        assert!(before.iter().all(|lines| lines.contains(&expected.to_owned())), "{expected} in {before:?}");
    }
    let page = Response::new(()).into_parts().0;
    for i in 0..360u32 {
        let letters: String = [i / 26 / 26, i / 26, i].map(|n| char::from(b'a' + (n % 26) as u8)).iter().collect();
        let cookies = format!("_ga_!{letters}=1; _ga_{letters}=1; mk=1");
        seen.learn(Some(cookies.as_bytes()), &page, &catalogue, "/");
    }
    assert_eq!([withdrawn(&[]), withdrawn(&["/shop/item"])], before);
}

#[test]
fn rule_c6_pages_all_over_the_site_do_not_hide_where_another_cookie_lies() {
    let catalogue = catalogue(&["ad", "b", "c", "mk"].map(|name| declared(name, 3, None, None)));
    let seen = seen(&catalogue, "mk=1", &[], "/shop/item");
    let page = Response::new(()).into_parts().0;
    for i in 0..160u8 {
        let path = format!("/{}/{i}", char::from(b'a' + i % 16));
        seen.learn(Some(b"ad=1; b=1; c=1"), &page, &catalogue, &path);
    }
    let lines = short(expire([&b"sid=1"[..]], &withdrawal(&catalogue, &seen, "www.shop.test")));
    assert!(lines.contains(&"mk /shop".to_owned()) && lines.contains(&"mk /shop/".to_owned()), "{lines:?}");
}

#[test]
fn rule_c6_a_cookie_without_a_name_goes() {
    for cookies in ["bare", "sid=1; =bare", "sid=1; =a=b; =other; third"] {
        let expected = ["", "; Domain=example.org"].map(|domain| format!("=x; Max-Age=0; Path=/{domain}"));
        assert_eq!(expired(cookies, "example.org"), expected, "{cookies}");
    }
    assert!(expired("sid=1; ; =; = ", "example.org").is_empty());
    let many: String = (0..100).map(|i| format!("u{i}=1; ")).collect();
    let lines = expired(&format!("{many}bare"), "example.org");
    assert_eq!(lines[1], "=x; Max-Age=0; Path=/; Domain=example.org", "and is not crowded out");
}

#[test]
fn rule_c6_a_long_name_goes_last_if_there_is_room() {
    let long = "x".repeat(1024);
    let lines = expired(&format!("{long}=1; {}=1; _ga=1", "y".repeat(1025)), "example.org");
    let expected = ["_ga /", "_ga /; Domain=example.org"].map(str::to_owned);
    assert_eq!(
        lines,
        [expected.to_vec(), ["", "; Domain=example.org"].map(|d| format!("{long} /{d}")).to_vec()].concat()
    );
    let many: String = (0..9).map(|i| format!("{i}{}=1; ", "x".repeat(900))).collect();
    let lines = expired(&format!("{many}{}=1; _ga=1", "z".repeat(300)), "example.org");
    assert!(lines[0] == "_ga /" && lines.len() == 9, "six of nine, and a shorter one that fits: {}", lines.len());
}

/// Parses a line as browsers do; where it has no name, as if `nameless` were called so.
fn parsed(line: &HeaderValue) -> cookie::Cookie<'static> {
    let line = line.to_str().expect("is ASCII");
    let line = line.strip_prefix("=x;").map_or(line.to_owned(), |rest| format!("nameless=;{rest}"));
    cookie::Cookie::parse(line).expect("is a Set-Cookie line")
}

proptest! {
    #[test]
    fn rule_c6_every_line_is_sound_and_none_is_for_what_is_permitted(
        cookies in proptest::collection::vec("(sid|lang|_ga|_ga_[a-z]{1,3}|ad|__Host-x|__Secure-y|[ -~]{0,12})=[a-z]?", 0..20),
        set in "(_ga|ad|lang|sid)=1(; Path=/[a-z/]{0,6})?(; Domain=(shop|www\\.shop|x)\\.test)?(; Partitioned)?",
        path in "(/[a-z]{0,5}){0,4}", page in "[ -~]{0,30}", host in "(www\\.)?shop\\.(test|co\\.uk)(:80)?|127.0.0.1",
        permitted in 0u8..8, https: bool, before: Option<u8>, used in 0usize..8000,
    ) {
        let catalogue = catalogue(&[
            declared("sid", 0, Some("/s"), None), declared("lang", 1, Some("/l"), None), declared("_ga*", 2, None, Some("shop.test")),
            declared("ad", 3, None, None),
        ]);
        let purposes = |bits: u8| PurposeSet::of(std::iter::once(0).chain((1..4).filter(|i| bits >> (i - 1) & 1 == 1)));
        let cookies = cookies.join("; ");
        let seen = seen(&catalogue, &cookies, &[&set], &path);
        let (permitted, before) = (purposes(permitted), before.map(purposes));
        let of = Withdrawal { catalogue: &catalogue, seen: &seen, permitted, before, host: &host, https, pages: &[&page], used };
        let lines = expire([cookies.as_bytes()], &of);
        let swept = crate::cookies::sweep([cookies.as_bytes()], &catalogue, permitted, &host, &path);
        prop_assert!(taken(&lines) + used <= MOST_HEAD.max(used));
        for lines in [&lines, &swept] {
            prop_assert!(lines.len() <= MOST_LINES);
            prop_assert!(taken(lines) <= MOST_BYTES);
            for (index, line) in lines.iter().enumerate() {
                prop_assert!(!lines[..index].contains(line), "twice: {line:?}");
                let cookie = parsed(line);
                prop_assert!(!catalogue.permits(cookie.name().as_bytes(), permitted), "{line:?}");
                prop_assert_eq!(cookie.max_age(), Some(cookie::time::Duration::ZERO));
                prop_assert!(cookie.value().is_empty() && cookie.path().is_some_and(|path| path.starts_with('/')));
                if cookie.name().starts_with("__Host-") {
                    prop_assert!(cookie.domain().is_none() && cookie.path() == Some("/") && cookie.secure() == Some(true));
                }
                if cookie.name().starts_with("__Secure-") || cookie.partitioned() == Some(true) {
                    prop_assert_eq!(cookie.secure(), Some(true));
                }
                let host = host.split(':').next().unwrap_or_default();
                prop_assert!(cookie.domain().is_none_or(|domain| host.ends_with(domain)), "{line:?}");
            }
        }
    }
}

#[test]
fn an_ordinary_withdrawal_is_short() {
    let names = ["_ga", "_ga_AB12", "_fbp", "_gcl_au"];
    let catalogue = catalogue(&[
        declared("_ga*", 2, None, None),
        declared("_fbp", 3, None, None),
        declared("_gcl_*", 3, None, None),
    ]);
    let cookies = names.map(|name| format!("{name}=1")).join("; ");
    let seen = seen(&catalogue, &cookies, &[], "/");
    let size = |pages: &[&str]| {
        let of = Withdrawal { pages, ..withdrawal(&catalogue, &seen, "www.example.com") };
        taken(&expire([cookies.as_bytes()], &of))
    };
    let (from_preferences, from_a_page) = (size(&[]), size(&["/shop/item"]));
    assert!(from_preferences < 1200 && from_a_page < 3 * 1024, "{from_preferences} {from_a_page}");
}
