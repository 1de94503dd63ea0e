//! What it takes to know the browser and whether a program asks: an agent read for the first time, one seen before as the
//! request path finds it (from the headers of a request), and the rules that look at the request itself.
//!
//! `cargo bench --bench enrich`; the bound for an agent seen before is 200 ns.

use std::hint::black_box;

use consentry::enrich::bots::{self, BotNetworks, Headers};
use consentry::enrich::{ClientHints, Device, DeviceCache};
use consentry::pseudonym::{RawIp, RawUserAgent};
use criterion::{Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use http::header::USER_AGENT;

const AGENTS: [(&str, &str); 4] = [
    (
        "Chrome",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36",
    ),
    (
        "iPhone",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
    ),
    (
        "app",
        "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/134.0.6998.39 Mobile Safari/537.36 Instagram 370.0.0.42.96 Android (34/14; 450dpi; 1080x2125; samsung; SM-S918B; dm3q; qcom; en_GB; 702190216)",
    ),
    ("crawler", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
];

/// A request of today's Chrome over TLS.
fn request(agent: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "www.example.org"),
        ("sec-ch-ua", r#""Chromium";v="134", "Not:A-Brand";v="24", "Google Chrome";v="134""#),
        ("sec-ch-ua-mobile", "?0"),
        ("sec-ch-ua-platform", r#""Windows""#),
        ("sec-ch-ua-platform-version", r#""15.0.0""#),
        ("upgrade-insecure-requests", "1"),
        ("user-agent", agent),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
        ("sec-fetch-site", "none"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("accept-language", "en-GB,en;q=0.9"),
    ] {
        headers.insert(name, value.parse().expect("ASCII"));
    }
    headers
}

fn hints(headers: &HeaderMap) -> ClientHints<'_> {
    ClientHints::read(|name| headers.get(name).and_then(|value| value.to_str().ok()))
}

fn devices(c: &mut Criterion) {
    let mut cache = DeviceCache::new(4096);
    for (name, agent) in AGENTS {
        let headers = request(agent);
        let sent = headers[USER_AGENT].as_bytes();
        let read = hints(&headers);
        c.bench_function(&format!("device/cold/{name}"), |b| {
            b.iter(|| Device::parse(&RawUserAgent::new(black_box(sent)), &read));
        });
        c.bench_function(&format!("device/seen before/{name}"), |b| {
            b.iter(|| {
                black_box(cache.get(&RawUserAgent::new(black_box(sent)), black_box(&read)));
            });
        });
        c.bench_function(&format!("device/seen before, from the request's headers/{name}"), |b| {
            b.iter(|| {
                let headers = black_box(&headers);
                let agent = headers.get(USER_AGENT).map(|value| value.as_bytes()).unwrap_or_default();
                black_box(cache.get(&RawUserAgent::new(agent), &hints(headers)));
            });
        });
    }
}

fn decisions(c: &mut Criterion) {
    let headers = request(AGENTS[0].1);
    let device = Device::parse(&RawUserAgent::new(AGENTS[0].1.as_bytes()), &hints(&headers));
    c.bench_function("bot/by headers", |b| {
        b.iter(|| {
            let read =
                Headers::read(true, true, false, true, |name| black_box(&headers).get(name).map(|v| v.as_bytes()));
            bots::decide(black_box(&device), false, &read)
        });
    });
    let networks = (0..1000_u32).map(|n| format!("{}.{}.0.0/20", 10 + n / 250, n % 250).parse().expect("a range"));
    let networks = BotNetworks::new(networks.collect());
    let client = RawIp::new([12, 77, 3, 9].into());
    c.bench_function("bot/by one of a thousand ranges", |b| b.iter(|| networks.contains(black_box(&client))));
}

criterion_group!(benches, devices, decisions);
criterion_main!(benches);
