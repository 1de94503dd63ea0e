//! What goes wrong by HTTP/2, and how long it is waited for.

use super::*;

#[test]
fn bodies_have_their_bounds_and_their_length() {
    let server = serve(echo);
    run_as_worker(async {
        let mut route = server.route();
        route.bounds.max_request_body = 8;
        let upstream = routed(vec![route]);
        let post = async |pieces: &[&'static str]| {
            let (visitor, fed) = mpsc::channel(8);
            for piece in pieces {
                visitor.send(Bytes::from(*piece)).await.unwrap();
            }
            drop(visitor);
            let answer = send(&upstream, &request("POST", "/", &[]), Some(Fed(fed))).await;
            match answer {
                Ok(answer) => text(answer).await,
                Err(error) => Err(error),
            }
        };
        assert_eq!(post(&["1234", "5678"]).await.unwrap(), "12345678");
        // The echo may have begun before the bound is met; then the answer breaks off.
        let failed = post(&["1234", "56789"]).await.unwrap_err();
        assert!(matches!(failed, UpstreamError::RequestTooLong | UpstreamError::Truncated(_)), "{failed}");
        let failed = send(&upstream, &request("POST", "/", &[]), Some(Full::new(Bytes::from("123456789")))).await;
        assert!(matches!(failure(failed), UpstreamError::RequestTooLong));
    });
}

#[test]
fn a_stream_that_is_reset_is_an_error_and_not_an_end() {
    fn breaks_off(_: &http::request::Parts, _: Incoming) -> Response<Sent> {
        struct Breaks(u8);
        impl Body for Breaks {
            type Data = Bytes;
            type Error = std::io::Error;
            fn poll_frame(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                self.0 += 1;
                Poll::Ready(Some(match self.0 {
                    1 => Ok(Frame::data(Bytes::from("half"))),
                    _ => Err(std::io::Error::other("broken")),
                }))
            }
        }
        Response::new(Breaks(0).boxed())
    }
    let server = serve(breaks_off);
    run_as_worker(async {
        // The reset may overtake the head.
        let failed = match get(&server.upstream(), "/").await {
            Ok(response) => failure(text(response).await),
            Err(error) => error,
        };
        assert!(matches!(failed, UpstreamError::Truncated(_) | UpstreamError::Unanswered(_)), "{failed}");
    });
}

#[test]
fn a_server_that_does_not_answer_is_waited_for_only_so_long_and_the_stream_is_taken_back() {
    fn never(_: &http::request::Parts, _: Incoming) -> Response<Sent> {
        struct Silent;
        impl Body for Silent {
            type Data = Bytes;
            type Error = std::io::Error;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
                Poll::Pending
            }
        }
        Response::new(Silent.boxed())
    }
    let server = serve(never);
    run_as_worker(async {
        let mut route = server.route();
        route.bounds.idle = Duration::from_millis(40);
        let failed = failure(text(get(&routed(vec![route.clone()]), "/").await.unwrap()).await);
        assert!(matches!(failed, UpstreamError::IdleTimeout), "{failed}");
        route.bounds.idle = Duration::from_secs(20);
        route.bounds.total = Some(Duration::from_millis(500));
        let failed = failure(text(get(&routed(vec![route]), "/").await.unwrap()).await);
        assert!(matches!(failed, UpstreamError::TotalTimeout), "{failed}");
    });
}

#[test]
fn a_connection_that_has_ended_is_replaced_whatever_the_method() {
    let address = closing_after_one(|| Response::new(whole("once")));
    run_as_worker(async {
        let upstream = routed(vec![Route { http2: true, ..route([address]) }]);
        for _ in 0..3 {
            let answer: http::Response<UpstreamBody> =
                send(&upstream, &request("POST", "/", &[]), Some(Full::new(Bytes::from("x")))).await.unwrap();
            assert_eq!(text(answer).await.unwrap(), "once");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let connected = upstream.counts().connected;
        assert!(connected >= 2, "{connected}");
    });
}

/// An event stream that never says anything.
fn silent_events() -> Response<Sent> {
    struct Endless;
    impl Body for Endless {
        type Data = Bytes;
        type Error = std::io::Error;
        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }
    Response::builder().header("content-type", "text/event-stream").body(Endless.boxed()).unwrap()
}

/// Such event streams, and what ends.
fn endless(parts: &http::request::Parts, body: Incoming) -> Response<Sent> {
    if parts.uri.path() == "/events" { silent_events() } else { hello(parts, body) }
}

#[test]
fn streams_that_never_end_hold_up_nobody_where_a_server_allows_few() {
    // A test's server allows 50.
    let server = serve(endless);
    run_as_worker(async {
        let upstream = server.upstream();
        let streams = futures_all((0..50).map(|_| get(&upstream, "/events"))).await;
        assert_eq!(upstream.counts().connected, 1);
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "hello");
        assert_eq!(upstream.counts().connected, 2);
        drop(streams);
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "hello");
        assert_eq!(upstream.counts().connected, 2);
    });
}

