//! Servers that speak HTTP/2, played by hyper's server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::super::settings::{Probing, Route, Settings, TlsSettings};
use super::super::{Address, Bounds, Sites, Upstream, UpstreamBody, UpstreamError};
use super::site::{failure, get, request, route, routed, run, send, text};

type Sent = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

/// What a test's server was sent.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    heads: Mutex<Vec<http::request::Parts>>,
}

struct Server {
    at: SocketAddr,
    seen: Arc<Seen>,
}

/// Answers as `answer` says, over HTTP/2 without TLS.
fn serve(answer: fn(&http::request::Parts, Incoming) -> Response<Sent>) -> Server {
    let seen = Arc::new(Seen::default());
    let (of_thread, (tell, told)) = (seen.clone(), std::sync::mpsc::sync_channel(1));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let seen = of_thread.clone();
                seen.connections.fetch_add(1, Relaxed);
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (parts, body) = request.into_parts();
                        let response = answer(&parts, body);
                        seen.heads.lock().unwrap().push(parts);
                        async { Ok::<_, Infallible>(response) }
                    });
                    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = builder.max_concurrent_streams(50).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    Server { at: told.recv().unwrap(), seen }
}

impl Server {
    fn upstream(&self) -> Upstream {
        routed(vec![self.route()])
    }

    fn route(&self) -> Route {
        let address = Address::Tcp { tls: false, host: "127.0.0.1".into(), port: self.at.port() };
        Route { http2: true, ..route([address]) }
    }
}

/// Answers `hello` over TLS, in the first of the client's protocols that is among `protocols`; tells which each time.
fn serve_by_tls(protocols: &[&str]) -> (Address, std::sync::mpsc::Receiver<String>) {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![super::tls::certificate()], super::tls::key())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let (tell, told) = std::sync::mpsc::sync_channel(100);
    let (at, port) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            at.send(listener.local_addr().unwrap().port()).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let chosen = stream.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
                let http2 = chosen.as_deref() == Some("h2");
                tell.send(chosen.unwrap_or_default()).unwrap();
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<Incoming>| async move {
                        let (parts, body) = request.into_parts();
                        Ok::<_, Infallible>(hello(&parts, body))
                    });
                    let io = TokioIo::new(stream);
                    let _ = match http2 {
                        true => {
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                                .serve_connection(io, service)
                                .await
                        }
                        false => hyper::server::conn::http1::Builder::new().serve_connection(io, service).await,
                    };
                });
            }
        });
    });
    (Address::Tcp { tls: true, host: "127.0.0.1".into(), port: port.recv().unwrap() }, told)
}

#[test]
fn within_tls_the_handshake_says_which_version_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let ca = super::tls::files(folder.path()).0;
    for (offered, spoken) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1"), (&[], "")] {
        let (address, told) = serve_by_tls(offered);
        run_as_worker(async {
            let tls = TlsSettings { ca: Some(ca.clone()), ..TlsSettings::default() };
            let upstream = routed(vec![Route { http2: true, tls, ..route([address]) }]);
            for _ in 0..3 {
                assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "hello");
            }
            assert_eq!(told.try_iter().collect::<Vec<_>>(), [spoken], "one connection for all");
            if spoken == "h2" {
                // A WebSocket is asked for in the version that has it.
                let asking = [("connection", "upgrade"), ("upgrade", "websocket")];
                let (client, id) = (crate::pseudonym::RawIp::new([203, 0, 113, 7].into()), super::site::id());
                let mut forward = super::site::forward(&client, &id);
                forward.websocket = true;
                let parts = request("GET", "/", &asking);
                assert_eq!(upstream.send(&parts, forward, None::<Empty<Bytes>>).await.unwrap().status(), 200);
                assert_eq!(told.try_iter().collect::<Vec<_>>(), ["http/1.1"]);
            }
        });
    }
}

/// HTTP/2 connections are tasks of the worker's set.
fn run_as_worker<T>(future: impl Future<Output = T>) -> T {
    run(async { tokio::task::LocalSet::new().run_until(future).await })
}

fn whole(text: impl Into<Bytes>) -> Sent {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

fn hello(_: &http::request::Parts, _: Incoming) -> Response<Sent> {
    Response::builder().header("content-type", "text/plain").body(whole("hello")).unwrap()
}

/// Sends back what comes, piece by piece, then trailers.
fn echo(_: &http::request::Parts, body: Incoming) -> Response<Sent> {
    struct Echo(Incoming, bool);
    impl Body for Echo {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            if self.1 {
                return Poll::Ready(None);
            }
            Pin::new(&mut self.0).poll_frame(cx).map(|frame| match frame {
                Some(frame) => Some(frame.map_err(std::io::Error::other)),
                None => {
                    self.1 = true;
                    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
                    Some(Ok(Frame::trailers(trailers)))
                }
            })
        }
    }
    Response::builder().header("content-type", "application/grpc").body(Echo(body, false).boxed()).unwrap()
}

