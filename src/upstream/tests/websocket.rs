//! WebSockets: a tunnel only after the site's 101, and only for who asked.

use bytes::Bytes;
use http_body_util::{Empty, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::{RequestId, Upstream, UpstreamBody, UpstreamError};
use super::site::{act, failure, forward, get, request, run, send, site, text};
use crate::pseudonym::RawIp;

const ASKING: &[(&str, &str)] = &[
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "WebSocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

async fn ask(upstream: &Upstream, headers: &[(&str, &str)]) -> Result<http::Response<UpstreamBody>, UpstreamError> {
    let client = RawIp::new([203, 0, 113, 7].into());
    let id = RequestId::new();
    let mut forward = forward(&client, &id);
    forward.websocket = true;
    upstream.send(&request("GET", "/chat", headers), forward, None::<Empty<Bytes>>).await
}

#[test]
fn after_101_bytes_go_both_ways_and_none_is_lost() {
    let site = site([act(|talk| {
        let head = talk.read_head();
        assert!(head.contains("\r\nconnection: upgrade\r\nupgrade: websocket\r\n"), "{head}");
        assert!(head.contains("\r\nsec-websocket-version: 13\r\n"));
        talk.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nearly");
        assert_eq!(talk.read(4), b"ping");
        talk.write(b" late");
        assert_eq!(talk.read_to_end(), b"", "half-closed by the visitor");
        talk.write(b" last");
    })]);
    run(async {
        let upstream = site.upstream();
        let response = ask(&upstream, ASKING).await.unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["connection"], "upgrade");
        assert_eq!(response.headers()["upgrade"], "websocket");
        assert_eq!(response.headers()["sec-websocket-accept"], "x");
        let mut tunnel = response.into_body().into_tunnel().unwrap();
        tunnel.write_all(b"ping").await.unwrap();
        let mut received = vec![0; 10];
        tunnel.read_exact(&mut received).await.unwrap();
        assert_eq!(received, b"early late");
        tunnel.shutdown().await.unwrap();
        let mut rest = String::new();
        tunnel.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, " last");
    });
    site.end();
}

#[test]
fn a_site_that_refuses_the_upgrade_answers_as_usual_and_its_connection_is_closed() {
    let site = site([
        act(|talk| {
            talk.read_head();
            talk.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nUpgrade: websocket\r\n\r\nno");
            assert_eq!(talk.read_to_end(), b"");
        }),
        act(|talk| {
            talk.read_head();
            talk.write(b"HTTP/1.1 204 No Content\r\n\r\n");
        }),
    ]);
    run(async {
        let upstream = site.upstream();
        let response = ask(&upstream, ASKING).await.unwrap();
        assert!(!response.headers().contains_key("upgrade"));
        assert_eq!(text(response).await.unwrap(), "no");
        assert_eq!(get(&upstream, "/").await.unwrap().status(), 204);
    });
    site.end();
}

#[test]
fn only_a_websockets_handshake_is_passed_on_as_an_upgrade() {
    for headers in [
        &[("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AAA")][..],
        &[("connection", "upgrade"), ("upgrade", "websocket, h2c")],
        &[("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")],
        &[("connection", "keep-alive"), ("upgrade", "websocket")],
        &[("connection", "upgrade")],
    ] {
        let site = site([act(|talk| {
            let head = talk.read_head();
            assert!(!head.contains("upgrade") && !head.contains("http2-settings"), "{head}");
            talk.write(b"HTTP/1.1 204 No Content\r\n\r\n");
        })]);
        run(async { assert_eq!(ask(&site.upstream(), headers).await.unwrap().status(), 204) });
        site.end();
    }
}

#[test]
fn an_upgrade_with_a_body_or_by_a_front_that_cannot_tunnel_is_an_ordinary_request() {
    let refuse = || {
        act(|talk| {
            let head = talk.read_head();
            assert!(!head.contains("upgrade"), "{head}");
            talk.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        })
    };
    let site = site([refuse(), refuse()]);
    run(async {
        let upstream = site.upstream();
        let client = RawIp::new([203, 0, 113, 7].into());
        let id = RequestId::new();
        let mut with_body = forward(&client, &id);
        with_body.websocket = true;
        let parts = request("GET", "/chat", ASKING);
        upstream.send(&parts, with_body, Some(Full::new(Bytes::from("x")))).await.unwrap();
        send(&upstream, &parts, None::<Empty<Bytes>>).await.unwrap();
    });
    site.end();
}

#[test]
fn a_101_nobody_asked_for_is_an_error() {
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let site = super::site::answering(SWITCH);
    run(async { assert!(matches!(failure(get(&site.upstream(), "/").await), UpstreamError::BadHead(_))) });
    let other =
        super::site::answering("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    run(async { assert!(matches!(failure(ask(&other.upstream(), ASKING).await), UpstreamError::BadHead(_))) });
}
