//! Several servers for one route: who is asked, who is asked next, and what is never asked twice.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Empty, Full};

use super::super::settings::{Balance, Ejection, HashBy, HostPattern, Route, Settings};
use super::super::{Address, Sites, Upstream, UpstreamError};
use super::servers::{Manner, Server, nobody};
use super::site::{failure, get, request, route, routed, run, send, text};

/// Everything to these, the least busy first; a server that fails once stays out for an hour.
fn among(servers: &[&Address]) -> Upstream {
    put_out_after(1, servers.iter().map(|address| (*address).clone()))
}

fn put_out_after(failures: u32, servers: impl IntoIterator<Item = Address>) -> Upstream {
    let ejection = Ejection { failures, period: Duration::from_secs(3600) };
    let (routes, names_kept) = (vec![route(servers)], Duration::from_secs(5));
    Upstream::new(Sites::new(Settings { routes, ejection, names_kept, ..Settings::default() }).unwrap())
}

async fn answer(upstream: &Upstream, target: &str) -> String {
    text(get(upstream, target).await.unwrap()).await.unwrap()
}

async fn post(upstream: &Upstream, body: &'static str) -> Result<String, UpstreamError> {
    text(send(upstream, &request("POST", "/", &[]), Some(Full::new(Bytes::from(body)))).await?).await
}

#[test]
fn equals_take_turns() {
    let (a, b) = (Server::start("a", Manner::Answers), Server::start("b", Manner::Answers));
    run(async {
        let upstream = among(&[&a.address, &b.address]);
        for _ in 0..10 {
            answer(&upstream, "/").await;
        }
    });
    assert_eq!((a.heads().len(), b.heads().len()), (5, 5));
}

#[test]
fn the_server_with_fewer_exchanges_under_way_is_asked() {
    let (slow, b) = (Server::start("slow", Manner::IsSilent), Server::start("b", Manner::Answers));
    run(async {
        let upstream = among(&[&slow.address, &b.address]);
        let waiting = get(&upstream, "/waits");
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting.as_mut()).await.is_err());
        for _ in 0..6 {
            assert_eq!(answer(&upstream, "/").await, "b");
        }
    });
    assert_eq!(slow.heads().len(), 1);
}

#[test]
fn a_server_that_takes_no_connection_costs_no_visitor_an_error_whatever_the_method() {
    let (dead, b) = (nobody(), Server::start("b", Manner::Answers));
    run(async {
        let upstream = put_out_after(1000, [dead, b.address.clone()]);
        for _ in 0..4 {
            assert_eq!(answer(&upstream, "/").await, "b");
            assert_eq!(post(&upstream, "a=1").await.unwrap(), "b");
        }
    });
    assert_eq!(b.heads().iter().filter(|head| head.starts_with("POST")).count(), 4, "each came once");
}

#[test]
fn a_get_without_answer_is_asked_of_one_other_server_and_of_no_third() {
    let servers = ["a", "b", "c"].map(|name| Server::start(name, Manner::Closes));
    run(async {
        let upstream = put_out_after(1000, servers.iter().map(|server| server.address.clone()));
        assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Unanswered(_)));
    });
    let asked: usize = servers.iter().map(|server| server.heads().len()).sum();
    assert_eq!(asked, 2);
}

#[test]
fn a_post_a_server_has_seen_goes_to_no_other() {
    const BODY: &str = "amount=100&to=jane";
    for manner in [Manner::Closes, Manner::BreaksOff] {
        let servers = [Server::start("a", manner), Server::start("b", manner)];
        run(async {
            let upstream = put_out_after(1000, servers.iter().map(|server| server.address.clone()));
            assert!(post(&upstream, BODY).await.is_err());
        });
        let heads: Vec<String> = servers.iter().flat_map(|server| server.heads()).collect();
        assert_eq!(heads.len(), 1, "{manner:?}");
        let bytes: usize = servers.iter().map(|server| server.bytes()).sum();
        assert_eq!(bytes, heads[0].len() + 4 + BODY.len(), "not one byte of it went out a second time");
    }
}

#[test]
fn an_answer_that_has_begun_is_not_asked_for_elsewhere() {
    let servers = [Server::start("a", Manner::BreaksOff), Server::start("b", Manner::BreaksOff)];
    run(async {
        let upstream = put_out_after(1000, servers.iter().map(|server| server.address.clone()));
        assert!(matches!(failure(get(&upstream, "/").await), UpstreamError::Truncated(_)));
    });
    assert_eq!(servers.iter().map(|server| server.heads().len()).sum::<usize>(), 1);
}

#[test]
fn a_server_that_failed_is_left_alone_and_the_others_answer() {
    let (bad, b) = (Server::start("bad", Manner::Closes), Server::start("b", Manner::Answers));
    run(async {
        let upstream = put_out_after(2, [bad.address.clone(), b.address.clone()]);
        for _ in 0..10 {
            assert_eq!(answer(&upstream, "/").await, "b");
        }
        assert_eq!(upstream.counts().failed, 2);
    });
    assert_eq!(bad.heads().len(), 2);
}

