//! What making an event of a request costs beyond the proxying: pseudonyms and scrubbing; devices are in `enrich`, channel and
//! place in `origin`.
//!
//! `cargo bench --bench pseudonymise`

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use consentry::keys::KeyRing;
use consentry::pseudonym::{IpPrefixes, Pseudonymiser, RawIp, RawLogin, RawPhone, RawUrl, scrub};
use criterion::{Criterion, criterion_group, criterion_main};

fn pseudonyms(c: &mut Criterion) {
    let pseudonymiser = Pseudonymiser::new(Arc::new(KeyRing::ephemeral()), IpPrefixes::default(), 1);
    let ip = RawIp::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77)));
    c.bench_function("pseudonym/visitor", |b| b.iter(|| pseudonymiser.visitor(black_box(&[7; 16]))));
    c.bench_function("pseudonym/ip", |b| b.iter(|| pseudonymiser.ip(black_box(&ip))));
    let login = RawLogin::new(b"customer-4711").expect("is a login");
    c.bench_function("pseudonym/login", |b| b.iter(|| pseudonymiser.login(black_box(&login))));
    let normalised = "pseudonym/phone, normalised and keyed";
    c.bench_function(normalised, |b| {
        b.iter(|| RawPhone::new(black_box("+44 (0)20 7946 0018"), 44).map(|phone| pseudonymiser.caller(&phone)))
    });
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

criterion_group!(benches, pseudonyms, scrubbing);
criterion_main!(benches);
