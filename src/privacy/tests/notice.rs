//! The two pages that tell what is done with data: the notice, made of the configuration (R6), and what one browser carries.

use http::header::{ACCEPT, CONTENT_DISPOSITION};

use super::*;
use crate::capture::{Known, KnownVisit};
use crate::config::{BUILT_IN, Item, KeyWindow, Period};
use crate::keys::{KeyId, Keyed};
use crate::pseudonym::VisitorId;

fn operator() -> Consent {
    Consent {
        controller: Some("Example Ltd, Leeds".into()),
        contact: Some("privacy@example.org".into()),
        notice_url: None,
        ..texts()
    }
}

fn site(facts: NoticeFacts) -> Site {
    let mut site = Site::with(Policy::default(), operator(), &[declared()]);
    site.pages = site.pages.with_notice(facts);
    site
}

/// Everything switched on.
fn all_on() -> NoticeFacts {
    let mut facts = NoticeFacts {
        collect: Item::ALL.to_vec(),
        searches: true,
        logins: true,
        located: Located::Place,
        mail_opens: true,
        calls: true,
        ..NoticeFacts::default()
    };
    let day = Some(Period { months: 0, days: 1 });
    facts.keys.ip = KeyWindow { rotate: day, keep: day };
    facts.retention = Period { months: 48, days: 0 };
    facts
}

/// The items of the notice as JSON.
fn recorded(site: &Site) -> Vec<String> {
    let items = value(&site.get("/notice?format=json", None))["recorded"]["items"].clone();
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn known() -> Known {
    let visit = Some(KnownVisit { began: NOW - 60, pages: 3 });
    let keyed = |id, key| Keyed { value: VisitorId(id), key: KeyId(key) };
    Known { visitor: keyed(u128::MAX - 1, 7), earlier: vec![keyed(12, 3)], visit }
}

const CARRIED: (&str, &str) = ("cookie", "consentry_visitor=AAAA; consentry_visit=x");

/// The page with the visitor's data, asked for with these header lines.
fn data(site: &Site, query: Option<&str>, line: (&str, &str), choice: Option<&Choice>, recording: Recording) -> Told {
    let (name, line) = line;
    let headers = HeaderMap::from_iter([(http::HeaderName::try_from(name).unwrap(), line.parse().unwrap())]);
    let request = PrivacyRequest {
        method: &Method::GET,
        path: "/data",
        query,
        headers: &headers,
        body: b"",
        host: "shop.example",
        https: true,
        choice,
        signals: Signals::default(),
        stamp: [0; 6],
        recording,
        now_ms: NOW * 1000,
    };
    let Reply::Answer(response) = site.pages.respond(&request) else { panic!("it is a page") };
    Told { response, chosen: None }
}

#[test]
fn rule_r6_the_notice_says_what_is_configured_and_nothing_else() {
    let bare = site(NoticeFacts::default());
    let always = ["pages", "source", "browser", "visitor", "address_code", "address_network", "events"];
    assert_eq!(recorded(&bare), always);
    let none = bare.get("/notice", None);
    for absent in ["E-mails from us", "Telephone calls", "What we count without asking", "Secret key used for"] {
        assert!(!text(&none).contains(absent), "{absent}");
    }
    let mut full = site(all_on());
    full.pages = full.pages.with(Serves { statistics: true });
    let ids = recorded(&full);
    for item in Item::ALL {
        assert_eq!(ids.iter().filter(|id| *id == item.word()).count(), 1, "{}", item.word());
    }
    assert!(ids.contains(&"search".to_owned()) && ids.contains(&"place".to_owned()));
    let page = full.get("/notice", None);
    for said in [
        "Example Ltd, Leeds",
        "mailto:privacy@example.org",
        "E-mails from us",
        "Telephone calls",
        "What we count without asking",
        "choose “Reject all”",
        "<dt>Secret key used for</dt><dd>1 day</dd>",
        "<dt>Kept for</dt><dd>4 years</dd>",
        "<dt>Kept for</dt><dd>90 days</dd>",
        "<dt>Kept for</dt><dd>13 months</dd>",
        "<dt>Set by</dt><dd>Example Analytics</dd>",
        "Legal basis: <span>Your consent</span>",
        "href=\"/_privacy/\"",
        "href=\"/_privacy/data\"",
        "(ICO)",
    ] {
        assert!(text(&page).contains(said), "{said} in {}", text(&page));
    }
    let of_one = |facts| recorded(&site(facts));
    let login = of_one(NoticeFacts { logins: true, ..NoticeFacts::default() });
    assert!(login.contains(&"login".to_owned()), "the site's own header says it too");
    let nothing_of_it = of_one(NoticeFacts { networks: false, ..NoticeFacts::default() });
    assert!(!nothing_of_it.contains(&"address_network".to_owned()));
}

#[test]
fn rule_r6_what_is_configured_is_what_the_notice_is_made_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("consentry.toml");
    let configured = |more: &str| {
        std::fs::write(&path, format!("[gateway]\nupstream = \"http://127.0.0.1:1\"\n{more}")).unwrap();
        NoticeFacts::of(&crate::config::Config::load(&path).unwrap())
    };
    let usual = configured("");
    assert!(usual.collect.contains(&Item::Clicks) && !usual.collect.contains(&Item::Hover));
    assert_eq!((usual.located, usual.networks, usual.mail_opens), (Located::Country, true, false));
    assert_eq!((usual.searches, usual.logins, usual.calls), (false, false, false));
    let facts = configured(
        "[capture]\ncollect = [\"hover\"]\nsearch_keys = [\"q\"]\nlogin_header = \"X-User\"\nmail_opens = true\n\
         [pseudonym]\nipv4_prefix = 0\nipv6_prefix = 0\n[geo]\ndatabase = \"off\"\n\
         [retention]\nperiod = \"18 months\"\nconsents = \"7 years\"\n",
    );
    assert_eq!(facts.collect, [Item::Hover]);
    assert_eq!((facts.located, facts.networks, facts.mail_opens), (Located::Nowhere, false, true));
    assert_eq!((facts.searches, facts.logins), (true, true));
    assert_eq!((facts.retention.months, facts.proofs.months), (18, 84));
}

