//! Several gateways on one database: restarted one after the other under load, and one that comes back after a week.

use serde_json::Value;

use super::client::Client;
use super::load::{Book, Load, Manners, drive, ids};
use super::short_or_long;
use super::watch::{settle, tail};
use crate::dashboard;
use crate::support::between::{Between, Way};
use crate::support::engine::Engine;
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::Shim;
use crate::support::site::Site;
use crate::support::visitor::Visitor;

const WEEK: i64 = 7 * 86_400;

fn folder(site: &Site, database: std::net::SocketAddr, more: &str) -> Folder {
    Folder::new(site.address, &format!("{more}\n[clickhouse]\nurl = \"http://{database}\"\n"))
}

/// A batch is one gateway's, and one part's: its id stands for the rows of one of them alone. The first letter of an id
/// says which.
fn batches_are_apart(engine: &Engine, gateways: u64) {
    let sql = "select count() as batches, sum(whose > 1) as shared, max(parts) as parts, sum(whose) as all from \
               (select batch_id, uniqExact(substring(props['id'], 1, 1)) as whose, \
               uniqExact(toYYYYMM(ts), retention_days) as parts \
               from consentry.events where name = 'Torture' group by batch_id) settings output_format_json_quote_64bit_integers = 0";
    let row: Value = engine.query(sql).remove(0);
    assert_eq!((&row["shared"], &row["parts"]), (&0.into(), &1.into()), "{row}");
    assert!(row["batches"].as_u64().is_some_and(|batches| batches >= gateways), "{row}");
}

#[test]
fn gateways_restarted_one_after_the_other_under_load_bring_each_row_once() {
    let (engine, site) = (Engine::start(), Site::start());
    let mut gateways: Vec<Gateway> = (0..3).map(|_| folder(&site, engine.address, "").serve()).collect();
    let (mut book, mut logs) = (Book::default(), String::new());
    for round in 0..short_or_long(2, 20) {
        for (name, at) in ["p", "q", "r"].into_iter().zip(0..) {
            // All of them are under load while this one ends and comes back.
            let loads = gateways.iter().zip(["p", "q", "r"]).map(|(gateway, name)| {
                let visitors = [Visitor::who_accepts(gateway)];
                Load::start(gateway.address, &visitors, &format!("{name}{round}x{at}"), Manners::default())
            });
            let loads: Vec<Load> = loads.collect();
            eventually("each is under load", || {
                let of = |gateway: &Gateway| dashboard::get(gateway, "/metrics").text();
                gateways.iter().all(|gateway| !of(gateway).contains("\nconsentry_spool_waiting_rows 0\n")).then_some(())
            });
            let signal = if round % 2 == 0 { "TERM" } else { "KILL" };
            let (status, folder) = gateways.remove(at).end(signal);
            assert!(signal == "KILL" || status.success(), "{name}: {status}\n{}", tail(&folder.log()));
            gateways.insert(at, folder.serve());
            loads.into_iter().for_each(|load| book.add(load.stop()));
        }
    }
    gateways.iter().for_each(|gateway| logs.push_str(&tail(&gateway.folder.log())));
    settle(&book, || logs.clone(), || ids(|sql| engine.query(sql)));
    batches_are_apart(&engine, 3);
    println!("three gateways, rolling restarts: {} events, each once", book.taken.len());
    assert!(book.taken.len() > 500 && book.refused == 0, "{} taken, {} refused", book.taken.len(), book.refused);
}

/// A node whose clock is a week back fills its spool with no database in reach, is killed, and starts in our time.
#[test]
fn a_node_that_comes_back_after_a_week_with_a_full_spool_brings_each_row_once() {
    let (engine, site, shim) = (Engine::start(), Site::start(), Shim::new());
    let between = Between::start(engine.address);
    let steady = folder(&site, engine.address, "").serve();
    shim.clock(-WEEK);
    between.set(Way::Away);
    let lost = shim.under(folder(&site, between.address, "[spool]\nmax_bytes = \"4 MiB\"\nbatch_rows = 1000")).serve();
    let visitor = Visitor::who_accepts(&lost);
    let manners = Manners { events: 20, pause: std::time::Duration::ZERO, ..Manners::default() };
    let full = || dashboard::get(&lost, "/metrics").text().contains("\nconsentry_events_refused_total 0\n");
    let mut book = drive(Client::of(&visitor, lost.address), "w", manners, |sent| sent % 50 != 0 || full());
    assert!(book.refused > 0 && book.taken.len() > 5000, "{} taken, {} refused", book.taken.len(), book.refused);
    let (_, folder) = lost.end("KILL");

    shim.clock(0);
    between.set(Way::Open);
    let load = Load::start(steady.address, &[Visitor::who_accepts(&steady)], "s", Manners::default());
    let back = folder.serve();
    settle(
        &book,
        || back.folder.log(),
        || ids(|sql| engine.query(sql)).into_iter().filter(|(id, _)| id.starts_with('w')).collect(),
    );
    book.add(load.stop());
    // With room again it takes what is new.
    let visitor = Visitor::who_accepts(&back);
    book.add(drive(Client::of(&visitor, back.address), "wnew", Manners::default(), |sent| sent < 20));
    settle(&book, || back.folder.log(), || ids(|sql| engine.query(sql)));
    batches_are_apart(&engine, 2);
    let sql = "select count() as n from consentry.events where ts < now() - interval 6 day and name = 'Torture' \
               settings output_format_json_quote_64bit_integers = 0";
    let old = engine.query(sql)[0]["n"].as_u64().unwrap_or_default();
    assert!(old > 5000, "{old} rows are a week old");
    println!("back after a week: {} events, each once, {old} of them a week old", book.taken.len());
}
