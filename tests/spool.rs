//! `consentry spool`: what waits on disk can be seen, proven whole, exported and given another try, beside a gateway that
//! runs and after one that was killed, and nothing is lost by it.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::eventually;
use crate::support::gateway::{Folder, Gateway, Nobody, without_database};
use crate::support::site::Site;
use crate::support::visitor::Visitor;

struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The objects of JSONEachRow.
    fn rows(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }

    fn paths(&self) -> Vec<String> {
        let mut paths: Vec<_> = self.rows().iter().filter_map(|row| row["path"].as_str().map(str::to_owned)).collect();
        paths.sort();
        paths
    }
}

fn spool(folder: &Folder, arguments: &[&str]) -> Told {
    let output = folder.run(&[&["spool"][..], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// The files of the queue, or of the quarantine, with this ending.
fn found(folder: &Folder, within: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.data().join(within)).into_iter().flatten().flatten();
    let mut found: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
    found.sort();
    found
}

fn id(segment: &std::path::Path) -> String {
    segment.file_stem().and_then(|stem| stem.to_str()).expect("a batch's file has its name").to_owned()
}

/// A gateway whose database is away, with `rows` events that wait for it, a page view and a beacon in turns.
fn waiting(rows: usize, more: &str) -> (Gateway, Nobody, Site) {
    let site = Site::start();
    let (gateway, nobody) = without_database(site.address, more);
    let mut visitor = Visitor::who_accepts(&gateway);
    for number in 0..rows {
        match number % 2 {
            0 => assert_eq!(visitor.get(&format!("/waits/{number}")).status, 200),
            _ => assert_eq!(visitor.beacon(&format!("/waits/{number}")).status, 204),
        }
    }
    eventually("the events are in the spool", || {
        let status = spool(&gateway.folder, &["status", "--format", "json"]);
        (status.json()["waiting"]["rows"] == rows).then_some(())
    });
    (gateway, nobody, site)
}

fn expected(rows: usize) -> Vec<String> {
    let mut paths: Vec<_> = (0..rows).map(|number| format!("/waits/{number}")).collect();
    paths.sort();
    paths
}

#[test]
fn beside_a_gateway_and_after_it_was_killed_every_tool_sees_what_waits() {
    let (gateway, _nobody, _site) = waiting(6, "[spool]\nmax_bytes = \"1 MiB\"\nbatch_age = \"50ms\"");
    let status = spool(&gateway.folder, &["status", "--json"]).json();
    assert_eq!(status["gateway"]["has_it_open"], true, "{status}");
    assert_eq!(status["gateway"]["pid"], gateway.process.id());
    assert_eq!(status["bound"]["max_bytes"], 1 << 20);
    assert!(status["bound"]["full"].as_f64().is_some_and(|full| full > 0.0 && full < 0.5), "{status}");
    assert_eq!((&status["damage"]["places"], &status["quarantine"]["batches"]), (&0.into(), &0.into()));
    assert!(status["waiting"]["oldest_age_s"].as_u64().is_some_and(|age| age < 60), "{status}");
    assert_eq!(status["partitions"][0]["rows"], 6, "{status}");
    let text = spool(&gateway.folder, &["status"]);
    assert!(text.stdout.contains("6 rows in") && text.stdout.contains("of 1.0 MiB"), "{}", text.stdout);

    let check = |folder: &Folder| {
        let verified = spool(folder, &["verify"]);
        assert!(verified.code == Some(0) && verified.stdout.contains("6 whole rows"), "{}", verified.stdout);
        assert_eq!(spool(folder, &["verify", "--json"]).json()["whole"], true);
        let exported = spool(folder, &["export", "--format", "jsonl"]);
        assert_eq!((exported.code, exported.paths()), (Some(0), expected(6)), "{}", exported.stderr);
        assert_eq!(exported.stderr.matches("personal data").count(), 1, "{}", exported.stderr);
        let row = &exported.rows()[0];
        assert!(row["visitor_id"].as_str().is_some_and(|id| id.parse::<u128>().is_ok()), "{row}");
        assert!(row["ip_net"] == "::ffff:127.0.0.0" && row["props"].is_object(), "{row}");
        assert!(row["ts"].as_str().is_some_and(|ts| ts.len() == 23 && ts.starts_with("20")), "{row}");
        let csv = spool(folder, &["export", "--format", "csv"]);
        assert_eq!(csv.stdout.lines().count(), 7);
        assert!(csv.stdout.starts_with("site_id,ts,name,") && csv.stdout.contains("/waits/3"), "{}", csv.stdout);
        let lines = spool(folder, &["inspect"]);
        assert!(lines.code == Some(0) && !lines.stdout.contains("/waits/"), "{}", lines.stdout);
        let all = spool(folder, &["inspect", "--json"]).json();
        let rows = |batch: &Value| batch["rows"].as_u64().expect("a number");
        assert_eq!(all.as_array().map(|all| all.iter().map(rows).sum()), Some(6));
        let first = all[0]["batch_id"].as_str().expect("a name").to_owned();
        let shown = spool(folder, &["inspect", &first]);
        assert!(shown.stdout.contains("visitor_id UInt128") && !shown.stdout.contains("/waits/"), "{}", shown.stdout);
        let number = spool(folder, &["inspect", all[0]["number"].as_str().expect("a text"), "--json"]).json();
        assert_eq!(
            (&number["batch_id"], &number["columns"][0]),
            (&all[0]["batch_id"], &serde_json::json!(["site_id", "UInt32"]))
        );
        let one = spool(folder, &["export", "--format", "jsonl", &first]);
        assert_eq!(one.rows().len() as u64, rows(&all[0]));
        first
    };
    check(&gateway.folder);
    let (_, folder) = gateway.end("KILL");
    let before = crate::support::files(&folder.data().join("spool"));
    check(&folder);
    assert_eq!(spool(&folder, &["status", "--json"]).json()["gateway"]["has_it_open"], false);
    let after = crate::support::files(&folder.data().join("spool"));
    assert!(before == after, "looking changes nothing");

    // The same from a folder that is named, of which no configuration says how much there may be.
    let named = spool(&folder, &["status", "--json", "--data-dir", "data"]).json();
    assert_eq!((&named["waiting"]["rows"], &named["bound"]["max_bytes"]), (&6.into(), &Value::Null));
}

#[test]
fn damage_is_named_by_file_and_byte_and_what_is_whole_is_still_exported() {
    let (gateway, _nobody, _site) = waiting(5, "[spool]\nbatch_age = \"60s\"");
    let segment = found(&gateway.folder, "spool", "segment").remove(0);
    let first = fs::read(&segment).expect("it is there");
    // While a gateway has it open, an end that is missing is a write that goes on.
    fs::write(&segment, [&first[..], b"\x40\0\0"].concat()).expect("the folder is ours");
    let verified = spool(&gateway.folder, &["verify"]);
    assert!(verified.code == Some(0) && verified.stdout.contains("write that is going on"), "{}", verified.stdout);
    assert_eq!(spool(&gateway.folder, &["export", "--format", "jsonl"]).code, Some(0));
    let (_, folder) = gateway.end("KILL");
    assert_eq!(spool(&folder, &["verify"]).code, Some(1), "nobody writes it any more");
    fs::write(&segment, &first).expect("the folder is ours");
    let whole = fs::read(&segment).expect("it is there");
    let place = memchr::memmem::find(&whole, b"/waits/2").expect("its path stands there");
    let mut damaged = whole.clone();
    damaged[place] ^= 1;
    fs::write(&segment, &damaged).expect("the folder is ours");
    let verified = spool(&folder, &["verify"]);
    assert_eq!(verified.code, Some(1), "{}", verified.stdout);
    assert!(
        verified.stdout.contains(&id(&segment)) && verified.stdout.contains("no whole record"),
        "{}",
        verified.stdout
    );
    let fault = &spool(&folder, &["verify", "--json"]).json()["damaged"][0]["faults"][0];
    let (offset, bytes) = (fault["offset"].as_u64().expect("a place"), fault["bytes"].as_u64().expect("a length"));
    assert!((offset..offset + bytes).contains(&(place as u64)), "{fault} {place}");
    assert_eq!(spool(&folder, &["status", "--json"]).json()["damage"]["places"], 1);
    let exported = spool(&folder, &["export", "--format", "jsonl"]);
    assert_eq!((exported.code, exported.rows().len()), (Some(1), 4), "{}", exported.stderr);
    assert!(exported.stderr.contains(&format!("byte {offset}")), "{}", exported.stderr);

    // Broken off in the middle of the last record, with nobody who writes it.
    fs::write(&segment, &whole[..whole.len() - 5]).expect("the folder is ours");
    let verified = spool(&folder, &["verify"]);
    assert!(verified.code == Some(1) && verified.stdout.contains("torn tail"), "{}", verified.stdout);
    assert_eq!(spool(&folder, &["export", "--format", "jsonl"]).rows().len(), 4);

    // No segment at all.
    fs::write(&segment, b"nonsense").expect("the folder is ours");
    assert_eq!(spool(&folder, &["verify"]).code, Some(1));
    let status = spool(&folder, &["status", "--json"]).json();
    assert_eq!(status["damage"]["unreadable"].as_array().map(Vec::len), Some(1), "{status}");
    let shown = spool(&folder, &["inspect", segment.to_str().expect("a path")]);
    assert!(shown.code == Some(1) && shown.stderr.contains("does not begin as a spool segment"), "{}", shown.stderr);
}

#[test]
fn while_batches_come_and_go_no_tool_finds_fault_or_disturbs_anything() {
    let site = Site::start();
    let gateway = Gateway::start(site.address, "[spool]\nbatch_age = \"10ms\"");
    let count =
        "select uniqExact(path) as paths, count() as rows from consentry.events where startsWith(path, '/busy/')";
    let mut visitor = Visitor::who_accepts(&gateway);
    let mut sent = 0;
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = 0;
            for _ in 0..12 {
                for arguments in
                    [&["verify"][..], &["status", "--json"], &["inspect", "--json"], &["export", "--format", "jsonl"]]
                {
                    let told = spool(&gateway.folder, arguments);
                    assert_eq!(told.code, Some(0), "{arguments:?}: {}{}", told.stdout, told.stderr);
                    if arguments[0] == "export" {
                        seen += told.rows().len();
                    }
                }
            }
            seen
        });
        while !looking.is_finished() {
            assert_eq!(visitor.beacon(&format!("/busy/{sent}")).status, 204);
            sent += 1;
        }
        looking.join().expect("no tool found fault")
    });
    assert!(sent > 20, "{sent} {seen}");
    let (status, folder) = gateway.end("TERM");
    assert_eq!(status.code(), Some(0), "{}", folder.log());
    assert_eq!(folder.query(count)[0], serde_json::json!({"paths": sent, "rows": sent}));
}

