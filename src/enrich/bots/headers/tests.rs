//! Header sets as browsers send them when a person opens a page, and as programs do that borrow a browser's agent.

use super::*;
use crate::enrich::ClientHints;
use crate::enrich::bots::{BotReason, decide};
use crate::pseudonym::RawUserAgent;

const BASIC: [&str; 3] = ["accept", "accept-language", "accept-encoding"];
const FETCH: [&str; 3] = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];
const HINTED: [&str; 3] = ["sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"];

fn reason(agent: &str, direct: bool, tls: bool, http_1_0: bool, sent: &[&[&str]]) -> Option<BotReason> {
    let device = Device::parse(&RawUserAgent::new(agent.as_bytes()), &ClientHints::default());
    let headers = Headers::read(direct, tls, http_1_0, true, |name| {
        let name = name.as_str();
        let is_sent =
            sent.iter().any(|names| names.contains(&name) || name == "accept" && names.contains(&"accept: any"));
        let value: &[u8] = match name {
            "accept" if sent.iter().any(|names| names.contains(&"accept: any")) => b"*/*",
            "accept" => b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            _ => b"is not looked at",
        };
        is_sent.then_some(value)
    });
    decide(&device, false, &headers)
}

const CHROME: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0";
const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
const WEB_VIEW: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/134.0.0.0 Mobile Safari/537.36";

#[test]
fn browsers_of_the_last_eight_years_pass() {
    let old_chrome = |version: u16| CHROME.replace("134", &version.to_string());
    let old_firefox = |version: u16| FIREFOX.replace("135", &version.to_string());
    for (name, agent, tls, sent) in [
        ("Chrome over TLS", CHROME.to_owned(), true, vec![&BASIC, &FETCH, &HINTED]),
        ("Chrome without TLS", CHROME.to_owned(), false, vec![&BASIC]),
        ("Chrome 64 of 2018", old_chrome(64), true, vec![&BASIC]),
        ("Chrome 76, which sent the first of Sec-Fetch", old_chrome(76), true, vec![&BASIC, &FETCH]),
        ("Chrome 88, the last without hints", old_chrome(88), true, vec![&BASIC, &FETCH]),
        ("Edge", format!("{CHROME} Edg/134.0.0.0"), true, vec![&BASIC, &FETCH, &HINTED]),
        ("Edge 18, before it was a Chrome", format!("{} Edge/18.17763", old_chrome(64)), true, vec![&BASIC]),
        ("Opera", format!("{CHROME} OPR/117.0.0.0"), true, vec![&BASIC, &FETCH, &HINTED]),
        ("Firefox over TLS", FIREFOX.to_owned(), true, vec![&BASIC, &FETCH]),
        ("Firefox 58 of 2018", old_firefox(58), true, vec![&BASIC]),
        ("Firefox 89, the last without Sec-Fetch", old_firefox(89), true, vec![&BASIC]),
        ("Safari before 16.4, without Sec-Fetch", SAFARI.replace("18.3", "14.1"), true, vec![&BASIC]),
        ("Safari of today", SAFARI.to_owned(), true, vec![&BASIC, &FETCH]),
        (
            "Safari of an iPhone",
            format!("{IPHONE} Version/18.3 Mobile/15E148 Safari/604.1"),
            true,
            vec![&BASIC, &FETCH],
        ),
        ("Chrome of an iPhone", format!("{IPHONE} CriOS/134.0.6998.33 Mobile/15E148 Safari/604.1"), true, vec![&BASIC]),
        ("Firefox of an iPhone", format!("{IPHONE} FxiOS/135.0 Mobile/15E148 Safari/605.1.15"), true, vec![&BASIC]),
        (
            "Edge of an iPhone",
            format!("{IPHONE} Version/18.0 EdgiOS/134.0.0.0 Mobile/15E148 Safari/604.1"),
            true,
            vec![&BASIC],
        ),
        ("a WebView without Sec-Fetch and hints", WEB_VIEW.to_owned(), true, vec![&BASIC]),
        ("a WebView of today", WEB_VIEW.to_owned(), true, vec![&BASIC, &FETCH, &HINTED]),
        (
            "Facebook on an iPhone",
            format!("{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/500.0.0.44.108;]"),
            true,
            vec![&BASIC],
        ),
        ("Instagram on Android", format!("{WEB_VIEW} Instagram 300.0.0.29.110 Android"), true, vec![&BASIC]),
        (
            "Samsung Internet",
            WEB_VIEW.replace("; wv", "").replace("Version/4.0", "SamsungBrowser/27.0"),
            true,
            vec![&BASIC, &FETCH, &HINTED],
        ),
        (
            "Internet Explorer",
            "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko".into(),
            true,
            vec![&BASIC],
        ),
    ] {
        let sent: Vec<&[&str]> = sent.into_iter().map(|names| &names[..]).collect();
        assert_eq!(reason(&agent, true, tls, false, &sent), None, "{name}");
    }
}

#[test]
fn one_header_that_something_took_away_makes_nobody_a_bot() {
    let all: [&[&str]; 3] = [&BASIC, &FETCH, &HINTED];
    for lost in BASIC.iter().chain(&["sec-ch-ua"]) {
        let left: Vec<Vec<&str>> =
            all.iter().map(|names| names.iter().copied().filter(|name| name != lost).collect()).collect();
        let left: Vec<&[&str]> = left.iter().map(Vec::as_slice).collect();
        assert_eq!(reason(CHROME, true, true, false, &left), None, "{lost}");
    }
    assert_eq!(reason(CHROME, true, true, false, &[&BASIC, &HINTED]), None);
    assert_eq!(reason(CHROME, true, true, true, &all), None);
}

#[test]
fn a_borrowed_agent_is_told_by_the_headers_that_do_not_come_with_it() {
    for (name, agent, tls, http_1_0, sent) in [
        ("a library that sets nothing but the agent", CHROME, false, false, vec![]),
        ("requests with a browser's agent", CHROME, false, false, vec!["accept: any", "accept-encoding"]),
        ("curl with a browser's agent", CHROME, false, false, vec!["accept: any"]),
        ("a Chrome that is no Chrome", CHROME, true, false, vec!["accept", "accept-language", "accept-encoding"]),
        (
            "a Firefox that is a Chrome",
            FIREFOX,
            true,
            false,
            vec!["accept", "accept-language", "accept-encoding", "sec-ch-ua"],
        ),
        ("a Safari without a language, in HTTP/1.0", SAFARI, false, true, vec!["accept", "accept-encoding"]),
    ] {
        assert_eq!(reason(agent, true, tls, http_1_0, &[&sent]), Some(BotReason::Headers), "{name}");
        assert_eq!(reason(agent, false, tls, http_1_0, &[&sent]), None, "behind a proxy: {name}");
    }
}

#[test]
fn a_beacon_is_not_asked_for_what_only_pages_have() {
    let device = Device::parse(&RawUserAgent::new(SAFARI.as_bytes()), &ClientHints::default());
    let sent = |name: &HeaderName| (name == ACCEPT || name == ACCEPT_ENCODING).then_some(&b"*/*"[..]);
    let decided = |is_page| decide(&device, false, &Headers::read(true, true, false, is_page, sent));
    assert_eq!((decided(true), decided(false)), (Some(BotReason::Headers), None));
}
