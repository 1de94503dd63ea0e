//! A new process takes the place of the running one, and no visitor notices: `consentry upgrade` or `SIGUSR2`.
//!
//! Two processes must never write one spool or one ledger, so one waits for the other, at each step in the order that keeps
//! visitors served:
//!
//! | the process before | the new one |
//! |---|---|
//! | starts the program as it lies on disk now, and leaves it its listening sockets | reads the configuration, keys, geo database |
//! | serves on | says `prepared` |
//! | lets the connections that are there finish, and stops shipping; others are let in as before | waits |
//! | lets nobody in any more, ends what is open, closes spool and ledger, says `go` | waits; who connects waits in the kernel's queue |
//! | stores its counts, ends the embedded engine, says `done` | opens spool and ledger, serves, says `serving` |
//! | ends | starts the engine, ships |
//!
//! Where the new process ends before it serves, the one before goes on: up to `go` it has never stopped, after it it starts
//! anew, with the same sockets.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use super::LifeError;
use super::sockets::Sockets;
use crate::engine::{leave_open, take_inherited};

/// The variable that says which descriptors are what: the number of the process that left them, then `name=3,4`.
const VARIABLE: &str = "CONSENTRY_SOCKETS";
/// The name of the descriptor the two talk over.
const TALK: &str = "upgrade";
/// How long a new process may take until it is prepared; fetching the engine's library is most of it.
const PREPARE: Duration = Duration::from_secs(300);
/// How long it may take to serve once it may: recovering a large spool is most of it.
const SERVE: Duration = Duration::from_secs(60);

const PREPARED: &str = "prepared";
const GO: &str = "go";
const SERVING: &str = "serving";
const DONE: &str = "done";
const OFF: &str = "off";

/// Why the running process stays.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// In a container, the container ends with it.
    #[error(
        "this process is the first of its container, which would end with it; start a new container instead, or put an init before it"
    )]
    FirstOfItsContainer,
    /// No descriptors are left.
    #[error("the sockets cannot be handed over: {0}")]
    Sockets(io::Error),
    /// The new process did not start.
    #[error("the new process cannot be started: {program}: {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended or fell silent.
    #[error("the new process {0}; the gateway goes on as it was. What was wrong is in the new process's messages")]
    Ended(String),
}

/// The new process, as the one before sees it.
pub struct Next {
    child: Child,
    talk: BufReader<UnixStream>,
}

impl Next {
    /// Starts `program` with this process's own arguments and `sockets`.
    pub fn start(program: &Path, sockets: Sockets) -> Result<(Next, CallOff), UpgradeError> {
        if std::process::id() == 1 {
            return Err(UpgradeError::FirstOfItsContainer);
        }
        let cannot = |source| UpgradeError::Start { program: program.to_owned(), source };
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        let mut said = std::process::id().to_string();
        let mut all = Vec::new();
        let named = sockets.into_named().into_iter().chain([(TALK.to_owned(), vec![OwnedFd::from(theirs)])]);
        for (name, descriptors) in named {
            let numbers: Vec<String> = descriptors.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
            said.push_str(&format!(" {name}={}", numbers.join(",")));
            all.extend(descriptors);
        }
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).env(VARIABLE, said);
        // It is for this process; the next one is the one to be heard of then.
        command.env_remove("WATCHDOG_PID");
        leave_open(&mut command, all);
        let call_off = CallOff(ours.try_clone().map_err(cannot)?);
        let child = command.spawn().map_err(cannot)?;
        Ok((Next { child, talk: BufReader::new(ours) }, call_off))
    }

    /// The new process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has everything that two processes may have at once. Blocks.
    pub fn prepared(&mut self) -> Result<(), UpgradeError> {
        self.hear(PREPARED, PREPARE)
    }

    /// Tells it that spool and ledger are nobody's.
    pub fn go(&mut self) {
        // One that is gone says so by its silence.
        let _ = say(self.talk.get_ref(), GO);
    }

    /// Waits until it serves visitors. Blocks.
    pub fn serves(&mut self) -> Result<(), UpgradeError> {
        self.hear(SERVING, SERVE)
    }

    /// Another way to tell it that counts are stored and the engine has ended.
    pub fn farewell(&self) -> io::Result<Farewell> {
        Ok(Farewell(self.talk.get_ref().try_clone()?))
    }

    /// Ends it.
    pub fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn hear(&mut self, word: &str, patience: Duration) -> Result<(), UpgradeError> {
        let _ = self.talk.get_ref().set_read_timeout(Some(patience));
        let mut line = String::new();
        let ended = match self.talk.read_line(&mut line) {
            Ok(_) if line.trim_end() == word => return Ok(()),
            Ok(1..) => "said something that cannot be understood".to_owned(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                format!("was not {word} within {} s", patience.as_secs())
            }
            // Its end of the line is closed, or was while something lay in it.
            Ok(0) | Err(_) => match self.child.wait() {
                Ok(status) => format!("ended ({status}) before it was {word}"),
                Err(error) => format!("is gone ({error})"),
            },
        };
        let _ = self.child.kill();
        let _ = self.child.wait();
        Err(UpgradeError::Ended(ended))
    }
}