#[test]
fn what_is_exported_goes_into_the_table_as_the_gateway_would_have_sent_it() {
    let (gateway, _nobody, _site) = waiting(4, "[spool]\nbatch_age = \"50ms\"");
    let (_, folder) = gateway.end("KILL");
    let export = |format: &str| {
        let exported = folder.run(&["spool", "export", "--format", format]);
        assert_eq!(exported.status.code(), Some(0), "{}", String::from_utf8_lossy(&exported.stderr));
        exported.stdout
    };
    let (jsonl, native) = (export("jsonl"), export("native"));
    let first: Value =
        serde_json::from_slice(jsonl.split(|byte| *byte == b'\n').next().expect("a line")).expect("JSON");
    let names: Vec<&str> = first.as_object().expect("an object").keys().map(String::as_str).collect();
    let names = names.join(", ");

    // Each into a database of its own, with nothing set.
    let query = |database: &str, sql: &str| {
        fs::write(folder.path().join("statement.sql"), sql).expect("the folder is ours");
        let mut command = folder.command(&["query", "--data-dir", database, "-", "--format", "JSONEachRow"]);
        command.stdin(fs::File::open(folder.path().join("statement.sql")).expect("it was written"));
        let output = command.output().expect("it starts");
        assert!(output.status.success(), "{database}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("JSON is UTF-8")
    };
    let rows = |database: &str, insert: &str| {
        let applied = folder.run(&["schema", "apply", "--data-dir", database]);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        query(database, &format!("insert into consentry.events ({names}) {insert}"));
        query(database, "select * from consentry.events order by all")
    };
    let text = String::from_utf8(jsonl).expect("JSON is UTF-8");
    let by_json = rows("by-json", &format!("format JSONEachRow {text}"));
    fs::write(folder.path().join("events.native"), native).expect("the folder is ours");
    let file = folder.path().join("events.native");
    let by_native = rows("by-native", &format!("select {names} from file('{}', Native)", file.display()));
    assert_eq!(by_json.lines().count(), 4, "{by_json}");
    assert!(by_json.contains(r#""path":"\/waits\/3""#), "{by_json}");
    assert_eq!(by_json, by_native);
}

#[test]
fn a_batch_in_quarantine_is_shown_exported_and_marked_for_another_try() {
    let (gateway, _nobody, _site) = waiting(3, "[spool]\nbatch_age = \"50ms\"");
    let (_, folder) = gateway.end("KILL");
    let segments = found(&folder, "spool", "segment");
    let quarantine = folder.data().join("spool/quarantine");
    let reasons = [
        "the database refused its rows: Code: 53. DB::Exception: cannot parse 'needle'",
        "the table holds 1 of its 2 rows; both are kept, so compare them by batch_id",
    ];
    for (number, segment) in segments.iter().enumerate() {
        let aside = quarantine.join(segment.file_name().expect("it has a name"));
        fs::rename(segment, &aside).expect("the folder is ours");
        fs::write(aside.with_extension("reason"), reasons[number.min(1)]).expect("the folder is ours");
    }
    let batches = segments.len();
    let status = spool(&folder, &["status", "--json"]).json();
    assert_eq!((&status["quarantine"]["rows"], &status["waiting"]["rows"]), (&3.into(), &0.into()), "{status}");
    let text = spool(&folder, &["status"]).stdout;
    assert!(text.contains("refused its rows (error 53)") && !text.contains("needle"), "{text}");
    assert_eq!(spool(&folder, &["export", "--format", "jsonl"]).rows().len(), 0);
    let exported = spool(&folder, &["export", "--quarantine", "--format", "jsonl"]);
    assert_eq!(exported.paths(), expected(3), "{}", exported.stderr);
    assert_eq!(spool(&folder, &["verify"]).code, Some(0));

    let first = id(&segments[0]);
    let asked = spool(&folder, &["retry-quarantine", &first]);
    assert!(asked.code == Some(0) && asked.stdout.contains("next start"), "{}{}", asked.stdout, asked.stderr);
    assert_eq!(found(&folder, "spool/quarantine", "retry"), [quarantine.join(format!("{first}.retry"))]);
    assert_eq!(found(&folder, "spool/quarantine", "segment").len(), batches - 1);
    let status = spool(&folder, &["status", "--json"]).json();
    assert_eq!((&status["quarantine"]["retrying"], &status["quarantine"]["rows"]), (&1.into(), &3.into()), "{status}");
    // Asked again, it is as it was; and what was miscounted is not among all.
    let all = spool(&folder, &["retry-quarantine", "--all", "--json"]);
    assert_eq!(all.code, Some(i32::from(batches > 1)), "{}", all.stderr);
    assert_eq!(spool(&folder, &["export", "--quarantine", "--format", "jsonl"]).paths(), expected(3));
    // Nobody takes it up, and waiting for it says so.
    let waited = spool(&folder, &["retry-quarantine", &first, "--wait", "1"]);
    assert!(waited.code == Some(1) && waited.stdout.contains("not taken up yet"), "{}{}", waited.stdout, waited.stderr);

    // A batch of which the table held another number of rows needs to be asked for by that.
    fs::rename(quarantine.join(format!("{first}.retry")), quarantine.join(format!("{first}.segment"))).expect("ours");
    fs::write(quarantine.join(format!("{first}.reason")), reasons[1]).expect("the folder is ours");
    let refused = spool(&folder, &["retry-quarantine", &first]);
    assert!(refused.code == Some(1) && refused.stderr.contains("--miscounted"), "{}", refused.stderr);
    assert!(refused.stderr.contains("where batch_id ="), "{}", refused.stderr);
    assert!(quarantine.join(format!("{first}.segment")).exists());
    assert_eq!(spool(&folder, &["retry-quarantine", &first, "--miscounted"]).code, Some(0));
}

#[test]
fn a_gateway_takes_up_what_is_marked_and_it_comes_into_the_table_once() {
    let (gateway, nobody, site) = waiting(3, "[spool]\nbatch_age = \"50ms\"");
    let is_sealed = |folder: &Folder, segment: &std::path::Path| {
        spool(folder, &["inspect", &id(segment), "--json"]).json()["seal"].is_object()
    };
    eventually("a batch is sealed", || {
        let segments = found(&gateway.folder, "spool", "segment");
        segments.iter().any(|segment| is_sealed(&gateway.folder, segment)).then_some(())
    });
    let (_, folder) = gateway.end("KILL");
    drop(nobody);
    // A start seals them; then they are in quarantine as if the database had refused them.
    let quarantine = folder.data().join("spool/quarantine");
    let segments = found(&folder, "spool", "segment");
    let sealed: Vec<_> = segments.iter().filter(|segment| is_sealed(&folder, segment)).collect();
    let mut aside = 0;
    for segment in sealed {
        let to = quarantine.join(segment.file_name().expect("it has a name"));
        fs::rename(segment, &to).expect("the folder is ours");
        fs::write(to.with_extension("reason"), "the database refused its rows: Code: 53.").expect("the folder is ours");
        aside += 1;
    }
    assert!(aside > 0, "{segments:?}");
    let configuration = fs::read_to_string(folder.path().join("consentry.toml")).expect("it was written");
    let (embedded, _) = configuration.split_once("[clickhouse]").expect("it names a server");
    folder.write("consentry.toml", embedded);
    let gateway = folder.serve();
    let asked = spool(&gateway.folder, &["retry-quarantine", "--all", "--wait", "30"]);
    assert_eq!(asked.code, Some(0), "{}{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.contains("taken up again"), "{}", asked.stdout);
    let rows = gateway.rows(3, "select path from consentry.events where startsWith(path, '/waits/') order by path");
    assert_eq!(rows.iter().filter_map(|row| row["path"].as_str()).collect::<Vec<_>>(), expected(3));
    let status = spool(&gateway.folder, &["status", "--json"]).json();
    assert_eq!(status["quarantine"]["batches"], 0, "{status}");
    drop(site);
}

#[test]
fn every_misuse_says_what_to_do() {
    let folder = Folder::empty();
    let fails = |arguments: &[&str], code: i32, says: &[&str]| {
        let told = spool(&folder, arguments);
        assert_eq!((told.code, told.stdout.as_str()), (Some(code), ""), "{arguments:?}: {}", told.stderr);
        for word in says {
            assert!(told.stderr.contains(word), "{arguments:?}: {}", told.stderr);
        }
    };
    let missing = ["there is no spool in", "--data-dir"];
    for arguments in [
        &["status"][..],
        &["verify"],
        &["inspect"],
        &["export", "--format", "jsonl"],
        &["retry-quarantine", "--all"],
        &["inspect", "5f3a9c10000000a7"],
    ] {
        fails(arguments, 1, &missing);
    }
    assert!(!folder.path().join("consentry-data").exists(), "nothing is made");
    fs::create_dir_all(folder.path().join("consentry-data/spool/quarantine")).expect("the folder is ours");
    fails(&["inspect", "5f3a9c10000000a7"], 1, &["no batch 5f3a9c10000000a7", "it was shipped"]);
    fails(&["export", "--format", "jsonl", "5f3a9c10000000a7"], 1, &["no batch 5f3a9c10000000a7"]);
    fails(&["retry-quarantine", "5f3a9c10000000a7"], 1, &["is not in quarantine"]);
    fails(&["inspect", "gone.segment"], 1, &["gone.segment"]);
    fails(&["inspect", "batch"], 2, &["16 hexadecimal digits"]);
    fails(&["export", "--format", "jsonl", "batch"], 2, &["16 hexadecimal digits"]);
    fails(&["retry-quarantine", "--all", "--wait", "18446744073709551615"], 2, &["86400"]);
    fails(&["export"], 2, &["--format"]);
    fails(&["retry-quarantine"], 2, &["--all"]);
    fails(&["retry-quarantine", "--all", "5f3a9c10000000a7"], 2, &["--all"]);
    fails(&["export", "--format", "jsonl", "--quarantine", "5f3a9c10000000a7"], 2, &["--quarantine"]);
    let empty = spool(&folder, &["status"]);
    assert!(empty.code == Some(0) && empty.stdout.contains("waiting     nothing"), "{}", empty.stdout);
    assert_eq!(spool(&folder, &["verify"]).code, Some(0));
    assert!(spool(&folder, &["retry-quarantine", "--all"]).stdout.contains("nothing is in quarantine"));
}
