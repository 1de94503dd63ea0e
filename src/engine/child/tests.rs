//! A real engine is started, killed, orphaned and stopped.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::*;
use crate::config::ClickHouse;
use crate::engine::testing;
use crate::store::client;

const ORPHAN: &str = "CONSENTRY_TEST_ORPHAN_DATA";

fn on(data_dir: &Path) -> clickhouse::Client {
    client::connect(&ClickHouse::Embedded { listen: None }, data_dir).unwrap().with_database("default")
}

/// Whether the engine's process is gone: it holds the lock for as long as it lives.
fn has_ended(data_dir: &Path) -> bool {
    fs::File::open(socket::folder(data_dir).join("lock")).unwrap().try_lock().is_ok()
}

fn process(data_dir: &Path) -> String {
    fs::read_to_string(socket::folder(data_dir).join("lock")).unwrap()
}

fn signal(name: &str, process: &str) {
    assert!(std::process::Command::new("kill").args([name, process]).status().unwrap().success());
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn an_engine_is_started_and_stopped_in_order_and_keeps_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    for count in [1_u64, 2] {
        let engine = testing::start(folder.path(), None).await.unwrap();
        assert!(answers(engine.socket()).await);
        let client = on(folder.path());
        let make = "create table if not exists kept (a UInt8) engine = MergeTree order by a";
        client.query(make).execute().await.unwrap();
        client.query("insert into kept select 1").execute().await.unwrap();
        assert_eq!(client.query("select count() from kept").fetch_one::<u64>().await.unwrap(), count);
        let (socket, state) = (engine.socket().to_owned(), engine.state());
        engine.stop().await;
        assert!(has_ended(folder.path()) && !socket.exists());
        assert_eq!(*state.borrow(), State::Stopped);
    }
}

#[tokio::test]
async fn a_killed_engine_is_started_again_with_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    let engine = testing::start(folder.path(), None).await.unwrap();
    let client = on(folder.path());
    client.query("create table kept (a UInt8) engine = MergeTree order by a").execute().await.unwrap();
    client.query("insert into kept select 1").execute().await.unwrap();

    let mut state = engine.state();
    let killed = process(folder.path());
    signal("-KILL", &killed);
    state.wait_for(|state| *state == State::Down).await.unwrap();
    state.wait_for(|state| *state == State::Up).await.unwrap();
    assert_ne!(process(folder.path()), killed);
    assert_eq!(client.query("select count() from kept").fetch_one::<u64>().await.unwrap(), 1);
    engine.stop().await;
}

/// ClickHouse sends SIGTERM to its whole process group; were that ours, this test would be ended too.
#[tokio::test]
async fn a_shutdown_by_statement_ends_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let engine = testing::start(folder.path(), None).await.unwrap();
    let before = process(folder.path());
    // ClickHouse signals its whole process group, which is the engine alone, and that listens to its parent.
    let _whatever_it_answers = on(folder.path()).query("system shutdown").execute().await;
    assert_eq!(on(folder.path()).query("select 1").fetch_one::<u8>().await.unwrap(), 1);
    assert_eq!((*engine.state().borrow(), process(folder.path())), (State::Up, before));
    engine.stop().await;
}

#[tokio::test]
async fn a_second_engine_on_one_folder_is_refused_and_the_first_stays() {
    let folder = tempfile::tempdir().unwrap();
    let first = testing::start(folder.path(), None).await.unwrap();
    let error = testing::start(folder.path(), None).await.unwrap_err().to_string();
    assert!(error.contains("another engine already runs") && error.contains(&process(folder.path())), "{error}");
    assert!(answers(first.socket()).await);
    first.stop().await;
}

