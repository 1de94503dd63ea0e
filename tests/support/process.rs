//! A process that a test started. It ends when it is dropped and, by a guard that watches us, with the test's own process,
//! however that ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{PATIENCE, eventually};

/// Waits until we close its standard input, as a process does that ends in whatever way, then ends what it guards and
/// removes the folder of it.
const GUARD: &str = r#"
read -r _
kill -TERM "$1" || exit 0
for _ in $(seq 100); do kill -0 "$1" || break; sleep 0.1; done
kill -KILL "$1"
rm -rf "$2"
"#;

/// How long a process may take to end in order before it is ended.
const ORDERLY: Duration = Duration::from_secs(20);

pub struct Process {
    child: Child,
    guard: Child,
}

impl Process {
    /// Starts it, with `folder` to be removed should we end first, and gives its standard output.
    pub fn start(mut command: Command, folder: &Path) -> (Process, Lines) {
        // In groups of their own: Ctrl-C on the tests reaches the process through its guard, in order.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("the program starts");
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", &child.id().to_string()]).arg(folder).process_group(0);
        let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let stdout = child.stdout.take().expect("its standard output is piped");
        let (tell, lines) = mpsc::sync_channel(1024);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // What it says later is read too, so that it never waits for us.
                let _ = tell.send(line);
            }
        });
        (Process { child, guard: guard.expect("there is a shell") }, Lines(lines))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The processes it started.
    pub fn children(&self) -> Vec<u32> {
        children(self.id())
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "no process {}", self.id());
    }

    /// Sends a signal to it and to every process it started, as a terminal or a service manager does.
    pub fn signal_all(&self, name: &str) {
        let group = format!("-{}", self.id());
        let sent = Command::new("kill").args([&format!("-{name}"), "--", &group]).status();
        assert!(sent.expect("kill is there").success(), "no processes of {}", self.id());
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the process ends", || self.child.try_wait().expect("it is our child"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // First, or it might end somebody else who was given the number.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        if let Ok(None) = self.child.try_wait() {
            let children = self.children();
            let _ = Command::new("kill").args(["-TERM", &self.id().to_string()]).status();
            let deadline = Instant::now() + ORDERLY;
            let mut ended = || matches!(self.child.try_wait(), Ok(Some(_))) && !children.iter().any(|pid| runs(*pid));
            while !ended() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What a process says on its standard output.
pub struct Lines(mpsc::Receiver<String>);

impl Lines {
    /// The next line; nothing where it ends, or says none in time.
    pub fn next(&self) -> Option<String> {
        self.0.recv_timeout(PATIENCE).ok()
    }
}

/// The processes that a process started.
pub fn children(of: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    children.flat_map(|pids| pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Whether a process is there and not just waiting to be reaped.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}
