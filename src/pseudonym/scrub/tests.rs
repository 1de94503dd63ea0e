mod kept;
mod replaced;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::*;
use crate::pseudonym::RawUrl;

fn text(given: &str) -> String {
    scrub_text(given, 300)
}

fn path(given: &str) -> String {
    scrub_path(&RawUrl::new(given), &[])
}

#[test]
fn rule_d3_only_allowed_query_keys_are_kept() {
    let keys = ["q".to_owned(), "page".to_owned()];
    for (given, want) in [
        ("/s?q=red+shoes&token=abc&page=2", "/s?q=red shoes&page=2"),
        ("/s?q=jane@example.com", "/s?q=[email]"),
        ("/s?q=jane+doe@example.com", "/s?q=[email]"),
        ("/s?q=%2B447700900123&page=+33612345678", "/s?q=[phone]&page=[phone]"),
        ("/s?q=call+07700+900123", "/s?q=call [phone]"),
        ("/s?q=1980-05-12", "/s?q=[date]"),
        ("/s?%71=a%26b%3Dc%2B%2B", "/s?q=a%26b=c%2B%2B"),
        ("/s?Q=1&&=2&q", "/s?q="),
        ("/s?other=1", "/s"),
        ("/s?page=1?q=2", "/s?page=1%3Fq=2"),
    ] {
        let once = scrub_path(&RawUrl::new(given), &keys);
        assert_eq!(once, want, "{given:?}");
        assert_eq!(scrub_path(&RawUrl::new(&once), &keys), once);
    }
    let long = format!("/s?q={}&page=2", "z".repeat(600));
    assert_eq!(scrub_path(&RawUrl::new(&long), &keys), format!("/s?q={}&page=2", "z".repeat(200)));
    let full = format!("/{}?page=2", "z".repeat(600));
    assert_eq!(scrub_path(&RawUrl::new(&full), &keys).len(), 512, "a parameter that does not fit is left out");
}

