//! The command line: exit codes that scripts can rely on, messages that say what to do.

use std::process::Output;

use crate::support::gateway::{Folder, Nobody, shared};
use crate::support::process::Process;
use crate::support::site::Site;

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_wrong_configuration_is_named_by_file_line_column_and_key() {
    let folder = Folder::empty();
    folder.write("wrong.toml", "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n  lisen = \"0.0.0.0:80\"\n[capture]\nvisit_timeout = \"soon\"\n");
    for command in [&["check", "--config", "wrong.toml"][..], &["serve", "--config", "wrong.toml"]] {
        let (code, stdout, stderr) = told(&folder.run(command));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("wrong.toml:3:3: gateway.lisen: unknown key (did you mean `listen`?)"), "{stderr}");
        assert!(stderr.contains("wrong.toml:5:17: capture.visit_timeout") && stderr.contains("soon"), "{stderr}");
    }
    let (code, _, stderr) = told(&folder.run(&["serve", "--config", "missing.toml"]));
    assert!(code == Some(2) && stderr.contains("missing.toml"), "{stderr}");
    let minimal = Folder::empty();
    minimal.write("consentry.toml", "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n");
    let output = minimal.command(&["check"]).env("CONSENTRY__GATEWAY__SITE_ID", "none").output().expect("it starts");
    let (code, _, stderr) = told(&output);
    assert!(code == Some(2) && stderr.contains("CONSENTRY__GATEWAY__SITE_ID"), "{stderr}");
}

#[test]
fn what_a_configuration_names_and_cannot_be_used_is_named_by_check_as_by_serve() {
    let folder = Folder::empty();
    folder.write("file", "in the way");
    let start = "[gateway]\nupstream = \"http://127.0.0.1:3000\"\nlisten = \"127.0.0.1:0\"\n";
    for (text, place, words) in [
        (format!("data_dir = \"file/data\"\n{start}"), "1:12: data_dir: ", "Not a directory"),
        (
            format!("{start}[gateway.error_pages]\n503 = \"missing\"\n"),
            "5:7: gateway.error_pages.503: ",
            "No such file",
        ),
        (format!("{start}[gateway.forward]\ntls_ca = \"missing\"\n"), "5:10: gateway.forward.tls_ca: ", "No such file"),
        (format!("{start}[capture]\ncalls_token_file = \"missing\"\n"), "5:20: capture.calls_token_file: ", "no token"),
        (format!("{start}[geo]\ndatabase = \"./missing.mmdb\"\n"), "5:12: geo.database: ", "No such file"),
        (
            format!(
                "{start}[gateway.tls]\nlisten = \"127.0.0.1:0\"\n[[gateway.tls.certificate]]\ncertificate = \"missing\"\nkey = \"k\"\n"
            ),
            "7:15: gateway.tls.certificate[0].certificate: ",
            "No such file",
        ),
    ] {
        folder.write("consentry.toml", &text);
        for command in ["check", "serve"] {
            let (code, stdout, stderr) = told(&folder.run(&[command]));
            assert_eq!((code, stdout.as_str()), (Some(2), ""), "{command}: {stderr}");
            assert!(stderr.starts_with(&format!("consentry.toml:{place}")), "{command}: {stderr}");
            assert_eq!(stderr.matches(words).count(), 1, "{command}: {stderr}");
            assert!(stderr.contains("1 problem; "), "{command}: {stderr}");
        }
        let (code, json, _) = told(&folder.run(&["check", "--json"]));
        let json: serde_json::Value = serde_json::from_str(&json).expect("--json says JSON");
        assert!(code == Some(2) && json["valid"] == false && json["problems"][0]["key"].is_string(), "{json}");
        let left: Vec<_> = std::fs::read_dir(folder.path()).expect("it is there").flatten().collect();
        assert_eq!(left.len(), 2, "nothing is made: {left:?}");
    }
}

#[test]
fn a_right_configuration_is_explained_and_starts_nothing() {
    let folder = Folder::empty();
    folder.write("consentry.toml", "[gateway]\nupstream = \"http://127.0.0.1:3000\"\n");
    let (code, stdout, stderr) = told(&folder.run(&["check"]));
    assert!(code == Some(0) && stdout.contains("consentry.toml is valid"), "{stdout}{stderr}");
    let (code, example, _) = told(&folder.run(&["check", "--print-example"]));
    assert_eq!(code, Some(0));
    folder.write("example.toml", &example);
    assert_eq!(told(&folder.run(&["check", "--config", "example.toml"])).0, Some(0));
    let (_, json, _) = told(&folder.run(&["check", "--json"]));
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    assert!(!folder.path().join("consentry-data").exists());
}

#[test]
fn wrong_usage_is_2() {
    let folder = Folder::empty();
    for arguments in
        [&["srve"][..], &[], &["serve", "--confg", "x"], &["query"], &["schema", "drop"], &["engine", "--listen", "x"]]
    {
        let (code, stdout, stderr) = told(&folder.run(arguments));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(!stderr.is_empty());
    }
    assert!(told(&folder.run(&["srve"])).2.contains("serve"), "it says what was meant");
}

#[test]
fn every_help_has_an_example() {
    let folder = Folder::empty();
    for command in ["demo", "serve", "check", "engine", "schema", "query", "keys", "ledger", "spool", "mail"] {
        let (code, stdout, _) = told(&folder.run(&[command, "--help"]));
        assert_eq!(code, Some(0));
        let example = stdout.split("Example").nth(1).unwrap_or_default();
        assert!(example.contains(&format!("consentry {command}")), "{stdout}");
    }
    let (code, stdout, _) = told(&folder.run(&["--help"]));
    assert!(code == Some(0) && stdout.contains("Example") && stdout.contains("consentry demo"), "{stdout}");
}

