//! A disk that does not answer for a while, under the gateway: beacons end in time, pages know nothing of it, and somebody is
//! told.

use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Outcome};
use super::load::{Manners, drive, ids};
use super::short_or_long;
use super::watch::{Watch, settle};
use crate::dashboard;
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// How long a beacon waits for the disk, and what a busy machine adds to it.
const IN_TIME: Duration = Duration::from_secs(10 + 5);

/// All who wait come from one address here.
const MANY_OF_ONE_ADDRESS: &str = "[gateway.limits]\nmax_connections_per_address = 2000\n";

/// Whether the alarm is up, in both places where somebody looks.
fn is_alarmed(gateway: &Gateway) -> bool {
    let alarms = dashboard::get(gateway, "/readyz").json()["alarms"].clone();
    let told = alarms.as_array().expect("a list").contains(&"disk-hanging".into());
    let metrics = dashboard::get(gateway, "/metrics").text();
    told && metrics.contains("\nconsentry_spool_disk_hanging 1\n")
}

/// Whether there is nothing that wants somebody's eye.
fn is_well(gateway: &Gateway) -> bool {
    let ready = dashboard::get(gateway, "/readyz");
    let metrics = dashboard::get(gateway, "/metrics").text();
    ready.status == 200
        && ready.json()["alarms"].as_array().is_some_and(Vec::is_empty)
        && metrics.contains("\nconsentry_spool_disk_hanging 0\n")
}

#[test]
fn while_the_disk_hangs_beacons_end_in_time_pages_are_served_and_nothing_acknowledged_is_lost() {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, MANY_OF_ONE_ADDRESS)).serve();
    let address = gateway.address;
    let mut visitors: Vec<Visitor> = (0..2).map(|_| Visitor::who_accepts(&gateway)).collect();
    // Known by their cookies, and so are their events when they come again.
    visitors.iter_mut().for_each(|visitor| assert_eq!(visitor.get("/first").status, 200));
    let mut book = drive(Client::of(&visitors[1], address), "before", Manners::default(), |sent| sent < 20);
    let mut watch = Watch::begin("a disk that hangs", &gateway, Client::of(&visitors[0], address));
    let names: Vec<String> = (0..short_or_long(100, 1000)).map(|number| format!("open{number}x")).collect();
    let send = |name: &str| drive(Client::of(&visitors[1], address), name, Manners::default(), |sent| sent < 1);

    shim.hang("/spool");
    thread::scope(|scope| {
        let open: Vec<_> = names
            .iter()
            .map(|name| {
                scope.spawn(|| {
                    let began = Instant::now();
                    (send(name), began.elapsed())
                })
            })
            .collect();
        eventually("somebody is told", || is_alarmed(&gateway).then_some(()));
        assert_eq!(dashboard::get(&gateway, "/readyz").json()["spool"]["ok"], false, "it takes no events");
        watch.compare(&gateway);
        // Who comes now need not wait to be told so.
        let began = Instant::now();
        let outcome = Client::of(&visitors[0], address).beacon(ONE);
        assert!(matches!(outcome, Outcome::Answered(503, _)), "{outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        for client in open {
            let (sent, took) = client.join().expect("a client's own checks hold");
            assert!(sent.refused == 1 && took < IN_TIME, "{} refused after {took:?}", sent.refused);
            book.add(sent);
        }
        assert!(is_alarmed(&gateway), "as long as it lasts");
    });
    shim.answer();

    eventually("nothing is left of it, without a hand", || is_well(&gateway).then_some(()));
    for name in &names {
        let again = send(name);
        assert_eq!(again.refused, 0, "{name}");
        book.add(again);
    }
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    println!("a disk that hangs: {} beacons open at once; {} events, each once", names.len(), book.taken.len());
}

const ONE: &str = r#"{"v": 1, "events": [{"n": "engagement", "u": "/hangs", "e": 1}]}"#;

/// What looks after the spool each second hangs, and nothing else: whoever tells of it must not be the one that hangs.
#[test]
fn a_hanging_disk_is_told_of_also_where_only_the_watch_over_the_spool_meets_it() {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "")).serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    eventually("all is well", || is_well(&gateway).then_some(()));
    shim.hang("/spool/quarantine");
    eventually("somebody is told", || is_alarmed(&gateway).then_some(()));
    assert!(shim.did("hang") > 0);
    assert_eq!(visitor.beacon("/meanwhile").status, 204);
    assert_eq!(dashboard::get(&gateway, "/readyz").status, 200, "events are taken");
    shim.answer();
    eventually("all is well", || is_well(&gateway).then_some(()));
}
