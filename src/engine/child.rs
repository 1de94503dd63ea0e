//! The parent's side: starts the engine's process, waits until it answers, starts it again when it dies, and ends it. Async
//! and content with a single-threaded runtime. Called by the life of the process and by `consentry query`.
//!
//! The child ends when its standard input closes, which also happens when the parent is killed, and takes no notice of the
//! signals that ask a process to end: they may reach the parent's whole group, and the parent ships first.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::socket;

/// How long the child may take to answer: loading 566 MB from a cold disk is most of it.
const START: Duration = Duration::from_secs(90);
/// How long the child may take to end in order: it gives running statements 5 s twice, then joins its threads.
const STOP: Duration = Duration::from_secs(20);
/// Between two starts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A child that ran as long as this died of something new.
const STEADY: Duration = Duration::from_secs(60);
/// Lines of the child's standard error kept for the message.
const TAIL_LINES: usize = 20;

/// What a child ends with whose disk refused a write: EX_IOERR of `sysexits.h`.
pub const DISK_FAILED: u8 = 74;

/// The line a child writes to its standard output when it answers. The socket alone cannot tell: another engine may be
/// answering there, while ours is being refused.
pub const READY: &str = "consentry engine: ready";

/// What to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// This program.
    pub program: PathBuf,
    /// Where the database lives.
    pub data_dir: PathBuf,
    /// `libchdb.so`.
    pub library: PathBuf,
    /// HTTP on loopback too.
    pub listen: Option<SocketAddr>,
}

impl Options {
    /// This very program, on `data_dir`.
    pub fn new(data_dir: &Path, library: PathBuf, listen: Option<SocketAddr>) -> Result<Options, StartError> {
        let program = std::env::current_exe().map_err(StartError::Program)?;
        Ok(Options { program, data_dir: data_dir.to_owned(), library, listen })
    }

    /// `consentry engine --child ...`.
    fn command(&self, socket: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("engine").arg("--child");
        command.arg("--data-dir").arg(&self.data_dir).arg("--socket").arg(socket).arg("--library").arg(&self.library);
        if let Some(listen) = self.listen {
            // Beside the gateway, tools read; who writes is the shipper, over the socket.
            command.arg("--read-only").arg("--listen").arg(listen.to_string());
        }
        command
    }
}

/// Why the engine did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No place for the socket.
    #[error(transparent)]
    Socket(#[from] socket::SocketError),
    /// Our own program's path is not known.
    #[error("cannot find this program to start the engine with: {0}")]
    Program(std::io::Error),
    /// The process did not start.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ended before it answered.
    #[error("the embedded ClickHouse did not start ({status}){tail}")]
    Ended {
        /// How.
        status: String,
        /// What it said.
        tail: Tail,
    },
    /// It runs and does not answer.
    #[error("the embedded ClickHouse did not answer within {} s{tail}", START.as_secs())]
    Silent {
        /// What it said.
        tail: Tail,
    },
}

/// The last lines of the child's standard error.
#[derive(Clone, Debug, Default)]
pub struct Tail(Vec<String>);

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// How the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was started and has not answered yet.
    Starting,
    /// It answers.
    Up,
    /// It died and is being started again.
    Down,
    /// It was ended.
    Stopped,
}

/// Keeps one engine running. Dropped without [`stop`](Supervisor::stop), it ends the engine too, without waiting for it.
#[derive(Debug)]
pub struct Supervisor {
    socket: PathBuf,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    state: watch::Receiver<State>,
}

impl Supervisor {
    /// Starts the engine and waits until it answers.
    pub async fn start(options: Options) -> Result<Supervisor, StartError> {
        let socket = socket::choose(&options.data_dir)?;
        let command = {
            let socket = socket.clone();
            move || options.command(&socket)
        };
        Supervisor::start_with(socket, command).await
    }

    /// Starts the engine, waits for nothing, and tries for ever: whoever needs it sees its [`state`](Supervisor::state).
    /// Within a runtime.
    pub fn begin(options: Options) -> Result<Supervisor, StartError> {
        let socket = socket::choose(&options.data_dir)?;
        let command = {
            let socket = socket.clone();
            move || options.command(&socket)
        };
        Ok(Supervisor::keep(None, socket, command))
    }

    /// As [`start`](Supervisor::start), with a command of the caller's.
    pub(super) async fn start_with(
        socket: PathBuf,
        command: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Result<Supervisor, StartError> {
        let mut running = Running::spawn(command())?;
        running.answers(&socket).await?;
        Ok(Supervisor::keep(Some(running), socket, command))
    }

    fn keep(
        running: Option<Running>,
        socket: PathBuf,
        command: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Supervisor {
        let (stop, stopped) = oneshot::channel();
        let (report, state) = watch::channel(if running.is_some() { State::Up } else { State::Starting });
        let task = tokio::spawn(keep_running(running, command, socket.clone(), stopped, report));
        Supervisor { socket, stop, task, state }
    }

    /// Where the engine answers.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// How the engine is, now and later.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Ends the engine in order; after a deadline, at once.
    pub async fn stop(self) {
        let _already_ended = self.stop.send(());
        let _panicked = self.task.await;
    }
}

/// A child, whether it answers yet or not.
struct Running {
    child: Child,
    /// Held open for as long as the child shall run. Apart from `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
    tail: Arc<Mutex<VecDeque<String>>>,
    /// Kept open, so that a child that writes more does not fail at it.
    said: Option<BufReader<ChildStdout>>,
    since: Instant,
}

impl Running {
    fn spawn(mut command: Command) -> Result<Running, StartError> {
        let program = PathBuf::from(command.as_std().get_program());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // `SYSTEM SHUTDOWN` ends the whole process group it runs in, which must not be the gateway's.
        command.process_group(0);
        let mut child = command.spawn().map_err(|source| StartError::Spawn { program, source })?;
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_tail(BufReader::new(stderr), Arc::clone(&tail)));
        }
        let said = child.stdout.take();
        let stdin = child.stdin.take();
        Ok(Running { child, stdin, tail, said: said.map(BufReader::new), since: Instant::now() })
    }

