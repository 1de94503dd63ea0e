//! The signals that ask something of the process. Ctrl-C and `SIGTERM` ask it to end, `SIGHUP` to read its configuration
//! again, `SIGUSR1` to open its logs anew, `SIGUSR2` to give way to the program as it lies on disk now. A terminal sends
//! `SIGHUP` too, when it is closed, and then means the end.

use std::io::{IsTerminal as _, stderr, stdin, stdout};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::LifeError;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To end: open exchanges first.
    End,
    /// To read the configuration again.
    Reload,
    /// To open its logs anew, as whoever has moved them away wants it.
    Logs,
    /// To give way to a new process.
    Upgrade,
}

/// None of them ends the process by itself any more once this is there.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    logs: Signal,
    upgrade: Signal,
    /// Which of the standard streams were a terminal at the start.
    terminals: [bool; 3],
}

/// What asks a process for something else than to end: heard from the first moment on, so that it waits instead of ending a
/// process that is still on its way.
pub struct Early {
    hang_up: Signal,
    logs: Signal,
    upgrade: Signal,
}

fn listen(kind: SignalKind) -> Result<Signal, LifeError> {
    signal(kind).map_err(LifeError::Runtime)
}

impl Early {
    /// Within a runtime.
    pub fn listen() -> Result<Early, LifeError> {
        Ok(Early {
            hang_up: listen(SignalKind::hangup())?,
            logs: listen(SignalKind::user_defined1())?,
            upgrade: listen(SignalKind::user_defined2())?,
        })
    }
}

impl Signals {
    /// All of them; within a runtime.
    pub fn listen(early: Early) -> Result<Signals, LifeError> {
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: early.hang_up,
            logs: early.logs,
            upgrade: early.upgrade,
            terminals: terminals(),
        })
    }

    /// Waits for any.
    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::End,
            _ = self.terminate.recv() => Asked::End,
            _ = self.logs.recv() => Asked::Logs,
            _ = self.upgrade.recv() => Asked::Upgrade,
            _ = self.hang_up.recv() => match is_closed(self.terminals, terminals()) {
                true => Asked::End,
                false => Asked::Reload,
            },
        }
    }

    /// Tells `asked` what signals ask for. Who asks for the end a second time does not want to wait for visitors, which
    /// `hurry` then says; a third time ends the process where it stands.
    pub async fn tell(mut self, asked: mpsc::Sender<Asked>, hurry: watch::Sender<bool>) {
        let mut ends = 0;
        loop {
            let next = self.next().await;
            if next != Asked::End {
                // One that is still waiting says the same.
                let _ = asked.try_send(next);
                continue;
            }
            ends += 1;
            match ends {
                1 => {
                    tracing::info!("ending: open exchanges finish first; once more ends at once");
                    let _ = asked.send(Asked::End).await;
                }
                2 => {
                    tracing::warn!("ending at once: open exchanges are cut");
                    hurry.send_replace(true);
                }
                _ => {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "whoever asks three times does not want to wait at all"
                    )]
                    std::process::exit(1);
                }
            }
        }
    }
}

fn terminals() -> [bool; 3] {
    [stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal()]
}

/// Whether a terminal that was there is one no more: the system takes it away before it sends the signal.
fn is_closed(before: [bool; 3], now: [bool; 3]) -> bool {
    before.iter().zip(now).any(|(before, now)| *before && !now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_is_gone_was_closed() {
        assert!(!is_closed([false; 3], [false; 3]), "a service has none");
        assert!(!is_closed([true; 3], [true; 3]), "somebody sent the signal");
        assert!(is_closed([true, true, false], [false; 3]));
        assert!(is_closed([false, false, true], [false; 3]));
    }
}