#[test]
fn a_connection_has_its_place_until_it_is_closed_though_nothing_new_goes_over_it() {
    let address = closing_after_one(silent_events);
    run_as_worker(async {
        let route = Route { http2: true, ..route([address]) };
        let most = Most { each: 1, all: usize::MAX };
        let sites = Sites::new(Settings { routes: vec![route], most, ..Settings::default() }).unwrap();
        let upstream = Upstream::new(sites.clone());
        let mut streams = vec![get(&upstream, "/events").await.unwrap()];
        // The server has said goodbye, and goes on with what it has begun.
        let refused = loop {
            match get(&upstream, "/events").await {
                Ok(answer) => streams.push(answer),
                Err(error) => break error,
            }
            assert_eq!(upstream.counts().connected, 1);
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(matches!(refused, UpstreamError::Full), "{refused}");
        assert_eq!(sites.figures()[0].places_in_use, 1);
        drop(streams);
        let until = tokio::time::Instant::now() + Duration::from_secs(10);
        while let Err(error) = get(&upstream, "/events").await {
            assert!(matches!(error, UpstreamError::Full) && tokio::time::Instant::now() < until, "{error}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(upstream.counts().connected, 2);
    });
}

/// A server that says goodbye (GOAWAY) after its first answer on each connection.
fn closing_after_one(answer: fn() -> Response<Sent>) -> Address {
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (answered, mut is_answered) = mpsc::channel::<()>(1);
                    let service = service_fn(move |_: Request<Incoming>| {
                        let answered = answered.clone();
                        async move {
                            let _ = answered.try_send(());
                            Ok::<_, Infallible>(answer())
                        }
                    });
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        _ = is_answered.recv() => {}
                    }
                    connection.as_mut().graceful_shutdown();
                    let _ = connection.await;
                });
            }
        });
    });
    Address::Tcp { tls: false, host: "127.0.0.1".into(), port: told.recv().unwrap() }
}

/// A server that takes a connection, reads, and says nothing, not even what HTTP/2 begins with.
fn silent() -> crate::upstream::tests::site::Site {
    crate::upstream::tests::site::site([crate::upstream::tests::site::act(|talk| {
        talk.read_to_end();
    })])
}

#[test]
fn each_time_limit_ends_what_it_is_for() {
    let soon = Duration::from_millis(40);
    let upstream = |site: &crate::upstream::tests::site::Site, change: fn(&mut Bounds, Duration)| {
        let mut route = Route { http2: true, ..route([site.address()]) };
        change(&mut route.bounds, soon);
        routed(vec![route])
    };
    run_as_worker(async {
        let site = silent();
        let failed = failure(get(&upstream(&site, |bounds, soon| bounds.answer = soon), "/").await);
        assert!(matches!(failed, UpstreamError::AnswerTimeout), "{failed}");

        let (visitor, fed) = mpsc::channel(1);
        let site = silent();
        let upstream_idle = upstream(&site, |bounds, soon| bounds.idle = soon);
        let failed = failure(send(&upstream_idle, &request("POST", "/", &[]), Some(Fed(fed))).await);
        assert!(matches!(failed, UpstreamError::RequestBodyTimeout), "{failed}");
        drop(visitor);

        // More than a server takes that has said nothing of how much it takes (RFC 9113 §6.9.2).
        let site = silent();
        let upstream_idle = upstream(&site, |bounds, soon| bounds.idle = soon);
        let (visitor, fed) = mpsc::channel(100);
        for _ in 0..64 {
            visitor.send(Bytes::from(vec![b'a'; 16 * 1024])).await.unwrap();
        }
        let failed = failure(send(&upstream_idle, &request("POST", "/", &[]), Some(Fed(fed))).await);
        assert!(matches!(failed, UpstreamError::IdleTimeout), "{failed}");

        let site = silent();
        let failed = failure(get(&upstream(&site, |bounds, soon| bounds.total = Some(soon)), "/").await);
        assert!(matches!(failed, UpstreamError::TotalTimeout), "{failed}");
    });
}

