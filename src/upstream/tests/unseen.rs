//! A request that failed before any server saw a byte of it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use socket2::SockRef;
use tokio::time::Instant;

use super::super::UpstreamError;
use super::super::buffers;
use super::super::exchange::Exchange;
use super::super::forward::{RequestFraming, write_head};
use super::super::head::Asked;
use super::super::pool::{Link, Pool};
use super::super::request::Request;
use super::super::server::Server;
use super::super::settings::Ejection;
use super::super::wire::Idle;
use super::site::{PATIENCE, act, failure, request, route, run, site, text};
use crate::pseudonym::RawIp;

#[test]
fn a_request_no_server_has_seen_is_still_whole() {
    let (go, wait) = channel();
    let site = site([
        act(move |talk| {
            wait.recv().unwrap();
            // So that closing resets the connection.
            SockRef::from(&talk.0).set_linger(Some(Duration::ZERO)).unwrap();
        }),
        act(|talk| {
            let head = talk.read_head();
            assert!(head.starts_with("POST /pay HTTP/1.1\r\n"), "{head}");
            assert_eq!(talk.read(17), b"7\r\npay 100\r\n0\r\n\r\n"[..17], "all of the body, once");
            talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }),
    ]);
    run(async {
        let server = Arc::new(Server::new(&site.address(), None, false, Ejection::default(), PATIENCE));
        let pool = Rc::new(Pool::new(server, PATIENCE));
        let bounds = route([site.address()]).bounds;
        let link = async || match pool.link(false, true, true, Instant::now() + PATIENCE).await {
            Ok(Link::Http1(connection)) => connection,
            Ok(Link::Http2(_)) => panic!("nobody asked for HTTP/2"),
            Err(error) => panic!("the site takes connections: {error}"),
        };
        let exchange = |connection| {
            let asked = Asked { by_head: false, websocket: false };
            Exchange { connection, pool: &pool, bounds: &bounds, asked }
        };
        let (client, id) = (RawIp::new([203, 0, 113, 7].into()), super::site::id());
        let forward = super::site::forward(&client, &id);
        let mut head = buffers::lend();
        let parts = request("POST", "/pay", &[]);
        write_head(&mut head, &parts, &forward, RequestFraming::Chunked, false, "").unwrap();
        let asked = Request::new(head, RequestFraming::Chunked, Some(Full::new(Bytes::from("pay 100"))), &bounds);

        let mut dead = link().await;
        go.send(()).unwrap();
        while dead.wire.look(true) == Idle::Quiet {
            tokio::task::yield_now().await;
        }
        let mut unseen = None;
        let failed = exchange(dead).run(asked, &mut unseen).await;
        assert!(matches!(failure(failed), UpstreamError::Unanswered(_)));
        let asked = *unseen.expect("nothing of it was written");
        assert!(asked.is_touched(), "some of the body was taken from the visitor already");
        let answer = exchange(link().await).run(asked, &mut None).await.unwrap();
        assert_eq!(text(answer).await.unwrap(), "ok");
    });
    site.end();
}
