//! Upgrades that go astray: a new process that hangs, an old one that is killed, one upgrade too many, another data folder.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::reload::{configuration, reload};
use super::upgrade::{Successor, upgrade};
use crate::support::eventually;
use crate::support::gateway::{CONSENTRY, Folder, Gateway, Nobody, folder_without_database, without_database};
use crate::support::process::runs;
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;

/// Serves by the program that lies in the folder; commands are run by the one that was built.
const BY_ITS_OWN: [&str; 3] = ["sh", "-c", r#"if [ "$1" = serve ]; then exec ./program "$@"; else exec "$0" "$@"; fi"#];

fn put_program(folder: &Path, bytes: &[u8]) {
    let (fresh, program) = (folder.join("program.new"), folder.join("program"));
    std::fs::write(&fresh, bytes).expect("the folder is ours");
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    std::fs::rename(&fresh, &program).expect("it is ours");
}

/// A gateway whose program can be replaced.
fn by_its_own_program(site: &Site) -> (Gateway, Nobody) {
    let (folder, nobody) = folder_without_database(site.address, "");
    let folder: Folder = folder.through(&BY_ITS_OWN);
    put_program(folder.path(), &std::fs::read(CONSENTRY).expect("it was built"));
    (folder.serve(), nobody)
}

/// The process that is to take the gateway's place.
fn next(gateway: &Gateway) -> Successor {
    eventually("a new process gets ready", || gateway.folder.log().contains("getting ready").then_some(()));
    Successor(eventually("it is there", || gateway.process.children().first().copied()))
}

#[test]
fn while_a_new_process_hangs_the_gateway_is_asked_to_end_and_nobody_holds_its_sockets() {
    let site = Site::start();
    let (mut gateway, _nobody) = by_its_own_program(&site);
    put_program(gateway.folder.path(), b"#!/bin/sh\nexec sleep 1000\n");
    std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&gateway.folder).map(|_| ()));
        let hanging = next(&gateway);
        assert_eq!(Visitor::new(&gateway).get("/page").status, 200, "visitors are served meanwhile");
        gateway.process.signal("TERM");
        let said = upgrading.join().expect("it answers").expect_err("nothing was upgraded");
        assert!(said.contains("is ending"), "{said}");
        eventually("the new process is gone", || (!runs(hanging.0)).then_some(()));
    });
    assert_eq!(gateway.process.wait().code(), Some(0), "{}", gateway.folder.log());
    assert!(TcpStream::connect(gateway.address).is_err(), "nobody listens any more");
}

#[test]
fn a_new_process_whose_parent_was_killed_serves_at_the_sockets_it_was_left() {
    let site = Site::start();
    let (mut gateway, _nobody) = by_its_own_program(&site);
    let old = gateway.process.id();
    let waits = format!("#!/bin/sh\nwhile kill -0 {old} 2>/dev/null; do sleep 0.02; done\nexec {CONSENTRY} \"$@\"\n");
    put_program(gateway.folder.path(), waits.as_bytes());
    gateway.process.signal("USR2");
    let successor = next(&gateway);
    gateway.process.signal("KILL");
    gateway.process.wait();
    assert_eq!(Visitor::who_accepts(&gateway).get("/page").status, 200, "{}", gateway.folder.log());
    assert!(crate::dashboard::get(&gateway, "/healthz").text().contains("ok"));
    assert!(runs(successor.0));
    successor.end();
}

#[test]
fn while_a_process_gives_way_whoever_asks_it_for_something_is_told_that_an_upgrade_is_under_way() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "drain = \"20s\"");
    let door = Arc::new(Mutex::new(()));
    let closed = door.lock().expect("it is ours");
    site.on("/long", Behaviour::AnswersAfter(door.clone(), page(&[], PAGE)));
    std::thread::scope(|scope| {
        let long = scope.spawn(|| Visitor::new(&gateway).get("/long"));
        eventually("the site is asked", || (site.requests("/long").len() == 1).then_some(()));
        let upgrading = scope.spawn(|| upgrade(&gateway.folder));
        eventually("the old one gives way", || gateway.folder.log().contains("this one gives way").then_some(()));
        let said = upgrade(&gateway.folder).map(|_| ()).expect_err("there is one already");
        assert!(said.contains("an upgrade is under way"), "{said}");
        let (code, _, said) = reload(&gateway);
        assert!(code == Some(1) && said.contains("an upgrade is under way"), "{said}");
        drop(closed);
        assert_eq!(long.join().expect("it was answered").status, 200);
        upgrading.join().expect("it answers").expect("the new process serves").end();
    });
}

#[test]
fn an_upgrade_makes_no_key_ring_and_says_how_a_data_folder_is_moved() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let old = configuration(&gateway);
    gateway.folder.write("consentry.toml", &old.replace("data_dir = \"data\"", "data_dir = \"other\""));
    let output = gateway.folder.run(&["upgrade"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("--data-dir"), "{said}");
    let output = gateway.folder.run(&["upgrade", "--data-dir", "data"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("before it was prepared"), "{said}");
    let log = gateway.folder.log();
    assert!(log.contains("there is no key ring at other/keys.json") && log.contains("stop the gateway"), "{log}");
    assert!(!gateway.folder.path().join("other").exists(), "nothing was made");
    assert_eq!(Visitor::new(&gateway).get("/page").status, 200, "the gateway goes on");
}
