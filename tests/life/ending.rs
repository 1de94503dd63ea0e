//! How the process ends: nobody new is let in, exchanges under way finish within a bound, what was captured is on disk.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, without_database};
use crate::support::http::Connection;
use crate::support::process::{Process, runs};
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;

fn get(gateway: &Gateway, path: &str) -> Connection {
    let mut connection = Connection::open(gateway.address);
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address));
    connection
}

/// A connection whose exchange the site holds up, once it is there.
fn held_up(gateway: &Gateway, site: &Site, path: &str) -> Connection {
    let connection = get(gateway, path);
    eventually("the site is asked", || (site.requests(path).len() == 1).then_some(()));
    connection
}

#[test]
fn exchanges_under_way_finish_and_say_that_the_connection_closes_while_nobody_new_is_let_in() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "drain = \"30s\"");
    let door = Arc::new(Mutex::new(()));
    let closed = door.lock().expect("it is ours");
    site.on("/held", Behaviour::AnswersAfter(door.clone(), page(&[], PAGE)));
    let mut idle = get(&gateway, "/idle");
    assert_eq!(idle.answer().status, 200);
    let mut held = held_up(&gateway, &site, "/held");
    gateway.process.signal("TERM");
    eventually("nobody is let in", || TcpStream::connect(gateway.address).is_err().then_some(()));
    assert!(idle.rest().is_empty(), "a connection without an exchange is closed");
    let ready = crate::dashboard::get(&gateway, "/readyz");
    assert_eq!((ready.status, &ready.json()["draining"]), (503, &serde_json::Value::Bool(true)));
    drop(closed);
    let answer = held.answer();
    assert_eq!((answer.status, answer.field("connection")), (200, Some("close")));
    assert!(held.rest().is_empty());
    assert_eq!(gateway.end("0").0.code(), Some(0));
}

#[test]
fn the_drain_has_a_bound_after_which_exchanges_are_cut() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "drain = \"200ms\"");
    site.on("/silent", Behaviour::IsSilent);
    let mut silent = held_up(&gateway, &site, "/silent");
    let began = Instant::now();
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    assert!(began.elapsed().as_secs() < 9, "{:?}", began.elapsed());
    assert!(silent.rest().is_empty());
    assert!(folder.log().contains("connections still open after 200ms are closed"), "{}", folder.log());
}

/// Sends a signal to any process.
fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn while_the_engine_starts_and_does_not_get_on_the_process_is_asked_to_end_and_does() {
    let site = Site::start();
    let folder = Folder::new(site.address, "");
    let (mut process, lines) = Process::start(folder.logged(&["serve", "--json"]), folder.path());
    let engine = eventually("the engine is being started", || process.children().first().copied());
    signal(engine, "STOP");
    process.signal("TERM");
    eventually("it drains", || folder.log().contains("open exchanges finish first").then_some(()));
    let began = Instant::now();
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(1), "{}", folder.log());
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert!(lines.next().is_none(), "it was never ready");
    // Its parent is gone, and with it its standard input.
    signal(engine, "CONT");
    eventually("the engine ends too", || (!runs(engine)).then_some(()));
}

#[test]
fn while_a_configuration_is_read_that_does_not_come_the_process_is_asked_to_end_and_does() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let file = gateway.folder.path().join("consentry.toml");
    std::fs::remove_file(&file).expect("it was written");
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.expect("mkfifo is there").success());
    gateway.process.signal("HUP");
    // Nobody says when it begins to read.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let began = Instant::now();
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
}

#[test]
fn asked_a_second_time_the_process_ends_at_once_and_what_was_captured_is_kept_all_the_same() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "drain = \"1 hour\"\n[spool]\nbatch_age = \"60s\"");
    site.on("/silent", Behaviour::IsSilent);
    let mut visitor = Visitor::who_accepts(&gateway);
    assert_eq!(visitor.beacon("/kept").status, 204);
    let _silent = held_up(&gateway, &site, "/silent");
    gateway.process.signal("TERM");
    eventually("it drains", || gateway.folder.log().contains("open exchanges finish first").then_some(()));
    let began = Instant::now();
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(1), "{}", folder.log());
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    // The batch was sealed: the queue was closed in order.
    let said = folder.run(&["spool", "status", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).expect("--json says JSON");
    assert_eq!(said["waiting"]["rows"], 1, "{said}");
    assert_eq!(said["waiting"]["sealed"], 1, "{said}");
}