    /// Waits until it answers. After an error it has ended.
    async fn answers(&mut self, socket: &Path) -> Result<(), StartError> {
        let said = self.said.take();
        let answers = async {
            let said = says_ready(said).await;
            while !answers(socket).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            said
        };
        tokio::select! {
            ended = self.child.wait() => {
                let status = ended.map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string());
                // Its last words may still be in the pipe.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Err(StartError::Ended { status, tail: self.tail() })
            }
            answered = tokio::time::timeout(START, answers) => match answered {
                Ok(said) => {
                    (self.said, self.since) = (said, Instant::now());
                    Ok(())
                }
                Err(_) => {
                    let tail = self.tail();
                    self.stop().await;
                    Err(StartError::Silent { tail })
                }
            }
        }
    }

    fn tail(&self) -> Tail {
        Tail(self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect())
    }

    /// Closing its standard input asks the child to end.
    async fn stop(&mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            tracing::warn!("the embedded ClickHouse did not end in {} s and is killed", STOP.as_secs());
            let _ended_meanwhile = self.child.kill().await;
        }
    }
}

async fn keep_running(
    running: Option<Running>,
    command: impl Fn() -> Command,
    socket: PathBuf,
    mut stopped: oneshot::Receiver<()>,
    report: watch::Sender<State>,
) {
    let mut pause = FIRST_PAUSE;
    let started = match running {
        Some(running) => Some(running),
        None => start(&mut pause, Duration::ZERO, &command, &socket, &mut stopped, &report).await,
    };
    let Some(mut running) = started else {
        report.send_replace(State::Stopped);
        return;
    };
    loop {
        let status = tokio::select! {
            _ = &mut stopped => {
                running.stop().await;
                report.send_replace(State::Stopped);
                return;
            }
            ended = running.child.wait() => ended,
        };
        report.send_replace(State::Down);
        if matches!(&status, Ok(status) if status.code() == Some(i32::from(DISK_FAILED))) {
            tracing::error!(
                "the embedded ClickHouse ended because its disk refused a write, and is started again; what it had not stored waits in the spool"
            );
        } else {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            tracing::warn!(%status, "the embedded ClickHouse ended unexpectedly and is started again");
        }
        if running.since.elapsed() >= STEADY {
            pause = FIRST_PAUSE;
        }
        let first = pause;
        let Some(again) = start(&mut pause, first, &command, &socket, &mut stopped, &report).await else {
            report.send_replace(State::Stopped);
            return;
        };
        running = again;
        tracing::info!("the embedded ClickHouse answers again");
    }
}

/// Starts a child after a first pause, and again after longer ones until one answers; nothing where it is to end meanwhile.
async fn start(
    pause: &mut Duration,
    first: Duration,
    command: impl Fn() -> Command,
    socket: &Path,
    stopped: &mut oneshot::Receiver<()>,
    report: &watch::Sender<State>,
) -> Option<Running> {
    let mut wait = first;
    loop {
        tokio::select! {
            _ = &mut *stopped => return None,
            () = tokio::time::sleep(wait) => {}
        }
        let tried = match Running::spawn(command()) {
            Err(error) => Err(error),
            Ok(mut running) => {
                let answered = tokio::select! {
                    _ = &mut *stopped => None,
                    answered = running.answers(socket) => Some(answered),
                };
                let Some(answered) = answered else {
                    running.stop().await;
                    return None;
                };
                answered.map(|()| running)
            }
        };
        match tried {
            Ok(running) => {
                *pause = (*pause * 2).min(LONGEST_PAUSE);
                report.send_replace(State::Up);
                return Some(running);
            }
            Err(error) => {
                report.send_replace(State::Down);
                tracing::error!(%error, "the embedded ClickHouse could not be started; the site is served, and events wait in the spool until it can");
            }
        }
        wait = *pause;
        *pause = (*pause * 2).min(LONGEST_PAUSE);
    }
}

/// Keeps the last lines, so that a message can show why the child died. They are not logged: an exception may quote rows.
async fn keep_tail(mut lines: BufReader<ChildStderr>, tail: Arc<Mutex<VecDeque<String>>>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        // A line without an end does not fill the memory.
        match (&mut lines).take(4096).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.push_back(text);
        if tail.len() > TAIL_LINES {
            tail.pop_front();
        }
    }
}

/// Waits for the line that says so; for ever where the child ends without it.
async fn says_ready(stdout: Option<BufReader<ChildStdout>>) -> Option<BufReader<ChildStdout>> {
    let mut lines = stdout?;
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut lines).take(4096).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => std::future::pending().await,
            Ok(_) if line.trim_ascii_end().ends_with(READY.as_bytes()) => return Some(lines),
            Ok(_) => {}
        }
    }
}

/// Whether an engine answers on this socket.
pub async fn answers(socket: &Path) -> bool {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer).await?;
        Ok::<bool, std::io::Error>(answer.starts_with("HTTP/1.1 200") && answer.ends_with("Ok.\n"))
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), asked).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests;
