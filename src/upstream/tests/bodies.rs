//! Bodies on their way to the site.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};

use super::super::UpstreamError;
use super::site::{act, failure, request, run, send, site, text};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

type NextFrame = Poll<Option<Result<Frame<Bytes>, ()>>>;

/// A body of pieces that come when they are asked for.
struct Pieces {
    next: Box<dyn FnMut(&mut Context<'_>) -> NextFrame>,
    hint: SizeHint,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = ();

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> NextFrame {
        (self.next)(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

fn pieces(pieces: Vec<&'static str>, length: Option<u64>) -> Pieces {
    let mut pieces = pieces.into_iter();
    Pieces {
        next: Box::new(move |_| Poll::Ready(pieces.next().map(|piece| Ok(Frame::data(Bytes::from(piece)))))),
        hint: length.map_or_else(SizeHint::default, SizeHint::with_exact),
    }
}

/// What the site receives, head and body, when it reads until the end given.
fn sent(body: Pieces, end: &'static str) -> String {
    let (tell, told) = channel();
    let site = site([act(move |talk| {
        let mut received = Vec::new();
        while !received.ends_with(end.as_bytes()) {
            received.extend_from_slice(&talk.read(1));
        }
        talk.write(OK);
        assert_eq!(talk.read_to_end(), b"", "nothing after the end");
        tell.send(String::from_utf8(received).unwrap()).unwrap();
    })]);
    run(async {
        let upstream = site.upstream();
        let response = send(&upstream, &request("POST", "/", &[("content-length", "999")]), Some(body)).await.unwrap();
        assert_eq!(text(response).await.unwrap(), "ok");
    });
    site.end();
    let received = told.recv().unwrap();
    received
        .replace("x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: https\r\nx-forwarded-host: example.org\r\nx-request-id: 0f0f0f0f0f0f0f0f\r\n", "")
}

#[test]
fn a_body_of_known_length_keeps_it() {
    assert_eq!(
        sent(pieces(vec!["hel", "", "lo"], Some(5)), "hello"),
        "POST / HTTP/1.1\r\nhost: example.org\r\ncontent-length: 5\r\n\r\nhello"
    );
}

#[test]
fn a_body_of_unknown_length_is_sent_in_chunks_without_trailers() {
    let mut frames = [
        Frame::data(Bytes::from("hel")),
        Frame::data(Bytes::new()),
        Frame::data(Bytes::from("lo, fifteen bytes")),
        Frame::trailers(http::HeaderMap::from_iter([(http::header::HOST, "evil.test".parse().unwrap())])),
    ]
    .into_iter();
    let body = Pieces { next: Box::new(move |_| Poll::Ready(frames.next().map(Ok))), hint: SizeHint::default() };
    assert_eq!(
        sent(body, "0\r\n\r\n"),
        "POST / HTTP/1.1\r\nhost: example.org\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nhel\r\n11\r\nlo, fifteen bytes\r\n0\r\n\r\n"
    );
    assert_eq!(
        sent(pieces(vec![], None), "\r\n\r\n0\r\n\r\n"),
        "POST / HTTP/1.1\r\nhost: example.org\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    );
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_never_reaches_a_second_request() {
    for body in [vec!["hel"], vec!["hello", " world"]] {
        let site = site([act(|talk| {
            talk.read_head();
            let received = talk.read_to_end();
            assert!(b"hello".starts_with(&received[..]), "{received:?}");
        })]);
        run(async {
            let upstream = site.upstream();
            let failed = failure(send(&upstream, &request("POST", "/", &[]), Some(pieces(body, Some(5)))).await);
            assert!(matches!(failed, UpstreamError::RequestBody), "{failed}");
            assert_eq!(failed.status(), 400);
        });
        site.end();
    }
}

#[test]
fn a_body_that_breaks_off_closes_the_connection() {
    let mut frames = [Ok(Frame::data(Bytes::from("hel"))), Err(())].into_iter();
    let body = Pieces { next: Box::new(move |_| Poll::Ready(frames.next())), hint: SizeHint::default() };
    let site = site([act(|talk| {
        talk.read_head();
        assert!(!talk.read_to_end().ends_with(b"0\r\n\r\n"), "the site must not take it for whole");
    })]);
    run(async {
        assert!(matches!(
            failure(send(&site.upstream(), &request("POST", "/", &[]), Some(body)).await),
            UpstreamError::RequestBody
        ));
    });
    site.end();
}

#[test]
fn a_body_has_a_bound() {
    let site = site([act(|talk| {
        talk.read_to_end();
    })]);
    run(async {
        let upstream = site.upstream_with(|bounds| bounds.max_request_body = 8);
        let parts = request("POST", "/", &[]);
        let known = failure(send(&upstream, &parts, Some(Full::new(Bytes::from("nine byte")))).await);
        let unknown = failure(send(&upstream, &parts, Some(pieces(vec!["eight by", "t"], None))).await);
        for failed in [known, unknown] {
            assert!(matches!(failed, UpstreamError::RequestTooLong));
            assert_eq!(failed.status(), 413);
        }
        assert_eq!(upstream.counts().connected, 1, "a length that is too large is refused before connecting");
    });
    site.end();
}

#[test]
fn a_large_body_is_taken_from_the_visitor_no_faster_than_the_site_reads() {
    const PIECE: usize = 64 * 1024;
    const COUNT: usize = 160;
    let taken = Rc::new(Cell::new(0));
    let counter = taken.clone();
    let piece = Bytes::from(vec![b'x'; PIECE]);
    let body = Pieces {
        next: Box::new(move |_| {
            if counter.get() == COUNT {
                return Poll::Ready(None);
            }
            counter.set(counter.get() + 1);
            Poll::Ready(Some(Ok(Frame::data(piece.clone()))))
        }),
        hint: SizeHint::with_exact((PIECE * COUNT) as u64),
    };
    let (go, wait) = channel::<()>();
    let site = site([act(move |talk| {
        talk.read_head();
        wait.recv().unwrap();
        assert!(talk.read(PIECE * COUNT).iter().all(|&byte| byte == b'x'));
        talk.write(OK);
    })]);
    run(async {
        let upstream = site.upstream();
        let parts = request("POST", "/", &[]);
        let sending = send(&upstream, &parts, Some(body));
        tokio::pin!(sending);
        // The site reads nothing: what the kernel's buffers hold is taken, and then no more.
        let mut before = usize::MAX;
        while before != taken.get() {
            before = taken.get();
            tokio::select! {
                _ = &mut sending => panic!("nobody has answered"),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
        assert!((1..COUNT / 2).contains(&before), "{before} of {COUNT} pieces were taken");
        go.send(()).unwrap();
        assert_eq!(text(sending.await.unwrap()).await.unwrap(), "ok");
    });
    site.end();
}

#[test]
fn a_large_answer_is_read_no_faster_than_the_visitor_takes_it() {
    const LENGTH: usize = 32 * 1024 * 1024;
    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = written.clone();
    let site = site([act(move |talk| {
        talk.read_head();
        talk.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
        for start in (0..LENGTH).step_by(4096) {
            let piece: Vec<u8> = (start..start + 4096).map(|place| (place / 251) as u8).collect();
            talk.write(&piece);
            counter.fetch_add(4096, std::sync::atomic::Ordering::Relaxed);
        }
        talk.read_head();
        talk.write(OK);
    })]);
    run(async {
        let upstream = site.upstream();
        let mut body = super::site::get(&upstream, "/").await.unwrap().into_body();
        let mut before = usize::MAX;
        let written = || written.load(std::sync::atomic::Ordering::Relaxed);
        while before != written() {
            before = written();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(before < LENGTH, "the kernel holds some, we hold nothing");
        let mut place = 0;
        while let Some(frame) = body.frame().await {
            for byte in frame.unwrap().into_data().unwrap() {
                assert_eq!(byte, (place / 251) as u8, "at {place}");
                place += 1;
            }
        }
        assert_eq!(place, LENGTH);
        assert_eq!(text(super::site::get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        assert_eq!(upstream.counts().connected, 1);
    });
    site.end();
}

#[test]
fn an_early_answer_is_passed_on_and_the_connection_not_used_again() {
    let site = site([
        act(|talk| {
            talk.read_head();
            talk.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
            talk.read_to_end();
        }),
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        }),
    ]);
    run(async {
        let upstream = site.upstream();
        // A visitor who sends one piece and then waits.
        let mut first = Some(Frame::data(Bytes::from("hel")));
        let body = Pieces {
            next: Box::new(move |_| first.take().map_or(Poll::Pending, |frame| Poll::Ready(Some(Ok(frame))))),
            hint: SizeHint::with_exact(1000),
        };
        let response = send(&upstream, &request("POST", "/", &[]), Some(body)).await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(text(response).await.unwrap(), "no");
        assert_eq!(text(super::site::get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        assert_eq!((upstream.counts().connected, upstream.counts().reused), (2, 0));
    });
    site.end();
}

#[test]
fn a_site_that_answers_while_it_reads_still_gets_the_whole_request() {
    let site = site([act(|talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        for _ in 0..3 {
            let piece = talk.read(2);
            talk.write(&piece);
        }
    })]);
    run(async {
        let upstream = site.upstream();
        let (visitor, pieces) = tokio::sync::mpsc::unbounded_channel();
        let mut pieces = pieces;
        let body = Pieces {
            next: Box::new(move |cx| pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))),
            hint: SizeHint::with_exact(6),
        };
        visitor.send(Bytes::from("ab")).unwrap();
        let mut body = send(&upstream, &request("POST", "/", &[]), Some(body)).await.unwrap().into_body();
        for (next, expected) in [(Some("cd"), "ab"), (Some("ef"), "cd"), (None, "ef")] {
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), expected);
            if let Some(next) = next {
                visitor.send(Bytes::from(next)).unwrap();
            }
        }
        assert!(body.is_end_stream());
    });
    site.end();
}

#[test]
fn a_visitor_who_pauses_within_a_body_is_waited_for_only_so_long() {
    let site = site([act(|talk| {
        talk.read_to_end();
    })]);
    run(async {
        let upstream = site.upstream_with(|bounds| bounds.idle = Duration::from_millis(30));
        let body = Pieces { next: Box::new(|_| Poll::Pending), hint: SizeHint::with_exact(5) };
        let failed = failure(send(&upstream, &request("POST", "/", &[]), Some(body)).await);
        assert!(matches!(failed, UpstreamError::RequestBodyTimeout), "{failed}");
        assert_eq!(failed.status(), 408);
    });
    site.end();
}
