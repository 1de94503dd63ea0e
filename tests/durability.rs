//! What is acknowledged is kept, once, whoever dies; and whoever ends leaves nothing behind.

use std::time::Instant;

use crate::support::gateway::{CONSENTRY, Folder, Gateway, Nobody, without_database};
use crate::support::process::{Process, children, runs};
use crate::support::site::Site;
use crate::support::visitor::Visitor;
use crate::support::{eventually, files};

/// Long enough that a batch is still open when the gateway dies.
const SLOW_BATCHES: &str = "[spool]\nbatch_age = \"60s\"";

fn count(gateway: &Gateway, prefix: &str) -> u64 {
    let sql = format!("select count() as n from consentry.events where startsWith(path, '{prefix}')");
    gateway.query(&sql)[0]["n"].as_u64().expect("a count is a number")
}

#[test]
fn an_acknowledged_beacon_survives_the_gateways_death_once() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, SLOW_BATCHES);
    let mut visitor = Visitor::who_accepts(&gateway);
    for number in 0..50 {
        assert_eq!(visitor.beacon(&format!("/killed/{number}")).status, 204);
    }
    let (status, folder) = gateway.end("KILL");
    assert!(status.code().is_none(), "it was killed: {status}");

    let gateway = folder.serve();
    eventually("every beacon is a row", || (count(&gateway, "/killed/") >= 50).then_some(()));
    // Once more, in case a batch is sent twice, with something behind it that was captured later.
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/killed-later");
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{status}\n{}", folder.log());
    let sql =
        "select uniqExact(path) as paths, count() as rows from consentry.events where startsWith(path, '/killed/')";
    assert_eq!(folder.query(sql)[0], serde_json::json!({"paths": 50, "rows": 50}));
    assert_eq!(folder.query("select count() as n from consentry.events where path = '/killed-later'")[0]["n"], 1);
}

#[test]
fn asked_to_end_everything_ends_within_seconds_and_what_was_captured_is_in_the_table() {
    let site = Site::start();
    for signal in ["TERM", "INT"] {
        let gateway = Gateway::start(site.address, SLOW_BATCHES);
        Visitor::who_accepts(&gateway).get("/ended/page");
        let children = gateway.process.children();
        assert_eq!(children.len(), 1, "the engine");
        let began = Instant::now();
        let (status, folder) = gateway.end(signal);
        assert_eq!(status.code(), Some(0), "{}", folder.log());
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        assert!(!runs(children[0]));
        let rows = folder.query("select path from consentry.events");
        assert_eq!(rows, [serde_json::json!({"path": "/ended/page"})]);
    }
}

#[test]
fn a_signal_to_every_process_at_once_lets_the_last_batch_into_the_table() {
    let site = Site::start();
    for signal in ["TERM", "INT"] {
        let gateway = Gateway::start(site.address, SLOW_BATCHES);
        let mut visitor = Visitor::who_accepts(&gateway);
        assert_eq!(visitor.beacon("/group/last").status, 204);
        let (status, folder) = gateway.end_all(signal);
        assert_eq!(status.code(), Some(0), "{}", folder.log());
        let waiting = files(&folder.data().join("spool"));
        let waiting: Vec<_> =
            waiting.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "segment")).collect();
        assert!(waiting.is_empty(), "{waiting:?}\n{}", folder.log());
        let rows = folder.query("select path from consentry.events");
        assert_eq!(rows, [serde_json::json!({"path": "/group/last"})]);
    }
}

/// A process below another, by the name of its program.
fn descendant(of: u32, name: &str) -> Option<u32> {
    children(of).into_iter().find_map(|pid| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if comm.trim() == name { Some(pid) } else { descendant(pid, name) }
    })
}

#[test]
fn a_terminal_that_is_closed_ends_everything_in_order() {
    let site = Site::start();
    let folder = Folder::new(site.address, SLOW_BATCHES);
    // `script` gives it a terminal, and takes it away when it ends.
    let command = format!("{CONSENTRY} serve --json; echo ended $? > status");
    let mut terminal = std::process::Command::new("script");
    terminal.args(["-q", "-e", "-c", &command, "/dev/null"]).current_dir(folder.path());
    let (mut script, lines) = Process::start(terminal, folder.path());
    // Its messages come there too.
    while !lines.next().expect("it starts").contains("\"gateway\"") {}
    let gateway = eventually("the gateway is there", || descendant(script.id(), "consentry"));
    let engines = children(gateway);
    assert_eq!(engines.len(), 1, "the engine");
    script.signal("KILL");
    script.wait();
    eventually("it ends", || (!runs(gateway)).then_some(()));
    eventually("the engine ends too", || engines.iter().all(|pid| !runs(*pid)).then_some(()));
    assert!(folder.data().join("spool").is_dir() && !folder.data().join("control.sock").exists(), "in order");
}

