//! Servers that speak HTTP/2, played by hyper's server.

mod by_tls;
mod trouble;

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

use super::super::settings::{Most, Probing, Route, Settings, TlsSettings};
use super::super::{Address, Bounds, Sites, Upstream, UpstreamBody, UpstreamError};
use super::site::{failure, get, get_from, request, route, routed, run, send, text};

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
    serving(answer, 50)
}

/// The same with so many exchanges at once over one connection.
fn serving(answer: fn(&http::request::Parts, Incoming) -> Response<Sent>, streams: u32) -> Server {
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
                    let _ =
                        builder.max_concurrent_streams(streams).serve_connection(TokioIo::new(stream), service).await;
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
        ("x-request-id", "0f0f0f0f0f0f0f0f"),
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