#[test]
fn rule_p5_the_notice_of_a_version_is_kept_without_version_and_date() {
    let mut site = site(all_on());
    for code in BUILT_IN {
        let said = value(&site.get(&format!("/notice?format=json&lang={code}"), None));
        let kept = site.pages.shown_texts().iter().find(|text| text.kind == "notice" && text.language == code).unwrap();
        let hash = hex(&kept.hash);
        assert_eq!((&said["text_hash"], &said["version"]), (&json!(hash), &json!(hash[..12])), "{code}");
        assert_eq!((&said["language"], &said["since"]), (&json!(code), &json!(null)));
    }
    site.pages.note_since(|_| Some(NOW));
    let plain = site.get("/notice", None);
    let kept = site.pages.shown_texts().iter().find(|text| text.kind == "notice").unwrap();
    let version = &hex(&kept.hash)[..12];
    let edition = format!(
        "<dl class=\"facts\">\n<div><dt>Version of this page</dt><dd><code>{version}</code></dd></div>\n\
         <div><dt>In use here since</dt><dd><time datetime=\"2025-05-03T14:05:00Z\">3 May 2025</time></dd></div>\n</dl>"
    );
    let lines = |text: &str| text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let shown = text(&plain);
    assert!(shown.contains(&edition), "{shown}");
    let kept = std::str::from_utf8(&kept.bytes).unwrap();
    assert_eq!(lines(&shown.replace(&edition, "")), lines(kept), "nothing else differs");
    let other = self::site(NoticeFacts::default());
    assert!(!text(&other.get("/notice", None)).contains(version), "what is captured makes the version");
}

#[test]
fn the_notice_is_in_every_language_with_its_periods() {
    let site = site(all_on());
    for (code, period) in [("en-GB", "4 years"), ("de", "4 Jahre"), ("pl", "4 lata"), ("cy", "4 mlynedd")] {
        let page = site.get(&format!("/notice?lang={code}"), None);
        assert!(text(&page).contains(&format!("<dd>{period}</dd>")), "{code}: {}", text(&page));
    }
    for code in BUILT_IN {
        let response = site.get(&format!("/notice?lang={code}"), None);
        let page = text(&response);
        assert!(!page.contains("<li></li>") && !page.contains('{'), "{code}");
        assert!(page.contains(&format!("href=\"/_privacy/data?lang={code}\"")), "{code}");
    }
}

#[test]
fn a_browser_that_carries_nothing_is_told_so() {
    let site = site(NoticeFacts::default());
    let answer = site.get("/data", None);
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    let page = text(&answer);
    assert!(page.contains("Your browser carries nothing of ours") && !page.contains("Reference"), "{page}");
    assert!(page.contains("href=\"/_privacy/notice\"") && page.contains("mailto:privacy@example.org"));
    let said = value(&site.get("/data?format=json", None));
    assert_eq!((&said["choice"], &said["references"], &said["recorded"]), (&json!(null), &json!([]), &json!(false)));
    let nobody = Site::with(Policy::default(), texts(), &[]);
    assert!(text(&nobody.get("/data", None)).contains("write to the people who run this website"));
}

