//! From a permitted exchange to the bytes in the spool's buffer: capture (scrub, look up, key), then the compact record.

use std::hint::black_box;
use std::sync::Arc;

use consentry::capture::{Answer, Capture, Exchange, Shared};
use consentry::config::Config;
use consentry::consent::{Choice, ChoiceSource, Mode, Policy, Signals, decide};
use consentry::enrich::Places;
use consentry::keys::KeyRing;
use consentry::pseudonym::{RawIp, RawLogin};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, StatusCode};

const NOW: u64 = 1_790_000_000;

/// The answer of a site that says who is logged in: with visitor and address, three pseudonyms.
fn answer() -> Answer<'static> {
    Answer { status: StatusCode::OK, response_ms: 12, login: RawLogin::new(b"user-4711"), location: None }
}

/// The country database; fetched where this machine does not have it yet.
fn places() -> Places {
    let path = consentry::engine::provision::country_database().expect("npm fetches it");
    Places::open(&path).expect("is a geo database")
}

fn encode(c: &mut Criterion) {
    let policy = Policy::default();
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW * 1000);
    let permit = decide(&policy, Ok(choice), Signals::default(), Mode::OptIn).analytics.expect("everything is granted");
    let text = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n[[path_class]]\npattern = \"/conditions/*\"\nclass = \"health\"";
    let config = Config::from_toml(text, "bench.toml", std::iter::empty()).expect("is a configuration");
    let capture = Capture::new(Arc::new(Shared::new(&config, Arc::new(KeyRing::ephemeral()), places())));
    let mut headers = HeaderMap::new();
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    headers.insert("user-agent", agent.parse().expect("ASCII"));
    headers.insert("accept-language", "en-GB,en;q=0.9".parse().expect("ASCII"));
    headers.insert("referer", "https://www.google.co.uk/".parse().expect("ASCII"));
    let client = RawIp::new("86.1.113.77".parse().expect("an address"));
    let exchange = Exchange {
        now_ms: NOW as i64 * 1000 + 5000,
        host: "www.example.org",
        https: true,
        target: "/products/booking?utm_source=newsletter&utm_medium=email&q=waiting+list",
        headers: &headers,
        client: &client,
        direct: true,
        is_page: true,
        http_1_0: false,
        visitor_cookie: Some(b"AAAAAAAAAAAAAAAAAAAAAA"),
        visit_cookie: None,
    };
    c.bench_function("encode/capture a page view", |b| {
        b.iter(|| capture.page_view(&permit, black_box(&exchange), answer()).expect("is after the grant"));
    });
    let mut record = Vec::with_capacity(1024);
    c.bench_function("encode/from a parsed request to the encoded event", |b| {
        b.iter(|| {
            record.clear();
            let captured = capture.page_view(&permit, black_box(&exchange), answer()).expect("is after the grant");
            captured.events[0].encode(&mut record);
        });
    });
    let captured = capture.page_view(&permit, &exchange, answer()).expect("is after the grant");
    c.bench_function("encode/the compact record", |b| {
        b.iter(|| {
            record.clear();
            black_box(&captured.events[0]).encode(&mut record);
        });
    });
}

criterion_group!(benches, encode);
criterion_main!(benches);
