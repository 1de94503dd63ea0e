//! The signals that ask the process to end: Ctrl-C, `SIGTERM`, and `SIGHUP`, which a terminal sends when it is closed.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::LifeError;
use crate::engine::hang_up_is_ignored;

/// None of them ends the process by itself any more once this is there.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Nothing where the process was started to outlive its terminal, as with `nohup`.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Within a runtime.
    pub fn listen() -> Result<Signals, LifeError> {
        let listen = |kind| signal(kind).map_err(LifeError::Runtime);
        let hang_up = if hang_up_is_ignored() { None } else { Some(listen(SignalKind::hangup())?) };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up,
        })
    }

    /// Waits for any.
    async fn any(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hang_up => {}
        }
    }

    /// Waits until the process is asked to end. A second time ends it at once.
    pub async fn asked_to_end(mut self) {
        self.any().await;
        tracing::info!("ending: open exchanges finish first; once more ends at once");
        tokio::spawn(async move {
            self.any().await;
            #[expect(clippy::disallowed_methods, reason = "whoever asks twice does not want to wait for a clean end")]
            std::process::exit(1);
        });
    }
}
