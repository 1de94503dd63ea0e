//! Which version of HTTP is spoken within TLS.

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::*;

/// Answers `hello` over TLS, in the first of the client's protocols that is among `protocols`; tells which each time.
fn serve_by_tls(protocols: &[&str]) -> (Address, std::sync::mpsc::Receiver<String>) {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![crate::upstream::tests::tls::certificate()], crate::upstream::tests::tls::key())
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
    let ca = crate::upstream::tests::tls::files(folder.path()).0;
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
                let (client, id) =
                    (crate::pseudonym::RawIp::new([203, 0, 113, 7].into()), crate::upstream::tests::site::id());
                let mut forward = crate::upstream::tests::site::forward(&client, &id);
                forward.websocket = true;
                let parts = request("GET", "/", &asking);
                assert_eq!(upstream.send(&parts, forward, None::<Empty<Bytes>>).await.unwrap().status(), 200);
                assert_eq!(told.try_iter().collect::<Vec<_>>(), ["http/1.1"]);
            }
        });
    }
}
