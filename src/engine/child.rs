//! The parent's side: starts the engine's process, waits until it answers, starts it again when it dies, and ends it. Async
//! and content with a single-threaded runtime. Called by the life of the process and by `consentry query`.
//!
//! The child ends when its standard input closes, which also happens when the parent is killed, and takes no notice of the
//! signals that ask a process to end: they may reach the parent's whole group, and the parent ships first.

mod running;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::socket;
use running::{Running, START};
pub use running::{Tail, answers};

/// Between two starts, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A child that ran as long as this died of something new.
const STEADY: Duration = Duration::from_secs(60);

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

#[cfg(test)]
mod tests;
