//! A day without a database by the gateway's own clocks: that of the wall and the one that its waits, time-outs and ages of
//! batches go by are moved on together, step by step, with events in each step. Each wait of the gateway ends as if the time
//! had passed, as soon as something happens; the kernel's own waits last as long as ever.

use std::time::Duration;

use super::client::{Client, Outcome};
use super::load::{Book, Manners, drive, ids};
use super::short_or_long;
use super::watch::{Watch, settle, tail};
use crate::dashboard;
use crate::support::between::{Between, Way};
use crate::support::engine::Engine;
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::visitor::Visitor;
use crate::support::{eventually, files};

const DAY: i64 = 24 * 3600;

#[test]
fn a_day_by_the_gateways_own_clocks_without_a_database_comes_into_the_table_once() {
    let (site, shim) = (Site::start(), Shim::new());
    let engine = Engine::start();
    let between = Between::start(engine.address);
    let more = format!("[clickhouse]\nurl = \"http://{}\"\n", between.address);
    // Until now, so that the last row is of the database's present.
    shim.clock(-DAY);
    let gateway: Gateway = shim.under(Folder::new(site.address, &more)).serve();
    let ready = || dashboard::get(&gateway, "/readyz");
    eventually("the schema is there", || (ready().status == 200).then_some(()));
    let mut visitors: Vec<Visitor> = (0..2).map(|_| Visitor::who_accepts(&gateway)).collect();
    // Known by their cookies, and so are their events when they come again.
    visitors.iter_mut().for_each(|visitor| assert_eq!(visitor.get("/first").status, 200));
    let mut watch = Watch::begin("a day by the clock", &gateway, Client::of(&visitors[0], gateway.address));
    between.set(Way::Away);

    // By the hour with a few events; by the minute with one event a second.
    let (steps, beacons, events) = short_or_long((24, 2, 2), (24 * 60, 3, 20));
    let manners = Manners { events, pause: Duration::ZERO, insists: true, ..Manners::default() };
    let mut book = Book::default();
    for step in 0..steps {
        let client = Client::of(&visitors[1], gateway.address);
        book.add(drive(client, &format!("t{step}x"), manners, |sent| sent < beacons));
        shim.passes(DAY / steps);
        // Something happens: what came due meanwhile is done.
        assert_eq!(ready().json()["database"]["ok"], false, "the database is away");
        if step == steps / 2 {
            book.add(refused_for_a_while(&gateway, &shim, [&visitors[0], &visitors[1]], manners));
        }
        if step % 240 == 120 {
            watch.of(&gateway, Client::of(&visitors[0], gateway.address));
        }
    }
    // Nobody was refused in vain: every event that was ever tried was taken in the end.
    let tried = (steps as usize * beacons + 1) * events;
    assert_eq!((book.taken.len(), book.refused, book.open.len()), (tried, 0, 0));
    assert!(book.insisted > 0, "some were refused at first");
    let oldest = ready().json()["spool"]["oldest_seconds"].as_u64().expect("a number");
    assert!(oldest >= DAY.unsigned_abs() * 9 / 10, "the oldest has waited for {oldest} s");
    let batches = files(&gateway.folder.data().join("spool"));
    let batches = batches.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "segment")).count();
    assert!(batches <= 2 * steps as usize, "{batches} batches");
    watch.of(&gateway, Client::of(&visitors[0], gateway.address));

    let met = between.met();
    between.set(Way::Open);
    // Whoever waited for another try has waited long enough.
    shim.passes(60);
    ready();
    settle(&book, || gateway.folder.log(), || ids(|sql| engine.query(sql)));
    // Nothing that is on its way could double one of them yet.
    eventually("nothing waits", || (ready().json()["spool"]["waiting_rows"] == 0).then_some(()));
    book.compare(&ids(|sql| engine.query(sql)))
        .unwrap_or_else(|wrong| panic!("{wrong}\n{}", tail(&gateway.folder.log())));
    let sql = "select toInt64(max(ts)) - toInt64(min(ts)) as lasted from consentry.events where name = 'Torture'";
    let row = &engine.query(sql)[0];
    let lasted = row["lasted"].as_str().and_then(|text| text.parse().ok()).or(row["lasted"].as_i64());
    assert!(lasted.is_some_and(|lasted: i64| lasted >= DAY - 2 * DAY / steps), "{row}");
    println!(
        "a day by the clock: {} events in {batches} batches, the oldest {oldest} s old, each once; {met} requests met \
         nobody; {} beacons refused at first, for {:?} at most",
        book.taken.len(),
        book.insisted,
        book.longest_refusal
    );
}

/// What the disk is at when the clock moves on seems to have taken all that time, and beacons are refused until it is done: here
/// it is kept from being done for a moment.
fn refused_for_a_while(gateway: &Gateway, shim: &Shim, [one, other]: [&Visitor; 2], manners: Manners) -> Book {
    shim.hang(".segment");
    assert!(matches!(Client::of(one, gateway.address).page("/hangs"), Outcome::Answered(200, _)));
    eventually("the writer waits", || {
        shim.passes(5);
        (dashboard::get(gateway, "/readyz").json()["spool"]["ok"] == false).then_some(())
    });
    let refused = || gateway.metric("consentry_events_refused_total");
    let before = refused();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| drive(Client::of(other, gateway.address), "hangs", manners, |sent| sent < 1));
        eventually("it is refused", || (refused() > before).then_some(()));
        shim.answer();
        sent.join().expect("a client's own checks hold")
    })
}
