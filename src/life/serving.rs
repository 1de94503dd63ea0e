//! The middle of a life: what is asked of the process while it serves. How it ends stands in [`ending`].

mod ending;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::LifeError;
use super::control::{Ask, Asked, Control, Outcome};
use super::notify::Manager;
use super::reload::{Reloaded, Reloader};
use super::signals::{self, Signals};
use super::sockets::Sockets;
use super::upgrade::{CallOff, Next, UpgradeError};
use super::workers::Workers;
use crate::front::ending::Ender;
use crate::ledger::Ledger;
use crate::observe::Metrics;
use crate::spool::Spool;

/// What a life holds.
pub struct House {
    /// Who serves visitors.
    pub workers: Workers,
    /// Who puts another configuration into effect.
    pub reloader: Reloader,
    /// The queue on disk.
    pub spool: Spool,
    /// The proof of what was chosen.
    pub ledger: Ledger,
    /// Ends the workers.
    pub stop: Ender,
    /// What is counted.
    pub metrics: std::sync::Arc<Metrics>,
    /// Who started us and wants to know.
    pub manager: Manager,
    /// The sockets, held so that they stay when workers give up theirs.
    pub sockets: Sockets,
}

/// Why the serving ends.
pub enum Why {
    /// Somebody asked for it.
    Asked,
    /// A new process is prepared to take over, and somebody may wait to hear of it.
    HandOver(Next, Option<oneshot::Sender<Outcome>>),
}

/// Who asks what.
pub struct Serving {
    signalled: mpsc::Receiver<signals::Asked>,
    hurry: watch::Receiver<bool>,
    asked: mpsc::Receiver<Asked>,
    control: Option<Control>,
    program: PathBuf,
    preparing: Option<Preparing>,
    /// What was asked for while something else was being done.
    put_off: VecDeque<signals::Asked>,
    /// What was taken out of `signalled` too early.
    is_asked_to_end: bool,
}

/// A new process that is getting ready.
struct Preparing {
    task: JoinHandle<Result<Next, UpgradeError>>,
    call_off: CallOff,
    answer: Option<oneshot::Sender<Outcome>>,
}

impl Serving {
    /// Listens to signals and, in `data_dir`, to commands. Within a runtime.
    pub fn begin(signals: Signals, data_dir: &Path, program: &Path) -> Serving {
        let (tell, signalled) = mpsc::channel(4);
        let (hurry, hurried) = watch::channel(false);
        tokio::spawn(signals.tell(tell, hurry));
        let (ask, asked) = mpsc::channel(16);
        let control = Control::listen(data_dir, ask);
        let control = control.inspect_err(|error| {
            tracing::warn!(%error, "commands cannot reach this gateway; signals can (SIGHUP reloads, SIGUSR1 opens logs anew, SIGUSR2 upgrades)");
        });
        Serving {
            signalled,
            hurry: hurried,
            asked,
            control: control.ok(),
            program: program.to_owned(),
            preparing: None,
            put_off: VecDeque::new(),
            is_asked_to_end: false,
        }
    }

    /// Whether the end was asked for already.
    pub fn is_asked_to_end(&mut self) -> bool {
        while let Ok(asked) = self.signalled.try_recv() {
            self.is_asked_to_end |= asked == signals::Asked::End;
        }
        self.is_asked_to_end
    }

    /// Serves until there is a reason not to.
    pub async fn serve(
        &mut self,
        house: &mut House,
        ready: impl Future<Output = Result<(), LifeError>>,
    ) -> Result<Why, LifeError> {
        let mut ready = std::pin::pin!(ready);
        let mut is_ready = false;
        loop {
            tokio::select! {
                done = &mut ready, if !is_ready => {
                    done?;
                    is_ready = true;
                }
                failed = house.workers.failed() => return Err(failed),
                Some(asked) = next(&mut self.put_off, &mut self.signalled) => match asked {
                    signals::Asked::End => return Ok(Why::Asked),
                    // Where there is nothing to read again, it is a terminal's word.
                    signals::Asked::Reload if !house.reloader.has_file() => return Ok(Why::Asked),
                    signals::Asked::Reload => {
                        if let Err(why) = self.reload(house, None).await {
                            return why;
                        }
                    }
                    signals::Asked::Logs => house.reloader.reopen_logs(),
                    signals::Asked::Upgrade => self.prepare(house, None),
                },
                Some(Asked { ask, config, answer }) = self.asked.recv() => match ask {
                    Ask::Reload => match self.reload(house, config).await {
                        Ok(outcome) => drop(answer.send(outcome)),
                        Err(why) => return why,
                    },
                    Ask::Upgrade => self.prepare(house, Some(answer)),
                },
                prepared = prepared(&mut self.preparing) => {
                    if let Some(why) = self.prepared(prepared) {
                        return Ok(why);
                    }
                }
            }
        }
    }

