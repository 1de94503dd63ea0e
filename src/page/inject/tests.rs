use std::collections::VecDeque;
use std::task::Waker;

use proptest::prelude::*;

use super::*;

/// A body that hands out the given frames, sometimes after a pause.
struct Frames {
    frames: VecDeque<Result<Frame<Bytes>, &'static str>>,
    announced: Option<u64>,
    pause: bool,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        self.pause = !self.pause;
        if self.pause {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = self.frames.pop_front();
        if let (Some(Ok(frame)), Some(left)) = (&frame, &mut self.announced) {
            *left -= frame.data_ref().map_or(0, Bytes::len) as u64;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn frames(chunks: impl IntoIterator<Item = impl Into<Bytes>>) -> Frames {
    let frames: VecDeque<_> = chunks.into_iter().map(|chunk| Ok(Frame::data(chunk.into()))).collect();
    let announced = frames
        .iter()
        .map(|frame: &Result<Frame<Bytes>, _>| frame.as_ref().map_or(0, |f| f.data_ref().map_or(0, Bytes::len)) as u64)
        .sum();
    Frames { frames, announced: Some(announced), pause: false }
}

fn insert(head: &'static str, body_start: &'static str) -> Insert {
    Insert { first: Bytes::new(), head: head.into(), body_start: Box::new(Bytes::from(body_start)) }
}

/// Everything a body emits, with the promise of its size hint checked at each step.
fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) -> (Result<Vec<u8>, B::Error>, Option<HeaderMap>) {
    let mut cx = Context::from_waker(Waker::noop());
    let exact = body.size_hint().exact();
    let (mut out, mut trailers) = (Vec::new(), None);
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Pending => continue,
            Poll::Ready(None) => break,
            Poll::Ready(Some(Err(error))) => return (Err(error), trailers),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    assert!(trailers.is_none());
                    out.extend_from_slice(&data);
                    if let Some(exact) = exact {
                        assert_eq!(body.size_hint().exact(), Some(exact - out.len() as u64));
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
    assert!(body.is_end_stream());
    (Ok(out), trailers)
}

fn text(chunks: &[&'static str], insert: Insert, markup: Markup) -> String {
    let (out, _) = drain(Inject::new(frames(chunks.iter().copied()), insert, markup));
    String::from_utf8(out.expect("no error")).expect("is UTF-8")
}

const HB: fn() -> Insert = || insert("[H]", "[B]");

#[test]
fn both_snippets_stand_where_they_belong() {
    let out = text(&["<head><title>a</title></he", "ad><bo", "dy><p>", "text"], HB(), Markup::Html);
    assert_eq!(out, "<head><title>a</title>[H]</head><body>[B]<p>text");
}

#[test]
fn one_snippet_alone_stands_where_it_belongs() {
    let page = ["<head></", "head><body", "><p>"];
    assert_eq!(text(&page, insert("[H]", ""), Markup::Html), "<head>[H]</head><body><p>");
    assert_eq!(text(&page, insert("", "[B]"), Markup::Html), "<head></head><body>[B]<p>");
    assert_eq!(text(&page, insert("", ""), Markup::Html), "<head></head><body><p>");
}

#[test]
fn a_page_without_a_place_gets_the_banner_at_its_end() {
    assert_eq!(text(&["<!-- never en", "ded"], HB(), Markup::Html), "<!-- never ended[H][B]");
    assert_eq!(text(&["<frameset><frame>"], HB(), Markup::Html), "[H]<frameset><frame>[B]");
    assert_eq!(text(&["<head></he"], HB(), Markup::Html), "<head></he[H][B]");
    assert_eq!(text(&[], HB(), Markup::Html), "[H][B]");
}

/// Says in which language it was asked for.
#[derive(Debug)]
struct Spoken;

impl BodyStart for Spoken {
    fn len(&self) -> usize {
        4
    }

    fn in_language(&self, page: Option<&str>) -> Bytes {
        Bytes::from(format!("[{:2}]", page.unwrap_or("??")))
    }
}

#[test]
fn the_banner_is_in_the_language_of_the_page_and_after_its_skip_link() {
    let spoken = || Insert { first: Bytes::new(), head: Bytes::new(), body_start: Box::new(Spoken) };
    let page = ["<html lang", "=cy><head></head><bod", "y><a href='#m", "ain'>Skip</", "a><p>text"];
    let out = text(&page, spoken(), Markup::Html);
    assert_eq!(out, "<html lang=cy><head></head><body><a href='#main'>Skip</a>[cy]<p>text");
    assert_eq!(text(&["<body><a href='#main'>Sk"], spoken(), Markup::Html), "<body>[??]<a href='#main'>Sk");
    assert_eq!(text(&["<html lang=de><!--"], spoken(), Markup::Html), "<html lang=de><!--[de]");
}

#[test]
fn an_xml_page_is_never_made_ill_formed() {
    assert_eq!(text(&["<html><p/></html>"], HB(), Markup::Xhtml), "<html><p/></html>      ");
    assert_eq!(text(&["<html><head/><body/></html>"], HB(), Markup::Xhtml), "<html><head/>[H]<body/>[B]</html>");
}

#[test]
fn a_page_in_utf_16_is_not_mixed_with_other_bytes() {
    let page = b"\xFF\xFE<\0p\0>\0";
    let out = drain(Inject::new(frames([&page[..]]), HB(), Markup::Html)).0.expect("no error");
    assert_eq!(out, [&page[..], &[0; 6]].concat());
}

#[test]
fn an_empty_body_does_not_end_before_the_snippets() {
    let body = Inject::new(frames(Vec::<Bytes>::new()), HB(), Markup::Html);
    assert!(!body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(6));
}

#[test]
fn with_nothing_to_insert_the_page_passes_as_it_came() {
    let mut body = Inject::new(frames(["<he", "", "ad>"]), insert("", ""), Markup::Html);
    let mut cx = Context::from_waker(Waker::noop());
    let mut lengths = Vec::new();
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(None) => break,
            Poll::Ready(Some(frame)) => lengths.push(frame.expect("no error").into_data().expect("is data").len()),
        }
    }
    assert_eq!(lengths, [3, 0, 3]);
}

#[test]
fn long_slices_of_the_page_are_not_copied_and_short_ones_go_together() {
    let start = "<head><title>a</title></head><body>";
    let page = Bytes::from([start, &"<p>text".repeat(SHORT)].concat());
    let mut body = Inject::new(frames([page.clone()]), HB(), Markup::Html);
    let mut cx = Context::from_waker(Waker::noop());
    let range = page.as_ptr_range();
    let (mut inside, mut frames) = (0, 0);
    loop {
        match Pin::new(&mut body).poll_frame(&mut cx) {
            Poll::Pending => {}
            Poll::Ready(None) => break,
            Poll::Ready(Some(frame)) => {
                let data = frame.expect("no error").into_data().expect("is data");
                inside += if range.contains(&data.as_ptr()) { data.len() } else { 0 };
                frames += 1;
            }
        }
    }
    assert_eq!((inside, frames), (page.len() - start.len(), 2));
}

#[test]
fn trailers_come_last() {
    let mut inner = frames(["<head>"]);
    let mut sent = HeaderMap::new();
    sent.insert("x-sum", "1".parse().expect("is a value"));
    inner.frames.push_back(Ok(Frame::trailers(sent.clone())));
    let (out, trailers) = drain(Inject::new(inner, HB(), Markup::Html));
    assert_eq!((out, trailers), (Ok(b"<head>[H][B]".to_vec()), Some(sent)));
}

#[test]
fn a_page_that_broke_off_stays_broken_off() {
    let mut inner = frames(["<head>"]);
    inner.frames.push_back(Err("reset"));
    assert_eq!(drain(Inject::new(inner, HB(), Markup::Html)).0, Err("reset"));
}

#[test]
fn the_unknown_length_stays_unknown() {
    let mut inner = frames(["<p>"]);
    inner.announced = None;
    let body = Inject::new(inner, HB(), Markup::Html);
    assert_eq!((body.size_hint().lower(), body.size_hint().upper()), (6, None));
}

fn pages() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<html>",
        "<head>",
        "</head>",
        "<body a='>'>",
        "<title>",
        "</title>",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        " ",
        "x",
        "<p>",
        "<frameset>",
        "<a-very-long-name-for-an-element>",
        "<template>",
        "</template>",
        "<meta a=\"</head>\">",
        "<html lang=cy>",
        "<a href='#m'>",
        "</a>",
        "<div>",
        "</div>",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_page_cut_anywhere_comes_out_the_same(page in pages(), cuts in prop::collection::vec(1usize..9, 1..40), xhtml: bool) {
        let markup = if xhtml { Markup::Xhtml } else { Markup::Html };
        let whole = drain(Inject::new(frames([page.clone()]), HB(), markup)).0.expect("no error");
        let (mut chunks, mut rest) = (Vec::new(), Bytes::from(page.clone()));
        for cut in cuts {
            chunks.push(rest.split_to(cut.min(rest.len())));
        }
        chunks.push(rest);
        let cut = drain(Inject::new(frames(chunks), HB(), markup)).0.expect("no error");
        prop_assert_eq!(String::from_utf8_lossy(&cut), String::from_utf8_lossy(&whole));
        let whole = String::from_utf8(whole).expect("is UTF-8");
        prop_assert_eq!(whole.len(), page.len() + 6);
        // What is ours taken out, the page is as it was.
        let without = whole.replace("[H]", "").replace("[B]", "");
        prop_assert_eq!(without.trim_end(), page.trim_end());
        if markup == Markup::Html {
            prop_assert!(whole.find("[H]") < whole.find("[B]"));
        }
    }
}

#[test]
fn rule_k8_what_comes_first_stands_before_every_tag_of_the_sites() {
    let all = || Insert { first: "[F]".into(), ..insert("[H]", "[B]") };
    for (page, expected) in [
        ("<html><head><script></script></head><body>x", "<html><head>[F]<script></script>[H]</head><body>[B]x"),
        ("<head></head><body>", "<head>[F][H]</head><body>[B]"),
        ("<script></script><p>x", "[F]<script></script>[H][B]<p>x"),
        ("text", "[F][H][B]text"),
        ("<!-- never ended", "<!-- never ended[F][H][B]"),
        ("", "[F][H][B]"),
    ] {
        for size in 1..=page.len().max(1) {
            let pieces = page.as_bytes().chunks(size).map(Bytes::copy_from_slice);
            let (out, _) = drain(Inject::new(frames(pieces), all(), Markup::Html));
            assert_eq!(String::from_utf8(out.unwrap()).unwrap(), expected, "{page} in pieces of {size}");
        }
    }
}
