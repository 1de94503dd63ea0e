//! Which connections are used again, and which requests are sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};

use super::super::pool::REST;
use super::super::server;
use super::super::settings::Ejection;
use super::super::{Address, Sites, Upstream, UpstreamError};
use super::servers::{Manner, Server};
use super::site::{PATIENCE, act, failure, get, request, route, routed, run, send, site, text};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn one_connection_serves_many_requests_in_every_framing() {
    let site = site([act(|talk| {
        for answer in [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", OK] {
            talk.read_head();
            talk.write(answer);
        }
        assert_eq!(talk.read_to_end(), b"");
    })]);
    run(async {
        let upstream = site.upstream();
        for _ in 0..3 {
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        }
        assert_eq!((upstream.counts().connected, upstream.counts().reused), (1, 2));
    });
    site.end();
}

#[test]
fn a_connection_is_free_before_the_visitor_has_read_the_last_byte() {
    let site = site([act(|talk| {
        for _ in 0..2 {
            talk.read_head();
            talk.write(OK);
        }
    })]);
    run(async {
        let upstream = site.upstream();
        let first = get(&upstream, "/").await.unwrap();
        let second = get(&upstream, "/").await.unwrap();
        assert_eq!(upstream.counts().connected, 1);
        assert_eq!(text(second).await.unwrap(), "ok");
        assert_eq!(text(first).await.unwrap(), "ok", "its bytes were not overwritten by the second");
    });
}

#[test]
fn a_connection_the_site_wants_closed_is_not_kept() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: y, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let once = || {
            act(move |talk| {
                talk.read_head();
                talk.write(answer);
            })
        };
        let site = site([once(), once()]);
        run(async {
            let upstream = site.upstream();
            for _ in 0..2 {
                assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
            }
            assert_eq!((upstream.counts().connected, upstream.counts().reused), (2, 0));
        });
        site.end();
    }
}

#[test]
fn a_body_dropped_midway_closes_its_connection() {
    let site = site([
        act(|talk| {
            talk.read_head();
            talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
            assert_eq!(talk.read_to_end(), b"");
        }),
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        }),
    ]);
    run(async {
        let upstream = site.upstream();
        let mut body = get(&upstream, "/").await.unwrap().into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "hello");
        drop(body);
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        assert_eq!(upstream.counts().connected, 2);
    });
    site.end();
}

#[test]
fn what_cannot_be_sent_twice_takes_no_connection_that_was_idle_for_longer_than_a_second() {
    let server = Server::start("ok", Manner::Answers);
    run(async {
        let upstream = routed(vec![route([server.address.clone()])]);
        let post = |path: &'static str| {
            let (upstream, request) = (&upstream, request("POST", path, &[]));
            async move { text(send(upstream, &request, None::<Empty<Bytes>>).await.unwrap()).await.unwrap() }
        };
        text(get(&upstream, "/").await.unwrap()).await.unwrap();
        assert_eq!(post("/soon").await, "ok");
        assert_eq!(upstream.counts().connected, 1, "it was used just now");
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert_eq!(post("/late").await, "ok");
        assert_eq!(upstream.counts().connected, 2, "who knows whether the server closes it in this moment");
        // What may be sent again goes over either.
        let (one, other) = tokio::join!(get(&upstream, "/one"), get(&upstream, "/other"));
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(upstream.counts().connected, 2);
    });
}

#[test]
fn a_connection_is_not_kept_for_longer_than_it_may_be_idle() {
    let once = || {
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        })
    };
    let site = site([once(), once()]);
    run(async {
        let mut route = route([site.address()]);
        route.keep_idle = Duration::ZERO;
        let upstream = routed(vec![route]);
        for _ in 0..2 {
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        }
        assert_eq!((upstream.counts().connected, upstream.counts().reused), (2, 0));
    });
    site.end();
}

/// A site that answers once, then closes as the second request arrives, and answers properly on a second connection.
/// Returns what the second connection received.
fn closing_under_the_second_request(
    method: &'static str,
    second: &'static [u8],
) -> (super::site::Site, std::sync::mpsc::Receiver<String>) {
    let (tell, told) = channel();
    let site = site([
        act(move |talk| {
            talk.read_head();
            talk.write(OK);
            let head = talk.read_head();
            assert!(head.starts_with(method));
        }),
        act(move |talk| {
            tell.send(talk.read_head()).unwrap();
            talk.write(second);
        }),
    ]);
    (site, told)
}

