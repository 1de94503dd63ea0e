//! What gating a page costs, without anything else: the pages of benches/proxy with two refused tags, of 2 and 24 KB.
//!
//! `cargo bench --bench gate`. For instructions a page, which load on the machine does not touch, let callgrind look at two
//! runs of different length and divide: `valgrind --tool=callgrind BINARY rounds 1000 2` and `… rounds 2000 2`. A word after
//! that names another page: of long `text`, of tags with many `attributes`, or with a `script` in it.

use std::collections::VecDeque;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use consentry::config::DeclaredTag;
use consentry::consent::{Policy, PurposeSet};
use consentry::page::Markup;
use consentry::page::gate::{Gate, Gating, Tags};
use criterion::{Criterion, Throughput};
use http_body::{Body, Frame};

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

/// What a page is made of: that of benches/proxy/sites.py, unless it is asked for others.
fn line(kind: &str) -> String {
    let text = "Tea is made of leaves, water and time; it doesn't hurry, and it isn't \"done\" before it is. ";
    match kind {
        "usual" => {
            "<p class=\"text\">Tea is <a href=\"/tea?from=here\">made</a> of leaves, water and time.</p>\n".to_owned()
        }
        "text" => format!("<p>{}<em>Wait.</em> {}</p>\n", text.repeat(4), text.repeat(2)),
        "attributes" => format!(
            "<li id=\"menu-item-17\" class=\"{}\"><a class=\"menu-link\" href=\"/tea/green/?from=menu\" data-level='2' \
             aria-label=\"Green tea\" title=\"All about green tea\"><span class=\"menu-text \" aria-hidden>Green</span></a></li>\n",
            "menu-item menu-item-type-post_type menu-item-object-page menu-item-home current-menu-item page-item-5"
        ),
        "script" => format!(
            "<div class=\"tea\"><p>{text}</p><br /></div>\n<script>\n{}</script>\n",
            "  if (leaves < 3 && water > 80) { brew(\"<p class='tea'>\" + time + \"</p>\"); }\n".repeat(6)
        ),
        _ => panic!("there is no page of {kind}"),
    }
}

/// A page of about so many bytes.
fn page(size: usize, kind: &str) -> Bytes {
    let sheets: String = (0..if size > 4096 { 6 } else { 1 })
        .map(|n| format!("<link rel=\"stylesheet\" href=\"/static/style-{n}.css\">\n"))
        .collect();
    let start = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>A page about tea</title>\n\
         <!-- built by hand -->\n{sheets}<script>window.site = {{\"name\": \"tea\"}};</script>\n\
         <script async src=\"https://ads.example/tag.js\"></script>\n</head>\n<body>\n"
    );
    let end = "<img src=\"https://ads.example/pixel.gif\" alt=\"\" width=\"1\" height=\"1\">\n</body>\n</html>\n";
    let line = line(kind);
    let body = line.repeat(size / line.len() + 1);
    (start.clone() + &body[..size - start.len() - end.len()] + end).into()
}

fn gating() -> Gating {
    let tags = [DeclaredTag { host: "ads.example".into(), inline: Vec::new(), purpose: 3 }];
    Tags::new(&tags, &Policy::default()).gating(PurposeSet::of([0])).expect("marketing is refused")
}

fn gated(page: &Bytes, gating: &Gating) -> usize {
    let mut body = Gate::new(Chunks([page.clone()].into()), Some(gating.clone()), Markup::Html);
    let mut cx = Context::from_waker(Waker::noop());
    let mut length = 0;
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut cx) {
        length += frame.data_ref().map_or(0, Bytes::len);
    }
    length
}

fn main() {
    let gating = gating();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rounds, size, kind @ ..] = &arguments[..]
        && mode == "rounds"
    {
        let kind = kind.first().map_or("usual", String::as_str);
        let page = page(size.parse::<usize>().expect("is a number of KB") << 10, kind);
        for _ in 0..rounds.parse().expect("is a number") {
            black_box(gated(black_box(&page), &gating));
        }
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("gate");
    for size in [2, 24] {
        let page = page(size << 10, "usual");
        group.throughput(Throughput::Bytes(page.len() as u64));
        group.bench_function(format!("{size} KB page with two refused tags"), |bench| {
            bench.iter(|| gated(black_box(&page), &gating));
        });
    }
    group.finish();
    criterion.final_summary();
}
