//! Writes of the engine that fail: a quota, another program that takes the last room, a disk that dies. ClickHouse's library
//! says nothing of them. (A disk that is nearly full is refused before anything is written: 243, in
//! [`trouble`](super::trouble).)

use std::time::Duration;

use super::client::Client;
use super::load::{Load, Manners, drive, ids};
use super::short_or_long;
use super::watch::{settle, tail};
use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::{Call, EIO, ENOSPC, Shim, Which};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// Under load, `trouble` does what it does; then every event is in the table once, and still when the engine has started
/// again, which throws away what it cannot read.
fn nothing_is_lost(trouble: impl Fn(&Gateway, &Shim)) {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "[spool]\nbatch_age = \"200ms\"\n")).serve();
    let visitors: Vec<Visitor> = (0..2).map(|_| Visitor::who_accepts(&gateway)).collect();
    let manners = Manners { pause: Duration::from_millis(10), ..Manners::default() };
    let load = Load::start(gateway.address, &visitors, "w", manners);
    eventually("rows are stored", || (shim.did("named") > 1).then_some(()));
    trouble(&gateway, &shim);
    let mut book = load.stop();
    // The last word is that of an insert that is whole.
    book.add(drive(Client::of(&visitors[0], gateway.address), "last", manners, |sent| sent < 10));
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    let (status, folder) = gateway.end("TERM");
    assert!(status.success(), "{}", tail(&folder.log()));
    let gateway = folder.serve();
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    assert!(book.taken.len() > 20, "{}", book.taken.len());
    println!("{} writes failed: {} events, each once", shim.did("fault") + shim.did("full"), book.taken.len());
}

/// Waits until so many more writes have failed.
fn failed(gateway: &Gateway, shim: &Shim, before: usize, times: usize) {
    let deadline = std::time::Instant::now() + super::SETTLED;
    while shim.did("fault") < before + times {
        assert!(std::time::Instant::now() < deadline, "{}\n{}", shim.did("fault"), tail(&gateway.folder.log()));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_engine_whose_writes_fail_gets_every_row_once_when_they_succeed() {
    nothing_is_lost(|gateway, shim| {
        shim.fill_disk("/tmp_insert_2");
        eventually("the engine is refused", || (shim.did("full") > 10).then_some(()));
        // Who only reads is not disturbed.
        let process = gateway.process.children();
        assert!(!gateway.query("select count() from consentry.events").is_empty());
        shim.free_disk();
        assert_eq!(gateway.process.children(), process, "the engine ran all the time");
    });
}

/// A part has some dozen files; the last is its checksums.
#[test]
fn whichever_write_of_a_part_fails_its_rows_come_once() {
    nothing_is_lost(|gateway, shim| {
        for error in [ENOSPC, EIO].into_iter().take(short_or_long(1, 2)) {
            for number in 1..=13 {
                // Half of them with the other error in the short form.
                let error = if number % 2 == 0 { ENOSPC + EIO - error } else { error };
                let (before, named) = (shim.did("fault"), shim.did("named"));
                shim.fail(Call::Write, "/tmp_insert_2", Which::Each(number), error, 1);
                failed(gateway, shim, before, 1);
                eventually("the next part gets its name", || (shim.did("named") > named + 1).then_some(()));
            }
        }
    });
}

#[test]
fn writes_that_fail_by_chance_lose_and_double_nothing() {
    nothing_is_lost(|gateway, shim| {
        for error in [ENOSPC, EIO] {
            let times = short_or_long(8, 80);
            let before = shim.did("fault");
            shim.fail(Call::Write, "/tmp_", Which::OneIn(20), error, times);
            failed(gateway, shim, before, times);
        }
    });
}

/// These the library notices by itself.
#[test]
fn a_file_of_a_part_that_cannot_be_made_or_synced_loses_and_doubles_nothing() {
    nothing_is_lost(|gateway, shim| {
        for call in [Call::Make, Call::Sync] {
            let (before, times) = (shim.did("fault"), short_or_long(5, 50));
            shim.fail(call, "/tmp_insert_2", Which::OneIn(10), ENOSPC, times);
            failed(gateway, shim, before, times);
        }
    });
}

/// What is merged goes away: rows that were stored long ago.
#[test]
fn a_merge_whose_writes_fail_loses_nothing_that_was_stored() {
    nothing_is_lost(|gateway, shim| {
        for number in (1..).take(short_or_long(4, 14)) {
            let error = if number % 2 == 0 { EIO } else { ENOSPC };
            let before = shim.did("fault");
            shim.fail(Call::Write, "/tmp_merge_2", Which::Each(number), error, 1);
            eventually("a merge is refused a write", || {
                // It fails, or somebody else's does.
                gateway.folder.run(&["query", "--data-dir", "data", "optimize table consentry.events"]);
                (shim.did("fault") > before).then_some(())
            });
        }
    });
}

/// What has no folder that could be thrown away ends the engine, and the gateway starts it again.
#[test]
fn a_write_that_fails_beside_the_parts_ends_the_engine_and_loses_nothing() {
    nothing_is_lost(|gateway, shim| {
        for error in [ENOSPC, EIO].into_iter().take(short_or_long(1, 2)) {
            let (engine, before) = (gateway.process.children(), shim.did("fault"));
            shim.fail(Call::Write, "/deduplication_log", Which::Each(1), error, 1);
            failed(gateway, shim, before, 1);
            eventually("the engine is another one", || {
                let now = gateway.process.children();
                (!now.is_empty() && now != engine).then_some(())
            });
        }
        eventually("it is said why", || gateway.folder.log().contains("its disk refused a write").then_some(()));
    });
}
