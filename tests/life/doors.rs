//! Every way in, and every way to the site, across another configuration and another process.

use std::os::unix::net::UnixStream;

use serde_json::Value;
use tokio_rustls::rustls::HandshakeKind;

use super::reload::{configuration, reload};
use super::upgrade::upgrade;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Nobody, folder_without_database, without_database};
use crate::support::http::{Connection, exchange};
use crate::support::process::runs;
use crate::support::site::Site;
use crate::support::tls::{Root, connect, open};

const TLS: &str = "[gateway.tls]\nlisten = \"127.0.0.1:0\"\n[[gateway.tls.certificate]]\ncertificate = \"one.pem\"\nkey = \"one-key.pem\"\n";

fn start(site: &Site, root: &Root, more: &str) -> (Gateway, Nobody) {
    let (folder, nobody) = folder_without_database(site.address, &format!("workers = 2\n{more}\n{TLS}"));
    root.write(folder.path(), "one", &["www.example.org"]);
    root.write(folder.path(), "two", &["www.example.org", "new.example"]);
    (folder.serve(), nobody)
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn certificates_routes_and_bounds_change_with_the_configuration_and_connections_that_are_open_stay() {
    let (site, other, root) = (Site::start(), Site::start(), Root::new());
    let (gateway, _nobody) = start(&site, &root, "");
    let address = gateway.tls.expect("it listens by TLS");
    let mut kept = open(&root, &gateway, "www.example.org");
    assert_eq!(kept.send(get("/doors/before", "www.example.org")).answer().field("strict-transport-security"), None);
    let client = root.http1();
    let resumed = || {
        let stream = connect(&client, address, "www.example.org").expect("it is shown its certificate");
        let kind = stream.conn.handshake_kind();
        // Tickets come with the first answer.
        assert_eq!(Connection::over(stream).send(get("/doors/ticket", "www.example.org")).answer().status, 200);
        kind
    };
    assert_ne!(resumed(), Some(HandshakeKind::Resumed));
    assert!(connect(&root.http1(), address, "new.example").is_err());

    let old = configuration(&gateway);
    let new = old
        .replace("[gateway.tls]\n", "[gateway.tls]\nhsts = \"1 hour\"\nredirect = true\n")
        .replace("\"one.pem\"", "\"two.pem\"")
        .replace("\"one-key.pem\"", "\"two-key.pem\"");
    let route = format!("[[gateway.route]]\npath = \"/other\"\nupstream = \"http://{}\"\n", other.address);
    gateway.folder.write("consentry.toml", &format!("{new}\n{route}"));
    let (code, said, wrong) = reload(&gateway);
    assert_eq!(code, Some(0), "{said}{wrong}");
    for key in ["gateway.tls.hsts", "gateway.tls.certificate[0].key", "gateway.route[0].path"] {
        assert!(said.contains(key), "{key}: {said}");
    }
    let answer = kept.send(get("/other/after", "www.example.org")).answer();
    assert_eq!((answer.status, answer.field("strict-transport-security")), (200, Some("max-age=3600")));
    assert_eq!((other.requests("/other/after").len(), site.requests("/other/after").len()), (1, 0));
    assert!(connect(&root.http1(), address, "new.example").is_ok());
    assert_eq!(resumed(), Some(HandshakeKind::Resumed), "tickets of before are good");
    assert_eq!(exchange(gateway.address, get("/doors/plain", "www.example.org")).status, 308);
    let figures = crate::dashboard::get(&gateway, "/metrics").text();
    assert!(figures.contains("route=\"/other\""), "{figures}");

    // Whatever is wrong with any of it is wrong with all of it.
    for (wrong, why) in [
        (old.replace("\"one.pem\"", "\"missing.pem\""), "gateway.tls.certificate[0].certificate: missing.pem cannot"),
        (old.replace("listen = \"127.0.0.1:0\"\n[[", "listen = \"127.0.0.2:0\"\n[["), "gateway.tls.listen"),
    ] {
        gateway.folder.write("consentry.toml", &wrong);
        let (code, _, said) = reload(&gateway);
        assert!(code == Some(2) && said.contains(why), "{code:?} {said}");
        let answer = kept.send(get("/other/kept", "www.example.org")).answer();
        assert_eq!((answer.status, answer.field("strict-transport-security")), (200, Some("max-age=3600")));
    }
    gateway.folder.write("consentry.toml", &old);
    assert_eq!(reload(&gateway).0, Some(0));
    assert!(connect(&root.http1(), address, "new.example").is_err(), "what was taken away is gone");
    assert_eq!(gateway.end("TERM").0.code(), Some(0));
}

#[test]
fn every_door_goes_to_the_new_process_and_none_is_shut_meanwhile() {
    let (site, root) = (Site::start(), Root::new());
    let (folder, _nobody) = folder_without_database(site.address, &format!("workers = 3\n{TLS}"));
    root.write(folder.path(), "one", &["www.example.org"]);
    let folder = folder.with("CONSENTRY__GATEWAY__LISTEN", "[\"127.0.0.1:0\", \"unix:front door.sock\"]");
    let mut gateway = folder.serve();
    let path = gateway.folder.path().join("front door.sock");
    let ask = || {
        assert_eq!(exchange(gateway.address, get("/doors/tcp", "www.example.org")).status, 200);
        let stream = UnixStream::connect(&path).expect("somebody listens");
        assert_eq!(Connection::over(stream).send(get("/doors/unix", "www.example.org")).answer().status, 200);
        let mut secure = open(&root, &gateway, "www.example.org");
        assert_eq!(secure.send(get("/doors/tls", "www.example.org")).answer().status, 200);
    };
    ask();
    // There are fewer workers now, and still as many sockets.
    gateway.folder.write("consentry.toml", &configuration(&gateway).replace("workers = 3", "workers = 2"));
    let successor = std::thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&gateway.folder));
        while !upgrading.is_finished() {
            ask();
        }
        upgrading.join().expect("it answers").expect("the new process serves")
    });
    let first = gateway.process.id();
    eventually("the first ends", || (!runs(first)).then_some(()));
    // Each socket is some worker's.
    (0..12).for_each(|_| ask());
    assert!(path.exists(), "its file is the new process's");
    assert_eq!(gateway.process.wait().code(), Some(0), "{}", gateway.folder.log());
    successor.end();
    assert!(!path.exists(), "and is taken away with it");
}