#[tokio::test]
async fn whether_the_engine_ends_is_its_parents_to_decide() {
    let folder = tempfile::tempdir().unwrap();
    let engine = testing::start(folder.path(), None).await.unwrap();
    let process = process(folder.path());
    for name in ["-INT", "-HUP", "-TERM"] {
        signal(name, &process);
    }
    assert_eq!(on(folder.path()).query("select sleep(0.2)").fetch_one::<u8>().await.unwrap(), 0);
    assert_eq!(*engine.state().borrow(), State::Up);
    engine.stop().await;
    assert!(has_ended(folder.path()));
}

#[test]
#[ignore = "a parent that is killed, run by another test"]
fn a_parent_that_is_killed() {
    let Some(data_dir) = std::env::var_os(ORPHAN) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _engine = testing::start(Path::new(&data_dir), None).await.unwrap();
        println!("\n{READY}");
        std::future::pending::<()>().await;
    });
}

#[test]
fn the_parents_death_ends_the_engine() {
    use std::io::BufRead as _;
    let folder = tempfile::tempdir().unwrap();
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine::child::tests::a_parent_that_is_killed", "--ignored", "--nocapture"])
        .env(ORPHAN, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = std::io::BufReader::new(parent.stdout.take().unwrap());
    assert!(stdout.lines().any(|line| line.unwrap() == READY));
    assert!(!has_ended(folder.path()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the engine ends", || has_ended(folder.path()));
}

#[tokio::test]
async fn an_engine_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        program: "/nowhere/consentry".into(),
        data_dir: folder.path().to_owned(),
        library: "/nowhere/libchdb.so".into(),
        listen: None,
    };
    let error = Supervisor::start(options).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/consentry"), "{error}");
    let error = testing::start(folder.path(), Some("0.0.0.0:1")).await.unwrap_err().to_string();
    assert!(error.contains("loopback only"), "{error}");
}

#[tokio::test]
async fn on_tcp_tables_are_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let engine = testing::start(folder.path(), Some("127.0.0.1:0")).await.unwrap();
    on(folder.path()).query("create table t (a UInt8) engine = Memory").execute().await.unwrap();
    let address = fs::read_to_string(folder.path().join("listen")).unwrap();
    let url = format!("http://{address}");
    let server = ClickHouse::Server { url, user: "default".to_owned(), password_file: None };
    let client = client::connect(&server, folder.path()).unwrap().with_database("default");
    assert_eq!(client.query("select count() from t").fetch_one::<u64>().await.unwrap(), 0);
    let settings = client.query("select toUInt64(getSetting('max_threads'))").with_setting("max_threads", "1");
    assert_eq!(settings.fetch_one::<u64>().await.unwrap(), 1);

    let refused = [
        "insert into t select 1",
        "drop table t",
        "select * from file('/etc/hostname', 'LineAsString')",
        "select file('/etc/hostname')",
        "describe file('/etc/hostname', 'CSV')",
        "select * apply(file) from (select '/etc/hostname')",
        "kill query where 1",
        "select * from url('http://127.0.0.1:1/', 'LineAsString')",
        "select 1 into outfile '/tmp/x'",
        "set readonly = 0",
        "system shutdown",
        "create temporary table x (a UInt8)",
    ];
    for sql in refused {
        assert!(client.query(sql).execute().await.is_err(), "{sql}");
    }
    let template = client.query("select 1 format Template").with_setting("format_template_resultset", "/etc/hostname");
    assert!(
        matches!(template.execute().await, Err(clickhouse::error::Error::BadResponse(text)) if text.contains("497"))
    );
    let escape = client.query("insert into t select 1").with_setting("readonly", "0").execute().await;
    assert!(escape.is_err());
    let two = client.query("drop table t").with_setting("readonly", "2").execute().await;
    assert!(two.is_err());
    let file = client.query("select * from file('/etc/hostname', 'LineAsString')").with_setting("readonly", "2");
    assert!(file.execute().await.is_err());
    assert_eq!(on(folder.path()).query("select count() from t").fetch_one::<u64>().await.unwrap(), 0);
    engine.stop().await;
}
