//! How a command reaches the running gateway: a Unix socket in the data folder, which is its owner's alone. One line of JSON
//! asks, one answers; whoever asks waits for the outcome.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// The socket's name in the data folder.
const SOCKET: &str = "control.sock";
/// The name it is made under, so that it takes the place of another process's in one step.
const FRESH: &str = "control.new";
/// How long a question may take to be sent.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest question, in bytes.
const LONGEST: u64 = 4096;
/// How long the last answers may take to be sent.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// What a command asks of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// To read its configuration again.
    Reload,
    /// To give way to the program as it lies on disk now.
    Upgrade,
}

#[derive(Serialize, Deserialize)]
struct Question {
    ask: Ask,
    /// The configuration that whoever asks has in mind; nothing where they named none.
    config: Option<PathBuf>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether it was done.
    pub done: bool,
    /// Whether it was not because the configuration is wrong, or cannot be taken over.
    pub configuration: bool,
    /// What happened, for people.
    pub said: String,
    /// The keys whose values changed, or that stand in the way.
    pub keys: Vec<String>,
    /// The process that serves now.
    pub process: u32,
}

/// A question that waits for its answer.
pub struct Asked {
    /// What is asked.
    pub ask: Ask,
    /// The configuration that is meant.
    pub config: Option<PathBuf>,
    /// Who waits.
    pub answer: oneshot::Sender<Outcome>,
}

/// The gateway's end.
pub struct Control {
    task: JoinHandle<()>,
    path: PathBuf,
    end: oneshot::Sender<()>,
}

impl Control {
    /// Listens in `data_dir`; what is asked comes out of the channel. Within a runtime.
    pub fn listen(data_dir: &Path, asked: mpsc::Sender<Asked>) -> io::Result<Control> {
        let folder = File::open(data_dir)?;
        let (fresh, path) = (data_dir.join(FRESH), data_dir.join(SOCKET));
        let _none_left = fs::remove_file(&fresh);
        let listener = UnixListener::bind(short(&folder, data_dir, FRESH))?;
        fs::rename(&fresh, &path)?;
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(answer_all(listener, asked, ended));
        Ok(Control { task, path, end })
    }

    /// Lets the last answers out. The socket goes, unless another process's has taken its place.
    pub async fn end(self, keep: bool) {
        let _ = self.end.send(());
        let _ = self.task.await;
        if !keep {
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn answer_all(listener: UnixListener, asked: mpsc::Sender<Asked>, mut ended: oneshot::Receiver<()>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(open.spawn(answer_one(stream, asked.clone()))),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = open.join_next(), if !open.is_empty() => {}
            _ = &mut ended => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(LAST_ANSWERS, async { while open.join_next().await.is_some() {} }).await;
}

async fn answer_one(stream: tokio::net::UnixStream, asked: mpsc::Sender<Asked>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read.take(LONGEST));
    tokio::time::timeout(PATIENCE, read.read_line(&mut line)).await.ok()?.ok()?;
    let Question { ask, config } = serde_json::from_str(&line).ok()?;
    let (answer, outcome) = oneshot::channel();
    asked.send(Asked { ask, config, answer }).await.ok()?;
    let mut line = serde_json::to_string(&outcome.await.ok()?).ok()?;
    line.push('\n');
    write.write_all(line.as_bytes()).await.ok()
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error(
        "no gateway runs on the data folder {0}; one that was started with another data_dir is reached with --data-dir and that one"
    )]
    Nobody(PathBuf),
    /// It ended meanwhile, or does not understand.
    #[error("the gateway gave no answer; its log says why")]
    NoAnswer,
    /// What the system said.
    #[error("the gateway cannot be reached: {0}")]
    Io(#[from] io::Error),
}

/// Asks the gateway that runs on `data_dir`, with `config` if it is that one that is meant, and waits for the outcome, however
/// long it takes. Blocks.
pub fn ask(data_dir: &Path, ask: Ask, config: Option<&Path>) -> Result<Outcome, ControlError> {
    let nobody = |_| ControlError::Nobody(data_dir.to_owned());
    // The gateway may stand in another folder.
    let config = config.map(std::path::absolute).transpose()?;
    let folder = File::open(data_dir).map_err(nobody)?;
    let mut stream = UnixStream::connect(short(&folder, data_dir, SOCKET)).map_err(nobody)?;
    let mut question = serde_json::to_string(&Question { ask, config }).map_err(io::Error::from)?;
    question.push('\n');
    stream.write_all(question.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    serde_json::from_str(&line).map_err(|_| ControlError::NoAnswer)
}

/// A file's path that is short enough for a socket's address (108 bytes) however deep the folder lies: through the folder's
/// own descriptor, where the system has such paths.
fn short(folder: &File, data_dir: &Path, name: &str) -> PathBuf {
    let own = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    if own.exists() { own.join(name) } else { data_dir.join(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_gets_the_outcome_however_deep_the_folder_lies() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(150));
        fs::create_dir(&deep).unwrap();
        assert!(matches!(ask(&deep, Ask::Reload, None), Err(ControlError::Nobody(_))));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (tell, mut asked) = mpsc::channel(1);
            let control = Control::listen(&deep, tell).unwrap();
            let folder = deep.clone();
            let waiting = tokio::task::spawn_blocking(move || ask(&folder, Ask::Upgrade, None));
            let question = asked.recv().await.unwrap();
            assert_eq!(question.ask, Ask::Upgrade);
            let outcome = Outcome { done: true, said: "well".into(), ..Outcome::default() };
            question.answer.send(outcome.clone()).unwrap();
            control.end(false).await;
            assert_eq!(waiting.await.unwrap().unwrap(), outcome);
        });
        assert!(!deep.join(SOCKET).exists() && !deep.join(FRESH).exists());
    }
}
