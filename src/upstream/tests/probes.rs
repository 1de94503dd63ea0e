//! Servers that are asked how they are.

use std::sync::Arc;
use std::time::Duration;

use super::super::settings::{Probing, Route, Settings};
use super::super::{Sites, Upstream};
use super::servers::{Manner, Server};
use super::site::{PATIENCE, get, route, run, text};

fn asked_for(path: &str) -> Probing {
    Probing {
        path: path.into(),
        host: None,
        interval: Duration::from_millis(10),
        timeout: Duration::from_millis(200),
        healthy: 2,
        unhealthy: 2,
        status: None,
    }
}

fn probed(servers: &[&Server]) -> Arc<Sites> {
    let probing = Some(asked_for("/up?deep=1"));
    let routes = vec![Route { probing, ..route(servers.iter().map(|server| server.address.clone())) }];
    Sites::new(Settings { routes, ..Settings::default() }).unwrap()
}

/// Waits until as many servers are up.
async fn until_up(sites: &Sites, count: usize) {
    let up = async {
        while sites.figures().iter().filter(|figures| figures.is_up).count() != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.expect("the probes notice");
}

#[test]
fn a_server_that_says_it_is_ill_is_spared_until_it_is_well() {
    let (a, b) = (Server::start("a", Manner::Answers), Server::start("b", Manner::Answers));
    let sites = probed(&[&a, &b]);
    run(async {
        let upstream = Upstream::new(sites.clone());
        let tended = sites.clone();
        let tending = tokio::spawn(async move { tended.tend().await });
        for ill in [Manner::Closes, Manner::IsSilent] {
            a.is_now(ill);
            until_up(&sites, 1).await;
            for _ in 0..6 {
                assert_eq!(text(get(&upstream, "/page").await.unwrap()).await.unwrap(), "b");
            }
            a.is_now(Manner::Answers);
            until_up(&sites, 2).await;
        }
        tending.abort();
    });
    let pages = a.heads().iter().filter(|head| head.starts_with("GET /page ")).count();
    assert_eq!(pages, 0, "no visitor met it while it was ill");
    let asked = a.heads().into_iter().find(|head| head.starts_with("GET /up?deep=1 HTTP/1.1\r\nhost: 127.0.0.1:"));
    assert!(asked.is_some_and(|head| head.contains("connection: close")));
}

#[test]
fn each_route_asks_for_what_its_own_servers_know_and_some_ask_nothing() {
    let [a, b, c] = ["a", "b", "c"].map(|name| Server::start(name, Manner::Answers));
    let one =
        |path: &str, server: &Server, probing| Route { path: path.into(), probing, ..route([server.address.clone()]) };
    let routes =
        vec![one("/", &a, Some(asked_for("/healthz"))), one("/b", &b, Some(asked_for("/other"))), one("/c", &c, None)];
    let sites = Sites::new(Settings { routes, ..Settings::default() }).unwrap();
    run(async {
        let asked = |server: &Server, path: &str| server.heads().iter().any(|head| head.starts_with(path));
        let asking = async {
            while !(asked(&a, "GET /healthz ") && asked(&b, "GET /other ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = sites.tend() => unreachable!("there is somebody to ask"),
            asked = tokio::time::timeout(PATIENCE, asking) => asked.expect("both are asked"),
        }
    });
    assert!(c.heads().is_empty());
    assert!(!b.heads().iter().any(|head| head.contains("/healthz")));
}

#[test]
fn figures_say_which_server_of_which_route_is_up() {
    let (a, b) = (Server::start("a", Manner::Answers), Server::start("b", Manner::Answers));
    let mut out = String::new();
    probed(&[&a, &b]).write_prometheus(&mut out);
    assert!(out.contains("consentry_upstream_up{route=\"/\",upstream=\"2\"} 1\n"), "{out}");
    assert!(!out.contains("127.0.0.1"), "where servers are is told to nobody: {out}");
    assert_eq!(out.matches("# TYPE consentry_upstream_up gauge\n").count(), 1);
    assert!(out.contains("# TYPE consentry_upstream_ejections_total counter\n"));
}