#[test]
fn a_start_that_fails_ends_and_leaves_nothing_behind() {
    let site = Site::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has ports");
    let address = taken.local_addr().expect("it is bound");
    let folder = Folder::new(site.address, "");
    let configuration = std::fs::read_to_string(folder.path().join("consentry.toml")).expect("it was written");
    let dashboard = configuration.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""), 1);
    folder.write("consentry.toml", &dashboard);
    let output = folder.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("[dashboard] listen"), "{said}");

    drop(taken);

    // Nothing is left that would be in the way.
    folder.write("consentry.toml", &configuration);
    assert_eq!(folder.serve().end("TERM").0.code(), Some(0));
}

#[test]
fn an_engine_that_cannot_start_is_no_reason_not_to_serve_and_what_was_captured_meanwhile_comes_when_it_can() {
    let site = Site::start();
    let folder = Folder::new(site.address, "");
    // The database's folder is not a folder.
    std::fs::create_dir_all(folder.data()).expect("the folder is ours");
    std::fs::set_permissions(folder.data(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
    folder.write("data/clickhouse", "in the way");
    let gateway = folder.serve();
    let mut visitor = Visitor::who_accepts(&gateway);
    assert_eq!(visitor.get("/without/page").status, 200);
    assert_eq!(visitor.beacon("/without/beacon").status, 204);
    let log = gateway.folder.log();
    assert!(log.contains("ERROR") && log.contains("the embedded ClickHouse did not start"), "{log}");
    let ready = crate::dashboard::get(&gateway, "/readyz");
    assert_eq!((ready.status, &ready.json()["alarms"]), (200, &serde_json::json!(["database-away"])));
    std::fs::remove_file(gateway.folder.data().join("clickhouse")).expect("it was written");
    eventually("it starts, has its schema, and the rows", || {
        let said = gateway.folder.run(&[
            "query",
            "--data-dir",
            "data",
            "select count() from consentry.events where path like '/without/%'",
        ]);
        (said.status.success() && String::from_utf8_lossy(&said.stdout).contains('2')).then_some(())
    });
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
}

#[test]
fn the_engine_dies_with_the_gateway() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    let children = gateway.process.children();
    assert!(children.len() == 1 && runs(children[0]));
    gateway.end("KILL");
    assert!(!runs(children[0]));
}

#[test]
fn a_dead_engine_is_started_again_and_nothing_is_lost_or_doubled() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    for round in 0..3 {
        assert_eq!(visitor.beacon(&format!("/engine/{round}/before")).status, 204);
        let engine = *gateway.process.children().first().expect("the engine");
        let killed = std::process::Command::new("kill").args(["-KILL", &engine.to_string()]).status();
        assert!(killed.expect("kill is there").success());
        assert_eq!(visitor.get(&format!("/engine/{round}/page")).status, 200, "the site is served meanwhile");
        assert_eq!(visitor.beacon(&format!("/engine/{round}/after")).status, 204);
        eventually("another engine", || gateway.process.children().into_iter().find(|pid| *pid != engine));
    }
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    // What could not be shipped in time waits for the next start.
    let gateway = folder.serve();
    eventually("all of it is there", || (count(&gateway, "/engine/") >= 9).then_some(()));
    assert_eq!(count(&gateway, "/engine/"), 9);
}

#[test]
fn a_restart_keeps_data_password_and_choices() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    assert!(gateway.password.is_some());
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/restart/first");
    let (_, folder) = gateway.end("TERM");
    let gateway = folder.serve();
    assert_eq!(gateway.password, None);
    let mut again = Visitor::new(&gateway);
    again.cookies = visitor.cookies;
    assert!(!again.get("/restart/second").text().contains("id=\"consentry-banner\""));
    let sql = "select path, seq, toString(visitor_id) as visitor, toString(session_id) as visit from consentry.events \
               where startsWith(path, '/restart/') order by seq";
    let rows = gateway.rows(2, sql);
    assert_eq!((&rows[0]["visitor"], &rows[0]["visit"]), (&rows[1]["visitor"], &rows[1]["visit"]));
    assert_eq!((&rows[0]["seq"], &rows[1]["seq"]), (&1.into(), &2.into()));
}

