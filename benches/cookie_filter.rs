//! What the cookie filters cost for a visitor with a dozen cookies.
//!
//! `cargo bench --bench cookie_filter`

use std::hint::black_box;

use consentry::config::DeclaredCookie;
use consentry::consent::PurposeSet;
use consentry::cookies::{Catalogue, filter_request, filter_response, read};
use criterion::{Criterion, criterion_group, criterion_main};
use http::header::{HeaderMap, HeaderValue, SET_COOKIE};

const COOKIES: &[u8] = b"consentry=v1~1~1760000000~00112233aabbccdd~analytics~preferences!marketing~banner~AAAAAAAAAAAAAAAAAAAAAA; \
    session=8d1c5e6f0a9b4c7d; csrftoken=abcdefghijklmnopqrstuvwxyz012345; lang=en-GB; cart=%7B%22items%22%3A%5B%5D%7D; \
    _ga=GA1.2.1234567890.1700000000; _ga_ABCDEF1234=GS1.1.1700000000.1.1.1700000001.0.0.0; _fbp=fb.1.1700000000000.123456789; \
    _gcl_au=1.1.123456789.1700000000; wp-settings-1=a; wp-settings-time-1=1700000000; consentry_visitor=abcdef";

fn catalogue() -> Catalogue {
    let cookies = [
        ("session", 0),
        ("csrftoken", 0),
        ("lang", 1),
        ("cart", 0),
        ("_ga*", 2),
        ("_gid", 2),
        ("_fbp", 3),
        ("_gcl_*", 3),
        ("wp-settings-*", 0),
        ("IDE", 3),
        ("fr", 3),
        ("_hj*", 2),
        ("_clck", 2),
        ("_clsk", 2),
        ("theme", 1),
        ("PHPSESSID", 0),
    ];
    let declared = cookies.map(|(name, purpose)| DeclaredCookie {
        name: name.trim_end_matches('*').into(),
        prefix: name.ends_with('*'),
        purpose,
        ..DeclaredCookie::default()
    });
    Catalogue::new(&declared, Some(2))
}

fn bench(criterion: &mut Criterion) {
    let catalogue = catalogue();
    let (refused, granted) = (PurposeSet::of([0]), PurposeSet::of(0..4));
    let mut group = criterion.benchmark_group("cookie_filter");
    group.bench_function("request, everything optional refused", |bench| {
        bench.iter(|| filter_request([black_box(COOKIES)], &catalogue, refused));
    });
    group.bench_function("request, everything granted", |bench| {
        bench.iter(|| filter_request([black_box(COOKIES)], &catalogue, granted));
    });
    group.bench_function("request, nothing to remove", |bench| {
        let line = &b"session=8d1c5e6f0a9b4c7d; csrftoken=abcdefghijklmnopqrstuvwxyz012345; lang=en-GB"[..];
        bench.iter(|| filter_request([black_box(line)], &catalogue, granted));
    });
    group.bench_function("read the choice", |bench| {
        bench.iter(|| read([black_box(COOKIES)], b"consentry").count());
    });
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, HeaderValue::from_static("session=8d1c; Path=/; HttpOnly; Secure; SameSite=Lax"));
    headers.append(SET_COOKIE, HeaderValue::from_static("lang=en; Path=/; Expires=Wed, 21 Oct 2037 07:28:00 GMT"));
    group.bench_function("answer, everything granted", |bench| {
        bench.iter(|| filter_response(black_box(&mut headers), &catalogue, granted));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