#[test]
fn rule_d1_who_is_turned_away_at_the_door_is_in_the_security_log_and_a_request_has_one_id_everywhere() {
    let site = Site::start();
    let logs = "[observe]\naccess_log = \"access.log\"\nsecurity_log = \"security.log\"\n";
    let route = format!("[[gateway.route]]\nhost = \"www.example.org\"\nupstream = \"http://{}\"\n", site.address);
    let bounds = "[gateway.limits]\nrequests_per_second_per_address = 1\nrequest_burst_per_address = 3\n";
    let (gateway, _nobody) = without_database(site.address, &format!("{bounds}{route}{logs}"));
    let folder = gateway.folder.path().to_owned();
    let old = configuration(&gateway);
    // Without one for all others they have none.
    let upstream = format!("upstream = \"http://{}\"\n", site.address);
    gateway.folder.write("consentry.toml", &old.replacen(&upstream, "", 1));
    let (code, said, wrong) = reload(&gateway);
    assert_eq!(code, Some(0), "{said}{wrong}");
    let hosts = ["www.example.org", "elsewhere.example", "www.example.org", "www.example.org", "www.example.org"];
    let ask = |(number, host)| exchange(gateway.address, get(&format!("/doors/log/{number}"), host)).status;
    let statuses: Vec<u16> = hosts.into_iter().enumerate().map(ask).collect();
    assert_eq!(statuses[..2], [200, 421]);
    assert_eq!(statuses.last(), Some(&429));
    let (status, _folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0));
    let lines = |begins: &str| -> Vec<Value> {
        let named = |entry: std::io::Result<std::fs::DirEntry>| entry.ok().map(|entry| entry.path());
        let files = std::fs::read_dir(&folder).expect("it is ours").filter_map(named);
        let ours = files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begins)));
        let text: String = ours.map(|path| std::fs::read_to_string(path).expect("it is text")).collect();
        text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    };
    let reasons: Vec<(Value, Value)> =
        lines("security").iter().map(|line| (line["status"].clone(), line["reason"].clone())).collect();
    assert!(reasons.contains(&(421.into(), "no-route".into())), "{reasons:?}");
    assert!(reasons.contains(&(429.into(), "too-many".into())), "{reasons:?}");
    assert!(lines("security").iter().all(|line| line["network"] == "127.0.0.0"), "never the address");
    let written = lines("access");
    assert_eq!(written.len(), statuses.len());
    let asked = site.request("/doors/log/0");
    assert_eq!(asked.all("x-request-id"), [written[0]["id"].as_str().expect("it has one")]);
}