#[test]
fn a_referrer_is_a_web_pages_host_and_path() {
    let of = |url: &str| referrer(&RawUrl::new(url), "").map(|r| format!("{} {}", r.host, r.path));
    for (given, want) in [
        ("https://www.Google.com/", Some("www.google.com /")),
        ("https://www.google.com", Some("www.google.com /")),
        ("http://news.example:8080/a/b?q=secret#f", Some("news.example /a/b")),
        ("https://jane:pw@example.com/x", Some("example.com /x")),
        ("https://example.com?q=jane@example.com", Some("example.com /")),
        ("https://example.com\\@evil.com/", Some("example.com \\@evil.com/")),
        ("https://example.com./u/jane%40example.com", Some("example.com /u/[email]")),
        ("https://203.0.113.9/x", Some("[address] /x")),
        ("https://[2001:db8::1]:8443/x", Some("[address] /x")),
        ("https://3405803785/", Some("[address] /")),
        ("https://d41d8cd98f00b204e9800998ecf8427e.example.com/", Some("[token].example.com /")),
        ("android-app://com.google.android.gm/", Some("com.google.android.gm /")),
        (
            "android-app://com.google.android.googlequicksearchbox/https/www.google.com",
            Some("com.google.android.googlequicksearchbox /https/www.google.com"),
        ),
        ("ios-app://305343404/", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https:///x", None),
        ("https://exa mple.com/", None),
        ("/only/a/path", None),
        ("", None),
    ] {
        assert_eq!(of(given).as_deref(), want, "{given:?}");
    }
}

#[test]
fn a_page_of_the_site_itself_is_known_by_the_real_host() {
    let is_own = |url: &str, own: &str| referrer(&RawUrl::new(url), own).expect("is a web page's").is_own;
    for (url, own) in [
        ("https://www.example.com/a", "www.example.com"),
        ("https://Example.com/a", "www.example.com"),
        ("https://www.example.com./a", "EXAMPLE.com"),
        ("https://jane:pw@example.com:8443/", "example.com:8080"),
        ("http://127.0.0.1/x", "127.0.0.1"),
        ("http://127.0.0.1:8080/x", "127.0.0.1"),
        ("http://[2001:DB8::1]:8080/x", "[2001:db8::1]"),
        ("http://d41d8cd98f00b204e9800998ecf8427e.example/", "d41d8cd98f00b204e9800998ecf8427e.example"),
    ] {
        assert!(is_own(url, own), "{url} on {own}");
    }
    for (url, own) in [
        ("https://shop.example.com/", "example.com"),
        ("https://example.com.evil.example/", "example.com"),
        ("https://example.com@evil.example/", "example.com"),
        ("http://127.0.0.2/x", "127.0.0.1"),
        ("http://[2001:db8::2]/", "[2001:db8::1]"),
        ("http://d41d8cd98f00b204e9800998ecf8427e.example/", "e41d8cd98f00b204e9800998ecf8427e.example"),
        ("https://example.com/", ""),
    ] {
        assert!(!is_own(url, own), "{url} on {own}");
    }
}

#[test]
fn a_target_is_a_host_and_a_scrubbed_path_without_its_query() {
    for (given, want) in [
        ("https://Partner.example:8443/offer?id=jane@example.com#x", Some(("partner.example", "/offer"))),
        ("https://partner.example", Some(("partner.example", "/"))),
        ("https://jane:pw@partner.example/u/jane%2540example.com", Some(("partner.example", "/u/[email]"))),
        ("https://203.0.113.9/x.pdf", Some(("[address]", "/x.pdf"))),
        ("https://cdn.example/app.js:12:34", Some(("cdn.example", "/app.js:12:34"))),
        ("tel:+447700900123", None),
        ("mailto:jane@example.com", None),
        ("blob:https://example.com/550e8400-e29b-41d4-a716-446655440000", None),
        ("/relative", None),
    ] {
        let found = target(&RawUrl::new(given));
        assert_eq!(found.as_ref().map(|(host, path)| (&**host, &**path)), want, "{given:?}");
    }
}

#[test]
fn a_script_error_comes_from_a_host_and_a_file() {
    for (given, want) in [
        ("https://cdn.example/js/app.js?v=3", Some(("cdn.example", "/js/app.js"))),
        ("https://cdn.example/js/app.js:12:34", Some(("cdn.example", "/js/app.js"))),
        ("https://cdn.example/js/app.js:12", Some(("cdn.example", "/js/app.js"))),
        ("https://cdn.example/:1:2", Some(("cdn.example", "/"))),
        ("https://www.example.com/u/jane@example.com", Some(("www.example.com", "/u/[email]"))),
        ("chrome-extension://cjpalhdlnbpafiamejdnhcphjbkeiagm/js/x.js", Some(("[extension]", ""))),
        ("Safari-Web-Extension://550e8400/x.js", Some(("[extension]", ""))),
        ("inline", None),
        ("", None),
    ] {
        let found = script_source(&RawUrl::new(given));
        assert_eq!(found.as_ref().map(|(host, path)| (&**host, &**path)), want, "{given:?}");
    }
}

/// Found by fuzzing.
#[test]
fn scrubbing_a_url_again_changes_nothing_whatever_hid_in_it() {
    for url in ["htt\0ps://www.example.com/x", "%68ttps://jane:pw@example.com", "x", "\\x", "%3Fq=1"] {
        let once = path(url);
        assert!(once.starts_with(['/', '\\']), "{url:?} gave {once:?}");
        assert_eq!(path(&once), once, "{url:?}");
    }
}

#[test]
fn campaign_parameters_are_read_and_a_click_id_is_kept_by_kind_only() {
    let campaign = utm(&RawUrl::new(
        "/?utm_source=&UTM_Source=news+letter&utm_medium=email&utm_campaign=jane@example.com&utm_term=a%26b&utm_content=\
         c&utm_source=second&gclid=Cj0KCQjw_secret#utm_term=x",
    ));
    assert_eq!(campaign.utm, ["news letter", "email", "[email]", "a&b", "c"].map(str::to_owned));
    assert_eq!(campaign.click_id, Some(ClickId::Google));
    assert!(!format!("{campaign:?}").contains("secret"));
    assert_eq!(utm(&RawUrl::new("/?fbclid=")), Campaign::default(), "an empty click id is none");
    let of_several = |query: &str| utm(&RawUrl::new(query)).click_id;
    assert_eq!(of_several("/?mc_cid=a&fbclid=b&awc=c&gclid=d"), Some(ClickId::Google), "what is paid goes first");
    assert_eq!(of_several("/?mc_cid=a&fbclid=b"), Some(ClickId::Meta), "a mailing's link that was shared");
    assert_eq!(of_several("/?ScCid=a&srsltid=b"), Some(ClickId::Snapchat));
    let long = utm(&RawUrl::new(&format!("/?utm_term={}", "é".repeat(99))));
    assert_eq!(long.utm[3].len(), 100);
}

#[test]
fn tokens_drawn_at_random_are_found() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    // 16 bytes are 22 characters, of which a few have neither a digit nor enough changes to be told from words.
    for (bytes, at_least) in [(15, 0.97), (16, 0.98), (24, 0.999), (32, 0.9999)] {
        let mut found = 0;
        let tries = 4000;
        for _ in 0..tries {
            let token = proptest::collection::vec(any::<u8>(), bytes).new_tree(&mut runner).unwrap().current();
            let out = text(&format!("/reset/{}/", URL_SAFE_NO_PAD.encode(token)));
            found += usize::from(out.contains("[token]"));
        }
        let share = found as f64 / tries as f64;
        println!("{bytes} bytes: {share}");
        assert!(share >= at_least, "of {bytes}-byte tokens only {share} were found");
    }
}