#[test]
fn where_all_have_failed_all_are_asked() {
    let servers = [Server::start("a", Manner::Closes), Server::start("b", Manner::Closes)];
    run(async {
        let upstream = among(&[&servers[0].address, &servers[1].address]);
        assert!(get(&upstream, "/").await.is_err());
        for server in &servers {
            server.is_now(Manner::Answers);
        }
        assert_eq!(answer(&upstream, "/").await.len(), 1, "at once, not when their time is over");
    });
}

#[test]
fn retries_have_a_budget() {
    let (a, b) = (Server::start("a", Manner::Closes), Server::start("b", Manner::Closes));
    run(async {
        let upstream = put_out_after(1000, [a.address.clone(), b.address.clone()]);
        for _ in 0..100 {
            assert!(get(&upstream, "/").await.is_err());
        }
    });
    let asked = a.heads().len() + b.heads().len();
    assert!((120..=131).contains(&asked), "{asked} for 100 requests");
}

#[test]
fn the_same_visitor_meets_the_same_server_as_long_as_it_is_there() {
    let servers = ["a", "b", "c"].map(|name| Server::start(name, Manner::Answers));
    run(async {
        let mut route = route(servers.iter().map(|server| server.address.clone()));
        route.balance = Balance::Hash(HashBy::Header("x-tenant".parse().unwrap()));
        let ejection = Ejection { failures: 1, period: Duration::from_secs(3600) };
        let settings = Settings { routes: vec![route], ejection, ..Settings::default() };
        let upstream = Upstream::new(Sites::new(settings).unwrap());
        let ask = async |tenant: &str| {
            let parts = request("GET", "/", &[("x-tenant", tenant)]);
            text(send(&upstream, &parts, None::<Empty<Bytes>>).await.unwrap()).await.unwrap()
        };
        let tenants: Vec<String> = (0..60).map(|n| format!("tenant-{n}")).collect();
        let mut before = Vec::new();
        for tenant in &tenants {
            let server = ask(tenant).await;
            assert_eq!(ask(tenant).await, server, "{tenant}");
            before.push(server);
        }
        assert_eq!(before.iter().collect::<HashSet<_>>().len(), 3, "all have a share");
        // Without the header it is the address, which is one in this test.
        let first = answer(&upstream, "/").await;
        assert_eq!(answer(&upstream, "/").await, first);

        servers[1].is_now(Manner::Closes);
        for (tenant, before) in tenants.iter().zip(&before) {
            let now = ask(tenant).await;
            assert!(now != "b" && (before == "b" || now == *before), "{tenant}: {before}, then {now}");
        }
    });
}

#[test]
fn routes_lead_to_their_own_servers_and_other_hosts_to_none() {
    let (shop, api) = (Server::start("shop", Manner::Answers), Server::start("api", Manner::Answers));
    let with = |host: HostPattern, path: &str, strip_path: bool, server: &Server| Route {
        host,
        path: path.into(),
        strip_path,
        ..route([server.address.clone()])
    };
    run(async {
        let host = || HostPattern::Exact("example.org".into());
        let upstream = routed(vec![with(host(), "/", false, &shop), with(host(), "/api", true, &api)]);
        for (target, by, seen) in [
            ("/api/v1?x=/api", "api", "/v1?x=/api"),
            ("/api", "api", "/"),
            ("/api?q", "api", "/?q"),
            ("/api//evil.test/", "api", "//evil.test/"),
            ("/apis", "shop", "/apis"),
            ("/", "shop", "/"),
        ] {
            assert_eq!(answer(&upstream, target).await, by, "{target}");
            let heads = if by == "api" { api.heads() } else { shop.heads() };
            let head = heads.last().unwrap();
            assert!(head.starts_with(&format!("GET {seen} HTTP/1.1\r\n")), "{target}: {head}");
            assert_eq!(head.contains("\r\nx-forwarded-prefix: /api\r\n"), by == "api", "{head}");
        }
        let elsewhere = routed(vec![with(HostPattern::Exact("other.test".into()), "/", false, &shop)]);
        let failed = failure(get(&elsewhere, "/").await);
        assert!(matches!(failed, UpstreamError::NoRoute));
        assert_eq!(failed.status(), 421);
    });
}

#[test]
fn a_unix_socket_is_a_server() {
    use std::io::{Read, Write};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("site.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let site = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix").unwrap();
        }
    });
    run(async {
        let upstream = routed(vec![route([Address::Unix(path)])]);
        for _ in 0..2 {
            assert_eq!(answer(&upstream, "/").await, "unix");
        }
        assert_eq!((upstream.counts().connected, upstream.counts().reused), (1, 1));
        let missing = routed(vec![route([Address::Unix(folder.path().join("none"))])]);
        assert_eq!(failure(get(&missing, "/").await).status(), 503);
    });
    site.join().unwrap();
}