    /// Reads the configuration again; or why the serving ends meanwhile, since a file may lie where reading it takes for ever.
    async fn reload(&mut self, house: &mut House, config: Option<PathBuf>) -> Result<Outcome, Result<Why, LifeError>> {
        if self.preparing.is_some() {
            return Ok(refused(UNDER_WAY));
        }
        if let Some(other) = config.and_then(|config| house.reloader.is_another(&config)) {
            return Ok(refused(&other));
        }
        let process = std::process::id();
        let House { workers, reloader, manager, .. } = house;
        let (signalled, put_off) = (&mut self.signalled, &mut self.put_off);
        let ended = async {
            while let Some(asked) = signalled.recv().await {
                match asked {
                    signals::Asked::End => return,
                    // One after the other.
                    later => put_off.push_back(later),
                }
            }
            std::future::pending().await
        };
        let reloaded = tokio::select! {
            reloaded = reloader.reload(workers, manager) => reloaded,
            failed = workers.failed() => return Err(Err(failed)),
            () = ended => return Err(Ok(Why::Asked)),
        };
        Ok(match reloaded {
            Ok(Reloaded { changes, kept }) => {
                let mut said = match changes.keys() {
                    [] => "nothing has changed".to_owned(),
                    keys => format!("in effect now: {}", keys.join(", ")),
                };
                for wrong in kept {
                    said += &format!("\n{wrong}; the certificate of before stays in use");
                }
                Outcome { done: true, said, keys: changes.keys().to_vec(), process, ..Outcome::default() }
            }
            Err(error) => Outcome {
                configuration: error.is_of_configuration(),
                keys: error.keys(),
                said: error.to_string(),
                process,
                ..Outcome::default()
            },
        })
    }

    /// Starts the process that is to take this one's place.
    fn prepare(&mut self, house: &House, answer: Option<oneshot::Sender<Outcome>>) {
        let tell = |answer: Option<oneshot::Sender<Outcome>>, said: &str| {
            if let Some(answer) = answer {
                let _ = answer.send(refused(said));
            }
        };
        if self.preparing.is_some() {
            return tell(answer, UNDER_WAY);
        }
        let started = house.sockets.again().map_err(UpgradeError::Sockets);
        let started = started.and_then(|sockets| Next::start(&self.program, sockets));
        let (mut next, call_off) = match started {
            Ok(started) => started,
            Err(error) => {
                tracing::error!(%error, "the gateway goes on as it was");
                return tell(answer, &error.to_string());
            }
        };
        tracing::info!(process = next.id(), "a new process is getting ready to take this one's place");
        let task = tokio::task::spawn_blocking(move || next.prepared().map(|()| next));
        self.preparing = Some(Preparing { task, call_off, answer });
    }

    /// The new process is prepared, or it is not.
    fn prepared(&mut self, prepared: Result<Next, UpgradeError>) -> Option<Why> {
        let Preparing { answer, .. } = self.preparing.take()?;
        match prepared {
            Ok(next) => Some(Why::HandOver(next, answer)),
            Err(error) => {
                tracing::error!(%error, "the gateway goes on as it was");
                if let Some(answer) = answer {
                    let _ = answer.send(refused(&error.to_string()));
                }
                None
            }
        }
    }
}

/// What was put off comes first.
async fn next(
    put_off: &mut VecDeque<signals::Asked>,
    signalled: &mut mpsc::Receiver<signals::Asked>,
) -> Option<signals::Asked> {
    match put_off.pop_front() {
        Some(asked) => Some(asked),
        None => signalled.recv().await,
    }
}

const UNDER_WAY: &str = "an upgrade is under way; ask again when it is over";
const ENDING: &str = "the gateway is ending, and nothing was done";

fn refused(said: &str) -> Outcome {
    Outcome { said: said.to_owned(), process: std::process::id(), ..Outcome::default() }
}

async fn prepared(preparing: &mut Option<Preparing>) -> Result<Next, UpgradeError> {
    match preparing {
        Some(preparing) => {
            let prepared = (&mut preparing.task).await;
            prepared.unwrap_or_else(|_| Err(UpgradeError::Ended("cannot be heard".into())))
        }
        None => std::future::pending().await,
    }
}
