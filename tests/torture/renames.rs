//! The engine dies, or the system fails it, at the one moment between "the token is noted" and "the part is there". The
//! retry of an insert under the same token would succeed there and store nothing.

use std::time::{Duration, Instant};

use super::load::{Load, Manners, ids};
use super::short_or_long;
use super::watch::{settle, tail};
use crate::support::gateway::{Folder, Gateway};
use crate::support::shim::{AtRename, Shim};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

/// Again and again, once or several times in a row, in the engine the gateway starts.
fn at_the_rename_of_a_part(fault: AtRename, mark: &str) {
    let (site, shim) = (Site::start(), Shim::new());
    let gateway: Gateway = shim.under(Folder::new(site.address, "[spool]\nbatch_age = \"200ms\"\n")).serve();
    let visitors: Vec<Visitor> = (0..2).map(|_| Visitor::who_accepts(&gateway)).collect();
    let load = Load::start(
        gateway.address,
        &visitors,
        "r",
        Manners { pause: Duration::from_millis(20), ..Manners::default() },
    );
    let reached = |what: &str, times: usize| {
        let deadline = Instant::now() + super::SETTLED;
        while shim.did(what) < times {
            assert!(Instant::now() < deadline, "{what} {} times\n{}", shim.did(what), tail(&gateway.folder.log()));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // The shim is where it should be: parts get their names through it.
    reached("named", 1);
    let mut faults = 0;
    for round in 0..short_or_long(3, 30) {
        let times = 1 + round % 3;
        let named = shim.did("named");
        shim.at_rename(fault, times);
        faults += times as usize;
        reached(mark, faults);
        reached("named", named + 1);
    }
    let book = load.stop();
    settle(&book, || gateway.folder.log(), || ids(|sql| gateway.query(sql)));
    println!("{fault:?} at {faults} renames of a part: {} events, each once", book.taken.len());
    assert!(book.taken.len() > 100, "{}", book.taken.len());
    let (status, folder) = gateway.end("TERM");
    assert!(status.success(), "{}", tail(&folder.log()));
    book.compare(&ids(|sql| folder.query(sql))).unwrap_or_else(|wrong| panic!("{wrong}\n{}", tail(&folder.log())));
}

#[test]
fn an_engine_that_dies_at_the_rename_of_a_part_loses_and_doubles_nothing() {
    at_the_rename_of_a_part(AtRename::Killed, "kill");
}

#[test]
fn a_rename_of_a_part_that_fails_loses_and_doubles_nothing() {
    at_the_rename_of_a_part(AtRename::Refused, "eio");
}
