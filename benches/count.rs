//! What a page view costs in the statistics lane: the counters alone, and with everything that is looked up for them.

use std::hint::black_box;
use std::sync::Arc;

use consentry::consent::{Mode, NoChoice, Permit, Policy, Signals, Statistics, decide};
use consentry::enrich::Places;
use consentry::pseudonym::RawIp;
use consentry::pseudonym::scrub::PathClasses;
use consentry::statistics::counters::Words;
use consentry::statistics::{Counting, Lane, View, path};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, StatusCode};
use mmdb::Value::{Map, Text};

#[allow(dead_code)]
#[path = "../tests/support/mmdb.rs"]
mod mmdb;

const NOW: u64 = 1_790_000_000;
const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

fn permit() -> Permit<Statistics> {
    let decision = decide(&Policy::default(), Err(NoChoice::Missing), Signals::default(), Mode::UkStatistics);
    decision.statistics.expect("nobody objects")
}

fn places() -> Places {
    let mut places = mmdb::Writer::new(4);
    places.add("81.0.0.0", 8, &Map(vec![("country_code", Text("GB")), ("state1", Text("England"))]));
    let file = tempfile::NamedTempFile::new().expect("there is room for a file");
    std::fs::write(file.path(), places.bytes("City")).expect("the file is ours");
    Places::open(file.path()).expect("it is a database")
}

fn counting(c: &mut Criterion) {
    let (lane, permit) = (Arc::new(Lane::new(NOW)), permit());
    let paths: Vec<String> = (0..64).map(|i| format!("/section-{i}/*")).collect();
    let words = |i: usize| Words {
        path: &paths[i % 64],
        referrer: ["", "www.google.com", "news.example"][i % 3],
        device: ["desktop", "mobile"][i % 2],
        country: "GB",
        region: "England",
    };
    let mut i = 0;
    c.bench_function("count/counters", |b| {
        b.iter(|| {
            i += 1;
            black_box(lane.count(&permit, NOW, black_box(&words(i)), false))
        });
    });
    c.bench_function("count/counters, another core counting too", |b| {
        let (other, stop) = (lane.clone(), Arc::new(std::sync::atomic::AtomicBool::new(false)));
        std::thread::scope(|scope| {
            let (stopped, words) = (stop.clone(), &words);
            scope.spawn(move || {
                let permit = self::permit();
                let mut i = 0;
                while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                    i += 1;
                    other.count(&permit, NOW, &words(i), false);
                    // As far apart as views are that one core serves at its busiest.
                    (0..2000).for_each(|n| drop(black_box(Box::new(n))));
                }
            });
            b.iter(|| {
                i += 1;
                black_box(lane.count(&permit, NOW, black_box(&words(i)), false))
            });
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    });
    c.bench_function("count/class of a path", |b| {
        b.iter(|| path::class(black_box("/blog/2024/how-to?utm_source=x"), StatusCode::OK, None));
    });
    let (counting, places) = (Counting::new(lane.clone()), places());
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static(AGENT));
    headers.insert("referer", HeaderValue::from_static("https://www.google.com/"));
    let client = RawIp::new([81, 2, 69, 142].into());
    c.bench_function("count/whole view", |b| {
        let view = View {
            now: NOW,
            host: "www.site.example",
            target: "/blog/2024/how-to",
            headers: &headers,
            client: &client,
            status: StatusCode::OK,
        };
        b.iter(|| assert!(counting.view(&permit, &places, &PathClasses::default(), black_box(&view))));
    });
    c.bench_function("count/country for the mode", |b| {
        b.iter(|| places.lookup(black_box(&client)).country);
    });
}

criterion_group!(benches, counting);
criterion_main!(benches);
