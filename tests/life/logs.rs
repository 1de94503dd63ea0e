//! What operators see of single requests: the access log, the security log, the histograms, and traces. Never a visitor.

use serde_json::Value;

use super::upgrade::upgrade;
use crate::dashboard;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Nobody, folder_without_database, without_database};
use crate::support::http::Connection;
use crate::support::process::Process;
use crate::support::site::{Behaviour, Site};
use crate::support::visitor::{AGENT, Visitor};

fn start(more: &str) -> (Gateway, Site, Nobody) {
    let site = Site::start();
    let (gateway, nobody) = without_database(site.address, more);
    (gateway, site, nobody)
}

fn lines(gateway: &Gateway, file: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} lines in {file}"), || {
        let text = std::fs::read_to_string(gateway.folder.path().join(file)).unwrap_or_default();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        assert!(lines.len() <= count, "{lines:?}");
        (lines.len() == count).then_some(lines)
    })
}

#[test]
fn rule_d1_the_access_log_says_how_each_request_went_and_nothing_of_who_asked() {
    let (gateway, site, _nobody) = start("[observe]\naccess_log = \"access.log\"\nsecurity_log = \"refused\"");
    site.on("/silent", Behaviour::AnswersAndCloses(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()));
    let mut visitor = Visitor::who_accepts(&gateway).saying("Referer", "https://elsewhere.example/jane");
    visitor.get("/pricing/jane.doe@example.com?q=9434765919");
    visitor.get("/jane.doe@example.com");
    visitor.beacon("/pricing");
    let mut broken = Connection::open(gateway.address);
    broken.send(format!("GET /silent HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address));
    broken.rest();
    let mut refused = Connection::open(gateway.address);
    refused.send("GET /secret HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(refused.answer().status, 400);

    let lines_ = lines(&gateway, "access.log", 6);
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let summed: Vec<String> = lines_
        .iter()
        .map(|line| ["method", "route", "path", "consent", "end"].map(|key| word(line, key)).join(" "))
        .collect();
    assert_eq!(
        summed,
        [
            "POST privacy /_privacy/* none complete",
            "GET page /pricing/* all complete",
            "GET page (other) all complete",
            "POST beacon /_privacy/* all complete",
            "GET page /silent none broken",
            "GET refused (error) none complete",
        ]
    );
    let page = &lines_[1];
    assert_eq!((&page["status"], &page["host"]), (&200.into(), &"[address]".into()));
    assert!(
        page["bytes"].as_u64().is_some_and(|bytes| bytes > 100) && page["upstream_ms"].as_f64().is_some(),
        "{page}"
    );
    assert!(lines_[3]["upstream_ms"].is_null());
    let mut ids: Vec<String> = lines_.iter().map(|line| word(line, "id")).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    let day = std::fs::read_dir(gateway.folder.path()).expect("it is ours").flatten();
    let day = day.map(|entry| entry.file_name().into_string().expect("a name"));
    let security = day.into_iter().find(|name| name.starts_with("refused.")).expect("a file of today");
    let refused = lines(&gateway, &security, 1);
    assert_eq!((&refused[0]["reason"], &refused[0]["network"]), (&"host".into(), &"127.0.0.0".into()));

    // No whole address of a visitor, agent, cookie, query, path or referrer is in any file.
    let cookie = visitor.cookies.values().next().expect("the choice").clone();
    for file in ["access.log", &security, "log"] {
        let text = std::fs::read_to_string(gateway.folder.path().join(file)).unwrap_or_default();
        for secret in ["jane", "9434765919", AGENT, "elsewhere", "/secret", cookie.as_str()] {
            assert!(!text.contains(secret), "{secret} in {file}");
        }
    }
    let text = std::fs::read_to_string(gateway.folder.path().join(&security)).expect("it is there");
    assert!(!text.contains("127.0.0.1"), "{text}");
}

#[test]
fn a_request_that_was_never_answered_has_its_line_too() {
    let (mut gateway, site, _nobody) = start("drain = \"300ms\"\n[observe]\naccess_log = \"access.log\"");
    site.on("/hangs", Behaviour::IsSilent);
    let ask = |gateway: &Gateway| {
        let mut connection = Connection::open(gateway.address);
        connection.send(format!("GET /hangs HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address));
        connection
    };
    let gone = ask(&gateway);
    eventually("the site is asked", || (site.requests("/hangs").len() == 1).then_some(()));
    drop(gone);
    let line = lines(&gateway, "access.log", 1).remove(0);
    assert_eq!((&line["status"], &line["end"], &line["path"]), (&499.into(), &"aborted".into(), &"(error)".into()));
    assert_eq!((&line["route"], &line["bytes"]), (&"page".into(), &0.into()));
    assert!(line["upstream_ms"].as_f64().is_some_and(|waited| waited > 0.0), "{line}");

    let _cut = ask(&gateway);
    eventually("the site is asked again", || (site.requests("/hangs").len() == 2).then_some(()));
    gateway.process.signal("TERM");
    gateway.process.wait();
    assert_eq!(lines(&gateway, "access.log", 2)[1]["status"], 499);
}

#[test]
fn a_log_that_was_moved_away_is_made_anew_when_asked_and_switched_on_and_off_without_a_restart() {
    let (gateway, _site, _nobody) = start("[observe]\naccess_log = \"access.log\"");
    let mut visitor = Visitor::new(&gateway);
    visitor.get("/one");
    lines(&gateway, "access.log", 1);
    let path = |name: &str| gateway.folder.path().join(name);
    std::fs::rename(path("access.log"), path("access.log.1")).expect("it is ours");
    gateway.process.signal("HUP");
    eventually("another is made", || path("access.log").exists().then_some(()));
    visitor.get("/two");
    lines(&gateway, "access.log", 1);
    let old = std::fs::read_to_string(path("consentry.toml")).expect("it was written");
    gateway.folder.write("consentry.toml", &old.replace("access.log", "other.log"));
    assert!(gateway.folder.run(&["reload"]).status.success());
    visitor.get("/three");
    assert_eq!(lines(&gateway, "other.log", 1)[0]["path"], "/three");
    gateway.folder.write("consentry.toml", &old.replace("access.log", "off").replace("= \"off.log\"", "= \"off\""));
    assert!(gateway.folder.run(&["reload"]).status.success());
    visitor.get("/four");
    let metrics = dashboard::get(&gateway, "/metrics").text();
    assert!(metrics.contains("\nconsentry_access_log_lines_total 3\n"), "{metrics}");
    assert!(metrics.contains("\nconsentry_access_log_lines_dropped_total 0\n"), "{metrics}");
}

#[test]
fn usr1_opens_log_files_anew_and_asks_for_nothing_else() {
    let (gateway, _site, _nobody) = start("[observe]\naccess_log = \"access.log\"");
    let mut visitor = Visitor::new(&gateway);
    visitor.get("/one");
    lines(&gateway, "access.log", 1);
    let path = |name: &str| gateway.folder.path().join(name);
    std::fs::rename(path("access.log"), path("access.log.1")).expect("it is ours");
    // What a reload would refuse is not even looked at.
    gateway.folder.write("consentry.toml", "this is no configuration");
    gateway.process.signal("USR1");
    eventually("another is made", || path("access.log").exists().then_some(()));
    visitor.get("/two");
    assert_eq!(lines(&gateway, "access.log", 1)[0]["path"], "/two");
    let metrics = dashboard::get(&gateway, "/metrics").text();
    assert!(metrics.contains("\nconsentry_config_last_reload_refused 0\n"), "{metrics}");
}

#[test]
fn while_nobody_reads_the_access_log_the_gateway_is_reloaded_upgraded_and_ended_all_the_same() {
    let site = Site::start();
    let (folder, _nobody) = folder_without_database(site.address, "[observe]\naccess_log = \"stdout\"");
    let (gateway, unread) = folder.serve_and_say();
    let full = || gateway.metric("consentry_access_log_lines_dropped_total") > 0;
    std::thread::scope(|scope| {
        let ask = || {
            let request = format!("GET /_privacy/choice HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address).repeat(20);
            let mut connection = Connection::open(gateway.address);
            while !full() {
                connection.send(&request);
                (0..20).for_each(|_| drop(connection.answer()));
            }
        };
        (0..4).for_each(|_| drop(scope.spawn(ask)));
    });
    let (mut command, said) = Process::start(gateway.folder.command(&["reload"]), gateway.folder.path());
    assert_eq!(command.wait().code(), Some(0), "{}", gateway.folder.log());
    assert_eq!(said.next().as_deref(), Some("nothing has changed"));
    let successor = upgrade(&gateway.folder).expect("the new process serves");
    assert_eq!(Visitor::new(&gateway).get("/page").status, 200);
    successor.end();
    drop(unread);
}

#[test]
fn how_long_requests_take_is_counted_by_route_and_phase() {
    let (gateway, _site, _nobody) = start("");
    let mut visitor = Visitor::who_accepts(&gateway);
    for number in 0..5 {
        visitor.get(&format!("/page/{number}"));
        visitor.fetch("GET", &format!("/data/{number}"));
    }
    let metrics = eventually("every answer has ended", || {
        let metrics = dashboard::get(&gateway, "/metrics").text();
        metrics.contains("\nconsentry_requests_in_flight 0\n").then_some(metrics)
    });
    for (labels, count) in [
        ("route=\"page\",phase=\"head\"", 5),
        ("route=\"page\",phase=\"upstream\"", 5),
        ("route=\"page\",phase=\"body\"", 5),
        ("route=\"other\",phase=\"upstream\"", 5),
        ("route=\"privacy\",phase=\"head\"", 1),
        ("route=\"refused\",phase=\"head\"", 0),
    ] {
        let line = format!("\nconsentry_request_seconds_count{{{labels}}} {count}\n");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
}

#[test]
fn a_trace_is_passed_on_dropped_or_begun_and_never_kept() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let (gateway, site, _nobody) = start("[observe]\naccess_log = \"access.log\"\ntraceparent = true");
    let ask = |path: &str, traces: &str| {
        let mut connection = Connection::open(gateway.address);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{traces}\r\n", gateway.address));
        assert_eq!(connection.answer().status, 200);
        site.request(path)
    };
    let sent = ask("/good", &format!("traceparent: {good}\r\ntracestate: a=b,c=d\r\n"));
    assert_eq!((sent.all("traceparent"), sent.all("tracestate")), (vec![good], vec!["a=b,c=d"]));
    let sent = ask("/bad", "traceparent: 00-nonsense\r\ntracestate: a=b\r\n");
    assert!(sent.all("tracestate").is_empty());
    let begun = sent.all("traceparent").first().map(|parent| (*parent).to_owned()).expect("another is begun");
    assert!(begun.starts_with("00-") && begun.ends_with("-01") && begun.len() == 55, "{begun}");
    lines(&gateway, "access.log", 2);
    let (_, folder) = gateway.end("TERM");
    for (path, bytes) in crate::support::files(folder.path()) {
        for trace in [&good[3..35], &begun[3..35]] {
            assert!(!crate::support::holds(&bytes, trace.as_bytes()), "{trace} in {}", path.display());
        }
    }
}
