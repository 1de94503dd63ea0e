//! A disk without room and a clock that jumps, under the gateway. The engine's clock cannot be moved (its library asks the
//! kernel's page, not the C library), so each jump is also one against the database's clock.

use super::client::Client;
use super::load::{Book, Load, Manners, drive, ids};
use super::short_or_long;
use super::watch::{Watch, settle, tail};
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::visitor::Visitor;
use crate::support::{eventually, files};

#[test]
fn a_full_disk_refuses_beacons_serves_the_site_and_loses_nothing_that_was_acknowledged() {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "")).serve();
    let visitors: Vec<Visitor> = (0..3).map(|_| Visitor::who_accepts(&gateway)).collect();
    let mut book = drive(Client::of(&visitors[1], gateway.address), "before", Manners::default(), |sent| sent < 50);
    let mut watch = Watch::begin("a full disk", &gateway, Client::of(&visitors[0], gateway.address));
    for round in 0..short_or_long(2, 20) {
        let load = Load::start(gateway.address, &visitors[1..], &format!("full{round}x"), Manners::default());
        let spool = gateway.folder.data().join("spool");
        eventually("a segment is under way", || files(&spool).iter().any(|file| file.1.len() > 4096).then_some(()));
        shim.fill_disk("/spool/");
        let written = shim.did("full");
        eventually("the disk refuses a write", || (shim.did("full") > written).then_some(()));
        watch.compare(&gateway);
        shim.free_disk();
        // With room again beacons are taken again, without a hand.
        let again = format!("again{round}x");
        eventually("a beacon is taken", || {
            let tried = drive(Client::of(&visitors[1], gateway.address), &again, Manners::default(), |sent| sent < 1);
            let taken = tried.refused == 0;
            book.add(tried);
            taken.then_some(())
        });
        let under_way = load.stop();
        assert!(under_way.refused > 0, "beacons are refused: {} taken", under_way.taken.len());
        book.add(under_way);
    }
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    println!("a full disk: {} events taken, each once; {} beacons refused", book.taken.len(), book.refused);
    // Nor does the next start find anything but whole records.
    let (status, folder) = gateway.end("KILL");
    assert!(status.code().is_none());
    let gateway = folder.serve();
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    assert!(!gateway.folder.log().contains("damaged"), "{}", tail(&gateway.folder.log()));
}

/// Whether a page view outlives a kill half a second later on a disk that takes 2 s for a sync; the first of its process,
/// or one behind another that is on the disk.
fn page_view_outlives_a_kill(first: bool) -> bool {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "[spool]\nbatch_age = \"60s\"\n")).serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    if !first {
        assert_eq!(visitor.beacon("/before").status, 204);
    }
    shim.slow_syncs(2000);
    assert_eq!(visitor.get("/torture/slow").status, 200);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (_, folder) = gateway.end("KILL");
    shim.slow_syncs(0);
    assert_eq!(shim.did("slow"), 0, "nothing is synced before a batch is sealed");
    let gateway = folder.serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/torture/after");
    let (status, folder) = gateway.end("TERM");
    assert!(status.success(), "{}", tail(&folder.log()));
    let seen = super::load::pages(|sql| folder.query(sql));
    assert!(seen.contains_key("/torture/after"), "{seen:?}");
    seen.contains_key("/torture/slow")
}

#[test]
fn a_page_view_is_written_before_a_slow_disk_has_synced() {
    assert!(page_view_outlives_a_kill(false));
}

#[test]
fn the_first_page_view_of_a_process_is_written_before_a_slow_disk_has_synced() {
    assert!(page_view_outlives_a_kill(true), "answered half a second before the kill, and lost");
}

/// What a beacon's answer waits for is configured; a page waits for neither.
#[test]
fn a_beacon_waits_for_the_disk_only_where_it_is_to_survive_a_power_cut() {
    const SYNC: std::time::Duration = std::time::Duration::from_millis(700);
    for (durability, waits) in [("power", true), ("write", false)] {
        let (site, shim) = (Site::start(), Shim::new());
        let more = format!("[spool]\nbatch_age = \"60s\"\ndurability = \"{durability}\"\n");
        let gateway: Gateway = shim.under(Folder::new(site.address, &more)).serve();
        let mut visitor = Visitor::who_accepts(&gateway);
        shim.slow_syncs(SYNC.as_millis() as u32);
        let took = |ask: &mut dyn FnMut() -> u16| {
            let began = std::time::Instant::now();
            (ask(), began.elapsed() >= SYNC)
        };
        assert_eq!(took(&mut || visitor.beacon("/waits").status), (204, waits), "{durability}");
        assert_eq!(took(&mut || visitor.get("/torture/page").status), (200, false), "{durability}");
        shim.slow_syncs(0);
    }
}

/// Hours forth and back, under load and across a restart. A choice of the future is none yet (C1), so visitors choose again.
#[test]
fn a_clock_that_jumps_by_hours_loses_and_doubles_nothing() {
    const HOUR: i64 = 3600;
    let (site, shim) = (Site::start(), Shim::new());
    let mut gateway: Gateway = shim.under(Folder::new(site.address, "")).serve();
    let mut book = Book::default();
    let (mut watch, mut seen) = (None, Vec::new());
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
        book.add(load.stop());
        seen.push((number, jump));
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
    // The rows have the time the gateway believed in.
    for (number, jump) in seen {
        let sql = format!(
            "select toInt64(min(ts)) - toInt64(now()) as first, toInt64(max(ts)) - toInt64(now()) as last \
             from consentry.events where startsWith(props['id'], 'jump{number}x')"
        );
        let row = &gateway.query(&sql)[0];
        for end in ["first", "last"] {
            // JSON has 64-bit numbers as text.
            let off = row[end].as_str().and_then(|off| off.parse().ok()).or(row[end].as_i64());
            assert!(off.is_some_and(|off: i64| (off - jump).abs() < 600), "jump {number} of {jump} s: {row}");
        }
    }
}