#[test]
fn while_clickhouse_is_away_the_site_is_served_and_events_wait_for_it() {
    let site = Site::start();
    let nobody = Nobody::new();
    let address = nobody.address;
    let gateway = Gateway::start(site.address, &format!("[clickhouse]\nurl = \"http://{address}\"\n"));
    let mut visitor = Visitor::who_accepts(&gateway);
    for number in 0..20 {
        assert_eq!(visitor.get(&format!("/away/{number}")).status, 200);
        assert_eq!(visitor.beacon(&format!("/away/{number}")).status, 204);
    }
    let waiting = eventually("the events wait in the spool", || {
        let metrics = crate::dashboard::get(&gateway, "/metrics").text();
        metrics.lines().any(|line| line == "consentry_spool_waiting_rows 40").then_some(metrics)
    });
    assert!(waiting.contains("\nconsentry_events_refused_total 0\n"), "{waiting}");
    let ready = crate::dashboard::get(&gateway, "/readyz");
    assert_eq!((ready.status, &ready.json()["alarms"]), (200, &serde_json::json!(["database-away"])));

    // Now it comes: an engine on that address, with data of its own.
    let elsewhere = Folder::empty();
    drop(nobody);
    let command = elsewhere.logged(&["engine", "--data", "data", "--listen", &address.to_string()]);
    let (engine, lines) = Process::start(command, elsewhere.path());
    assert!(lines.next().is_some(), "the engine did not start:\n{}", elsewhere.log());
    let sql = "select uniqExact(path) as paths, count() as rows from consentry.events where startsWith(path, '/away/')";
    let there = || elsewhere.run(&["query", "--data-dir", "data", "--format", "JSONEachRow", sql]);
    eventually("every event is a row", || {
        let said = String::from_utf8(there().stdout).expect("JSON is UTF-8");
        (said == "{\"paths\":20,\"rows\":40}\n").then_some(())
    });
    let there = || crate::dashboard::get(&gateway, "/readyz").json()["database"]["ok"] == true;
    eventually("the database is there", || there().then_some(()));
    let log = gateway.folder.log();
    for once in ["does not take the schema yet", "has the schema now"] {
        assert_eq!(log.matches(once).count(), 1, "{once}:\n{log}");
    }
    drop(gateway);
    drop(engine);
}

/// A beacon of a custom event with an id of its own.
fn custom(number: u64) -> Vec<u8> {
    let event =
        serde_json::json!({"n": "tried", "u": "/repeats", "i": format!("{number:016x}"), "props": {"number": number}});
    serde_json::json!({"v": 1, "events": [event]}).to_string().into_bytes()
}

#[test]
fn a_beacon_that_is_sent_again_after_a_crash_is_counted_once() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    visitor.get("/repeats");
    let send = |visitor: &mut Visitor, number| {
        assert_eq!(visitor.post("/_privacy/events", "application/json", &custom(number)).status, 204);
    };
    send(&mut visitor, 1);
    gateway.rows(1, "select name from consentry.events where name = 'tried'");
    send(&mut visitor, 2);
    // One is in the table, the other may wait still; their answers were lost, say.
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();
    let mut again = Visitor::new(&gateway);
    again.cookies = visitor.cookies;
    (1..=3).for_each(|number| send(&mut again, number));
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    let gateway = folder.serve();
    let rows =
        gateway.rows(3, "select props['number'] as number from consentry.events where name = 'tried' order by 1");
    assert_eq!(rows, ["1", "2", "3"].map(|number| serde_json::json!({ "number": number })));
}

