//! Another configuration in the place of the one in effect.

use serde_json::Value;

use crate::dashboard;
use crate::support::eventually;
use crate::support::gateway::{Gateway, Nobody, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

fn start() -> (Gateway, Site, Nobody) {
    let site = Site::start();
    let (gateway, nobody) = without_database(site.address, "[consent]\nbanner_title = \"Before\"");
    (gateway, site, nobody)
}

fn configuration(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.folder.path().join("consentry.toml")).expect("it was written")
}

fn reload(gateway: &Gateway) -> (Option<i32>, String, String) {
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
        (old.replace("Before\"", "After\"\n[capture]\ncalls_token_file = \"missing\""), "missing"),
    ] {
        gateway.folder.write("consentry.toml", &wrong);
        let (code, stdout, stderr) = reload(&gateway);
        let expected = if said == "missing" { 1 } else { 2 };
        assert_eq!((code, stdout.as_str()), (Some(expected), ""), "{stderr}");
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
