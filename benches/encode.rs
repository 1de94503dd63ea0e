//! From a permitted exchange to the bytes in the spool's buffer: capture (scrub, look up, key), then the compact record.

use std::hint::black_box;
use std::sync::Arc;

use consentry::capture::visit::Visits;
use consentry::capture::{Capture, Exchange, Shared};
use consentry::config::Period;
use consentry::consent::{Choice, ChoiceSource, Mode, Policy, Signals, decide};
use consentry::enrich::Places;
use consentry::keys::KeyRing;
use consentry::pseudonym::{IpPrefixes, Pseudonymiser, RawIp};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, StatusCode};

const NOW: u64 = 1_790_000_000;

fn encode(c: &mut Criterion) {
    let policy = Policy::default();
    let choice = Choice::new(&policy, policy.all(), ChoiceSource::Banner, NOW);
    let permit = decide(&policy, Ok(choice), Signals::default(), Mode::OptIn).analytics.expect("everything is granted");
    let capture = Capture::new(Arc::new(Shared {
        pseudonymiser: Pseudonymiser::new(Arc::new(KeyRing::ephemeral()), IpPrefixes::default(), 1),
        places: Places::none(),
        visits: Visits::new(std::time::Duration::from_secs(1800)),
        site_id: 1,
        query_keys: Vec::new(),
        retention: Period { months: 72, days: 0 },
    }));
    let mut headers = HeaderMap::new();
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    headers.insert("user-agent", agent.parse().expect("ASCII"));
    headers.insert("accept-language", "en-GB,en;q=0.9".parse().expect("ASCII"));
    headers.insert("referer", "https://www.google.co.uk/".parse().expect("ASCII"));
    let client = RawIp::new("203.0.113.77".parse().expect("an address"));
    let exchange = Exchange {
        now_ms: NOW as i64 * 1000 + 5000,
        host: "www.example.org",
        https: true,
        target: "/products/booking?utm_source=newsletter&utm_medium=email&q=waiting+list",
        headers: &headers,
        client: &client,
        visitor_cookie: Some(b"AAAAAAAAAAAAAAAAAAAAAA"),
        visit_cookie: None,
        choice_life: policy.choice_life,
    };
    c.bench_function("encode/capture a page view", |b| {
        b.iter(|| capture.page_view(&permit, black_box(&exchange), StatusCode::OK, 12).expect("is after the grant"));
    });
    let captured = capture.page_view(&permit, &exchange, StatusCode::OK, 12).expect("is after the grant");
    let mut record = Vec::with_capacity(1024);
    c.bench_function("encode/the compact record", |b| {
        b.iter(|| {
            record.clear();
            black_box(&captured.events[0]).encode(&mut record);
        });
    });
}

criterion_group!(benches, encode);
criterion_main!(benches);