/// A value of each kind, and what of it must not be seen again: digits only, or without case.
fn personal() -> impl Strategy<Value = String> {
    let email = "[a-zA-Z0-9]{1,8}([._+-][a-z0-9]{1,5})?@[a-z0-9]{1,10}(-[a-z]{1,3})?\\.(com|co\\.uk|nhs\\.uk|io)";
    let nhs = ("[0-9]{9}", prop_oneof![Just(""), Just(" "), Just("-"), Just("%20"), Just("\u{a0}")]).prop_filter_map(
        "has a check digit",
        |(digits, gap)| {
            let sum: u32 = digits.bytes().zip((2..=10).rev()).map(|(d, w)| u32::from(d - b'0') * w).sum();
            let check = (11 - sum % 11) % 11;
            (check < 10).then(|| format!("{}{gap}{}{gap}{}{check}", &digits[..3], &digits[3..6], &digits[6..]))
        },
    );
    let areas: Vec<&str> = std::str::from_utf8(postcode::AREAS).unwrap().split_whitespace().collect();
    assert_eq!(
        areas.len(),
        127,
        "121 of Great Britain and Northern Ireland, three of the islands, Gibraltar, the forces, the banks"
    );
    let rest = "([0-9]{1,2}|[0-9][A-HJKMNPR-Y])( |-|\\+|_|%20|\u{a0}|)[0-9][ABDEFGHJLNPQRSTUWXYZ]{2}";
    let postcode = (proptest::sample::select(areas), rest, any::<bool>()).prop_map(|(area, rest, small)| {
        if small { format!("{area}{rest}").to_lowercase() } else { format!("{area}{rest}") }
    });
    let part = |len| proptest::collection::vec(any::<u8>(), len).prop_map(|b| URL_SAFE_NO_PAD.encode(b));
    let jwt = (part(1..40), part(16..64))
        .prop_map(|(payload, signature)| format!("eyJhbGciOiJIUzI1NiJ9.eyJ{payload}.{signature}"));
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    // A number of the United Kingdom without its 0, in the groups and with the separators that people write.
    let groups: &[&[usize]] = &[&[10], &[4, 6], &[4, 3, 3], &[3, 3, 4], &[2, 4, 4], &[3, 7], &[2, 8], &[3, 4, 3]];
    let starts = ["+44", "+44 ", "+44 (0)", "+44(0)", "0044 ", "00 44 ", "44 ", "0", "0"].map(|start| start.to_owned());
    let gaps = [" ", "-", ".", "\u{a0}", "%20", "_", ""];
    let british = (
        "(7[1-57-9]|1[1-9]|2[03489]|3[0-9]|80)[0-9]{8}",
        proptest::sample::select(groups),
        proptest::sample::select(starts.to_vec()),
        proptest::sample::select(gaps.to_vec()),
    )
        .prop_map(|(digits, groups, start, gap)| {
            let mut rest = digits.as_str();
            let parts = groups.iter().map(|&len| {
                let (group, behind) = rest.split_at(len);
                rest = behind;
                group
            });
            start + &parts.collect::<Vec<_>>().join(gap)
        });
    let phone = "(0[12][0-9]{3} [0-9]{6}|\\+[1-9][0-9]{7,13}|\\([0-9]{3}\\) [2-9][0-9]{2}-[0-9]{4})";
    let phone =
        phone.prop_filter("has no area that begins with 0 or 1", |n| !n.starts_with("(0") && !n.starts_with("(1"));
    let insured = "[ABCEGHJ-PR-TW-Z][ABCEGHJ-MPR-TW-Z]( |-|)[0-9]{2}( |)[0-9]{2}( |)[0-9]{2}( |)[A-D]"
        .prop_filter("has a prefix that is in use", |n| !["BG", "GB", "NK", "KN", "TN", "NT", "ZZ"].contains(&&n[..2]));
    prop_oneof![
        email.boxed(),
        nhs.boxed(),
        postcode.boxed(),
        jwt.boxed(),
        uuid.boxed(),
        phone.boxed(),
        british.boxed(),
        insured.boxed(),
        "([0-9a-f]{16,64}|[0-9A-F]{16,64})".boxed(),
        "((0[1-9]|[12][0-9])/(0[1-9]|1[0-2])/|(0[1-9]|[12][0-9])-(0[1-9]|1[0-2])-)(19[0-9]{2}|200[0-9])".boxed(),
    ]
}

