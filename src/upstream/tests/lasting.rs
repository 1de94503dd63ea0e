//! Another configuration takes the place of one: what is known of the servers that stay is known still.

use std::sync::Arc;
use std::time::Duration;

use super::super::health::clock;
use super::super::settings::{Ejection, Probing, Route, Settings, TlsSettings};
use super::super::{Address, Sites, Upstream};
use super::servers::{Manner, Server};
use super::site::{get, route, run, text};

/// One route; a server that fails once stays out for an hour.
fn settings(route: Route) -> Settings {
    let ejection = Ejection { failures: 1, period: Duration::from_secs(3600) };
    Settings { routes: vec![route], ejection, names_kept: Duration::from_secs(5), ..Settings::default() }
}

fn to(servers: &[&Server]) -> Route {
    route(servers.iter().map(|server| server.address.clone()))
}

fn up(sites: &Sites) -> Vec<bool> {
    sites.figures().iter().map(|figures| figures.is_up).collect()
}

#[test]
fn a_server_that_is_left_alone_is_so_under_another_configuration_and_figures_go_on() {
    let [bad, good, new] = [("bad", Manner::Closes), ("good", Manner::Answers), ("new", Manner::Answers)]
        .map(|(name, manner)| Server::start(name, manner));
    run(async {
        let before = Sites::new(settings(to(&[&bad, &good]))).unwrap();
        let upstream = Upstream::new(before.clone());
        for _ in 0..4 {
            assert_eq!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "good");
        }
        drop(upstream);
        assert_eq!(up(&before), [false, true]);
        let of = |sites: &Sites, place: usize| sites.figures().swap_remove(place);
        let (was_bad, was_good) = (of(&before, 0), of(&before, 1));
        assert_eq!((was_bad.ejections, was_good.counts.connected), (1, 1), "what the worker did was told");

        // In another order, and with one more.
        let after = Sites::after(settings(to(&[&new, &good, &bad])), Some(&before)).unwrap();
        assert_eq!(up(&after), [true, true, false]);
        assert_eq!((of(&after, 2).ejections, of(&after, 1).counts), (1, was_good.counts));
        assert_eq!((of(&after, 0).ejections, of(&after, 0).counts.connected), (0, 0));
        let upstream = Upstream::new(after.clone());
        for _ in 0..6 {
            assert_ne!(text(get(&upstream, "/").await.unwrap()).await.unwrap(), "bad");
        }
        // The next one knows it from the last one; one in whose configuration it was not has forgotten.
        let again = Sites::after(settings(to(&[&bad, &good])), Some(&after)).unwrap();
        assert_eq!(up(&again), [false, true]);
        let without = Sites::after(settings(to(&[&good])), Some(&again)).unwrap();
        assert_eq!(up(&Sites::after(settings(to(&[&bad, &good])), Some(&without)).unwrap()), [true, true]);
    });
}

#[test]
fn who_is_spoken_to_in_another_way_or_for_other_requests_begins_anew() {
    let dead = Address::Tcp { tls: true, host: "127.0.0.1".into(), port: 9 };
    let insecure = TlsSettings { insecure: true, ..TlsSettings::default() };
    let first = || Route { tls: insecure.clone(), ..route([dead.clone(), dead.clone()]) };
    let before = Sites::new(settings(first())).unwrap();
    let ejection = Ejection { failures: 1, period: Duration::from_secs(3600) };
    before.parts[0].servers[0].health.failed(clock(), ejection).unwrap();
    let after = |route: Route| up(&Sites::after(settings(route), Some(&before)).unwrap());
    assert_eq!(after(first()), [false, true], "each of two that look alike is itself");
    for other in [
        Route { http2: true, ..first() },
        Route { tls: TlsSettings { name: Some("site.test".into()), ..insecure.clone() }, ..first() },
        Route { path: "/shop".into(), ..first() },
    ] {
        assert_eq!(after(other), [true, true]);
    }
}

#[test]
fn what_is_under_way_counts_for_those_who_come_later() {
    let (slow, free) = (Server::start("slow", Manner::IsSilent), Server::start("free", Manner::Answers));
    run(async {
        let before = Sites::new(settings(to(&[&slow, &free]))).unwrap();
        let old = Upstream::new(before.clone());
        let waiting = get(&old, "/waits");
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting.as_mut()).await.is_err());
        let after = Sites::after(settings(to(&[&slow, &free])), Some(&before)).unwrap();
        let new = Upstream::new(after.clone());
        for _ in 0..4 {
            assert_eq!(text(get(&new, "/").await.unwrap()).await.unwrap(), "free");
        }
        assert_eq!(after.figures()[0].under_way, 1);
    });
    assert_eq!(slow.heads().len(), 1);
}

#[test]
fn one_that_is_ill_is_so_until_its_probes_say_otherwise_or_nobody_asks_any_more() {
    let (ill, well) = (Server::start("ill", Manner::Answers), Server::start("well", Manner::Answers));
    let probing = Probing {
        path: "/up".into(),
        host: None,
        interval: Duration::from_secs(3600),
        timeout: Duration::from_secs(5),
        healthy: 1,
        unhealthy: 1,
        status: None,
    };
    let probed = || settings(Route { probing: Some(probing.clone()), ..to(&[&ill, &well]) });
    run(async {
        let before = Sites::new(probed()).unwrap();
        assert!(before.parts[0].servers[0].health.probed(false));
        let after = Sites::after(probed(), Some(&before)).unwrap();
        assert_eq!(up(&after), [false, true]);
        let unasked: Arc<Sites> = Sites::after(settings(to(&[&ill, &well])), Some(&after)).unwrap();
        unasked.tend().await;
        assert_eq!(up(&unasked), [true, true]);
    });
}
