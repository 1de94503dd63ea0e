//! The key ring by command (D2): made once, listed without a secret, rotated, and destroyed for good.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::eventually;
use crate::support::gateway::{Folder, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs `consentry keys`; no secret of the ring is ever in what it says.
fn keys(folder: &Folder, arguments: &[&str]) -> Told {
    let output = folder.run(&[&["keys"][..], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = Told { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    for secret in secrets(folder) {
        assert!(!told.stdout.contains(&secret) && !told.stderr.contains(&secret), "{arguments:?}");
    }
    told
}

fn ring(folder: &Folder) -> Option<Value> {
    let text = std::fs::read_to_string(folder.path().join("consentry-data/keys.json")).ok()?;
    Some(serde_json::from_str(&text).expect("the ring is JSON"))
}

fn secrets(folder: &Folder) -> Vec<String> {
    let ring = ring(folder).unwrap_or_default();
    let keys = ring["keys"].as_array().cloned().unwrap_or_default();
    keys.iter().filter_map(|key| key["secret"].as_str().map(str::to_owned)).collect()
}

fn listed(folder: &Folder) -> Vec<Value> {
    let told = keys(folder, &["list", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    serde_json::from_str(&told.stdout).expect("a list of keys")
}

fn active(folder: &Folder, purpose: &str) -> String {
    let list = listed(folder);
    let key = list.iter().find(|key| key["purpose"] == purpose && key["state"] == "active").expect("one is in use");
    id(key)
}

fn id(key: &Value) -> String {
    key["id"].to_string()
}

#[test]
fn a_ring_is_made_once_for_its_owner_alone_and_shows_no_secret() {
    let folder = Folder::empty();
    folder.write("consentry.toml", "[gateway]\nupstream = \"http://127.0.0.1:3000\"\nsite_id = 7\n");
    let missing = keys(&folder, &["list"]);
    assert!(missing.code == Some(1) && missing.stderr.contains("consentry keys init"), "{}", missing.stderr);

    let made = keys(&folder, &["init"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.contains("consentry-data/keys.json") && made.stdout.contains("site 7"), "{}", made.stdout);
    for (name, mode) in [("consentry-data", 0o700), ("consentry-data/keys.json", 0o600)] {
        let found = std::fs::metadata(folder.path().join(name)).expect("it was made").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    let before = ring(&folder);
    let again = keys(&folder, &["init"]);
    assert!(again.code == Some(1) && again.stderr.contains("kept"), "{}", again.stderr);
    assert_eq!(ring(&folder), before);

    let list = keys(&folder, &["list"]);
    assert_eq!((list.code, list.stdout.lines().count()), (Some(0), 12), "{}", list.stdout);
    assert!(list.stdout.contains("suppression") && list.stdout.contains("active"), "{}", list.stdout);
    assert!(listed(&folder).iter().all(|key| key["site"] == 7 && key["state"] == "active"));

    // Any folder may be named instead.
    let elsewhere = keys(&folder, &["init", "--data-dir", "other", "--json"]);
    let made: Value = serde_json::from_str(&elsewhere.stdout).expect("JSON");
    assert_eq!((made["path"].as_str(), made["keys"].as_array().map(Vec::len)), (Some("other/keys.json"), Some(11)));
}

#[test]
fn rotating_replaces_a_key_at_the_site_that_is_named() {
    let folder = Folder::empty();
    assert_eq!(keys(&folder, &["init", "--data-dir", "consentry-data"]).code, Some(0));
    let before = active(&folder, "visitor");
    let told = keys(&folder, &["rotate", "--purpose", "visitor", "--site", "1", "--json"]);
    assert!(told.code == Some(0) && told.stderr.contains("new visitor"), "{}", told.stderr);
    let made: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(id(&made[0]), active(&folder, "visitor"));
    let list = listed(&folder);
    assert_eq!(list.len(), 12);
    assert!(list.iter().any(|key| id(key) == before && key["state"] == "retired"));
    assert_eq!(keys(&folder, &["rotate", "--purpose", "ip"]).code, Some(0), "every site unless one is named");
    assert_eq!(listed(&folder).len(), 13);

    let unknown = keys(&folder, &["rotate", "--purpose", "ip", "--site", "9"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("the sites are: 1"), "{}", unknown.stderr);
    let wrong = keys(&folder, &["rotate", "--purpose", "visitors"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("suppression"), "{}", wrong.stderr);
    assert_eq!(keys(&folder, &["rotate"]).code, Some(2));
}

#[test]
fn what_is_destroyed_is_gone_and_stays_recorded() {
    let folder = Folder::empty();
    assert_eq!(keys(&folder, &["init", "--data-dir", "consentry-data"]).code, Some(0));
    let key = active(&folder, "ip");
    let number: usize = key.parse().expect("a number");
    let secret = secrets(&folder)[number - 1].clone();

    let unasked = keys(&folder, &["destroy", "--key", &key]);
    assert!(unasked.code == Some(2) && unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert!(secrets(&folder).contains(&secret));

    let told = keys(&folder, &["destroy", "--key", &key, "--yes"]);
    assert!(
        told.code == Some(0) && told.stderr.contains(&format!("destroyed key {key} (ip, site 1)")),
        "{}",
        told.stderr
    );
    assert!(!secrets(&folder).contains(&secret));
    let record = listed(&folder).into_iter().find(|listed| id(listed) == key).expect("it stays");
    assert_eq!((&record["state"], &record["why"]), (&Value::from("destroyed"), &Value::from("command")));
    assert!(record["destroyed"].as_str().is_some_and(|at| at.starts_with("20")));
    assert_ne!(active(&folder, "ip"), key, "another took its place");
    let again = keys(&folder, &["destroy", "--key", &key, "--yes"]);
    assert!(again.code == Some(1) && again.stderr.contains("already"), "{}", again.stderr);
    assert_eq!(keys(&folder, &["destroy", "--key", "99", "--yes"]).code, Some(1));
}

#[test]
fn what_everybody_depends_on_is_not_destroyed_by_a_slip() {
    let folder = Folder::empty();
    assert_eq!(keys(&folder, &["init", "--data-dir", "consentry-data"]).code, Some(0));
    for (purpose, consequence) in
        [("choice", "asked again"), ("suppression", "captured and contacted again"), ("receipt", "prove nothing")]
    {
        let key = active(&folder, purpose);
        let kept = keys(&folder, &["destroy", "--key", &key, "--yes"]);
        assert!(kept.code == Some(1) && kept.stderr.contains(consequence), "{}", kept.stderr);
        assert!(kept.stderr.contains("--force"), "{}", kept.stderr);
        assert_eq!(active(&folder, purpose), key);
        assert_eq!(keys(&folder, &["destroy", "--key", &key, "--yes", "--force"]).code, Some(0));
        assert_ne!(active(&folder, purpose), key);
    }
    // One that was rotated away needs no force: only who chose under it is asked again.
    let key = active(&folder, "choice");
    assert_eq!(keys(&folder, &["rotate", "--purpose", "choice"]).code, Some(0));
    assert_eq!(keys(&folder, &["destroy", "--key", &key, "--yes"]).code, Some(0));
}

#[test]
fn a_gateway_that_runs_lets_go_of_what_is_destroyed() {
    let site = Site::start();
    let (gateway, _nobody) = without_database(site.address, "");
    let mut visitor = Visitor::who_accepts(&gateway);
    let mut chosen = || visitor.fetch("GET", "/_privacy/consent").json()["chosen"] == true;
    assert!(chosen());
    let list = gateway.folder.run(&["keys", "list", "--json"]);
    let list: Vec<Value> = serde_json::from_slice(&list.stdout).expect("a list of keys");
    let key = list.iter().find(|key| key["purpose"] == "choice").expect("there is one")["id"].to_string();
    let output = gateway.folder.run(&["keys", "destroy", "--key", &key, "--yes", "--force"]);
    assert!(output.status.success(), "{output:?}");
    eventually("the choice counts no more", || (!chosen()).then_some(()));
    eventually("the log says so", || {
        let log = gateway.folder.log();
        let said = |line: &str| line.contains("a key is destroyed") && line.contains(&format!("key={key} "));
        log.lines().any(said).then_some(())
    });
    assert!(Visitor::who_accepts(&gateway).fetch("GET", "/_privacy/consent").json()["chosen"] == true);
}