/// What ends an upgrade before it has begun.
pub struct CallOff(UnixStream);

impl CallOff {
    /// The new process is not to take over.
    pub fn say(self) {
        let _ = say(&self.0, OFF);
    }
}

/// The last thing the process before has to say.
pub struct Farewell(UnixStream);

impl Farewell {
    /// Counts are stored and the engine has ended.
    pub fn say(self) {
        let _ = say(&self.0, DONE);
    }
}

/// The process before, as the new one sees it.
pub struct Before {
    talk: BufReader<UnixStream>,
}

impl Before {
    /// The process that started this one to take its place, with its sockets; nothing where it was started otherwise. To be
    /// asked once, before this process opens anything.
    pub fn look() -> io::Result<Option<(Before, Sockets)>> {
        let Ok(said) = std::env::var(VARIABLE) else { return Ok(None) };
        let Some(named) = parsed(&said, parent_id()) else { return Ok(None) };
        let numbers: Vec<RawFd> = named.iter().flat_map(|(_, numbers)| numbers).copied().collect();
        let mut descriptors = take_inherited(&numbers)?.into_iter();
        let (mut talk, mut sockets) = (None, Vec::new());
        for (name, numbers) in named {
            let mut these: Vec<OwnedFd> = descriptors.by_ref().take(numbers.len()).collect();
            match name.as_str() {
                TALK => talk = these.pop(),
                _ => sockets.push((name, these)),
            }
        }
        let wrong = || io::Error::other(format!("{VARIABLE} does not name the sockets it should"));
        let talk = BufReader::new(UnixStream::from(talk.ok_or_else(wrong)?));
        Ok(Some((Before { talk }, Sockets::from_named(sockets).ok_or_else(wrong)?)))
    }

    /// Says that everything is there that two processes may have at once, and waits until the rest is nobody's: it is so too
    /// when the process before is gone. Blocks.
    pub fn prepared(&mut self) -> Result<(), LifeError> {
        let _ = say(self.talk.get_ref(), PREPARED);
        if self.hear() == OFF { Err(LifeError::CalledOff) } else { Ok(()) }
    }

    /// Says that visitors are served.
    pub fn serving(&self) {
        let _ = say(self.talk.get_ref(), SERVING);
    }

    /// Waits until the process before has stored its counts and ended its engine. Blocks.
    pub fn done(&mut self) {
        self.hear();
    }

    /// What it says; nothing where it is gone.
    fn hear(&mut self) -> String {
        let mut line = String::new();
        let _ = self.talk.read_line(&mut line);
        line.trim_end().to_owned()
    }
}

fn say(mut talk: &UnixStream, word: &str) -> io::Result<()> {
    talk.write_all(format!("{word}\n").as_bytes())
}

/// The names and numbers in the variable; nothing where another process was meant.
fn parsed(said: &str, parent: u32) -> Option<Vec<(String, Vec<RawFd>)>> {
    let mut words = said.split(' ');
    if words.next()?.parse() != Ok(parent) {
        return None;
    }
    let named = |word: &str| {
        let (name, numbers) = word.split_once('=')?;
        let numbers = numbers.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some((name.to_owned(), numbers))
    };
    words.map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_parent_left_is_taken_over() {
        let named = parsed("77 gateway=3,4 dashboard=5 upgrade=6", 77).unwrap();
        assert_eq!(named[0], ("gateway".to_owned(), vec![3, 4]));
        assert_eq!(named.len(), 3);
        assert!(parsed("77 gateway=3", 78).is_none(), "a variable that came down from further up");
        for wrong in ["", "77 gateway", "77 gateway=", "77 gateway=x", "x"] {
            assert!(parsed(wrong, 77).is_none(), "{wrong}");
        }
    }
}