/// A body that a test feeds.
struct Fed(mpsc::Receiver<Bytes>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[test]
fn many_exchanges_share_one_connection_and_see_the_same_fields_as_by_http1() {
    let server = serve(hello);
    run_as_worker(async {
        let upstream = server.upstream();
        let parts = request(
            "GET",
            "/a?b=c",
            &[
                ("x-one", "1"),
                ("connection", "x-two, te"),
                ("x-two", "2"),
                ("x-forwarded-for", "1.2.3.4"),
                ("te", "trailers"),
            ],
        );
        for _ in 0..3 {
            let response = send(&upstream, &parts, None::<Empty<Bytes>>).await.unwrap();
            assert_eq!(response.headers()["content-type"], "text/plain");
            assert_eq!(text(response).await.unwrap(), "hello");
        }
        let together = (0..20).map(|_| get(&upstream, "/together"));
        for response in futures_all(together).await {
            assert_eq!(text(response.unwrap()).await.unwrap(), "hello");
        }
    });
    assert_eq!(server.seen.connections.load(Relaxed), 1);
    let heads = server.seen.heads.lock().unwrap();
    assert_eq!(heads[0].uri, "http://example.org/a?b=c");
    let fields: Vec<(&str, &str)> =
        heads[0].headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let expected = [
        ("x-one", "1"),
        ("te", "trailers"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "example.org"),
        ("x-request-id", "test-id.1"),
    ];
    assert_eq!(fields, expected);
}

/// Runs all of them at once, in this task.
async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}

#[test]
fn grpc_streams_both_ways_at_once_and_keeps_its_trailers() {
    let server = serve(echo);
    run_as_worker(async {
        let upstream = server.upstream();
        let (visitor, pieces) = mpsc::channel(8);
        let parts =
            request("POST", "/service/Method", &[("content-type", "application/grpc+proto"), ("te", "trailers")]);
        let mut body = send(&upstream, &parts, Some(Fed(pieces))).await.unwrap().into_body();
        for piece in ["one", "two", "three"] {
            visitor.send(Bytes::from(piece)).await.unwrap();
            assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), piece);
        }
        drop(visitor);
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
        assert!(body.frame().await.is_none() && body.is_end_stream());
    });
}

#[test]
fn trailers_of_anything_but_grpc_end_here() {
    let server = serve(echo);
    run_as_worker(async {
        let upstream = server.upstream();
        let response = send(&upstream, &request("POST", "/", &[]), Some(Full::new(Bytes::from("text")))).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert!(collected.trailers().is_none());
        assert_eq!(collected.to_bytes(), "text");
    });
}

#[test]
fn bodies_have_their_bounds_and_their_length() {
    let server = serve(echo);
    run_as_worker(async {
        let mut route = server.route();
        route.bounds.max_request_body = 8;
        route.bounds.idle = Duration::from_millis(40);
        let upstream = routed(vec![route]);
        let post = async |pieces: &[&'static str], keep: bool| {
            let (visitor, fed) = mpsc::channel(8);
            for piece in pieces {
                visitor.send(Bytes::from(*piece)).await.unwrap();
            }
            let kept = keep.then_some(visitor);
            let answer = send(&upstream, &request("POST", "/", &[]), Some(Fed(fed))).await;
            let answer = match answer {
                Ok(answer) => text(answer).await,
                Err(error) => Err(error),
            };
            drop(kept);
            answer
        };
        assert_eq!(post(&["1234", "5678"], false).await.unwrap(), "12345678");
        // The echo may have begun before the bound is met; then the answer breaks off.
        let failed = post(&["1234", "56789"], false).await.unwrap_err();
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
fn answers_without_body_have_none() {
    fn nothing(parts: &http::request::Parts, _: Incoming) -> Response<Sent> {
        let status: u16 = parts.uri.path()[1..].parse().unwrap();
        let response = Response::builder().status(status).header("etag", "\"1\"");
        match parts.method == http::Method::HEAD {
            true => response.header("content-length", "500").body(whole("")).unwrap(),
            false => response.body(whole("")).unwrap(),
        }
    }
    let server = serve(nothing);
    run_as_worker(async {
        let upstream = server.upstream();
        for (method, target, length) in [("HEAD", "/200", Some("500")), ("GET", "/204", None), ("GET", "/304", None)] {
            let response = send(&upstream, &request(method, target, &[]), None::<Empty<Bytes>>).await.unwrap();
            let said = response.headers().get("content-length").map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(said.as_deref(), length, "{method} {target}");
            assert_eq!(text(response).await.unwrap(), "");
        }
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
    let address = closing_after_one();
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

/// A server that says goodbye (GOAWAY) after its first answer on each connection.
fn closing_after_one() -> Address {
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
                            Ok::<_, Infallible>(Response::new(whole("once")))
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
    let route = Route { servers: [&well, &ill].map(|server| server.route().servers.remove(0)).into(), ..well.route() };
    let sites = Sites::new(Settings { routes: vec![route], probing: Some(probing), ..Settings::default() }).unwrap();
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

/// A server that takes a connection, reads, and says nothing, not even what HTTP/2 begins with.
fn silent() -> super::site::Site {
    super::site::site([super::site::act(|talk| {
        talk.read_to_end();
    })])
}

#[test]
fn each_time_limit_ends_what_it_is_for() {
    let soon = Duration::from_millis(40);
    let upstream = |site: &super::site::Site, change: fn(&mut Bounds, Duration)| {
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
