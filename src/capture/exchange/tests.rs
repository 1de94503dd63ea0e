use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::*;
use crate::capture::Shared;
use crate::config::Config;
use crate::consent::{Choice, ChoiceSource, Mode, Policy, Signals, decide};
use crate::enrich::Places;
use crate::keys::KeyRing;

const NOW: u64 = 1_790_000_000;

fn capture(more: &str) -> Capture {
    let text = format!("[gateway]\nupstream = \"http://127.0.0.1:3000\"\n{more}");
    let config = Config::from_toml(&text, "test.toml", std::iter::empty()).expect("is a configuration");
    Capture::new(Arc::new(Shared::new(&config, Arc::new(KeyRing::ephemeral()), Places::none())))
}

/// Channel, source and referrer of a page view at `host` that follows `referer`.
fn origin(host: &str, referer: &str) -> (&'static str, String, String) {
    let policy = Policy::default();
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW * 1000);
    let permit = decide(&policy, Ok(choice), Signals::default(), Mode::OptIn).analytics.expect("everything is granted");
    let capture = capture("");
    let exchange = Exchange {
        now_ms: NOW as i64 * 1000 + 5000,
        host,
        https: false,
        target: "/pricing",
        headers: &HeaderMap::new(),
        client: &RawIp::new("203.0.113.77".parse().expect("is an address")),
        direct: true,
        is_page: true,
        http_1_0: false,
        visitor_cookie: None,
        visit_cookie: None,
    };
    let visitor = capture.visitor(&permit, &exchange);
    let url = RawUrl::new(exchange.target);
    let mut draft = capture.draft(&exchange, &visitor, exchange.now_ms, &url);
    capture.arrive(&mut draft, &url, Some(&RawUrl::new(referer)), host);
    (draft.channel.channel, draft.channel.source, draft.referrer)
}

#[test]
fn a_click_inside_a_site_without_a_name_is_internal() {
    let internal = ("internal", String::new(), String::new());
    for (host, referer) in [
        ("127.0.0.1", "http://127.0.0.1/"),
        ("127.0.0.1", "http://127.0.0.1:8080/x"),
        ("[::1]", "http://[::1]:8080/x"),
        ("www.example.com", "https://example.com/x"),
    ] {
        assert_eq!(origin(host, referer), internal, "{referer} to {host}");
    }
}

#[test]
fn a_click_from_one_address_to_another_is_a_referral_and_names_neither() {
    let outside = ("referral", "[address]".to_owned(), "[address]/x".to_owned());
    assert_eq!(origin("127.0.0.1", "http://127.0.0.2:8080/x"), outside);
    assert_eq!(origin("www.example.com", "http://198.51.100.4/x"), outside);
}

#[test]
fn a_page_fetched_before_anybody_asked_is_no_page_view() {
    let is_view = |lines: &[(&'static str, &'static str)]| {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        is_page_view(&Method::GET, &lines.iter().map(line).collect(), StatusCode::OK)
    };
    assert!(is_view(&[]) && is_view(&[("sec-purpose", "")]));
    for lines in [
        &[("sec-purpose", "prefetch;prerender")][..],
        &[("sec-purpose", "PREFETCH")],
        &[("sec-purpose", ""), ("purpose", "prefetch")],
        &[("x-moz", "prefetch")],
        &[("x-purpose", "preview")],
    ] {
        assert!(!is_view(lines), "{lines:?}");
    }
}

/// A navigation that a service worker passes on has no destination; a piece that a script fetches has none either.
#[test]
fn a_page_that_a_service_worker_passes_on_is_a_page_view() {
    for (mode, is_view) in [(Some("navigate"), true), (Some("cors"), false), (None, false)] {
        let mut headers = HeaderMap::new();
        headers.insert("sec-fetch-dest", HeaderValue::from_static("empty"));
        headers.extend(mode.map(|mode| (HeaderName::from_static("sec-fetch-mode"), HeaderValue::from_static(mode))));
        assert_eq!(is_page_view(&Method::GET, &headers, StatusCode::OK), is_view, "{mode:?}");
    }
}

#[test]
fn rule_d1_what_a_visitor_writes_as_host_is_held_to_the_rest() {
    for (host, kept) in [
        ("Shop.Example", "shop.example"),
        ("shop.example.", "shop.example"),
        ("203.0.113.9", "[address]"),
        ("[2001:db8::1]", "[address]"),
        ("3405803785", "[address]"),
        ("07700900123.example", "[phone].example"),
        ("d41d8cd98f00b204e9800998ecf8427e.example", "[token].example"),
    ] {
        assert_eq!(scrub::host(host), kept);
    }
}
