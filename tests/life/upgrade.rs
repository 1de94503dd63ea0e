//! A new process takes the place of the running one: no visitor is refused, no event lost or doubled.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, without_database};
use crate::support::process::{children, runs};
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;

/// A process that took another's place; it ends with this.
pub struct Successor(pub u32);

impl Successor {
    fn signal(&self, name: &str) {
        let _ = std::process::Command::new("kill").args([&format!("-{name}"), &self.0.to_string()]).status();
    }

    /// Ends it in order.
    pub fn end(self) {
        let children = children(self.0);
        self.signal("TERM");
        eventually("the new process ends", || (!runs(self.0)).then_some(()));
        eventually("what it started ends too", || children.iter().all(|pid| !runs(*pid)).then_some(()));
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if runs(self.0) {
            self.signal("TERM");
            std::thread::sleep(Duration::from_secs(2));
            self.signal("KILL");
        }
    }
}

/// Runs `consentry upgrade`.
pub fn upgrade(folder: &Folder) -> Result<Successor, String> {
    let output = folder.run(&["upgrade", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}\n{}", String::from_utf8_lossy(&output.stderr), folder.log()));
    match said["done"].as_bool() {
        Some(true) => Ok(Successor(said["process"].as_u64().and_then(|id| id.try_into().ok()).expect("a number"))),
        _ => Err(said["said"].as_str().unwrap_or_default().to_owned()),
    }
}

/// Everything a visitor did, as it should be found again.
fn visit(gateway: SocketAddr, visitor: &mut Visitor, name: &str, ended: &AtomicBool) -> Vec<String> {
    let mut done = Vec::new();
    let mut number = 0;
    while !ended.load(Ordering::Relaxed) {
        // A page, whose event is kept when it is delivered, and a beacon, which is answered when it is kept.
        let (page, beacon) = (format!("/page/{name}/{number}"), format!("/beacon/{name}/{number}"));
        assert_eq!(visitor.get(&page).status, 200, "{gateway}");
        assert_eq!(visitor.beacon(&beacon).status, 204);
        done.extend([page, beacon]);
        number += 1;
    }
    done
}

/// How often each path is in `rows`.
fn counted(rows: &[serde_json::Value]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for row in rows {
        *counted.entry(row["path"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    counted
}

fn under_load(gateway: &Gateway, upgrades: impl FnOnce()) -> Vec<String> {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitors = ["a", "b", "c", "d"].map(|name| {
            let (mut visitor, ended) = (Visitor::who_accepts(gateway), &ended);
            let address = gateway.address;
            scope.spawn(move || visit(address, &mut visitor, name, ended))
        });
        std::thread::sleep(Duration::from_millis(200));
        // Whatever becomes of the upgrades, or the visitors would never go.
        let upgraded = catch_unwind(AssertUnwindSafe(upgrades));
        std::thread::sleep(Duration::from_millis(200));
        ended.store(true, Ordering::Relaxed);
        if let Err(panic) = upgraded {
            resume_unwind(panic);
        }
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("nobody was refused or cut")).collect()
    })
}

#[test]
fn over_an_upgrade_no_visitor_is_refused_and_no_event_lost_or_doubled() {
    let site = Site::start();
    let (mut gateway, _nobody) = without_database(site.address, "workers = 2");
    let mut successor = None;
    let done = under_load(&gateway, || {
        let first = upgrade(&gateway.folder).expect("the new process serves");
        assert_ne!(first.0, gateway.process.id());
        eventually("the first ends", || (!runs(gateway.process.id())).then_some(()));
        // And once more, from the process that was handed its sockets.
        let second = upgrade(&gateway.folder).expect("the next one too");
        eventually("the second ends", || (!runs(first.0)).then_some(()));
        successor = Some(second);
    });
    let successor = successor.expect("it was upgraded");
    assert_eq!(gateway.process.wait().code(), Some(0), "{}", gateway.folder.log());
    assert_eq!(crate::dashboard::get(&gateway, "/readyz").status, 200, "the dashboard is where it was");
    successor.end();
    let output = gateway.folder.run(&["spool", "export", "--format", "jsonl"]);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found = counted(&rows);
    assert!(done.len() > 20, "{}", done.len());
    let wrong: Vec<_> = done.iter().filter(|path| found.get(*path) != Some(&1)).collect();
    assert!(wrong.is_empty(), "lost or doubled: {wrong:?}\n{}", gateway.folder.log());
    assert_eq!(found.len(), done.len());
    let ledger = gateway.folder.run(&["ledger", "verify", "--files-only"]);
    assert!(ledger.status.success(), "{}", String::from_utf8_lossy(&ledger.stdout));
}

#[test]
fn the_embedded_engine_changes_hands_and_every_event_is_a_row_once() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    let mut successor = None;
    let done = under_load(&gateway, || successor = Some(upgrade(&gateway.folder).expect("the new process serves")));
    // A query that came between the two engines would begin to start one of its own.
    let there = || crate::dashboard::get(&gateway, "/readyz").json()["database"]["ok"] == true;
    eventually("the new engine answers", || there().then_some(()));
    let sql = "select path from consentry.events where startsWith(path, '/page/') or startsWith(path, '/beacon/')";
    let rows = eventually("every event is a row", || {
        let output = gateway.folder.run(&["query", "--data-dir", "data", "--format", "JSONEachRow", sql]);
        let text = String::from_utf8(output.stdout).ok()?;
        let rows: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (rows.len() >= done.len()).then_some(rows)
    });
    let found = counted(&rows);
    let wrong: Vec<_> = done.iter().filter(|path| found.get(*path) != Some(&1)).collect();
    assert!(wrong.is_empty(), "lost or doubled: {wrong:?}\n{}", gateway.folder.log());
    successor.expect("it was upgraded").end();
}

