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
fn rule_d3_personal_data_is_replaced_by_its_kind() {
    for (given, want) in [
        // E-mail addresses
        ("mail jane.doe@example.co.uk now", "mail [email] now"),
        ("j%40example.com", "[email]"),
        ("j%2540example.com", "[email]"),
        ("<JANE@EXAMPLE.COM>,bob@nhs.uk", "<[email]>,[email]"),
        // Addresses
        ("from 203.0.113.9, twice", "from [address], twice"),
        ("203%2E0.113.9", "[address]"),
        ("ip203.0.113.9.nip.io", "ip[address].nip.io"),
        ("[2001:db8::1]", "[[address]]"),
        ("x=2001:0DB8:1:2:3:4:5:6;", "x=[address];"),
        ("jane@[203.0.113.9]", "jane@[[address]]"),
        // Phone numbers
        ("07700 900123", "[phone]"),
        ("07700900123", "[phone]"),
        ("call 020 7946 0018!", "call [phone]!"),
        ("(020) 7946 0018", "[phone]"),
        ("01632-960-001", "[phone]"),
        ("0161 496 0000", "[phone]"),
        ("01204 12345", "[phone]"),
        ("+44 (0)20 7946 0018", "[phone]"),
        ("+447700900123", "[phone]"),
        ("%2B44%207700%20900123", "[phone]"),
        ("0044 7700 900123", "[phone]"),
        ("447700900123", "[phone]"),
        ("+1 (415) 555-2671", "[phone]"),
        ("415-555-2672", "[phone]"),
        ("+33 6 12 34 56 78", "[phone]"),
        ("06 12 34 56 78", "[phone]"),
        ("tel07700900123x", "tel[phone]x"),
        ("０７７００ ９００１２３", "[phone]"),
        ("07700\u{a0}900\u{2011}123", "[phone]"),
        // NHS numbers
        ("943 476 5919", "[nhs-number]"),
        ("NHS:943-476-5919.", "NHS:[nhs-number]."),
        ("nhs9434765919", "nhs[nhs-number]"),
        ("943%20476%205919", "[nhs-number]"),
        ("943\u{200b}4765919", "[nhs-number]"),
        // Postcodes
        ("SW1A 1AA", "[postcode]"),
        ("in sw1a1aa, m1 1ae and EC1A-1BB", "in [postcode], [postcode] and [postcode]"),
        ("CR2 6XH B33 8TH DN55 1PT W1A 0AX", "[postcode] [postcode] [postcode] [postcode]"),
        // Dates of birth
        ("born 12/05/1980", "born [date]"),
        ("12-05-1980", "[date]"),
        ("5.12.1980", "[date]"),
        ("1980-05-12", "[date]"),
        ("1980/05/12", "[date]"),
        ("1980-05-12T00:00:00Z", "[date]T00:00:00Z"),
        // Tokens
        ("550e8400-e29b-41d4-a716-446655440000", "[token]"),
        ("id-550e8400-e29b-41d4-a716-446655440000-x", "id-[token]-x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "[token]"),
        ("sid=d41d8cd98f00b204e9800998ecf8427e;", "sid=[token];"),
        ("0xdeadbeefdeadbeef", "[token]"),
        ("deadbeefcafebabe", "[token]"),
        ("V1StGXR8_Z5jdHi6B-myT", "[token]"),
        ("nCq1ZkTj8wYxQ2sLm0aBvg==", "[token]"),
        ("cjld2cjxh0000qzrmn831i7rn", "[token]"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "[token]"),
        ("reset-password-nCq1ZkTj8wYxQ2sLm0aBvg", "reset-password-[token]"),
        ("4111111111111111", "[token]"),
    ] {
        assert_eq!(text(given), want, "{given:?}");
    }
}

#[test]
fn rule_d3_what_only_looks_like_personal_data_is_kept() {
    for kept in [
        "",
        "/",
        "/pricing",
        "£12.99",
        "€1,234.56",
        "1999.00",
        "0.99 - 1.99",
        "from £1,000,000 to £2,500,000",
        "50%",
        "100 %25",
        "covid-19",
        "top-10-widgets-2024",
        "iphone-15-pro-max-256gb",
        "XK7-9B2-PLQ4",
        "SKU 123456",
        "SKU-00012345678",
        "B08N5WRWNW",
        "978-0-306-40615-7",
        "ISBN 9780306406158",
        "EAN 5012345678900",
        "order 1234567890",
        "1715500000",
        "1715500000000",
        "10:30",
        "2024-05-12T10:30:00Z",
        "2024-05-12T10:30:00.123456+01:00",
        "2024-05-12 10:30",
        "20240512T103000Z",
        "20240512103000",
        "2024-05-12-news",
        "spring-2024-05-12",
        "12-05-2024-news",
        "v1.12.100",
        "1920x1080",
        "192 x 108 x 400",
        "51.5072,-0.1276",
        "@handle",
        "vue@3.4.1",
        "photo@2x.png",
        "SW1A",
        "W1",
        "GPT-4o",
        "how-to-choose-the-best-widget-for-your-home",
        "Top-10-Widgets-For-2024-And-Beyond",
        "GettingStartedWithConsentry",
        "getUserMediaDevicesFromBrowser",
        "supercalifragilisticexpialidocious",
        "apple-macbook-MQD83ZM2A1-silver-2024",
        "iphone15promax256gbblue",
        "utm_campaign_spring_sale_2024",
        "A4 2PK",
        "MP3 4ME",
        "QA1 2AB",
        "naïve café",
        "日本語のページ",
    ] {
        assert_eq!(text(kept), decode::plain(kept), "{kept:?}");
    }
    for kept in [
        "/blog/2024/05/12/spring-news/",
        "/blog/2009/05/12/old-news/",
        "/2024-05-12-news",
        "/2009-05-12-news",
        "/events/2024-05-12/",
        "/events/2024-05-12T10:30:00Z",
        "/p/B08N5WRWNW/dp",
        "/products/1234567/price-12.99",
        "/en-gb/c/12/345/6789",
        "/page/2/of/10",
        "/assets/app-3f9a2c1b.js",
    ] {
        assert_eq!(path(kept), kept);
    }
}

#[test]
fn rule_d3_paths_keep_their_form_and_lose_persons() {
    for (given, want) in [
        ("/u/jane%40example.com/orders", "/u/[email]/orders"),
        ("/patient/1980-05-12/943-476-5919", "/patient/[date]/[nhs-number]"),
        ("/born/12/05/1980/", "/born/[date]/"),
        ("/near/SW1A%201AA?x=1", "/near/[postcode]"),
        ("/reset/d41d8cd98f00b204e9800998ecf8427e#top", "/reset/[token]"),
        ("/a%3Fb%23c%26d", "/a%3Fb%23c&d"),
        ("/a%0d%0aSet-Cookie:x%00", "/a  Set-Cookie:x"),
        ("", "/"),
        ("?q=1", "/"),
        ("https://u:p@example.com/x/y?z#f", "/x/y"),
        ("HTTPS://example.com", "/"),
    ] {
        assert_eq!(path(given), want, "{given:?}");
    }
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
    let areas = &["AB", "B", "BT", "E", "EC", "G", "L", "LS", "M", "N", "NW", "SE", "SW", "W", "WC", "YO", "ZE"][..];
    let postcode =
        (proptest::sample::select(areas), "[0-9]{1,2}( |-|\\+|%20|)[0-9][ABDEFGHJLNPQRSTUWXYZ]{2}", any::<bool>())
            .prop_map(
                |(area, rest, small)| {
                    if small { format!("{area}{rest}").to_lowercase() } else { format!("{area}{rest}") }
                },
            );
    let part = |len| proptest::collection::vec(any::<u8>(), len).prop_map(|b| URL_SAFE_NO_PAD.encode(b));
    let jwt = (part(1..40), part(16..64))
        .prop_map(|(payload, signature)| format!("eyJhbGciOiJIUzI1NiJ9.eyJ{payload}.{signature}"));
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let phone = "(07[0-9]{3}( |-|)[0-9]{6}|0[12][0-9]{3} [0-9]{6}|\\+[1-9][0-9]{7,13}|020 [0-9]{4} [0-9]{4})";
    prop_oneof![
        email.boxed(),
        nhs.boxed(),
        postcode.boxed(),
        jwt.boxed(),
        uuid.boxed(),
        phone.boxed(),
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
    let took = |pattern: &str, len: usize| {
        let given = pattern.repeat(len / pattern.len());
        let quickest = (0..5).map(|_| {
            let start = std::time::Instant::now();
            std::hint::black_box(scrub_text(&given, len));
            start.elapsed()
        });
        quickest.min().unwrap_or_default()
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
        "%",
        "%25",
        "%4\u{200b}",
        "é",
    ] {
        let (short, long) = (took(pattern, 1000), took(pattern, 8000));
        assert!(long < short * 30 + std::time::Duration::from_millis(2), "{pattern:?}: {short:?} and {long:?}");
    }
}
