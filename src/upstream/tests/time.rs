//! Time limits: each ends what it is for, and says which one it was.

use std::time::Duration;

use http_body_util::BodyExt;

use super::super::{Address, UpstreamError};
use super::servers::{Manner, Server};
use super::site::{act, failure, get, route, routed, run, site, text};

const SOON: Duration = Duration::from_millis(40);

#[test]
fn a_connection_that_is_never_taken_is_waited_for_only_so_long() {
    // A listener whose queue is full: the kernel answers no more.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let at = listener.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    run(async {
        while let Ok(Ok(taken)) = tokio::time::timeout(SOON * 5, tokio::net::TcpStream::connect(at)).await {
            waiting.push(taken);
        }
        let mut route = route([Address::Tcp { tls: false, host: "127.0.0.1".into(), port: at.port() }]);
        route.bounds.connect = SOON;
        let failed = failure(get(&routed(vec![route]), "/").await);
        assert!(matches!(failed, UpstreamError::ConnectTimeout), "{failed}");
        assert_eq!(failed.status(), 504);
    });
}

#[test]
fn a_whole_exchange_has_its_time_before_the_answer() {
    let server = Server::start("a", Manner::IsSilent);
    run(async {
        let mut route = route([server.address.clone()]);
        route.bounds.total = Some(SOON);
        let failed = failure(get(&routed(vec![route]), "/").await);
        assert!(matches!(failed, UpstreamError::TotalTimeout), "{failed}");
        assert_eq!(failed.status(), 504);
    });
}

#[test]
fn a_whole_exchange_has_its_time_within_an_answer_that_never_pauses_for_long() {
    for kind in ["text/plain", "text/event-stream"] {
        let site = site([act(move |talk| {
            talk.read_head();
            talk.write(format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n").as_bytes());
            use std::io::Write;
            while talk.0.write_all(b"drop").is_ok() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        })]);
        run(async {
            let upstream = site.upstream_with(|bounds| bounds.total = Some(SOON * 12));
            let mut body = get(&upstream, "/").await.unwrap().into_body();
            let failed = loop {
                match body.frame().await.expect("it has no end of its own") {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(matches!(failed, UpstreamError::TotalTimeout), "{failed}");
        });
        site.end();
    }
}

#[test]
fn an_exchange_within_its_time_is_whole_and_its_connection_free_of_the_limit() {
    let site = site([act(|talk| {
        for _ in 0..2 {
            talk.read_head();
            talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    })]);
    run(async {
        let upstream = site.upstream_with(|bounds| bounds.total = Some(Duration::from_millis(800)));
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
        assert_eq!(upstream.counts().connected, 1);
    });
    site.end();
}
