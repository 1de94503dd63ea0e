//! What putting banner and collector into a 24 KB page costs, and what gating its tags costs.
//!
//! `cargo bench --bench html_injection`

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use consentry::config::DeclaredTag;
use consentry::consent::{Policy, PurposeSet};
use consentry::page::gate::{Gate, Tags};
use consentry::page::scan::Scan;
use consentry::page::{Inject, Insert, Markup};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body::{Body, Frame};

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// A page as marketing sites have them: a head of 2.4 KB, then 22 KB of body with third-party tags.
fn page() -> Bytes {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    for i in 0..14 {
        page += &format!("<meta property=\"og:value{i}\" content=\"A sentence that describes the page, part {i}\">\n");
        page += &format!("<link rel=\"preload\" as=\"font\" href=\"/static/fonts/family-{i}.woff2\" crossorigin>\n");
    }
    page += "<title>Services &amp; prices</title>\n<script>window.app = {a: 1 < 2, b: '</p>'};</script>\n";
    page += "<script async src=\"https://www.tags.example/gtag.js?id=1\"></script>\n</head>\n<body class=\"home\">\n";
    while page.len() < 24 << 10 {
        page += "<section class=\"card\"><h2>Something we offer</h2><p>About two lines of text that say what it is and for \
                 whom, and <a href=\"/more\">where to read on</a>.</p><img src=\"/static/card.webp\" alt=\"A card\"></section>\n";
    }
    page += "</body></html>";
    page.into()
}

fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) -> usize {
    let mut cx = Context::from_waker(Waker::noop());
    let mut length = 0;
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    length
}

fn bench(criterion: &mut Criterion) {
    let page = page();
    let insert = || Insert {
        first: Bytes::from_static(&[b'f'; 60]),
        head: Bytes::from_static(&[b'h'; 140]),
        body_start: Box::new(Bytes::from_static(&[b'b'; 1500])),
    };
    let tags = [DeclaredTag { host: "*.tags.example".into(), inline: Vec::new(), purpose: 3 }];
    let gating = Tags::new(&tags, &Policy::default()).gating(PurposeSet::of([0]));
    let mut group = criterion.benchmark_group("html_injection");
    group.throughput(Throughput::Bytes(page.len() as u64));
    group.bench_function("scan head of 24 KB page", |bench| {
        bench.iter(|| {
            let mut scan = Scan::new(Markup::Html);
            scan.feed(black_box(&page));
            scan.body()
        });
    });
    group.bench_function("inject into 24 KB page", |bench| {
        bench.iter(|| drain(Inject::new(Chunks([page.clone()].into()), insert(), Markup::Html)));
    });
    group.bench_function("gate and inject, 24 KB page", |bench| {
        bench.iter(|| {
            let gate = Gate::new(Chunks([page.clone()].into()), gating.clone(), Markup::Html);
            drain(Inject::new(gate, insert(), Markup::Html))
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
