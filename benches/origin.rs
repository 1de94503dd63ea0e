//! What it costs to tell where a visit came from: its place, its source and channel, and whether its referrer is spam.
//!
//! `cargo bench --bench origin`; with `CONSENTRY_BENCH_GEO=FILE_OR_FOLDER` the look-up of places too, alone and beside another
//! thread that does the same, and a look at files that have not changed.

use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use consentry::enrich::channel::is_spam;
use consentry::enrich::place::calling_code;
use consentry::enrich::{Channel, Places, Spammers};
use consentry::pseudonym::scrub::ClickId;
use consentry::pseudonym::{RawIp, RawUrl, scrub};
use criterion::{Criterion, criterion_group, criterion_main};

fn channels(c: &mut Criterion) {
    for (name, referrer, source, medium, click_id) in [
        ("direct", "", "", "", None),
        ("search", "www.google.co.uk", "", "", None),
        ("social", "l.facebook.com", "", "", None),
        ("assistant", "chatgpt.com", "", "", None),
        ("app", "com.google.android.gm", "", "", None),
        ("unknown host", "www.news.example", "", "", None),
        ("unknown deep host", "a.b.c.d.e.news.example.co.uk", "", "", None),
        ("campaign", "", "newsletter", "email", None),
        ("paid campaign", "www.google.com", "Google", "cpc", Some(ClickId::Google)),
        ("unknown campaign", "", "leaflet-2026", "qr", None),
        ("click id", "", "", "", Some(ClickId::Meta)),
    ] {
        c.bench_function(&format!("channel/{name}"), |b| {
            b.iter(|| Channel::classify(black_box(referrer), false, black_box(source), medium, click_id))
        });
    }
    let landing = RawUrl::new("/?utm_source=newsletter&utm_medium=email&utm_campaign=spring-2026&gclid=abc&mc_cid=def");
    c.bench_function("campaign and click ids of a URL", |b| b.iter(|| scrub::utm(black_box(&landing))));
}

fn spam(c: &mut Criterion) {
    let spammers = Spammers::new(vec!["pest.example".to_owned()]);
    for (name, host) in [("search", "www.google.co.uk"), ("listed", "semalt.semalt.com"), ("none", "")] {
        c.bench_function(&format!("spam/{name}"), |b| b.iter(|| is_spam(black_box(host))));
        c.bench_function(&format!("spam/{name}, with hosts of the operator's"), |b| {
            b.iter(|| spammers.has(black_box(host)))
        });
    }
}

fn places(c: &mut Criterion) {
    c.bench_function("place/calling code", |b| b.iter(|| calling_code(black_box("GB"))));
    let Some(path) = std::env::var_os("CONSENTRY_BENCH_GEO") else { return };
    let places = Places::open(Path::new(&path)).expect("CONSENTRY_BENCH_GEO names a geo database");
    let mut n = 0u32;
    let mut next = move || {
        n = n.wrapping_add(0x9e37_79b9);
        RawIp::new(IpAddr::from((n | 0x1000_0000).to_be_bytes()))
    };
    c.bench_function("place/look-up, addresses all over", |b| b.iter(|| places.lookup(&next())));
    let one = RawIp::new(IpAddr::from([81, 2, 69, 142]));
    c.bench_function("place/look-up, one address", |b| b.iter(|| places.lookup(black_box(&one))));
    c.bench_function("place/look at unchanged files", |b| b.iter(|| places.reload_if_changed()));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                black_box(places.lookup(&one));
            }
        });
        c.bench_function("place/look-up, one address, beside another thread", |b| {
            b.iter(|| places.lookup(black_box(&one)))
        });
        is_done.store(true, Ordering::Relaxed);
    });
}

criterion_group!(benches, channels, spam, places);
criterion_main!(benches);
