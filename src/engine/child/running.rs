//! One child: started, waited for until it answers, and ended. What it says on its standard error is kept for the message that
//! tells why it died, and goes into no log by itself: an exception may quote rows.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use super::{READY, StartError};

/// How long the child may take to answer: loading 566 MB from a cold disk is most of it.
pub(super) const START: Duration = Duration::from_secs(90);
/// How long the child may take to end in order: it gives running statements 5 s twice, then joins its threads.
const STOP: Duration = Duration::from_secs(20);
/// Lines of the child's standard error kept for the message.
const TAIL_LINES: usize = 20;

/// The last lines of the child's standard error.
#[derive(Clone, Debug, Default)]
pub struct Tail(Vec<String>);

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// A child, whether it answers yet or not.
pub(super) struct Running {
    pub(super) child: Child,
    /// Held open for as long as the child shall run. Apart from `child`, whose `wait` would close it.
    stdin: Option<ChildStdin>,
    tail: Arc<Mutex<VecDeque<String>>>,
    /// Kept open, so that a child that writes more does not fail at it.
    said: Option<BufReader<ChildStdout>>,
    pub(super) since: Instant,
}

impl Running {
    pub(super) fn spawn(mut command: Command) -> Result<Running, StartError> {
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
    pub(super) async fn answers(&mut self, socket: &Path) -> Result<(), StartError> {
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
    pub(super) async fn stop(&mut self) {
        drop(self.stdin.take());
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            tracing::warn!("the embedded ClickHouse did not end in {} s and is killed", STOP.as_secs());
            let _ended_meanwhile = self.child.kill().await;
        }
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