fn words() -> impl Strategy<Value = String> {
    "([a-z]{1,9}|[A-Z][a-z]{1,6}|[0-9]{1,3}|é|日本|[a-z]{2,5}-[a-z]{2,5})?"
}

fn seam() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(
        &[" ", "/", ",", ";", ":", "(", ")", "\"", "|", "=", "&", "\n", "\t", "é", "->", "  ", "%20", "%2F"][..],
    )
}

fn bare(text: &str) -> String {
    let plain = decode::plain(text).to_lowercase();
    plain.chars().filter(|c| c.is_alphanumeric() || *c == '@').collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

proptest! {
    #[test]
    fn rule_d3_a_planted_value_never_survives(
        value in personal(), before in words(), after in words(), left in seam(), right in seam(), layers in 0..3
    ) {
        let mut planted = value.clone();
        for _ in 0..layers {
            planted = percent_encoded(&planted);
        }
        let given = format!("{before}{left}{planted}{right}{after}");
        for out in [text(&given), path(&format!("/{given}"))] {
            prop_assert!(!bare(&out).contains(&bare(&value)), "{given:?} gave {out:?}");
            prop_assert!(out.contains('['), "{given:?} gave {out:?}");
        }
        let query = scrub_path(&RawUrl::new(&format!("/s?q={}", given.replace('#', "%23").replace('&', "%26")).replace(' ', "+")), &["q".to_owned()]);
        prop_assert!(!bare(&query).contains(&bare(&value)), "{given:?} gave {query:?}");
    }

    #[test]
    fn scrubbing_is_bounded_settled_and_clean(
        parts in proptest::collection::vec(prop_oneof![personal(), words(), ".{0,8}", seam().prop_map(str::to_owned), "[%0-9a-fA-F+@._ -]{0,12}"], 0..8),
        max in 0usize..200,
    ) {
        let given = parts.concat();
        let once = scrub_text(&given, max);
        prop_assert!(once.len() <= max);
        prop_assert!(!once.chars().any(char::is_control));
        prop_assert_eq!(scrub_text(&once, max), once);

        let keys = ["q".to_owned()];
        let url = scrub_path(&RawUrl::new(&format!("/{given}?q={given}&q={given}")), &keys);
        prop_assert!(url.len() <= LONGEST_TEST_PATH && !url.chars().any(char::is_control));
        prop_assert_eq!(scrub_path(&RawUrl::new(&url), &keys), url);
    }

    #[test]
    fn nothing_panics(url in ".{0,60}", host in "[a-z0-9.:@\\[\\]\\\\-]{0,20}") {
        let _ = scrub_path(&RawUrl::new(&url), std::slice::from_ref(&url));
        let _ = utm(&RawUrl::new(&url));
        for url in [url.clone(), format!("https://{host}{url}")] {
            if let Some(Referrer { host, path, .. }) = referrer(&RawUrl::new(&url), &host) {
                prop_assert!(!host.is_empty() && host.len() <= 253 + 20 && !path.is_empty() && path.len() <= 512);
                prop_assert!(!host.contains('@') && !path.contains(['?', '#']));
            }
        }
    }
}

const LONGEST_TEST_PATH: usize = 512;

/// Time grows with the length and not with its square: eight times the text takes nowhere near 64 times as long.
#[test]
fn no_text_takes_long() {
    let took = |given: &str| {
        let start = std::time::Instant::now();
        std::hint::black_box(scrub_text(given, given.len()));
        start.elapsed()
    };
    for pattern in [
        "deadbeefdeadbeef-",
        "550e8400-e29b-41d4-a716-446655440000-",
        "eyJ-",
        "aB3dE-",
        "a@",
        "\"@a.bc",
        "a@b.cd",
        "1 ",
        "+1",
        "07700900123SW1A1AA",
        "m1 1",
        "12/05/1980",
        "12 may ",
        "may 1 ",
        "tel 1 ",
        "x(at)",
        "x(at)a(dot)",
        "\\\"@a.bc",
        "gb29 nwbk ",
        "4111 ",
        "Ab3/",
        "ab 1",
        "%",
        "%25",
        "%4\u{200b}",
        "é",
    ] {
        let [short, long] = [1000, 8000].map(|len| pattern.repeat(len / pattern.len()));
        let (mut quickest, mut longest) = (took(&short), took(&long));
        // A busy machine makes any one look long; the quickest of many is what the text costs.
        for _ in 0..200 {
            quickest = quickest.min(took(&short));
            longest = longest.min(took(&long));
            if longest < quickest * 30 {
                break;
            }
        }
        assert!(longest < quickest * 30, "{pattern:?}: {quickest:?} and {longest:?}");
    }
}