#[test]
fn a_get_that_meets_a_closing_connection_is_sent_once_more() {
    for method in ["GET", "HEAD", "OPTIONS"] {
        let (site, told) = closing_under_the_second_request(method, b"HTTP/1.1 204 No Content\r\n\r\n");
        run(async {
            let upstream = site.upstream();
            text(get(&upstream, "/").await.unwrap()).await.unwrap();
            let response =
                send(&upstream, &request(method, "/again", &[("accept", "*/*")]), None::<Empty<Bytes>>).await;
            assert_eq!(response.unwrap().status(), 204);
            assert_eq!((upstream.counts().connected, upstream.counts().retried), (2, 1));
        });
        assert!(
            told.recv().unwrap().starts_with(&format!("{method} /again HTTP/1.1\r\nhost: example.org\r\naccept: */*"))
        );
        site.end();
    }
}

#[test]
fn a_request_is_sent_at_most_twice() {
    let (site, _told) = closing_under_the_second_request("GET", b"");
    run(async {
        let upstream = site.upstream();
        text(get(&upstream, "/").await.unwrap()).await.unwrap();
        assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Unanswered(_)));
        assert_eq!(upstream.counts().retried, 1);
    });
    site.end();
}

#[test]
fn nothing_is_sent_again_on_a_fresh_connection() {
    let site = site([act(|talk| {
        talk.read_head();
    })]);
    run(async {
        let upstream = site.upstream();
        assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Unanswered(_)));
        assert_eq!((upstream.counts().connected, upstream.counts().retried), (1, 0));
    });
    site.end();
}

#[test]
fn a_post_is_never_sent_twice() {
    for body in ["", "a=1"] {
        let site = site([act(|talk| {
            talk.read_head();
            talk.write(OK);
            assert!(talk.read_head().starts_with("POST"));
        })]);
        run(async {
            let upstream = site.upstream();
            text(get(&upstream, "/").await.unwrap()).await.unwrap();
            let failed = failure(send(&upstream, &request("POST", "/", &[]), Some(Full::new(Bytes::from(body)))).await);
            assert!(matches!(failed, UpstreamError::Unanswered(_)), "{failed}");
            assert_eq!((upstream.counts().connected, upstream.counts().retried), (1, 0));
        });
        site.end();
    }
}

#[test]
fn an_answer_that_has_begun_is_never_asked_for_again() {
    let site = site([act(|talk| {
        talk.read_head();
        talk.write(OK);
        talk.read_head();
        talk.write(b"HTTP/1.1 2");
    })]);
    run(async {
        let upstream = site.upstream();
        text(get(&upstream, "/").await.unwrap()).await.unwrap();
        assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Truncated(_)));
        assert_eq!(upstream.counts().retried, 0);
    });
    site.end();
}

#[test]
fn a_post_never_takes_a_connection_the_site_has_closed() {
    let (go, wait) = channel();
    let site = site([
        act(move |talk| {
            talk.read_head();
            talk.write(OK);
            talk.0.shutdown(std::net::Shutdown::Both).unwrap();
            go.send(()).unwrap();
        }),
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        }),
    ]);
    run(async {
        let upstream = site.upstream();
        text(get(&upstream, "/").await.unwrap()).await.unwrap();
        // Blocks the worker: its event loop cannot have seen the end of the connection, only the kernel knows.
        wait.recv().unwrap();
        let response = send(&upstream, &request("POST", "/", &[]), None::<Empty<Bytes>>).await.unwrap();
        assert_eq!(text(response).await.unwrap(), "ok");
        assert_eq!(upstream.counts().connected, 2);
    });
    site.end();
}

#[test]
fn bytes_nobody_asked_for_are_never_taken_for_an_answer() {
    const SPLIT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    for (first, method) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..], "GET"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "GET"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HEAD"),
    ] {
        // Once together with the answer, once after it.
        for together in [true, false] {
            let (go, wait) = channel();
            let (tell, told) = channel();
            let site = site([
                act(move |talk| {
                    talk.read_head();
                    if together {
                        talk.write(&[first, SPLIT].concat());
                    } else {
                        talk.write(first);
                        wait.recv().unwrap();
                        talk.write(SPLIT);
                        tell.send(()).unwrap();
                    }
                    assert_eq!(talk.read_to_end(), b"", "no second request on this connection");
                }),
                act(|talk| {
                    talk.read_head();
                    talk.write(OK);
                }),
            ]);
            run(async {
                let upstream = site.upstream();
                let response = send(&upstream, &request(method, "/", &[]), None::<Empty<Bytes>>).await.unwrap();
                text(response).await.unwrap();
                if !together {
                    go.send(()).unwrap();
                    told.recv().unwrap();
                    // Lets the event loop see what the kernel has.
                    while upstream.looks_quiet() {
                        tokio::task::yield_now().await;
                    }
                }
                assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
                assert_eq!((upstream.counts().poisoned, upstream.counts().connected), (1, 2), "{first:?} {together}");
            });
            site.end();
        }
    }
}

