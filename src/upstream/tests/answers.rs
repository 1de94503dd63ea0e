//! What comes back, in every framing, and what is refused.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, Empty};

use super::super::UpstreamError;
use super::super::pool::REST;
use super::site::{act, answering, failure, get, request, run, send, site, text};

#[test]
fn a_length_is_kept_and_known() {
    let site =
        answering("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello");
    run(async {
        let response = get(&site.upstream(), "/").await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(response.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(text(response).await.unwrap(), "hello");
    });
}

#[test]
fn chunks_are_taken_apart_and_trailers_dropped() {
    let site = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nx: y\r\n\r\n",
    );
    run(async {
        let response = get(&site.upstream(), "/").await.unwrap();
        assert!(response.headers().is_empty(), "framing ends here");
        assert_eq!(response.body().size_hint().exact(), None);
        let collected = response.into_body().collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "hello world");
    });
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    for start in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n"] {
        let site = answering(format!("{start}until the end"));
        run(async {
            let upstream = site.upstream();
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "until the end");
        });
        site.end();
    }
}

#[test]
fn a_truncated_body_is_an_error_and_not_an_end() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello",
    ] {
        let site = answering(answer);
        run(async {
            let failed = failure(text(get(&site.upstream(), "/").await.unwrap()).await);
            assert!(matches!(failed, UpstreamError::Truncated(_)), "{answer:?}: {failed}");
        });
    }
}

#[test]
fn broken_chunks_are_an_error_after_what_was_sound() {
    let site = answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
    run(async {
        let mut body = get(&site.upstream(), "/").await.unwrap().into_body();
        let failed = loop {
            match body.frame().await.expect("no clean end") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(failed, UpstreamError::BadChunk(_)));
        assert_eq!(failed.status(), 502);
        assert!(body.frame().await.is_none(), "an error is the last frame");
    });
}

#[test]
fn answers_that_two_readers_could_read_in_two_ways_are_refused() {
    for head in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\ncontent-length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: ",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "X: 1\r\n folded: 2",
        "Content-Length : 5",
        "X: a\rb",
        "X: a\0b",
        "X y: 1",
        ": 1",
    ] {
        let site = answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nhello"));
        run(async {
            let failed = failure(get(&site.upstream(), "/").await);
            assert!(matches!(failed, UpstreamError::BadHead(_)), "{head:?}: {failed}");
            assert_eq!(failed.status(), 502);
        });
        site.end();
    }
    for answer in
        ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"]
    {
        let site = answering(answer);
        run(async {
            let failed = failure(get(&site.upstream(), "/").await);
            assert!(matches!(failed, UpstreamError::BadHead(_)), "{answer:?}: {failed}");
        });
    }
    let site = answering("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    run(async { assert!(matches!(failure(get(&site.upstream(), "/").await), UpstreamError::BadHead(_))) });
}

#[test]
fn fields_of_the_sites_connection_end_here() {
    let site = answering(
        "HTTP/1.1 200 OK\r\nConnection: X-One\r\nX-One: 1\r\nKeep-Alive: timeout=5\r\nConnection: x-two, close\r\n\
         X-Two: 2\r\nUpgrade: h2c\r\nProxy-Connection: x\r\nProxy-Authenticate: Basic\r\nTE: x\r\nTrailer: y\r\n\
         Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Three: 3\r\nContent-Length: 0\r\n\r\n",
    );
    run(async {
        let response = get(&site.upstream(), "/").await.unwrap();
        let names: Vec<&str> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["set-cookie", "set-cookie", "x-three", "content-length"]);
    });
}

#[test]
fn interim_answers_are_skipped() {
    let site = site([act(|talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200");
        talk.write(b" OK\r\nContent-Length: 2\r\n\r\nok");
    })]);
    run(async {
        let response = get(&site.upstream(), "/").await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers().len()), (200, 1));
        assert_eq!(text(response).await.unwrap(), "ok");
    });
    let endless = answering("HTTP/1.1 102 Processing\r\n\r\n".repeat(1000));
    run(async { assert!(matches!(failure(get(&endless.upstream(), "/").await), UpstreamError::BadHead(_))) });
}

