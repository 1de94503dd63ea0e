//! Sites that speak TLS. The certificate and its key are for these tests only.

use std::io::{Read, Write};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::super::server::Server;
use super::super::settings::{Ejection, Settings};
use super::super::tls::Handshake;
use super::super::{Address, Sites, Upstream, UpstreamError, UpstreamSetupError};
use super::site::{PATIENCE, Site, Talk, act, failure, get, route, run, site, text};

/// Self-signed, for `site.test` and 127.0.0.1, until 2126.
const CERTIFICATE: &str = "\
    MIIBoTCCAUigAwIBAgIUCIlEiYP4XTGBNnIaQR6Nhcimnq0wCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwOY29uc2VudHJ5IHRl\
    c3QwIBcNMjYxMTIyMjM1OTMzWhgPMjEyNjEwMjkyMzU5MzNaMBkxFzAVBgNVBAMMDmNvbnNlbnRyeSB0ZXN0MFkwEwYHKoZI\
    zj0CAQYIKoZIzj0DAQcDQgAEP5OXbuVTq2ue4r4HEwAs4LNPOAg3VTM4Lpt36H4qBUGJDPS+uxKsPixgKBVEkfWJ6BT7UAVl\
    3ztSsWrtqQifR6NsMGowHQYDVR0OBBYEFBBZwqZGAXWcA4mNMdqG9aD86NeHMB8GA1UdIwQYMBaAFBBZwqZGAXWcA4mNMdqG\
    9aD86NeHMBoGA1UdEQQTMBGCCXNpdGUudGVzdIcEfwAAATAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMCA0cAMEQCICsp2pyV\
    6+2L6ua0ouumGc6lPyUSlQ37m3W++l6jtC92AiB/6PC67lBTswlmS4nLn47PQThK9VU/kdwUQxMt/iei8w==";
const KEY: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/pmQ6Hxj2ZXwAqGtRZb/6kFj9Cj9CxWmnVzEOMjP32uhRANC\
    AAQ/k5du5VOra57ivgcTACzgs084CDdVMzgum3fofioFQYkM9L67Eqw+LGAoFUSR9YnoFPtQBWXfO1Kxau2pCJ9H";

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(STANDARD.decode(CERTIFICATE).unwrap())
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    roots
}

fn upstream(site: &Site, host: &str, roots: RootCertStore) -> Upstream {
    let address = site.address();
    let tls = Handshake::with_roots(host, roots).unwrap();
    let server = Server::new(&address, Some(tls), false, Ejection::default(), PATIENCE);
    Upstream::new(Sites::of(vec![Arc::new(server)], &route([address])))
}

fn accept(talk: &Talk) -> StreamOwned<ServerConnection, std::net::TcpStream> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(STANDARD.decode(KEY).unwrap()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), talk.0.try_clone().unwrap())
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn one_tls_connection_serves_many_requests() {
    let site = site([act(|talk| {
        let mut tls = accept(talk);
        for _ in 0..3 {
            assert!(read_head(&mut tls).starts_with("GET /a HTTP/1.1\r\nhost: example.org\r\n"));
            let page = "x".repeat(100_000);
            write!(tls, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{page}").unwrap();
            tls.flush().unwrap();
        }
    })]);
    run(async {
        let upstream = upstream(&site, "site.test", roots());
        for _ in 0..3 {
            assert_eq!(text(get(&upstream, "/a").await.unwrap()).await.unwrap().len(), 100_000);
        }
        assert_eq!(upstream.counts().connected, 1);
    });
    site.end();
}

#[test]
fn a_certificate_for_another_name_or_from_nobody_we_know_is_refused() {
    let refused = || act(|talk| assert!(accept(talk).read(&mut [0]).is_err()));
    let site = site([refused()]);
    run(async {
        let failed = failure(get(&upstream(&site, "other.test", roots()), "/").await);
        assert!(matches!(failed, UpstreamError::Handshake(_)), "{failed}");
        assert_eq!(failed.status(), 502);
    });
    site.end();
    let site = super::site::site([refused()]);
    run(async {
        let with_host = |host: &str| {
            let routes = vec![route([Address::Tcp { tls: true, host: host.into(), port: site.port }])];
            Sites::new(Settings { routes, ..Settings::default() })
        };
        // The system's roots do not know this certificate; a system without roots says so.
        match with_host("127.0.0.1").map(Upstream::new) {
            Ok(upstream) => assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Handshake(_))),
            Err(error) => {
                assert!(matches!(error, UpstreamSetupError::NoRoots));
                drop(std::net::TcpStream::connect(("127.0.0.1", site.port)));
            }
        }
        assert!(with_host("no such name").is_err());
    });
    site.end();
}

#[test]
fn a_tls_connection_that_ends_without_saying_so_is_truncated() {
    let site = site([act(|talk| {
        let mut tls = accept(talk);
        read_head(&mut tls);
        tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").unwrap();
        tls.flush().unwrap();
        // No close_notify: an attacker on the way could have cut it.
        talk.0.shutdown(std::net::Shutdown::Both).unwrap();
    })]);
    run(async {
        let failed = failure(text(get(&upstream(&site, "site.test", roots()), "/").await.unwrap()).await);
        assert!(matches!(failed, UpstreamError::Truncated(_)), "{failed}");
    });
    site.end();
}
