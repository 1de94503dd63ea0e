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
//! anew, with the same sockets. Where the one before is asked to end before the new one is prepared, both end: the new one is
//! told `off`, and killed where it does not hear. Where the one before is gone, the new one serves as soon as nobody holds
//! spool and ledger.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LifeError;
use super::sockets::Sockets;
use crate::engine::{leave_open, take_inherited};

/// The variable that says which descriptors are what: the number of the process that left them, then `name=3,4`.
const VARIABLE: &str = "CONSENTRY_SOCKETS";
/// The name of the descriptor the two talk over.
const TALK: &str = "upgrade";
/// The variable with the system's own name for what they talk over.
const TALK_IS: &str = "CONSENTRY_SOCKETS_TALK";
/// How long a new process may take until it is prepared; fetching the engine's library is most of it.
const PREPARE: Duration = Duration::from_secs(300);
/// How long it may take to serve once it may: recovering a large spool is most of it.
const SERVE: Duration = Duration::from_secs(60);
/// How long one that has nothing more to say may take to say elsewhere what was wrong, and to end.
const ENDS: Duration = Duration::from_secs(5);
/// How long one that is not to take over may take to end by itself.
const CALLED_OFF: Duration = Duration::from_secs(1);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(10);

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
    child: Started,
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
        let talk_is = system_name(theirs.as_raw_fd());
        let mut said = std::process::id().to_string();
        let mut all = Vec::new();
        let named = sockets.into_named().into_iter().chain([(TALK.to_owned(), vec![OwnedFd::from(theirs)])]);
        for (name, descriptors) in named {
            let numbers: Vec<String> = descriptors.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
            said.push_str(&format!(" {name}={}", numbers.join(",")));
            all.extend(descriptors);
        }
        let mut command = Command::new(program);
        command.args(std::env::args_os().skip(1)).env(VARIABLE, said).env(TALK_IS, talk_is.unwrap_or_default());
        // It is for this process; the next one is the one to be heard of then.
        command.env_remove("WATCHDOG_PID");
        leave_open(&mut command, all);
        let talk = ours.try_clone().map_err(cannot)?;
        let child = Started::by(&mut command).map_err(cannot)?;
        let call_off = CallOff { child: child.clone(), talk };
        Ok((Next { child, talk: BufReader::new(ours) }, call_off))
    }

    /// The new process's number.
    pub fn id(&self) -> u32 {
        self.child.id
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
    pub fn end(self) {
        self.put_off();
    }

    /// Ends it, and what it may have started in its own place.
    fn put_off(&self) {
        let _ = say(self.talk.get_ref(), OFF);
        let _ = self.child.end();
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
            Ok(0) | Err(_) => match self.child.end_within(ENDS) {
                Ok(status) => format!("ended ({status}) before it was {word}"),
                Err(error) => format!("is gone ({error})"),
            },
        };
        self.put_off();
        Err(UpgradeError::Ended(ended))
    }
}

/// A process that was started, whose end several may wait for.
#[derive(Clone)]
struct Started {
    id: u32,
    child: Arc<Mutex<Child>>,
}

impl Started {
    fn by(command: &mut Command) -> io::Result<Started> {
        let child = command.spawn()?;
        Ok(Started { id: child.id(), child: Arc::new(Mutex::new(child)) })
    }

    /// Gives it `patience` to end by itself, and ends it then. Blocks.
    fn end_within(&self, patience: Duration) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait()?;
            if let Some(status) = ended {
                return Ok(status);
            }
            std::thread::sleep(LOOK);
        }
        self.end()
    }

    /// Ends it, unless it has ended: its number may be another's then.
    fn end(&self) -> io::Result<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        child.wait()
    }
}

/// What ends an upgrade before it has begun.
pub struct CallOff {
    child: Started,
    talk: UnixStream,
}

impl CallOff {
    /// The new process is not to take over: it is told, and ended where it does not hear, since it holds the sockets that
    /// visitors connect to. Blocks for a second at most.
    pub fn carry_out(self) {
        let _ = say(&self.talk, OFF);
        let _ = self.child.end_within(CALLED_OFF);
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
        let Some((left_by, named)) = parsed(&said) else { return Ok(None) };
        // One whose parent is gone meanwhile has what it was left all the same, and nobody else has.
        if left_by != parent_id() && !holds_talk(&named, &std::env::var_os(TALK_IS).unwrap_or_default()) {
            return Ok(None);
        }
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

/// What descriptors are for, and their numbers.
type Named = Vec<(String, Vec<RawFd>)>;

/// Who left them, and the names and numbers in the variable.
fn parsed(said: &str) -> Option<(u32, Named)> {
    let mut words = said.split(' ');
    let left_by = words.next()?.parse().ok()?;
    let named = |word: &str| {
        let (name, numbers) = word.split_once('=')?;
        let numbers = numbers.split(',').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        Some((name.to_owned(), numbers))
    };
    Some((left_by, words.map(named).collect::<Option<_>>()?))
}

/// Whether what the two talk over is still what it was: a variable that came down from further up names descriptors that were
/// closed on the way, whose numbers may be anybody's.
fn holds_talk(named: &Named, talk_is: &OsStr) -> bool {
    let talk = named.iter().find(|(name, _)| name == TALK).and_then(|(_, numbers)| numbers.first());
    talk.and_then(|number| system_name(*number)).is_some_and(|name| name == talk_is)
}

/// What the system calls what is open under a number, which no other has: `socket:[4711]`. Nothing where it has no such names.
fn system_name(number: RawFd) -> Option<OsString> {
    std::fs::read_link(format!("/proc/self/fd/{number}")).ok().map(PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_known_by_its_names_and_numbers() {
        let (left_by, named) = parsed("77 gateway=3,4 dashboard=5 upgrade=6").unwrap();
        assert_eq!((left_by, &named[0]), (77, &("gateway".to_owned(), vec![3, 4])));
        assert_eq!(named.len(), 3);
        for wrong in ["", "77 gateway", "77 gateway=", "77 gateway=x", "x", "x gateway=3"] {
            assert!(parsed(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_variable_that_came_down_from_further_up_names_nothing_that_is_taken_over() {
        let (talk, other) = UnixStream::pair().unwrap();
        let named = |talk: &UnixStream| vec![(TALK.to_owned(), vec![talk.as_raw_fd()])];
        let talk_is = system_name(talk.as_raw_fd()).unwrap();
        assert!(holds_talk(&named(&talk), &talk_is));
        assert!(!holds_talk(&named(&other), &talk_is), "its number is another's now");
        assert!(!holds_talk(&vec![(TALK.to_owned(), vec![RawFd::MAX])], &talk_is), "it is closed");
        assert!(!holds_talk(&named(&talk), OsStr::new("")), "nobody said what it was");
        assert!(!holds_talk(&Vec::new(), &talk_is));
    }

    #[test]
    fn a_process_that_does_not_hear_that_it_is_not_to_take_over_is_ended() {
        let (talk, _theirs) = UnixStream::pair().unwrap();
        let child = Started::by(Command::new("sleep").arg("1000")).unwrap();
        let hears = child.clone();
        CallOff { child, talk }.carry_out();
        let status = hears.child.lock().unwrap().try_wait().unwrap().expect("it has ended");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }
}
