//! What making an event of a request costs beyond the proxying: pseudonyms, scrubbing, channel and place; devices are in
//! `enrich`.
//!
//! `cargo bench --bench pseudonymise`; with `CONSENTRY_BENCH_GEO=FILE_OR_FOLDER` the look-up of places too.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use consentry::enrich::{Channel, Places};
use consentry::keys::KeyRing;
use consentry::pseudonym::{IpPrefixes, Pseudonymiser, RawIp, RawUrl, scrub};
use criterion::{Criterion, criterion_group, criterion_main};

fn pseudonyms(c: &mut Criterion) {
    let pseudonymiser = Pseudonymiser::new(Arc::new(KeyRing::ephemeral()), IpPrefixes::default(), 1);
    let ip = RawIp::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)));
    c.bench_function("pseudonym/visitor", |b| b.iter(|| pseudonymiser.visitor(black_box(&[7; 16]))));
    c.bench_function("pseudonym/ip", |b| b.iter(|| pseudonymiser.ip(black_box(&ip))));
}

fn scrubbing(c: &mut Criterion) {
    let keys = ["q".to_owned(), "page".to_owned()];
    for (name, url) in [
        ("short", "/pricing"),
        ("slug", "/blog/2024/05/12/how-to-choose-the-best-widget-for-your-home"),
        ("query", "/search?q=red+shoes&page=2&sort=price&utm_source=newsletter&utm_medium=email"),
        ("encoded", "/caf%C3%A9/men%C3%BC/sp%C3%A9cialit%C3%A9s"),
        ("personal", "/account/jane.doe%40example.com/orders/9434765919?q=SW1A+1AA"),
    ] {
        let raw = RawUrl::new(url);
        c.bench_function(&format!("scrub/path/{name}"), |b| b.iter(|| scrub::scrub_path(black_box(&raw), &keys)));
    }
    let referrer = RawUrl::new("https://www.google.com/search?q=widgets");
    c.bench_function("scrub/referrer", |b| b.iter(|| scrub::referrer(black_box(&referrer), "www.example.com")));
    let landing = RawUrl::new("/?utm_source=newsletter&utm_medium=email&utm_campaign=spring-2024&gclid=abc");
    c.bench_function("scrub/utm", |b| b.iter(|| scrub::utm(black_box(&landing))));
    let text = "the quick brown fox jumps over the lazy dog, version 2.10 for 12.99 ".repeat(60);
    c.bench_function("scrub/text/4 KB", |b| b.iter(|| scrub::scrub_text(black_box(&text), 4096)));
    let worst = "1 ".repeat(2000);
    c.bench_function("scrub/text/4 KB of digits", |b| b.iter(|| scrub::scrub_text(black_box(&worst), 4096)));
}

fn enriching(c: &mut Criterion) {
    for (name, referrer) in [("direct", ""), ("search", "www.google.com"), ("unknown", "www.news.example")] {
        c.bench_function(&format!("channel/{name}"), |b| {
            b.iter(|| Channel::classify(black_box(referrer), false, "", "", None))
        });
    }
    if let Some(path) = std::env::var_os("CONSENTRY_BENCH_GEO") {
        let places = Places::open(Path::new(&path)).expect("CONSENTRY_BENCH_GEO names a geo database");
        let mut n = 0u32;
        c.bench_function("place", |b| {
            b.iter(|| {
                n = n.wrapping_add(0x9e37_79b9);
                places.lookup(&RawIp::new(IpAddr::from((n | 0x1000_0000).to_be_bytes())))
            })
        });
    }
}

criterion_group!(benches, pseudonyms, scrubbing, enriching);
criterion_main!(benches);
