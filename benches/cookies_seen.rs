//! What it costs to notice that an exchange brings no cookie and no folder that was not seen before: it is asked of every
//! request of a visitor who has permitted something.
//!
//! `cargo bench --bench cookies_seen`

use std::hint::black_box;

use consentry::config::DeclaredCookie;
use consentry::cookies::{Catalogue, Seen};
use criterion::{Criterion, criterion_group, criterion_main};
use http::header::SET_COOKIE;
use http::response::Parts;

const COOKIES: &[u8] = b"session=8d1c5e6f0a9b4c7d; csrftoken=abcdefghijklmnopqrstuvwxyz012345; lang=en-GB; cart=%7B%22items%22%3A%5B%5D%7D; \
    _ga=GA1.2.1234567890.1700000000; _ga_ABCDEF1234=GS1.1.1700000000.1.1.1700000001.0.0.0; _fbp=fb.1.1700000000000.123456789; \
    _gcl_au=1.1.123456789.1700000000; wp-settings-1=a; wp-settings-time-1=1700000000";

fn catalogue() -> Catalogue {
    let cookies = [("session", 0), ("csrftoken", 0), ("lang", 1), ("cart", 0), ("_ga*", 2), ("_fbp", 3), ("_gcl_*", 3)];
    let declared = cookies.map(|(name, purpose)| DeclaredCookie {
        name: name.trim_end_matches('*').into(),
        prefix: name.ends_with('*'),
        purpose,
        ..DeclaredCookie::default()
    });
    Catalogue::new(&declared, Some(2))
}

fn answer(lines: &[&'static str]) -> Parts {
    let answer = lines.iter().fold(http::Response::builder(), |answer, line| answer.header(SET_COOKIE, *line));
    answer.body(()).expect("is an answer").into_parts().0
}

fn bench(criterion: &mut Criterion) {
    let (catalogue, seen) = (catalogue(), Seen::default());
    let paths: Vec<String> = (0..300).map(|i| format!("/shop/section-{}/item-{i}", i % 7)).collect();
    let (plain, setting) = (answer(&[]), answer(&["session=8d1c; Path=/; HttpOnly; Secure", "lang=en; Path=/shop"]));
    for path in &paths {
        seen.learn(Some(COOKIES), &plain, &catalogue, path);
        seen.learn(Some(COOKIES), &setting, &catalogue, path);
    }
    let mut group = criterion.benchmark_group("cookies_seen");
    let mut next = paths.iter().cycle();
    group.bench_function("ten cookies, three hundred paths", |bench| {
        bench.iter(|| {
            let path = next.next().expect("goes round");
            seen.learn(Some(black_box(COOKIES)), &plain, &catalogue, path);
        });
    });
    group.bench_function("no cookies", |bench| {
        bench.iter(|| seen.learn(black_box(None), &plain, &catalogue, "/shop/"));
    });
    group.bench_function("an answer that sets two cookies", |bench| {
        bench.iter(|| seen.learn(Some(black_box(COOKIES)), &setting, &catalogue, "/shop/section-1/item-1"));
    });
    let mut number = 0u64;
    group.bench_function("ten cookies, a path that was never there", |bench| {
        bench.iter(|| {
            number += 1;
            seen.learn(Some(black_box(COOKIES)), &plain, &catalogue, &format!("/shop/section/{number}"));
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
