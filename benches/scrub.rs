//! What scrubbing costs: throughput on clean and dirty paths and texts, a typical path, a typical page URL with its referrer, and a path's
//! class among twenty patterns.
//!
//! `cargo bench --bench scrub`

use std::hint::black_box;

use consentry::pseudonym::RawUrl;
use consentry::pseudonym::scrub::{self, PathClass, PathClasses};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Paths as the sites of health technology have them; nothing in them is to be replaced.
const CLEAN_PATHS: [&str; 10] = [
    "/",
    "/pricing",
    "/about-us/careers",
    "/blog/how-to-choose-the-best-clinic-near-you",
    "/conditions/type-2-diabetes/symptoms",
    "/clinics/manchester/services/travel-vaccines",
    "/blog/2024/05/12/spring-vaccination-programme-update",
    "/assets/app-3f9a2c1b.js",
    "/help/articles/1234567-book-an-appointment-online",
    "/products/blood-pressure-monitor-m3-comfort/reviews?page=2",
];

const DIRTY_PATHS: [&str; 5] = [
    "/account/jane.doe%40example.com/orders",
    "/patients/943-476-5919/records",
    "/near/SW1A%201AA",
    "/reset/nCq1ZkTj8wYxQ2sLm0aBvg",
    "/call/07700900123/back",
];

fn paths(c: &mut Criterion) {
    let mut group = c.benchmark_group("scrub/path");
    for (name, paths) in [("clean", &CLEAN_PATHS[..]), ("dirty", &DIRTY_PATHS[..])] {
        let raw: Vec<RawUrl> = paths.iter().map(|path| RawUrl::new(path)).collect();
        group.throughput(Throughput::Bytes(paths.iter().map(|path| path.len() as u64).sum()));
        group.bench_function(name, |b| {
            b.iter(|| raw.iter().map(|url| scrub::scrub_path(url, &[]).len()).sum::<usize>())
        });
    }
    let typical = RawUrl::new("/clinics/manchester/services/travel-vaccines");
    group.throughput(Throughput::Elements(1));
    group.bench_function("typical", |b| b.iter(|| scrub::scrub_path(black_box(&typical), &[])));
    let slug = RawUrl::new("/blog/2024/05/12/spring-vaccination-programme-update");
    group.bench_function("dated slug", |b| b.iter(|| scrub::scrub_path(black_box(&slug), &[])));
    group.finish();
}

fn page_url(c: &mut Criterion) {
    let url = RawUrl::new(
        "/clinics/manchester/services/travel-vaccines?utm_source=newsletter&utm_medium=email&utm_campaign=spring-2024",
    );
    let referrer = RawUrl::new("https://www.google.com/search?q=travel+vaccines");
    let keys = ["q".to_owned(), "page".to_owned()];
    c.bench_function("scrub/page URL with three utm and a referrer", |b| {
        b.iter(|| {
            let path = scrub::scrub_path(black_box(&url), &keys);
            (path, scrub::utm(black_box(&url)), scrub::referrer(black_box(&referrer), "www.example.com"))
        })
    });
}

fn texts(c: &mut Criterion) {
    let clean =
        "Book a blood test online, from £49.99 for type 2 diabetes, results in 24 hours, open 9 to 5. ".repeat(40);
    let plain = "how to book a blood test online and have the results by the end of the week. ".repeat(50);
    let dirty =
        "mail jane.doe@example.co.uk or call 020 7946 0018, NHS 943 476 5919, born 12/05/1980, SW1A 1AA. ".repeat(40);
    let digits = "1 ".repeat(2000);
    let mut group = c.benchmark_group("scrub/text");
    for (name, text) in [("clean", clean), ("clean, no digits", plain), ("dirty", dirty), ("worst: digits", digits)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| scrub::scrub_text(black_box(&text), 4096)));
    }
    group.finish();
}

fn classes(c: &mut Criterion) {
    let sections = [
        "conditions",
        "symptoms",
        "treatments",
        "medicines",
        "tests",
        "vaccines",
        "fertility",
        "mental-health",
        "pregnancy",
    ];
    let languages = ["", "/cy"];
    let patterns = languages.iter().flat_map(|language| sections.map(|section| format!("{language}/{section}/*")));
    let patterns = patterns.chain(["/clinics/*/services/**".to_owned(), "/blog/conditions/*".to_owned()]);
    let of = |pattern| PathClass { pattern, class: "health".to_owned(), keep_path: false, needs: None };
    let classes = PathClasses::new(patterns.map(of).collect()).expect("are patterns");
    for (name, path) in [
        ("none of twenty", "/about-us/careers/front-end-engineer"),
        ("the first", "/conditions/type-2-diabetes/symptoms"),
        ("the nineteenth", "/clinics/manchester/services/travel-vaccines"),
        ("disguised", "//blog/%2563onditions/./asthma;x=1"),
    ] {
        c.bench_function(&format!("scrub/class/{name}"), |b| b.iter(|| classes.classify(black_box(path)).is_some()));
    }
}

fn values(c: &mut Criterion) {
    c.bench_function("scrub/search term", |b| b.iter(|| scrub::search_term(black_box("type 2 diabetes near me"))));
    c.bench_function("scrub/title", |b| b.iter(|| scrub::title(black_box("Type 2 diabetes - Example Clinic"))));
    c.bench_function("scrub/property", |b| b.iter(|| scrub::property(black_box("plan"), black_box("premium"), false)));
}

criterion_group!(benches, paths, page_url, texts, classes, values);
criterion_main!(benches);
