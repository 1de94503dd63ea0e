//! Start and end of the spool's two threads.

use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::writer::Writer;
use super::{Shared, SpoolError, seal};

/// Segments that may wait for the sealing thread before the writer waits too.
const SEALING_BACKLOG: usize = 64;

/// The two threads of an open spool.
pub(super) struct Threads {
    writer: JoinHandle<()>,
    sealing: JoinHandle<u32>,
}

impl Threads {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Threads, SpoolError> {
        let failed = |source| SpoolError::io("start the spool's threads", &shared.options.dir, source);
        let (jobs, waiting) = mpsc::sync_channel(SEALING_BACKLOG);
        let writer = Writer::new(Arc::clone(shared), jobs);
        let sealing = Arc::clone(shared);
        let sealing = thread::Builder::new().name("spool-seal".into()).spawn(move || seal::run(sealing, waiting));
        let sealing = sealing.map_err(failed)?;
        let refuse = RefuseAfterwards(Arc::clone(shared));
        let writer = thread::Builder::new().name("spool-write".into()).spawn(move || {
            let _refuse = refuse;
            writer.run();
        });
        Ok(Threads { writer: writer.map_err(failed)?, sealing })
    }

    /// Waits for their end; returns how many segments could not be sealed.
    pub(super) fn join(self) -> u32 {
        let writer_failed = self.writer.join().is_err();
        let left = self.sealing.join().unwrap_or(1);
        left + u32::from(writer_failed)
    }
}

/// Should the writer ever end by a panic, appends are refused from then on instead of vanishing.
struct RefuseAfterwards(Arc<Shared>);

impl Drop for RefuseAfterwards {
    fn drop(&mut self) {
        self.0.group.abandon();
    }
}

/// Whether the spool is ending; who waits for a retry is woken by it.
#[derive(Default)]
pub(super) struct Stopping {
    begun: Mutex<bool>,
    changed: Condvar,
}

impl Stopping {
    pub(super) fn begin(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for a time, or until the end has begun; says whether it has.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(begun, time, |begun| !*begun);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