#[test]
fn where_the_new_process_does_not_start_the_old_one_goes_on() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let file = gateway.folder.path().join("consentry.toml");
    let old = std::fs::read_to_string(&file).expect("it was written");
    for (wrong, why) in [
        (format!("{old}\nnonsense = 1\n"), "ended (exit status: 2)"),
        (format!("{old}\n[observe]\naccess_log = \"missing/access.log\"\n"), "ended (exit status: 2)"),
        (
            old.replace("listen = \"127.0.0.1:0\"\nupstream", "listen = \"127.0.0.2:0\"\nupstream"),
            "ended (exit status: 1)",
        ),
    ] {
        gateway.folder.write("consentry.toml", &wrong);
        let said = upgrade(&gateway.folder).map(|_| ()).expect_err("it does not start");
        assert!(said.contains(why), "{said}\n{}", gateway.folder.log());
        let mut visitor = Visitor::who_accepts(&gateway);
        assert_eq!(visitor.beacon("/afterwards").status, 204);
    }
    gateway.folder.write("consentry.toml", &old);
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
}

#[test]
fn a_new_process_that_fails_once_the_old_one_gave_way_is_replaced_by_the_old_one_and_nobody_is_refused() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let file = gateway.folder.path().join("consentry.toml");
    let old = std::fs::read_to_string(&file).expect("it was written");
    // The list of who has withdrawn is read with everything else that only one process may have.
    gateway.folder.write("data/mail-suppressed", "nonsense");
    gateway.folder.write("consentry.toml", &format!("{old}\n[capture]\nmail_opens = true\n"));
    let done = under_load(&gateway, || {
        let said = upgrade(&gateway.folder).map(|_| ()).expect_err("it does not start");
        assert!(said.contains("before it was serving"), "{said}\n{}", gateway.folder.log());
    });
    gateway.folder.write("consentry.toml", &old);
    assert!(gateway.folder.log().contains("this one starts again in its place"), "{}", gateway.folder.log());
    let mut successor = None;
    let more = under_load(&gateway, || successor = Some(upgrade(&gateway.folder).expect("now it serves")));
    successor.expect("it was upgraded").end();
    let output = gateway.folder.run(&["spool", "export", "--format", "jsonl"]);
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let found = counted(&rows);
    // The second load asks for the same paths again, as far as it comes.
    let lost: Vec<_> = done.iter().chain(&more).filter(|path| !found.contains_key(*path)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(rows.len(), done.len() + more.len(), "none is doubled");
}

#[test]
fn what_takes_long_has_its_time_while_others_are_served_and_nobody_waits_for_it() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "drain = \"20s\"");
    let door = Arc::new(Mutex::new(()));
    let closed = door.lock().expect("it is ours");
    site.on("/long", Behaviour::AnswersAfter(door.clone(), page(&[], PAGE)));
    let (long, slowest, successor) = std::thread::scope(|scope| {
        let long = scope.spawn(|| Visitor::new(&gateway).get("/long"));
        eventually("the site is asked", || (site.requests("/long").len() == 1).then_some(()));
        let upgrading = scope.spawn(|| upgrade(&gateway.folder));
        eventually("a new process gets ready", || gateway.folder.log().contains("getting ready").then_some(()));
        let mut slowest = Duration::ZERO;
        let mut ask = || {
            let began = Instant::now();
            assert_eq!(Visitor::new(&gateway).get("/short").status, 200);
            slowest = slowest.max(began.elapsed());
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            ask();
        }
        assert!(!upgrading.is_finished(), "it waits for the long one");
        drop(closed);
        let long = long.join().expect("it was answered");
        while !upgrading.is_finished() {
            ask();
        }
        (long, slowest, upgrading.join().expect("it answers"))
    });
    assert_eq!((long.status, long.field("connection")), (200, Some("close")));
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    successor.expect("the new process serves").end();
}

#[test]
fn asked_to_end_in_the_middle_of_an_upgrade_both_processes_end() {
    let site = Site::start();
    let (mut gateway, _nobody) = without_database(site.address, "drain = \"20s\"");
    let door = Arc::new(Mutex::new(()));
    let closed = door.lock().expect("it is ours");
    site.on("/long", Behaviour::AnswersAfter(door.clone(), page(&[], PAGE)));
    std::thread::scope(|scope| {
        let long = scope.spawn(|| Visitor::new(&gateway).get("/long"));
        eventually("the site is asked", || (site.requests("/long").len() == 1).then_some(()));
        let upgrading = scope.spawn(|| upgrade(&gateway.folder).map(|_| ()));
        let new = eventually("a new process is there", || gateway.process.children().first().copied());
        eventually("the old one gives way", || gateway.folder.log().contains("this one gives way").then_some(()));
        assert_eq!(crate::dashboard::get(&gateway, "/readyz").status, 200, "visitors are let in all the while");
        gateway.process.signal("TERM");
        eventually("it was heard", || gateway.folder.log().contains("open exchanges finish first").then_some(()));
        drop(closed);
        assert_eq!(long.join().expect("it was answered").status, 200);
        let said = upgrading.join().expect("it answers").expect_err("nothing was upgraded");
        assert!(said.contains("was asked to end"), "{said}");
        eventually("the new process is gone", || (!runs(new)).then_some(()));
    });
    assert_eq!(gateway.process.wait().code(), Some(0), "{}", gateway.folder.log());
    assert!(std::net::TcpStream::connect(gateway.address).is_err(), "nobody listens any more");
}