#[test]
fn a_post_a_server_may_have_seen_is_never_sent_again() {
    // Both servers take the request and close.
    let closing = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let posts = Arc::new(AtomicUsize::new(0));
        let of_thread = posts.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                use std::io::Read;
                let mut all = Vec::new();
                let mut stream = stream.unwrap();
                let mut piece = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut piece) {
                    all.extend_from_slice(&piece[..read]);
                    if memchr::memmem::find(&all, b"pay 100").is_some() {
                        of_thread.fetch_add(1, Relaxed);
                        break;
                    }
                }
            }
        });
        (Address::Tcp { tls: false, host: "127.0.0.1".into(), port }, posts)
    };
    let ((one, posts_of_one), (other, posts_of_other)) = (closing(), closing());
    run_as_worker(async {
        let upstream = routed(vec![Route { http2: true, ..route([one, other]) }]);
        let body = Full::new(Bytes::from("pay 100"));
        let failed = failure(send(&upstream, &request("POST", "/", &[]), Some(body)).await);
        assert!(matches!(failed, UpstreamError::Unanswered(_)), "{failed}");
    });
    assert_eq!(posts_of_one.load(Relaxed) + posts_of_other.load(Relaxed), 1);
}

#[test]
fn a_probe_speaks_the_servers_version() {
    fn busy(_: &http::request::Parts, _: Incoming) -> Response<Sent> {
        Response::builder().status(503).body(whole("")).unwrap()
    }
    let (well, ill) = (serve(hello), serve(busy));
    let probing = Probing {
        path: "/up".into(),
        host: Some("probe.test".into()),
        interval: Duration::from_millis(10),
        timeout: Duration::from_secs(5),
        healthy: 1,
        unhealthy: 1,
        status: None,
    };
    let servers = [&well, &ill].map(|server| server.route().servers.remove(0)).into();
    let route = Route { servers, probing: Some(probing), ..well.route() };
    let sites = Sites::new(Settings { routes: vec![route], ..Settings::default() }).unwrap();
    run(async {
        let asked = async {
            while sites.figures().iter().map(|figures| figures.is_up).collect::<Vec<_>>() != [true, false]
                || well.seen.heads.lock().unwrap().is_empty()
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = sites.tend() => panic!("there is always something to do"),
            () = asked => {}
        }
    });
    assert_eq!(well.seen.heads.lock().unwrap()[0].uri, "http://probe.test/up");
}

#[test]
fn no_address_has_more_than_half_of_the_lanes_and_where_all_are_full_nobody_waits() {
    let server = serve(endless);
    run_as_worker(async {
        let upstream = server.upstream();
        // 16 lanes with 50 exchanges each; that they are no more than 50 nobody knows before the first is there.
        let taken = async |last: u8| {
            let mut answers = futures_all((0..450).map(|_| get_from(&upstream, [203, 0, 113, last], "/events"))).await;
            let refused = answers.extract_if(.., |answer| answer.is_err()).map(failure);
            assert!(refused.map(|error| (error.status().as_u16(), error.retry_after())).all(|it| it == (503, Some(1))));
            answers
        };
        let first = taken(1).await;
        assert_eq!(first.len(), 400);
        assert!(matches!(failure(get_from(&upstream, [203, 0, 113, 1], "/").await), UpstreamError::HasHalf));
        assert_eq!(text(get_from(&upstream, [203, 0, 113, 2], "/").await.unwrap()).await.unwrap(), "hello");
        let second = taken(2).await;
        assert_eq!((second.len(), upstream.counts().connected), (400, 16));
        let asked = tokio::time::Instant::now();
        assert!(matches!(failure(get_from(&upstream, [203, 0, 113, 3], "/").await), UpstreamError::Full));
        assert!(asked.elapsed() < Duration::from_secs(2));
        drop(first);
        assert_eq!(text(get_from(&upstream, [203, 0, 113, 3], "/").await.unwrap()).await.unwrap(), "hello");
        assert_eq!(text(get_from(&upstream, [203, 0, 113, 1], "/").await.unwrap()).await.unwrap(), "hello");
    });
}

#[test]
fn a_server_that_takes_nothing_is_not_waited_for() {
    let server = serving(hello, 0);
    run_as_worker(async {
        let failed = failure(get(&server.upstream(), "/").await);
        assert!(matches!(failed, UpstreamError::Full), "{failed}");
    });
}
