//! Sites that speak TLS. The certificate and its key are for these tests only.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::super::server::Server;
use super::super::settings::{Ejection, Route, Settings, TlsSettings};
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

pub fn certificate() -> CertificateDer<'static> {
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

pub fn key() -> PrivateKeyDer<'static> {
    PrivateKeyDer::from(PrivatePkcs8KeyDer::from(STANDARD.decode(KEY).unwrap()))
}

fn accept(talk: &Talk) -> StreamOwned<ServerConnection, std::net::TcpStream> {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key())
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
fn a_server_that_speaks_no_tls_is_called_that() {
    let site = site([act(|talk| {
        talk.read(1);
        talk.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    })]);
    run(async {
        let failed = failure(get(&upstream(&site, "site.test", roots()), "/").await).to_string();
        assert!(failed.contains("speaks no TLS") && failed.contains("write http://"), "{failed}");
        assert!(!failed.contains("certificate"), "{failed}");
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
            Ok(upstream) => {
                let failed = failure(get(&upstream, "/").await);
                assert!(matches!(failed, UpstreamError::Handshake(_)), "{failed}");
                assert!(failed.to_string().contains("tls_ca"), "{failed}");
            }
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

/// The certificate and its key as files; others cannot read the key.
pub fn files(folder: &Path) -> (PathBuf, PathBuf) {
    let pem = |kind: &str, text: &str| format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n");
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, pem("CERTIFICATE", CERTIFICATE)).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", KEY)).unwrap();
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    (certificate, key)
}

fn with_settings(site: &Site, host: &str, tls: TlsSettings) -> Result<Upstream, UpstreamSetupError> {
    let address = Address::Tcp { tls: true, host: host.into(), port: site.port };
    let routes = vec![Route { tls, ..route([address]) }];
    Sites::new(Settings { routes, ..Settings::default() }).map(Upstream::new)
}

#[test]
fn an_own_authority_another_name_and_a_certificate_of_ours_are_used() {
    let site = site([act(|talk| {
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots()), provider.clone()).build().unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate()], key())
            .unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut tls = StreamOwned::new(connection, talk.0.try_clone().unwrap());
        read_head(&mut tls);
        assert_eq!(tls.conn.server_name(), Some("site.test"));
        assert_eq!(tls.conn.peer_certificates().unwrap(), [certificate()]);
        tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        tls.flush().unwrap();
    })]);
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = files(folder.path());
    let tls = TlsSettings {
        ca: Some(certificate.clone()),
        name: Some("site.test".into()),
        client: Some((certificate, key)),
        insecure: false,
    };
    run(async {
        let upstream = with_settings(&site, "127.0.0.1", tls).unwrap();
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
    });
    site.end();
}

#[test]
fn anyone_is_believed_only_where_that_was_written_down() {
    let site = site([
        act(|talk| assert!(accept(talk).read(&mut [0]).is_err())),
        act(|talk| {
            let mut tls = accept(talk);
            read_head(&mut tls);
            tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
            tls.flush().unwrap();
        }),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let ca = Some(files(folder.path()).0);
    let with = |insecure| TlsSettings { ca: ca.clone(), name: Some("other.test".into()), client: None, insecure };
    run(async {
        let failed = failure(get(&with_settings(&site, "127.0.0.1", with(false)).unwrap(), "/").await);
        assert!(matches!(failed, UpstreamError::Handshake(_)), "{failed}");
        let upstream = with_settings(&site, "127.0.0.1", with(true)).unwrap();
        assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "ok");
    });
    site.end();
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_starts() {
    let site = super::site::answering("");
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = files(folder.path());
    let refused = |tls: TlsSettings| with_settings(&site, "127.0.0.1", tls).err().unwrap().to_string();
    let missing = TlsSettings { ca: Some(folder.path().join("none.pem")), ..TlsSettings::default() };
    assert!(refused(missing).contains("none.pem cannot be read"));
    let no_certificate = TlsSettings { ca: Some(key.clone()), ..TlsSettings::default() };
    assert!(refused(no_certificate).contains("holds no certificates"));
    let client = |key: PathBuf| TlsSettings {
        ca: Some(certificate.clone()),
        client: Some((certificate.clone(), key)),
        ..TlsSettings::default()
    };
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(refused(client(key)).contains("can be read by others"));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    std::fs::set_permissions(&empty, Permissions::from_mode(0o600)).unwrap();
    assert!(refused(client(empty)).contains("holds no private key"));
    drop(std::net::TcpStream::connect(("127.0.0.1", site.port)));
}

#[test]
fn a_handshake_that_does_not_go_on_is_waited_for_only_so_long() {
    let site = site([act(|talk| {
        talk.read_to_end();
    })]);
    let folder = tempfile::tempdir().unwrap();
    let tls = TlsSettings { ca: Some(files(folder.path()).0), ..TlsSettings::default() };
    let address = Address::Tcp { tls: true, host: "127.0.0.1".into(), port: site.port };
    let mut route = Route { tls, ..route([address]) };
    route.bounds.connect = std::time::Duration::from_millis(40);
    run(async {
        let failed = failure(get(&super::site::routed(vec![route]), "/").await);
        assert!(matches!(failed, UpstreamError::ConnectTimeout), "{failed}");
    });
    site.end();
}