/// Answers that must have no body, and name one.
const NAMING_A_BODY: [(&[u8], &str); 4] = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n", "HEAD"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"),
    (b"HTTP/1.1 200 OK\r\n\r\n", "HEAD"),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 43\r\n\r\n", "GET"),
];

#[test]
fn a_body_where_there_must_be_none_is_nobodys_answer_however_soon_the_next_request_is() {
    for (first, method) in NAMING_A_BODY {
        let (go, wait) = channel();
        let (tell, told) = channel();
        let site = site([
            act(move |talk| {
                talk.read_head();
                talk.write(first);
                let mut talk = super::site::Talk(talk.0.try_clone().unwrap());
                std::thread::spawn(move || {
                    wait.recv().unwrap();
                    talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
                    tell.send(()).unwrap();
                    assert_eq!(talk.read_to_end(), b"", "no second request on this connection");
                });
            }),
            act(move |talk| {
                for answer in [OK, OK, first] {
                    talk.read_head();
                    talk.write(answer);
                }
                assert_eq!(talk.read_to_end(), b"", "it is known by now that this site cannot be trusted with it");
            }),
        ]);
        run(async {
            let upstream = site.upstream();
            let ask = async || {
                let response = send(&upstream, &request(method, "/", &[]), None::<Empty<Bytes>>).await.unwrap();
                assert_eq!(text(response).await.unwrap(), "");
            };
            ask().await;
            // The body is not there yet: nobody could see it coming.
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
            assert_eq!(upstream.counts().poisoned, 0);
            go.send(()).unwrap();
            told.recv().unwrap();
            tokio::time::sleep(REST).await;
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
            assert_eq!((upstream.counts().poisoned, upstream.counts().connected), (1, 2), "{first:?}");
            ask().await;
            assert_eq!(upstream.kept(), 0);
        });
        site.end();
    }
}

#[test]
fn a_connection_that_brings_no_body_where_there_must_be_none_is_used_again() {
    for (first, method) in NAMING_A_BODY {
        let site = site([act(move |talk| {
            for answer in [first, OK, OK] {
                talk.read_head();
                talk.write(answer);
            }
        })]);
        run(async {
            let upstream = site.upstream();
            send(&upstream, &request(method, "/", &[]), None::<Empty<Bytes>>).await.unwrap();
            tokio::time::sleep(REST).await;
            for _ in 0..2 {
                assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
            }
            assert_eq!((upstream.counts().reused, upstream.counts().connected), (2, 1), "{first:?}");
        });
        site.end();
    }
}

#[test]
fn a_no_content_answer_that_announces_a_body_is_not_trusted_with_a_second_request() {
    let site = site([
        act(|talk| {
            talk.read_head();
            talk.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n");
            assert_eq!(talk.read_to_end(), b"");
        }),
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        }),
    ]);
    run(async {
        let upstream = site.upstream();
        assert_eq!(get(&upstream, "/").await.unwrap().headers().len(), 0);
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
    });
    site.end();
}

#[test]
fn a_connection_that_has_been_idle_for_too_long_is_closed_without_any_request() {
    let site = site([act(|talk| {
        talk.read_head();
        talk.write(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(talk.read_to_end(), b"");
    })]);
    let upstream = site.upstream();
    run(async {
        get(&upstream, "/").await.unwrap();
        upstream.sweep();
    });
    site.end();
}

#[test]
fn a_kept_connection_to_where_the_name_no_longer_leads_is_closed() {
    let site = site([
        act(|talk| {
            talk.read_head();
            talk.write(OK);
            assert_eq!(talk.read_to_end(), b"");
        }),
        act(|talk| {
            talk.read_head();
            talk.write(OK);
        }),
    ]);
    run(async {
        let mut route = route([site.address()]);
        route.servers = vec![Address::Tcp { tls: false, host: "localhost".into(), port: site.port }];
        let server = Arc::new(server::Server::new(&route.servers[0], None, false, Ejection::default(), PATIENCE * 10));
        let here = SocketAddr::from(([127, 0, 0, 1], site.port));
        let upstream = Upstream::new(Sites::of(vec![server.clone()], &route));
        let _ = text(get(&upstream, "/").await.unwrap()).await.unwrap();
        server.moves_to(vec![here, SocketAddr::from(([127, 0, 0, 2], site.port))]);
        upstream.sweep();
        assert_eq!(upstream.kept(), 1, "an address more is no reason");
        server.moves_to(vec![SocketAddr::from(([127, 0, 0, 2], site.port))]);
        upstream.sweep();
        assert_eq!(upstream.kept(), 0);
        server.moves_to(vec![here]);
        let _ = text(get(&upstream, "/").await.unwrap()).await.unwrap();
        assert_eq!(upstream.counts().connected, 2);
        upstream.sweep();
        assert_eq!(server.told().connected, 2, "the metrics know it");
    });
    site.end();
}