#[test]
fn query_prints_any_of_clickhouses_formats() {
    let (gateway, _) = shared();
    let ask = |arguments: &[&str]| told(&gateway.folder.run(&[&["query"][..], arguments].concat()));
    let sql = "select number as n, 'x\ty' as s from numbers(2)";
    let ok = |stdout: &str| (Some(0), stdout.to_owned(), String::new());
    assert_eq!(ask(&[sql]), ok("0\tx\\ty\n1\tx\\ty\n"));
    assert_eq!(ask(&["--format", "CSV", sql]), ok("0,\"x\ty\"\n1,\"x\ty\"\n"));
    assert_eq!(ask(&["--format", "JSONEachRow", sql]), ok("{\"n\":0,\"s\":\"x\\ty\"}\n{\"n\":1,\"s\":\"x\\ty\"}\n"));
    assert!(ask(&["--format", "PrettyCompact", sql]).1.contains('┌'));
    assert_eq!(ask(&["--param", "a=it's \\n", "select {a:String} as a"]), ok("it\\'s \\\\n\n"));
    let (code, stdout, stderr) = ask(&["select * from nowhere"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("UNKNOWN_TABLE") && stderr.contains("nowhere"), "{stderr}");
    let (code, _, stderr) = ask(&["--format", "Nonsense", "select 1"]);
    assert!(code == Some(1) && stderr.contains("Nonsense"), "{stderr}");
}

#[test]
fn query_without_a_gateway_starts_the_engine_for_as_long_as_it_takes() {
    let site = Site::start();
    let gateway = crate::support::gateway::Gateway::start(site.address, "");
    let (_, folder) = gateway.end("TERM");
    let count = "select count() as n from consentry.schema_migrations";
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).expect("is a folder").count();
    assert_eq!(folder.query(count)[0]["n"], files);
    // Nobody holds the folder afterwards: it can be done again, and a gateway can start.
    assert_eq!(folder.query(count)[0]["n"], files);
    let (code, stdout, _) = told(&folder.run(&["schema", "status"]));
    assert!(code == Some(0) && stdout.contains("0001_events.sql") && stdout.contains("applied 20"), "{stdout}");
    folder.serve();
}

#[test]
fn query_where_nothing_ever_ran_says_what_to_start() {
    let folder = Folder::empty();
    let (code, _, stderr) = told(&folder.run(&["query", "select 1"]));
    assert!(code == Some(1) && stderr.contains("consentry serve") && stderr.contains("--data-dir"), "{stderr}");
    assert!(!folder.path().join("consentry-data").exists());
}

#[test]
fn without_the_engine_and_without_npm_both_ways_out_are_named() {
    let nobody = Nobody::new();
    let folder = Folder::new(nobody.address, "");
    let cache = folder.path().join("cache");
    std::fs::create_dir(&cache).expect("the folder is ours");
    let mut command = folder.command(&["serve"]);
    command.env("PATH", "").env("XDG_CACHE_HOME", &cache).env_remove("CONSENTRY_ENGINE");
    let (code, stdout, stderr) = told(&command.output().expect("it starts"));
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("install npm") && stderr.contains("[clickhouse] url"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_second_gateway_on_the_same_data_or_port_says_so() {
    let (gateway, site) = shared();
    let again = gateway.folder.run(&["serve", "--json"]);
    let (code, stdout, stderr) = told(&again);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("data/spool") && stderr.to_lowercase().contains("another"), "{stderr}");

    let folder = Folder::empty();
    let toml = |listen: &str, dashboard: &str| {
        let upstream = site.address;
        format!(
            "data_dir = \"data\"\n[geo]\ndatabase = \"off\"\n[dashboard]\nlisten = \"{dashboard}\"\n\
             [gateway]\nlisten = \"{listen}\"\nupstream = \"http://{upstream}\"\n"
        )
    };
    let any = "127.0.0.1:0";
    let (taken, taken_too) = (gateway.address.to_string(), gateway.dashboard.to_string());
    for (configuration, address, key) in
        [(toml(&taken, any), &taken, "[gateway] listen"), (toml(any, &taken_too), &taken_too, "[dashboard] listen")]
    {
        folder.write("consentry.toml", &configuration);
        let (code, stdout, stderr) = told(&folder.run(&["serve"]));
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
        assert!(stderr.contains(address) && stderr.contains(key), "{stderr}");
    }
    // The first one has not noticed.
    assert_eq!(crate::dashboard::get(gateway, "/healthz").status, 200);
    assert_eq!(gateway.query("select 1 as one")[0]["one"], 1);
}

#[test]
fn people_are_told_where_everything_is_and_the_password_once() {
    let site = Site::start();
    let folder = Folder::new(site.address, "");
    for first in [true, false] {
        let (_gateway, lines) = Process::start(folder.logged(&["serve"]), folder.path());
        let said: Vec<String> = (0..4).map(|_| lines.next().unwrap_or_else(|| panic!("{}", folder.log()))).collect();
        assert!(said[1].contains("gateway") && said[1].contains("http://127.0.0.1:"), "{said:?}");
        assert!(said[2].contains("dashboard"), "{said:?}");
        assert_eq!(said[3].contains("shown this once"), first, "{said:?}");
    }
}
