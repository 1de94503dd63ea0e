//! Where visitors connect: addresses, Unix sockets, what systemd opened; and what systemd is told.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::PATIENCE;
use crate::support::gateway::{folder_without_database, without_database};
use crate::support::http::{Connection, exchange};
use crate::support::site::Site;

const ASK: &str = "GET /place HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n";

fn unix(path: &std::path::Path) -> Connection {
    let stream = UnixStream::connect(path).expect("the socket takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a read timeout");
    Connection::over(stream)
}

/// `Folder::new` writes one place of its own; here it is overridden.
fn listening_at(places: &str, more: &str, site: &Site) -> crate::support::gateway::Folder {
    let (folder, nobody) = folder_without_database(site.address, more);
    // Nobody else takes the port while the gateway lives: it asks for the database in vain.
    std::mem::forget(nobody);
    folder.with("CONSENTRY__GATEWAY__LISTEN", places)
}

#[test]
fn visitors_come_in_at_every_place_and_a_unix_socket_is_no_proxy_unless_it_is_said_to_be() {
    for trusted in [false, true] {
        let site = Site::start();
        let more = format!("trust_unix_peers = {trusted}\nworkers = 2\n");
        let places = "[\"127.0.0.1:0\", \"unix:front.sock\", \"127.0.0.2:0\"]";
        let gateway = listening_at(places, &more, &site).serve();
        let path = gateway.folder.path().join("front.sock");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let mut connection = unix(&path);
        assert_eq!(connection.send(ASK).answer().status, 200);
        let told = if trusted { "203.0.113.7, 127.0.0.1" } else { "127.0.0.1" };
        assert_eq!(site.request("/place").all("x-forwarded-for"), [told]);
        assert_eq!(exchange(gateway.address, ASK).status, 200);
        let (status, folder) = gateway.end("TERM");
        assert!(status.success());
        assert!(!folder.path().join("front.sock").exists(), "its file is taken away");
    }
}

#[test]
fn a_socket_of_a_killed_gateway_gives_way_to_the_next() {
    let site = Site::start();
    let gateway = listening_at("[\"127.0.0.1:0\", \"unix:front.sock\"]", "", &site).serve();
    let (_, folder) = gateway.end("KILL");
    assert!(folder.path().join("front.sock").exists());
    let gateway = folder.serve();
    assert_eq!(unix(&gateway.folder.path().join("front.sock")).send(ASK).answer().status, 200);
    let second = gateway.folder.command(&["serve"]).env("CONSENTRY__DATA_DIR", "other").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("unix:front.sock"), "{said}");
    assert_eq!(unix(&gateway.folder.path().join("front.sock")).send(ASK).answer().status, 200, "the first serves on");
}

/// The sockets are handed over as sd_listen_fds(3) says, with the first in the place of standard input.
#[test]
fn sockets_that_systemd_has_opened_are_taken_by_their_names() {
    let site = Site::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let handed: OwnedFd = listener.try_clone().unwrap().into();
    let folder = listening_at("systemd:web", "workers = 2\n", &site);
    let mut command = folder.logged(&["serve", "--json"]);
    command.env("LISTEN_FDS", "1").env("LISTEN_FDS_FIRST_FD", "0").env("LISTEN_FDNAMES", "web");
    let mut child = command.stdin(Stdio::from(handed)).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {}", folder.log()));
    assert_eq!(said["gateway"], address.to_string());
    assert_eq!(exchange(address, ASK).status, 200);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    // Systemd keeps it: whoever comes meanwhile waits for the next process.
    assert!(std::net::TcpStream::connect(address).is_ok());

    let missing = folder.command(&["serve"]).env("LISTEN_FDS", "0").output().unwrap();
    let said = String::from_utf8_lossy(&missing.stderr);
    assert!(!missing.status.success() && said.contains("no socket called web"), "{said}");
}

#[test]
fn systemd_is_told_that_the_gateway_serves_lives_and_ends() {
    let site = Site::start();
    let (folder, _nobody) = folder_without_database(site.address, "");
    let path = folder.path().join("notify");
    let heard = UnixDatagram::bind(&path).unwrap();
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    let until = |word: &str| loop {
        let mut bytes = [0; 512];
        let length = heard.recv(&mut bytes).unwrap_or_else(|error| panic!("{word} is not said: {error}"));
        if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == word) {
            return;
        }
    };
    let folder = folder.with("NOTIFY_SOCKET", path.to_str().unwrap()).with("WATCHDOG_USEC", "200000");
    let gateway = folder.serve();
    until("READY=1");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    let (status, _folder) = gateway.end("TERM");
    assert!(status.success());
    until("STOPPING=1");
}

#[test]
fn an_address_that_is_taken_is_named_with_its_key() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let folder = listening_at(&format!("[\"127.0.0.1:0\", \"{}\"]", gateway.address), "", &site);
    let output = folder.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(&gateway.address.to_string()), "{said}");
    assert!(said.contains("[gateway] listen"), "{said}");
}

/// A proxy that asks for another host than the visitor did would make every choice look like another site's.
#[test]
fn a_choice_behind_a_proxy_that_asks_for_another_host_is_taken_where_its_word_is() {
    for believed in [false, true] {
        let site = Site::start();
        let more = format!("trusted_proxies = [\"127.0.0.1\"]\ntrust_forwarded_host = {believed}\n");
        let (gateway, _nobody) = without_database(site.address, &more);
        let body = "choice=reject";
        let answer = exchange(
            gateway.address,
            format!(
                "POST /_privacy/consent HTTP/1.1\r\nHost: inner:8080\r\nX-Forwarded-For: 203.0.113.7\r\n\
                 X-Forwarded-Host: www.example.org\r\nOrigin: http://www.example.org\r\nSec-Fetch-Site: same-origin\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        assert_eq!(answer.status, if believed { 303 } else { 403 });
        let ask = "GET /x HTTP/1.1\r\nHost: inner:8080\r\nX-Forwarded-For: 203.0.113.7\r\n\
                   X-Forwarded-Host: www.example.org\r\nX-Forwarded-Port: 443\r\n\r\n";
        assert_eq!(exchange(gateway.address, ask).status, 200);
        let seen = site.request("/x");
        assert_eq!(seen.all("host"), ["inner:8080"]);
        assert_eq!(seen.all("x-forwarded-host"), [if believed { "www.example.org" } else { "inner:8080" }]);
        assert_eq!(seen.all("x-forwarded-port"), ["443"]);
        let said = gateway.end("TERM").1.log();
        assert_eq!(said.contains("trust_forwarded_host"), !believed, "{said}");
    }
}
