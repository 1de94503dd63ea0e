use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::enrich::ClientHints;
use crate::pseudonym::{RawIp, RawUserAgent};

const CRAWLERS: &str = include_str!("../../../tests/data/user-agents/crawlers.txt");
const PEOPLE: &str = include_str!("../../../tests/data/user-agents/people.txt");

fn device(agent: &str) -> Device {
    Device::parse(&RawUserAgent::new(agent.as_bytes()), &ClientHints::default())
}

#[test]
fn programs_that_say_so_are_bots_and_the_reason_is_kept() {
    for (agent, want) in [
        ("", BotReason::NoAgent),
        ("-", BotReason::NoAgent),
        ("   ", BotReason::NoAgent),
        ("curl/8.5.0", BotReason::Program),
        ("Wget/1.21.4", BotReason::Program),
        ("python-requests/2.31.0", BotReason::Program),
        ("Go-http-client/2.0", BotReason::Program),
        ("okhttp/4.12.0", BotReason::Program),
        ("Java/17.0.9", BotReason::Program),
        ("axios/1.6.0", BotReason::Program),
        ("node", BotReason::Program),
        ("Scrapy/2.11 (+https://scrapy.org)", BotReason::Program),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", BotReason::Crawler),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            BotReason::Crawler,
        ),
        (
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0.1938.76 Safari/537.36",
            BotReason::Crawler,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 SomeBot/1.0",
            BotReason::Crawler,
        ),
        ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", BotReason::Crawler),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/134.0.0.0 Safari/537.36",
            BotReason::Headless,
        ),
        (
            "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
            BotReason::Headless,
        ),
        ("Mozilla/5.0", BotReason::UnknownBrowser),
        ("a program of no known name", BotReason::UnknownBrowser),
    ] {
        assert_eq!(device(agent).bot, Some(want), "{agent:?}");
    }
}

#[test]
fn at_least_995_in_a_thousand_crawlers_are_found() {
    let missed: Vec<&str> = CRAWLERS.lines().filter(|agent| !device(agent).is_bot()).collect();
    let of = CRAWLERS.lines().count();
    assert!(missed.len() * 1000 <= of * 5, "{} of {of}:\n{}", missed.len(), missed.join("\n"));
    // The two that cannot be told from people: browsers in apps, one of them on a build of Android that many telephones have.
    assert_eq!(missed.len(), 2, "{}", missed.join("\n"));
}

#[test]
fn no_browser_of_a_visitor_is_taken_for_a_bot() {
    let taken: Vec<&str> = PEOPLE.lines().filter(|agent| device(agent).is_bot()).collect();
    assert!(taken.is_empty(), "{} of {}:\n{}", taken.len(), PEOPLE.lines().count(), taken.join("\n"));
}

#[test]
fn telephones_with_unlucky_names_are_peoples() {
    for model in [
        "CUBOT X19",
        "cubot echo",
        "M bot 60",
        "ID bot 53+",
        "XBot_Senior",
        "ViewSonic ViewPad7",
        "HTC_Butterfly",
        "Fever_Plus",
    ] {
        let agent = format!(
            "Mozilla/5.0 (Linux; Android 9; {model} Build/PPR1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36"
        );
        assert_eq!(device(&agent).bot, None, "{model}");
    }
}

#[test]
fn an_address_in_a_configured_range_is_a_bots() {
    let ranges = ["66.249.64.0/19", "66.249.66.0/24", "2001:4860:4801::/48", "192.0.2.1/32", "192.0.2.2/32"];
    let networks = BotNetworks::new(ranges.map(|range| range.parse().expect("a range")).to_vec());
    let contains = |ip: &str| networks.contains(&RawIp::new(ip.parse().expect("an address")));
    for inside in
        ["66.249.64.0", "66.249.95.255", "::ffff:66.249.66.1", "2001:4860:4801:ffff::1", "192.0.2.1", "192.0.2.2"]
    {
        assert!(contains(inside), "{inside}");
    }
    for outside in ["66.249.63.255", "66.249.96.0", "2001:4860:4802::", "192.0.2.0", "192.0.2.3", "::1", "0.0.0.0"] {
        assert!(!contains(outside), "{outside}");
    }
    assert!(!BotNetworks::default().contains(&RawIp::new([192, 0, 2, 1].into())));
}

#[test]
fn the_first_rule_that_fits_gives_the_reason() {
    let (person, crawler) = (device(PEOPLE.lines().next().expect("there are people")), device("Googlebot/2.1"));
    let bare = Headers { direct: true, ..Headers::default() };
    let proxied = Headers::default();
    for (device, is_in_network, headers, want) in [
        (&person, false, &proxied, None),
        (&person, false, &bare, Some(BotReason::Headers)),
        (&person, true, &bare, Some(BotReason::Network)),
        (&person, true, &proxied, Some(BotReason::Network)),
        (&crawler, true, &bare, Some(BotReason::Crawler)),
    ] {
        assert_eq!(decide(device, is_in_network, headers), want);
    }
}

#[test]
fn every_reason_has_a_word_of_its_own_that_fits_a_column() {
    let mut words = BotReason::ALL.map(BotReason::word).to_vec();
    assert!(words.iter().all(|word| (1..=15).contains(&word.len())));
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), BotReason::ALL.len());
}

proptest! {
    #[test]
    fn ranges_hold_what_the_ranges_they_were_made_of_hold(
        ranges in proptest::collection::vec((any::<u32>(), 1..=32_u8), 0..12), ip in any::<u32>(), at in any::<prop::sample::Index>(),
    ) {
        let nets: Vec<ipnet::IpNet> = ranges
            .iter()
            .map(|(ip, len)| ipnet::Ipv4Net::new((*ip).into(), *len).expect("at most 32").into())
            .collect();
        let networks = BotNetworks::new(nets.clone());
        // Half of them near an edge.
        let near = if nets.is_empty() { ip } else {
            let (base, len) = ranges[at.index(ranges.len())];
            base.wrapping_add(ip >> len.min(31)).wrapping_sub(1)
        };
        for ip in [ip, near] {
            let ip: IpAddr = std::net::Ipv4Addr::from(ip).into();
            prop_assert_eq!(networks.contains(&RawIp::new(ip)), nets.iter().any(|net| net.contains(&ip)));
        }
    }

    #[test]
    fn a_decision_behind_a_proxy_never_rests_on_headers(agent in "[ -~]{0,120}", bits in any::<u8>()) {
        let device = device(&agent);
        let has = |bit: u8| bits & (1 << bit) != 0;
        let headers = Headers::read(false, has(0), has(1), has(2), |_| has(3).then_some(b"*/*"));
        prop_assert_eq!(decide(&device, false, &headers), device.bot);
    }
}
