//! `consentry serve`, in a folder of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::eventually;
use super::http::exchange;
use super::process::{Lines, Process, runs};
use super::site::Site;

/// The program.
pub const CONSENTRY: &str = env!("CARGO_BIN_EXE_consentry");

/// What the shared gateway's site declares.
const DECLARED: &str = r#"
[[cookie]]
name = "session"
purpose = "necessary"
[[cookie]]
name = "lang"
purpose = "preferences"
[[cookie]]
name = "_ga*"
purpose = "analytics"
[[cookie]]
name = "ad"
purpose = "marketing"
[[tag]]
host = "tags.example"
purpose = "marketing"
"#;

/// The peer the shared gateway takes for a proxy.
pub const TRUSTED_PROXY: &str = "127.0.0.2";

/// The gateway most tests share, and the site behind it.
pub fn shared() -> &'static (Gateway, Site) {
    static SHARED: OnceLock<(Gateway, Site)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let site = Site::start();
        let more = format!("trusted_proxies = [\"{TRUSTED_PROXY}\"]\n{DECLARED}");
        (Gateway::start(site.address, &more), site)
    })
}

/// A gateway in front of `site` whose ClickHouse is away; it starts at once. The port stays taken by nobody as long as the
/// second value lives.
pub fn without_database(site: SocketAddr, more: &str) -> (Gateway, Nobody) {
    let (folder, nobody) = folder_without_database(site, more);
    (folder.serve(), nobody)
}

/// The folder of such a gateway, which is yet to be started.
pub fn folder_without_database(site: SocketAddr, more: &str) -> (Folder, Nobody) {
    let nobody = Nobody::new();
    let folder = Folder::new(site, &format!("{more}\n[clickhouse]\nurl = \"http://{}\"\n", nobody.address));
    (folder, nobody)
}

/// An address of this machine where nobody listens and nobody else will.
pub struct Nobody {
    pub address: SocketAddr,
    _bound: socket2::Socket,
}

impl Nobody {
    pub fn new() -> Nobody {
        use socket2::{Domain, Socket, Type};
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("the system has sockets");
        // So that a listener can take the address the moment it is given up.
        bound.set_reuse_address(true).expect("a socket can share its address");
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("loopback has ports");
        let address = bound.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
        Nobody { address, _bound: bound }
    }
}

/// Configuration and data; they stay when a gateway ends, so that another can start on them.
pub struct Folder {
    dir: TempDir,
    environment: Vec<(String, String)>,
    /// What runs the program, where that is not we.
    through: Vec<String>,
}

impl Folder {
    /// With a configuration for a gateway in front of `site`; `more` begins within `[gateway]`.
    pub fn new(site: SocketAddr, more: &str) -> Folder {
        let folder = Folder::empty();
        let configuration = format!(
            "data_dir = \"data\"\n[dashboard]\nlisten = \"127.0.0.1:0\"\n[geo]\ndatabase = \"off\"\n\
             [gateway]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://{site}\"\n{more}\n"
        );
        folder.write("consentry.toml", &configuration);
        folder
    }

    pub fn empty() -> Folder {
        let dir = TempDir::with_prefix("consentry-").expect("there is room for a folder");
        // All visitors of the tests are one address.
        let pace = ["CAPTURE__BEACONS_PER_MINUTE", "CONSENT__CHOICES_PER_MINUTE"]
            .map(|key| (format!("CONSENTRY__{key}"), "1000000".to_owned()));
        Folder { dir, environment: pace.into(), through: Vec::new() }
    }

    /// With a variable of the program's environment.
    pub fn with(mut self, variable: &str, value: &str) -> Folder {
        self.environment.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Run by another program that becomes it, such as `prlimit`.
    pub fn through(mut self, program: &[&str]) -> Folder {
        self.through = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("the folder is ours");
    }

    /// The program, to be run in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.through.iter().map(String::as_str).chain([CONSENTRY]);
        let mut command = Command::new(words.next().expect("there is one at least"));
        command.args(words);
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)));
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the program in this folder to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// The rows of a statement.
    pub fn query(&self, sql: &str) -> Vec<Value> {
        let output = self.run(&["query", "--data-dir", "data", "--format", "JSONEachRow", sql]);
        assert!(output.status.success(), "{sql}\n{}", String::from_utf8_lossy(&output.stderr));
        let rows = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        rows.lines().map(|row| serde_json::from_str(row).expect("each line is JSON")).collect()
    }

    /// The log so far, of every process that was started here.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// A command whose messages go to the log.
    pub fn logged(&self, arguments: &[&str]) -> Command {
        let log = fs::File::options().create(true).append(true).open(self.path().join("log"));
        let mut command = self.command(arguments);
        command.stderr(log.expect("the folder is ours"));
        command
    }

    /// Starts `consentry serve` and waits until it says where it is.
    pub fn serve(self) -> Gateway {
        self.serve_and_say().0
    }

    /// As [`serve`](Folder::serve), with what it says later: where nobody takes that, its standard output is not read.
    pub fn serve_and_say(self) -> (Gateway, Lines) {
        let (process, lines) = Process::start(self.logged(&["serve", "--json"]), self.path());
        let line = lines.next().unwrap_or_else(|| panic!("the gateway did not start:\n{}", self.log()));
        let said: Value = serde_json::from_str(&line).expect("--json says JSON");
        let address = |name: &str| said[name].as_str().and_then(|address| address.parse().ok()).expect(name);
        let gateway = Gateway {
            address: address("gateway"),
            tls: said["tls"][0].as_str().and_then(|address| address.parse().ok()),
            dashboard: address("dashboard"),
            password: said["password"].as_str().map(str::to_owned),
            process,
            folder: self,
        };
        (gateway, lines)
    }
}

/// A running gateway.
pub struct Gateway {
    pub address: SocketAddr,
    /// Where it speaks TLS, if it does.
    pub tls: Option<SocketAddr>,
    pub dashboard: SocketAddr,
    /// The password, where this start made one.
    pub password: Option<String>,
    // Before the folder, so that it has ended when that is removed.
    pub process: Process,
    pub folder: Folder,
}

impl Gateway {
    pub fn start(site: SocketAddr, more: &str) -> Gateway {
        Folder::new(site, more).serve()
    }

    /// The value of a metric, by its whole name.
    pub fn metric(&self, name: &str) -> u64 {
        let answer = exchange(self.dashboard, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let text = answer.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    }

    pub fn query(&self, sql: &str) -> Vec<Value> {
        self.folder.query(sql)
    }

    /// The rows of a statement, once there are `count`.
    pub fn rows(&self, count: usize, sql: &str) -> Vec<Value> {
        eventually(&format!("{count} rows of {sql}"), || {
            let rows = self.query(sql);
            assert!(rows.len() <= count, "more than {count} rows of {sql}: {rows:?}");
            (rows.len() == count).then_some(rows)
        })
    }

    /// Sends a signal and waits until the gateway and every process it started have ended.
    pub fn end(self, signal: &str) -> (ExitStatus, Folder) {
        self.end_by(|process| process.signal(signal))
    }

    /// As [`end`](Gateway::end), with the signal sent to the gateway and every process it started.
    pub fn end_all(self, signal: &str) -> (ExitStatus, Folder) {
        self.end_by(|process| process.signal_all(signal))
    }

    fn end_by(mut self, signal: impl FnOnce(&Process)) -> (ExitStatus, Folder) {
        let children = self.process.children();
        signal(&self.process);
        let status = self.process.wait();
        eventually("what it started ends too", || children.iter().all(|pid| !runs(*pid)).then_some(()));
        (status, self.folder)
    }
}
