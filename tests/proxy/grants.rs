//! What the system grants the program is enough for what matters most, however little it is, and what is used up harms nobody.

use std::fs;
use std::time::{Duration, Instant};

use super::get;
use crate::support::eventually;
use crate::support::gateway::{Gateway, folder_without_database, shared};
use crate::support::h2::Raw;
use crate::support::http::{Answer, Connection};
use crate::support::site::{Behaviour, Site};

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

#[test]
fn where_descriptors_are_few_one_address_leaves_others_a_place_and_a_withdrawal_its_way() {
    let site = Site::start();
    site.on("/hangs", Behaviour::IsSilent);
    let (folder, _nobody) = folder_without_database(site.address, "workers = 1\n");
    let gateway = folder.through(&["prlimit", "--nofile=64:600"]).serve();
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.process.id())).unwrap();
    let files: Vec<&str> =
        limits.lines().find(|line| line.starts_with("Max open files")).unwrap().split_whitespace().collect();
    assert_eq!(files[3..5], ["600", "600"], "the soft limit is raised");
    assert!(
        gateway.folder.log().contains("too few descriptors for max_connections: 224 visitors"),
        "{}",
        gateway.folder.log()
    );

    let from = |address: &str| Connection::open_from(address.parse().unwrap(), gateway.address);
    // Of one address, connections that ask for nothing: half of all places are for others.
    let idle: Vec<Connection> = (0..150).map(|_| from("127.0.0.8")).collect();
    eventually("the address has its share", || {
        (gateway.metric("consentry_connections_refused_by_address_total") == 150 - 56).then_some(())
    });
    assert_eq!(from("127.0.0.9").send(ask("/others")).answer().status, 200);
    drop(idle);

    // Every way to the site is taken.
    let mut hanging: Vec<Connection> = Vec::new();
    eventually("there is no way to the site left", || {
        let mut connection = from(["127.0.0.7", "127.0.0.8", "127.0.0.9"][hanging.len() % 3]);
        connection.send(ask("/hangs"));
        hanging.push(connection);
        let answer =
            from("127.0.0.10").send(ask("/fast").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).answer();
        (answer.status == 503).then(|| assert_eq!(answer.field("retry-after"), Some("1")))
    });
    assert!(hanging.len() > 100, "{}", hanging.len());
    let choice = "{\"choice\":\"reject\"}";
    let withdrawal = format!(
        "POST /_privacy/consent HTTP/1.1\r\nHost: a.example\r\nOrigin: http://a.example\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{choice}",
        choice.len()
    );
    assert_eq!(from("127.0.0.10").send(withdrawal).answer().status, 200);
    assert_eq!(gateway.metric("consentry_accepts_failed_total"), 0);
    drop(hanging);
    eventually("the site is reached again", || (get(&gateway, "/after", "").status == 200).then_some(()));
}