#[test]
fn rule_r2_who_is_recorded_reads_the_reference_of_the_rows() {
    let site = site(NoticeFacts::default());
    let choice = site.choice(&["analytics"]);
    let page = |recording| data(&site, None, CARRIED, Some(&choice), recording).response;
    let recorded = page(Recording::Under(known()));
    for said in [
        "<code>340282366920938463463374607431768211454</code>",
        "<code>7</code>",
        "<code>12</code>",
        "<dt>Analytics</dt><dd>Yes</dd>",
        "<dt>Marketing</dt><dd>No</dd>",
        "<dt>Necessary</dt><dd>Always on</dd>",
        "<dd>3</dd>",
        "3 May 2025 at 14:04 UTC",
        "Send us the reference on this page",
        "href=\"/_privacy/receipt\"",
    ] {
        assert!(text(&recorded).contains(said), "{said} in {}", text(&recorded));
    }
    assert!(text(&page(Recording::NotYet)).contains("once you have opened a page"));
    let off = page(Recording::Off);
    assert!(text(&off).contains("Your visits are not being recorded") && !text(&off).contains("<dt>Reference"));
}

#[test]
fn what_a_browser_carries_is_a_file_too() {
    let site = site(NoticeFacts::default());
    let choice = site.choice(&["analytics"]);
    let under = || Recording::Under(known());
    let json = data(&site, Some("format=json"), CARRIED, Some(&choice), under());
    let said = value(&json.response);
    assert_eq!(
        said["references"],
        json!([
            { "visitor_id": "340282366920938463463374607431768211454", "key": 7 },
            { "visitor_id": "12", "key": 3 },
        ])
    );
    assert_eq!(said["cookies"], json!({ "consentry_visitor": true, "consentry_visit": true }));
    assert_eq!(said["visit"], json!({ "began_at": "2025-05-03T14:04:00Z", "pages": 3 }));
    assert_eq!(said["choice"]["granted"], json!(["necessary", "analytics"]));
    assert_eq!(said["choice"]["receipt"], format!("{:016x}", choice.receipt));
    assert_eq!(said["notice"], "/_privacy/notice");
    let accepted = data(&site, None, (ACCEPT.as_str(), "application/json"), Some(&choice), under());
    assert_eq!(accepted.response.headers()[CONTENT_TYPE], "application/json");

    for (query, line) in [(Some("format=csv"), CARRIED), (None, (ACCEPT.as_str(), "text/csv"))] {
        let csv = data(&site, query, line, Some(&choice), under()).response;
        assert!(csv.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/csv"));
        assert_eq!(csv.headers()[CONTENT_DISPOSITION], "attachment; filename=\"consentry-data.csv\"");
        assert!(text(&csv).starts_with("name,value\r\n"), "{}", text(&csv));
        for line in [
            "\"choice.granted\",\"necessary analytics\"",
            "\"references.1.visitor_id\",\"340282366920938463463374607431768211454\"",
            "\"recorded\",\"true\"",
            "\"contact\",\"privacy@example.org\"",
        ] {
            assert!(text(&csv).contains(&format!("{line}\r\n")), "{line} in {}", text(&csv));
        }
    }
    let formula = Consent { controller: Some("=cmd(\"x\")".into()), ..operator() };
    let csv = Site::with(Policy::default(), formula, &[]).get("/data?format=csv", None);
    assert!(text(&csv).contains("\"controller\",\"'=cmd(\"\"x\"\")\"\r\n"), "{}", text(&csv));
}

#[test]
fn rule_d1_neither_address_nor_browser_is_repeated() {
    let site = site(NoticeFacts::default());
    let lines = [("user-agent", "Needle/1.0"), ("x-forwarded-for", "203.0.113.77"), CARRIED];
    for path in ["/data", "/data?format=json", "/data?format=csv"] {
        let answer = site.ask(Method::GET, path, &lines, "", Some(&site.choice(&["analytics"]))).response;
        assert!(!text(&answer).contains("Needle") && !text(&answer).contains("203.0.113"), "{path}");
        assert!(!text(&answer).contains("AAAA"), "the token itself stays in its cookie");
    }
}