#[test]
fn rule_c6_what_waits_of_a_visitor_who_withdraws_never_gets_there() {
    let site = Site::start();
    let nobody = Nobody::new();
    let address = nobody.address;
    let gateway = Gateway::start(site.address, &format!("[clickhouse]\nurl = \"http://{address}\"\n"));
    let mut stays = Visitor::who_accepts(&gateway);
    let mut withdraws = Visitor::who_accepts(&gateway);
    for visitor in [&mut stays, &mut withdraws] {
        assert_eq!(visitor.get("/waits/page").status, 200);
        assert_eq!(visitor.beacon("/waits/page").status, 204);
    }
    // A choice that was changed in between: the rows of both are theirs.
    withdraws.post("/_privacy/consent", "application/json", br#"{"granted":["analytics"]}"#);
    assert_eq!(withdraws.beacon("/waits/page").status, 204);
    assert_eq!(withdraws.choose("reject").status, 303);
    let (_, folder) = gateway.end("KILL");
    let gateway = folder.serve();

    let elsewhere = Folder::empty();
    drop(nobody);
    let command = elsewhere.logged(&["engine", "--data", "data", "--listen", &address.to_string()]);
    let (engine, lines) = Process::start(command, elsewhere.path());
    assert!(lines.next().is_some(), "the engine did not start:\n{}", elsewhere.log());
    let sql = "select uniqExact(visitor_id) as visitors, count() as rows from consentry.events";
    eventually("what may be stored is", || {
        let said = elsewhere.run(&["query", "--data-dir", "data", "--format", "JSONEachRow", sql]).stdout;
        (said == b"{\"visitors\":1,\"rows\":2}\n").then_some(())
    });
    let metrics = eventually("nothing waits", || {
        let metrics = crate::dashboard::get(&gateway, "/metrics").text();
        metrics.contains("\nconsentry_spool_waiting_rows 0\n").then_some(metrics)
    });
    assert!(metrics.contains("\nconsentry_spool_forgotten_rows_total 3\n"), "{metrics}");
    drop(gateway);
    drop(engine);
}

#[test]
fn a_database_of_a_newer_program_is_an_error_that_says_what_to_do_and_the_site_is_served() {
    let elsewhere = Folder::empty();
    let command = elsewhere.logged(&["engine", "--data", "data", "--listen", "127.0.0.1:0"]);
    let (engine, lines) = Process::start(command, elsewhere.path());
    let url =
        std::iter::from_fn(|| lines.next()).map(|line| line.trim().to_owned()).find(|line| line.starts_with("http"));
    let url = url.unwrap_or_else(|| panic!("the engine did not start:\n{}", elsewhere.log()));
    let later = "insert into schema_migrations values (4000, 'later', '', 0)";
    for arguments in [["schema", "apply", "--data-dir", "data"], ["query", "--data-dir", "data", later]] {
        let output = elsewhere.run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let site = Site::start();
    let gateway = Gateway::start(site.address, &format!("[clickhouse]\nurl = \"{url}\"\n"));
    let line = eventually("the log says it", || {
        gateway.folder.log().lines().find(|line| line.contains("4000")).map(str::to_owned)
    });
    assert!(line.contains("ERROR") && line.contains("use a newer consentry"), "{line}");
    let mut visitor = Visitor::who_accepts(&gateway);
    assert_eq!(visitor.beacon("/newer").status, 204);
    assert_eq!(gateway.end("TERM").0.code(), Some(0));
    drop(engine);
}

#[test]
fn a_full_queue_refuses_beacons_says_so_and_serves_the_site() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "[spool]\nmax_bytes = \"1 MiB\"\nbatch_rows = 1000");
    let mut visitor = Visitor::who_accepts(&gateway);
    let event = serde_json::json!({"n": "engagement", "u": format!("/full/{}", "long-".repeat(30)), "e": 1});
    let body = serde_json::json!({"v": 1, "events": vec![event; 20]}).to_string();
    let mut taken = 0;
    let refused = eventually("the queue is full", || {
        let answer = visitor.post("/_privacy/events", "application/json", body.as_bytes());
        taken += u32::from(answer.status == 204);
        (answer.status != 204).then_some(answer)
    });
    assert!(taken > 10 && refused.status == 503 && refused.json()["error"].is_string(), "{taken} {}", refused.text());
    assert_eq!(visitor.get("/full/page").status, 200);
    let on_disk: usize = files(&gateway.folder.data().join("spool")).iter().map(|(_, bytes)| bytes.len()).sum();
    // What was admitted is within the bound; the head and seal of the last segment may stand beyond it.
    assert!(on_disk <= 1024 * 1024 + 4096, "{on_disk}");
    let metrics = crate::dashboard::get(&gateway, "/metrics").text();
    assert!(!metrics.contains("\nconsentry_events_refused_total 0\n"), "{metrics}");
}
