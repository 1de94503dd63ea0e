//! A page through the gate. The first byte says how it is cut. However that is, the same comes out; and a reader of HTML that
//! was written apart finds no refused host in what loads.
#![no_main]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use consentry::config::DeclaredTag;
use consentry::consent::{Policy, PurposeSet};
use consentry::page::Markup;
use consentry::page::gate::{Gate, Gating, Tags};
use consentry_fuzz::{live_tags, readable};
use http_body::{Body, Frame};

use libfuzzer_sys::fuzz_target;

static GATING: LazyLock<Gating> = LazyLock::new(|| {
    let tags = [DeclaredTag { host: "t.example".into(), inline: vec!["t(".into()], purpose: 3 }];
    Tags::new(&tags, &Policy::default()).gating(PurposeSet::of([0])).expect("marketing is refused")
});

struct Chunks(VecDeque<Bytes>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

fn gated<'p>(markup: Markup, chunks: impl Iterator<Item = &'p [u8]>) -> Vec<u8> {
    let chunks = Chunks(chunks.map(Bytes::copy_from_slice).collect());
    let mut gate = Gate::new(chunks, Some(GATING.clone()), markup);
    let mut out = Vec::new();
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut gate).poll_frame(&mut Context::from_waker(Waker::noop())) {
        out.extend_from_slice(&frame.into_data().expect("there are no trailers"));
    }
    out
}

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, page) = (1 + usize::from(input.0), input.1);
    for markup in [Markup::Html, Markup::Xhtml] {
        let whole = gated(markup, std::iter::once(page));
        assert_eq!(gated(markup, page.chunks(cut)), whole, "in pieces of {cut}");
        assert_eq!(gated(markup, page.chunks(1)), whole, "byte by byte");
        if markup == Markup::Html && readable(page) {
            let live = live_tags(&whole);
            assert!(live.is_empty(), "{live:?} in {:?}", String::from_utf8_lossy(&whole));
        }
    }
});