#[test]
fn answers_without_body_end_with_their_head() {
    for (method, answer, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", Some("500")),
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\nETag: \"1\"\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Some("0")),
    ] {
        let site = site([act(move |talk| {
            for _ in 0..2 {
                talk.read_head();
                talk.write(answer.as_bytes());
            }
        })]);
        run(async {
            let upstream = site.upstream();
            for _ in 0..2 {
                let response = send(&upstream, &request(method, "/", &[]), None::<Empty<Bytes>>).await.unwrap();
                assert!(response.body().is_end_stream(), "{answer:?}");
                assert_eq!(response.headers().get("content-length").map(|value| value.to_str().unwrap()), length);
                tokio::time::sleep(REST).await;
            }
            assert_eq!(upstream.counts().connected, 1, "{answer:?}");
        });
        site.end();
    }
}

#[test]
fn heads_have_bounds() {
    let line = "X-Line: 1\r\n";
    let within = answering(format!("HTTP/1.1 204 No Content\r\n{}\r\n", line.repeat(100)));
    run(async { assert_eq!(get(&within.upstream(), "/").await.unwrap().headers().len(), 100) });
    let lines = answering(format!("HTTP/1.1 204 No Content\r\n{}\r\n", line.repeat(101)));
    run(async { assert!(matches!(failure(get(&lines.upstream(), "/").await), UpstreamError::BadHead(_))) });
    let long = format!("HTTP/1.1 204 No Content\r\nX: {}\r\n\r\n", "a".repeat(60_000));
    let long = answering(long);
    run(async { assert_eq!(get(&long.upstream(), "/").await.unwrap().headers()["x"].len(), 60_000) });
    let endless = site([act(|talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 200 OK\r\nX: ");
        talk.write(&[b'a'; 66_000]);
        talk.read_to_end();
    })]);
    run(async { assert!(matches!(failure(get(&endless.upstream(), "/").await), UpstreamError::BadHead(_))) });
    endless.end();
}

#[test]
fn a_head_that_comes_byte_by_byte_is_the_same_head() {
    let site = site([act(|talk| {
        talk.read_head();
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello" {
            talk.write(&[*byte]);
        }
    })]);
    run(async {
        let response = get(&site.upstream(), "/").await.unwrap();
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(text(response).await.unwrap(), "hello");
    });
}

#[test]
fn a_site_that_does_not_answer_is_waited_for_only_so_long() {
    let silent = site([act(|talk| {
        talk.read_head();
        talk.read_to_end();
    })]);
    run(async {
        let upstream = silent.upstream_with(|bounds| bounds.answer = Duration::from_millis(30));
        let failed = failure(get(&upstream, "/").await);
        assert!(matches!(failed, UpstreamError::AnswerTimeout));
        assert!(
            failed.to_string().contains("answer_timeout (in its [[gateway.route]] where it is set there"),
            "{failed}"
        );
        assert_eq!(failed.status(), 504);
    });
    silent.end();
    let pausing = site([act(|talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        talk.read_to_end();
    })]);
    run(async {
        let upstream = pausing.upstream_with(|bounds| bounds.idle = Duration::from_millis(30));
        let failed = failure(text(get(&upstream, "/").await.unwrap()).await);
        assert!(matches!(failed, UpstreamError::IdleTimeout));
    });
    pausing.end();
}

#[test]
fn a_stream_of_events_may_pause_and_is_passed_on_piece_by_piece() {
    let (go, wait) = std::sync::mpsc::channel();
    let site = site([act(move |talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\n\r\ndata: 1\n\n");
        wait.recv().unwrap();
        talk.write(b"data: 2\n\n");
    })]);
    run(async {
        let upstream = site.upstream_with(|bounds| bounds.idle = Duration::from_millis(1));
        let mut body = get(&upstream, "/").await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
        let pause = tokio::time::timeout(Duration::from_millis(30), body.frame()).await;
        assert!(pause.is_err(), "the pause is no error");
        go.send(()).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "data: 2\n\n");
        assert!(body.frame().await.is_none());
    });
}

#[test]
fn errors_tell_the_operator_what_and_the_visitor_nothing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let site = answering("");
    run(async {
        let failed = failure(get(&site.upstream(), "/secret?email=a@b.test").await);
        assert!(matches!(failed, UpstreamError::Unanswered(_)));
        assert!(!format!("{failed} {failed:?}").contains("secret"));
    });
    run(async {
        let mut site = answering("");
        site.port = closed;
        let failed = failure(get(&site.upstream(), "/").await);
        assert!(matches!(failed, UpstreamError::Unreachable(_)));
        assert_eq!(failed.status(), 503);
    });
}
