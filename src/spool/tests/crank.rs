//! A spool without threads: the test turns the crank of the writer and of the sealing thread, so that what happens is the
//! same each time.

use std::sync::mpsc::{Receiver, sync_channel};

use tokio::sync::oneshot;

use super::super::group::{Pause, Taken};
use super::super::seal::{Job, Sealing};
use super::super::writer::Writer;
use super::mem::MemDisk;
use super::*;

pub(super) const DIR: &str = "/spool";

pub(super) struct Cranked {
    pub(super) spool: Spool,
    writer: Writer,
    taken: Taken,
    jobs: Receiver<Job>,
    sealing: Sealing,
}

impl Cranked {
    pub(super) fn open(disk: &MemDisk, options: SpoolOptions) -> Result<(Cranked, Recovery), SpoolError> {
        let (shared, unsealed, recovery) = Spool::take_up(Arc::new(disk.clone()), options)?;
        let (hand_over, jobs) = sync_channel(1024);
        let writer = Writer::new(Arc::clone(&shared), hand_over);
        let spool = Spool(Arc::new(Handle { shared, threads: Mutex::new(None) }));
        let mut sealing = Sealing::new(Arc::clone(&spool.0.shared));
        unsealed.into_iter().for_each(|segment| sealing.leave(segment));
        Ok((Cranked { spool, writer, taken: Taken::default(), jobs, sealing }, recovery))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.spool.0.shared
    }

    pub(super) fn append(&self, partition: Partition, payload: &[u8]) -> Result<(), Refused> {
        self.spool.append(partition, |out| out.extend_from_slice(payload))
    }

    pub(super) fn append_acknowledged(&self, partition: Partition, payload: &[u8]) -> Result<Acknowledgement, Refused> {
        self.spool.append_acknowledged(partition, |out| out.extend_from_slice(payload))
    }

    /// One turn of the writer.
    pub(super) fn write(&mut self) {
        self.spool.0.shared.group.take(&mut self.taken, Pause::Until(Some(Instant::now())));
        self.writer.turn(&mut self.taken);
    }

    /// Everything the sealing thread has to do, each thing once.
    pub(super) fn seal(&mut self) {
        self.sealing.try_again();
        self.jobs.try_iter().for_each(|job| self.sealing.take(job));
    }

    /// Asks for a flush, and turns both cranks once; says whether that was enough.
    pub(super) fn flush(&mut self) -> bool {
        let (done, mut flushed) = oneshot::channel();
        assert!(self.shared().group.flush(done));
        self.write();
        self.seal();
        flushed.try_recv().is_ok()
    }

    /// What the end of the process does; whether everything was sealed.
    pub(super) fn stop(&mut self, how: Stop) -> bool {
        self.shared().group.stop(how);
        self.write();
        self.seal();
        self.sealing.left() == 0
    }

    /// Lets appends be taken again after a fault.
    pub(super) fn end_pause(&mut self) {
        self.writer.end_pause();
    }
}
