//! A disk without room and a clock that jumps, under the gateway and its engine.

use std::time::Duration;

use super::client::{Client, Outcome};
use super::load::{Book, Load, Manners, drive, ids};
use super::short_or_long;
use super::watch::{Watch, settle, tail};
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

#[test]
fn a_full_disk_refuses_beacons_serves_the_site_and_loses_nothing_that_was_acknowledged() {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "")).serve();
    let visitors: Vec<Visitor> = (0..3).map(|_| Visitor::who_accepts(&gateway)).collect();
    let mut book = drive(Client::of(&visitors[1], gateway.address), "before", Manners::default(), |sent| sent < 50);
    let mut watch = Watch::begin("a full disk", &gateway, Client::of(&visitors[0], gateway.address));
    for round in 0..short_or_long(2, 20) {
        let load = Load::start(gateway.address, &visitors[1..], &format!("full{round}x"), Manners::default());
        shim.disk_is_full(true);
        let written = shim.did("full");
        eventually("the disk refuses a write", || (shim.did("full") > written).then_some(()));
        watch.compare(&gateway);
        let refused = load.stop();
        assert!(refused.refused > 0, "beacons are refused: {} taken", refused.taken.len());
        book.add(refused);
        shim.disk_is_full(false);
        // With room again beacons are taken again, without a hand.
        let mut client = Client::of(&visitors[2], gateway.address);
        let again = format!("again{round}x");
        let taken = eventually("a beacon is taken", || {
            let tried = drive(Client::of(&visitors[1], gateway.address), &again, Manners::default(), |sent| sent < 1);
            let taken = tried.refused == 0;
            book.add(tried);
            taken.then_some(())
        });
        let () = taken;
        assert!(matches!(client.page("/torture/again"), Outcome::Answered(200, _)));
    }
    // What was refused once may have been taken under the same id later: what is taken is not open.
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    println!("a full disk: {} events taken, each once; {} beacons refused", book.taken.len(), book.refused);
    // Nor does the next start find anything but whole records.
    let (status, folder) = gateway.end("KILL");
    assert!(status.code().is_none());
    let gateway = folder.serve();
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    assert!(!gateway.folder.log().contains("damaged"), "{}", tail(&gateway.folder.log()));
}

/// Hours forth and back, under load and across a restart. A choice of the future is none yet (C1), so visitors choose again.
#[test]
fn a_clock_that_jumps_by_hours_loses_and_doubles_nothing() {
    const HOUR: i64 = 3600;
    let (site, shim) = (Site::start(), Shim::new());
    let mut gateway: Gateway = shim.under(Folder::new(site.address, "")).serve();
    let mut book = Book::default();
    let mut watch = None;
    let jumps = [0, 5 * HOUR, -7 * HOUR, 26 * HOUR, 0].repeat(short_or_long(1, 10));
    for (number, jump) in jumps.into_iter().enumerate() {
        shim.clock(jump);
        let visitors: Vec<Visitor> = (0..2).map(|_| Visitor::who_accepts(&gateway)).collect();
        let client = Client::of(&Visitor::who_accepts(&gateway), gateway.address);
        let load = Load::start(gateway.address, &visitors, &format!("jump{number}x"), Manners::default());
        match &mut watch {
            None => watch = Some(Watch::begin("clock jumps", &gateway, client)),
            Some(watch) => watch.of(&gateway, client),
        }
        let now = gateway.query("select toInt64(toUnixTimestamp(now())) as now")[0]["now"].as_i64();
        let here = std::time::UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs() as i64;
        assert!(
            (now.unwrap_or_default() - here - jump).abs() < 60,
            "the engine's clock jumps too: {now:?} {here} {jump}"
        );
        book.add(load.stop());
        if number % 2 == 1 {
            // Killed in the one time and started in another.
            let (_, folder) = gateway.end("KILL");
            shim.clock(jump - 3 * HOUR);
            gateway = folder.serve();
            watch = None;
        }
    }
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    println!("clock jumps: {} events, each once", book.taken.len());
    assert!(book.taken.len() > 500 && book.refused == 0, "{} taken, {} refused", book.taken.len(), book.refused);
    std::thread::sleep(Duration::ZERO);
}
