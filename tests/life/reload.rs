//! Another configuration in the place of the one in effect.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::dashboard;
use crate::support::gateway::{Folder, Gateway, Nobody, folder_without_database, without_database};
use crate::support::site::{Behaviour, PAGE, Site, page};
use crate::support::visitor::Visitor;
use crate::support::{PATIENCE, eventually};

fn start() -> (Gateway, Site, Nobody) {
    let site = Site::start();
    let (gateway, nobody) = without_database(site.address, "[consent]\nbanner_title = \"Before\"");
    (gateway, site, nobody)
}

pub fn configuration(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.folder.path().join("consentry.toml")).expect("it was written")
}

pub fn reload(gateway: &Gateway) -> (Option<i32>, String, String) {
    let output = gateway.folder.run(&["reload"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn banner(gateway: &Gateway) -> String {
    String::from_utf8_lossy(&Visitor::new(gateway).get("/page").body).into_owned()
}

#[test]
fn a_new_configuration_takes_effect_for_every_worker_and_its_texts_are_kept_before_anybody_reads_them() {
    let (gateway, _site, _nobody) = start();
    assert!(banner(&gateway).contains("Before"));
    let texts = || std::fs::read_dir(gateway.folder.data().join("ledger/texts")).expect("it is there").count();
    let kept = texts();
    let old = configuration(&gateway);
    gateway.folder.write("consentry.toml", &old.replace("Before", "After"));
    let (code, said, _) = reload(&gateway);
    assert_eq!((code, said.as_str()), (Some(0), "in effect now: consent.banner_title\n"));
    // There are several workers, and the system chooses.
    for _ in 0..16 {
        assert!(banner(&gateway).contains("After"));
    }
    assert!(texts() > kept, "the new banner can be reproduced (P5)");
    assert_eq!(reload(&gateway).1, "nothing has changed\n");

    // A signal does the same.
    gateway.folder.write("consentry.toml", &old);
    gateway.process.signal("HUP");
    eventually("the signal was heard", || banner(&gateway).contains("Before").then_some(()));
    let metrics = dashboard::get(&gateway, "/metrics").text();
    assert!(metrics.contains("\nconsentry_config_reloads_total 3\n"), "{metrics}");
    assert_eq!(gateway.end("TERM").0.code(), Some(0));
}

#[test]
fn a_wrong_configuration_never_harms_the_running_gateway_and_everybody_hears_of_it() {
    let (gateway, _site, _nobody) = start();
    let old = configuration(&gateway);
    for (wrong, said) in [
        (old.replace("banner_title", "baner_title"), "did you mean `banner_title`?"),
        (format!("{old}\n[consent"), "consentry.toml:"),
        (
            old.replace("Before\"", "After\"\n[spool]\nmax_bytes = \"1 GiB\""),
            "spool.max_bytes cannot change while the gateway runs",
        ),
        (
            old.replace("Before\"", "After\"\n[capture]\ncalls_token_file = \"missing\""),
            "capture.calls_token_file: there is no",
        ),
    ] {
        gateway.folder.write("consentry.toml", &wrong);
        let (code, stdout, stderr) = reload(&gateway);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(said), "{said}: {stderr}");
        assert!(banner(&gateway).contains("Before"), "refused as a whole");
        let ready = dashboard::get(&gateway, "/readyz");
        assert_eq!(ready.status, 200);
        let alarms: Value = ready.json()["alarms"].clone();
        assert!(alarms.as_array().is_some_and(|all| all.iter().any(|one| one == "configuration-refused")), "{alarms}");
    }
    let log = gateway.folder.log();
    assert_eq!(log.matches("is not taken over").count(), 4, "{log}");
    let metrics = dashboard::get(&gateway, "/metrics").text();
    assert!(metrics.contains("\nconsentry_config_reloads_refused_total 4\n"), "{metrics}");
    assert!(metrics.contains("\nconsentry_config_last_reload_refused 1\n"), "{metrics}");

    gateway.folder.write("consentry.toml", &old);
    assert_eq!(reload(&gateway).0, Some(0));
    let alarms = dashboard::get(&gateway, "/readyz").json()["alarms"].clone();
    assert_eq!(alarms, serde_json::json!(["database-away"]), "it is over");
}

#[test]
fn a_request_under_way_ends_with_the_configuration_and_the_site_it_began_with() {
    let (gateway, site, _nobody) = start();
    let door = Arc::new(Mutex::new(()));
    let closed = door.lock().expect("it is ours");
    site.on("/held", Behaviour::AnswersAfter(door.clone(), page(&[], PAGE)));
    let held = std::thread::scope(|scope| {
        let held = scope.spawn(|| Visitor::new(&gateway).get("/held"));
        eventually("the site is asked", || (site.requests("/held").len() == 1).then_some(()));
        let other = Site::start();
        let old = configuration(&gateway);
        let new = old.replace("Before", "After").replace(&site.address.to_string(), &other.address.to_string());
        gateway.folder.write("consentry.toml", &new);
        assert_eq!(reload(&gateway).1, "in effect now: gateway.upstream, consent.banner_title\n");
        assert!(banner(&gateway).contains("After"));
        assert_eq!(other.requests("/page").len(), 1, "another site answers now");
        drop(closed);
        held.join().expect("it was answered")
    });
    assert!(held.text().contains("Before"), "{}", held.text());
    assert_eq!(site.requests("/page").len(), 0);
}

#[test]
fn what_is_known_of_the_upstreams_that_stay_is_known_after_a_reload() {
    let (site, dead) = (Site::start(), Nobody::new());
    let more =
        "workers = 1\n[gateway.forward]\nfailures = 1\neject_for = \"5 minutes\"\n[consent]\nbanner_title = \"Before\"";
    let (folder, _nobody) = folder_without_database(site.address, more);
    let old = std::fs::read_to_string(folder.path().join("consentry.toml")).expect("it was written");
    let both = format!("[\"http://{}\", \"http://{}\"]", dead.address, site.address);
    let old = old.replace(&format!("\"http://{}\"", site.address), &both);
    folder.write("consentry.toml", &old);
    let gateway = folder.serve();
    for _ in 0..4 {
        assert_eq!(Visitor::new(&gateway).get("/page").status, 200);
    }
    let figure = |name: &str, place: usize| {
        gateway.metric(&format!("consentry_upstream_{name}{{route=\"/\",upstream=\"{place}\"}}"))
    };
    eventually("the worker has told", || (figure("connections_total", 2) > 0).then_some(()));
    let made = figure("connections_total", 2);
    assert_eq!((figure("up", 1), figure("up", 2), figure("ejections_total", 1)), (0, 1, 1));
    gateway.folder.write("consentry.toml", &old.replace("Before", "After"));
    assert_eq!(reload(&gateway).1, "in effect now: consent.banner_title\n");
    assert_eq!((figure("up", 1), figure("up", 2), figure("ejections_total", 1)), (0, 1, 1));
    assert!(figure("connections_total", 2) >= made, "figures go on");
    for _ in 0..4 {
        assert!(banner(&gateway).contains("After"));
    }
    // Nobody had to find out again.
    assert_eq!((figure("ejections_total", 1), figure("retries_total", 1)), (1, 1));
}

#[test]
fn what_is_captured_changes_with_the_configuration_and_an_event_that_comes_again_is_known_all_the_same() {
    let (gateway, _site, _nobody) = start();
    let mut visitor = Visitor::who_accepts(&gateway);
    let beacon = |visitor: &mut Visitor| {
        let event = serde_json::json!({"n": "engagement", "u": "/once", "i": "0123456789abcdef", "e": 1200});
        let body = serde_json::json!({"v": 1, "events": [event]});
        visitor.post("/_privacy/events", "application/json", body.to_string().as_bytes()).status
    };
    visitor.get("/search?q=shoes");
    assert_eq!(beacon(&mut visitor), 204);
    let old = configuration(&gateway);
    gateway.folder.write("consentry.toml", &format!("{old}\n[capture]\nquery_keys = [\"q\"]\n"));
    assert_eq!(reload(&gateway).1, "in effect now: capture.query_keys\n");
    visitor.get("/search?q=shoes");
    assert_eq!(beacon(&mut visitor), 204);
    let (_, folder) = gateway.end("TERM");
    let rows = folder.run(&["spool", "export", "--format", "jsonl"]);
    let rows = String::from_utf8(rows.stdout).expect("JSON is UTF-8");
    let paths: Vec<Value> =
        rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["path"].clone()).collect();
    let of = |path: &str| paths.iter().filter(|found| *found == path).count();
    assert_eq!((of("/search"), of("/search?q=shoes"), of("/once")), (1, 1, 1), "{paths:?}");
}

#[test]
fn a_service_manager_is_told_what_the_process_does() {
    let site = Site::start();
    let nobody = Nobody::new();
    let folder = Folder::new(site.address, &format!("[clickhouse]\nurl = \"http://{}\"", nobody.address));
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("the folder is ours");
    manager.set_read_timeout(Some(PATIENCE)).expect("a socket has a time-out");
    let heard = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("the manager is told");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let gateway = folder.with("NOTIFY_SOCKET", &socket.to_string_lossy()).serve();
    assert!(heard().starts_with("READY=1\n"));
    assert_eq!(reload(&gateway).0, Some(0));
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(heard().starts_with("READY=1\n"));
    gateway.process.signal("TERM");
    assert!(heard().starts_with("STOPPING=1\n"));
}

#[test]
fn where_no_gateway_runs_a_command_says_so_and_another_gateways_file_is_refused() {
    let (gateway, _site, _nobody) = start();
    gateway.folder.write("other.toml", &configuration(&gateway));
    let output = gateway.folder.run(&["reload", "--config", "other.toml", "--json"]);
    let outcome: Value = serde_json::from_slice(&output.stdout).expect("--json says JSON");
    assert_eq!((output.status.code(), &outcome["done"]), (Some(1), &Value::Bool(false)));
    assert!(outcome["said"].as_str().is_some_and(|said| said.contains("was started with")), "{outcome}");
    let (_, folder) = gateway.end("TERM");
    let output = folder.run(&["reload"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("no gateway runs on the data folder data"), "{stderr}");
}