#[test]
fn one_who_reads_nothing_over_http2_does_not_hold_the_ways_to_the_site_for_long() {
    let site = Site::start();
    let body = "x".repeat(3 << 20);
    let length = body.len();
    site.answers(
        "/large",
        format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n{body}"),
    );
    let (folder, _nobody) = folder_without_database(site.address, "workers = 1\nh2c = true\n");
    let gateway = folder.through(&["prlimit", "--nofile=64:600"]).serve();
    // No address has more than half of them.
    let _unread: Vec<Raw> = (8..10)
        .map(|last| {
            let mut raw = Raw::open_from([127, 0, 0, last].into(), gateway.address, &[]);
            for stream in 0..100 {
                raw.get(2 * stream + 1, "/large", &[("accept", b"image/*")]);
            }
            raw
        })
        .collect();
    eventually("every way to the site is taken", || (site.requests("/large").len() == 112).then_some(()));
    let began = Instant::now();
    eventually("a quarter of them is let go", || {
        (gateway.metric("consentry_streams_stalled_total") >= 25).then_some(())
    });
    eventually("others have a way again", || (get(&gateway, "/others", "").status == 200).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn an_upstream_has_no_more_connections_than_it_may() {
    let site = Site::start();
    site.on("/hangs", Behaviour::IsSilent);
    let (folder, _nobody) =
        folder_without_database(site.address, "workers = 2\n[gateway.limits]\nmax_upstream_connections = 3\n");
    let gateway = folder.serve();
    let from = |last: u8| Connection::open_from([127, 0, 0, last].into(), gateway.address);
    let mut open: Vec<Connection> = (7..10).map(from).collect();
    for connection in &mut open {
        connection.send(ask("/hangs"));
    }
    eventually("it is told to come again", || {
        let answer = get(&gateway, "/more", "");
        (answer.status == 503 && answer.field("retry-after") == Some("1")).then_some(())
    });
    drop(open);
    eventually("there is room", || (get(&gateway, "/more", "").status == 200).then_some(()));
}

#[test]
fn no_address_has_more_than_half_of_the_ways_to_the_site() {
    let site = Site::start();
    site.on("/hangs", Behaviour::IsSilent);
    site.on("/socket", Behaviour::Tunnels);
    let more = "workers = 2\ndrain = \"100ms\"\ntrusted_proxies = [\"127.0.0.2\"]\n[gateway.limits]\nmax_upstream_connections = 8\n";
    let (folder, _nobody) = folder_without_database(site.address, more);
    let gateway = folder.serve();
    let from = |last: u8| Connection::open_from([127, 0, 0, last].into(), gateway.address);
    let told = |answer: &Answer| (answer.status, answer.field("retry-after").map(str::to_owned));
    let come_again = (503, Some("1".to_owned()));
    // Some by itself, one by way of a proxy that says who asks, and one is a tunnel.
    let mut open: Vec<Connection> = [7, 7, 2].map(from).into();
    for connection in &mut open {
        connection.send(ask("/hangs").replace("\r\n\r\n", "\r\nX-Forwarded-For: 127.0.0.7\r\n\r\n"));
    }
    eventually("they have arrived", || (site.requests("/hangs").len() == 3).then_some(()));
    open.push(from(7));
    let handshake = "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(open[3].send(ask("/socket").replace("\r\n\r\n", handshake)).answer().status, 101);
    assert_eq!(told(&from(7).send(ask("/more")).answer()), come_again);
    // What needs no way to the site is there for it, and the other half is there for others.
    assert_eq!(from(7).send(ask("/_privacy/")).answer().status, 200);
    assert_eq!(from(8).send(ask("/others")).answer().status, 200);
    // A proxy that does not say who asks stands for many.
    let mut by_proxy: Vec<Connection> = Vec::new();
    eventually("all ways are taken", || {
        by_proxy.push(from(2));
        by_proxy.iter_mut().next_back()?.send(ask("/hangs"));
        // For a moment the other worker may keep one without use.
        (told(&from(8).send(ask("/others")).answer()) == come_again && by_proxy.len() >= 4).then_some(())
    });
    drop(by_proxy);
    eventually("there is room", || (from(8).send(ask("/others")).answer().status == 200).then_some(()));
    assert_eq!(told(&from(7).send(ask("/more")).answer()), come_again);
    drop(open.pop());
    eventually("a tunnel that ends makes room", || (from(7).send(ask("/more")).answer().status == 200).then_some(()));
}

#[test]
fn a_file_that_may_grow_no_further_is_a_disk_error_and_not_the_end() {
    let site = Site::start();
    let logs = "workers = 1\n[observe]\naccess_log = \"./access\"\n";
    let (folder, _nobody) = folder_without_database(site.address, logs);
    let mut gateway = folder.through(&["prlimit", "--fsize=20000:"]).serve();
    let length = |gateway: &Gateway| fs::metadata(gateway.folder.path().join("access")).map_or(0, |file| file.len());
    let mut connection = Connection::open(gateway.address);
    eventually("the log has reached the limit", || {
        for _ in 0..20 {
            assert_eq!(connection.send(ask("/grows")).answer().status, 200);
        }
        (length(&gateway) >= 19_000).then_some(())
    });
    for _ in 0..50 {
        assert_eq!(connection.send(ask("/grows")).answer().status, 200);
    }
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.wait().code(), Some(0));
    assert!(length(&gateway) <= 20_000);
}

#[test]
fn memory_comes_in_small_pages_to_the_gateway_and_in_large_ones_to_the_engine() {
    let (gateway, _) = shared();
    let large_pages = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("THP_enabled:")).unwrap().trim().to_owned()
    };
    assert_eq!(large_pages(gateway.process.id()), "0");
    let children = gateway.process.children();
    assert!(!children.is_empty(), "the engine is one");
    for pid in children {
        assert_eq!(large_pages(pid), "1");
    }
}

#[test]
fn the_engine_beside_a_gateway_goes_last() {
    let (gateway, _) = shared();
    let niceness = |pid: u32| -> Vec<i32> {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        // A thread that ends meanwhile has no file any more.
        let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
        stats.map(|stat| stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().parse().unwrap()).collect()
    };
    let gateways = niceness(gateway.process.id());
    assert!(gateways.iter().all(|nice| *nice == gateways[0]), "{gateways:?}");
    let children = gateway.process.children();
    assert!(!children.is_empty(), "the engine is one");
    for pid in children {
        let engines = niceness(pid);
        // ClickHouse lets a thread or two that only keep watch go first, where it may.
        let last = engines.iter().filter(|nice| **nice == (gateways[0] + 10).min(19)).count();
        assert!(engines[0] == (gateways[0] + 10).min(19) && last + 2 >= engines.len() && last > 2, "{engines:?}");
    }
}

#[test]
fn rule_d1_a_crash_leaves_no_memory_behind() {
    let (gateway, _) = shared();
    let children = gateway.process.children();
    assert!(!children.is_empty(), "the engine is one");
    let left = |pid: u32| {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
        let filter = fs::read_to_string(format!("/proc/{pid}/coredump_filter")).unwrap();
        (core.split_whitespace().nth(4).unwrap().to_owned(), u32::from_str_radix(filter.trim(), 16).unwrap())
    };
    for pid in children.into_iter().chain([gateway.process.id()]) {
        assert_eq!(left(pid), ("0".to_owned(), 0), "{pid}");
    }
    // Whoever looks for the cause of one may have it.
    let site = Site::start();
    let (folder, _nobody) = folder_without_database(site.address, "workers = 1\n");
    let looked_into = folder.through(&["prlimit", "--core=4096:4096"]).with("CONSENTRY_CORE_DUMPS", "1").serve();
    let (core, filter) = left(looked_into.process.id());
    assert!(core == "4096" && filter != 0, "{core} {filter}");
}
