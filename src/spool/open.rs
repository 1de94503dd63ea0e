//! Opening: the folder is taken for this process, what an earlier one left in it becomes batches again, and the threads start.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use super::batch::Queue;
use super::batch_ids::BatchIds;
use super::disk::{Disk, RealDisk, Timed, UnderWay};
use super::folder::Folder;
use super::group::Group;
use super::recent::Recent;
use super::recover::{self, Left, Recovered, Recovery};
use super::seal::{self, Unsealed};
use super::segment::Header;
use super::sift::{self, Forgotten};
use super::status::Tally;
use super::threads::{Stopping, Threads};
use super::{Handle, Partition, Shared, Spool, SpoolError, SpoolOptions};

impl Spool {
    /// Opens the folder, takes up what an earlier process left in it, and starts the threads. Blocks for the time of some
    /// file operations.
    pub fn open(options: SpoolOptions) -> Result<(Spool, Recovery), SpoolError> {
        Spool::open_on(Arc::new(RealDisk), options)
    }

    /// Opens a folder on this disk; see [`open`](Spool::open).
    pub fn open_on(disk: Arc<dyn Disk>, options: SpoolOptions) -> Result<(Spool, Recovery), SpoolError> {
        let partition = Partition { month: 0, retention_days: 0 };
        let header = Header { batch_id: 0, partition, columns: options.columns, half_of: Some(0) };
        if !header.can_be_read_again() {
            return Err(SpoolError::Columns { columns: header.columns.len() });
        }
        let options = SpoolOptions { columns: header.columns, ..options };
        let (shared, unsealed, recovery) = Spool::take_up(disk, options)?;
        let threads = Threads::start(&shared, unsealed)?;
        Ok((Spool(Arc::new(Handle { shared, threads: Mutex::new(Some(threads)) })), recovery))
    }

    /// Everything about an open spool but its threads, and what they begin with.
    pub(super) fn take_up(
        disk: Arc<dyn Disk>,
        options: SpoolOptions,
    ) -> Result<(Arc<Shared>, Vec<Unsealed>, Recovery), SpoolError> {
        let (disk, operations) = Timed::over(disk);
        let folder = Folder::open(disk, &options.dir)?;
        let dir = &options.dir;
        let failed = |doing| move |source| SpoolError::io(doing, dir, source);
        // What somebody wants to be tried again comes before the start looks at what there is.
        let mut taken_back = Vec::new();
        for listed in folder.to_be_retried().unwrap_or_default() {
            match folder.take_back(listed.batch_id) {
                Ok(()) => taken_back.push(listed.batch_id),
                Err(error) => {
                    tracing::error!(%error, batch_id = listed.batch_id, "a batch in quarantine cannot be tried again");
                }
            }
        }
        let found = recover::recover(&folder).map_err(failed("read the spool folder"))?;
        let Recovered { all, stuck_bytes, names_synced: found_names_synced, report: recovery } = found;
        let mut ids = BatchIds::open(&folder, all.iter().map(Left::batch_id)).map_err(failed("draw an instance id"))?;
        // Before there is a record that would wait for the disk. Where it fails now, it is done with the first.
        if let Err(error) = ids.reserve(&folder) {
            tracing::error!(%error, "batch ids cannot be reserved yet");
        }

        let (queue, tally) = (Queue::default(), Tally::default());
        let aside = folder.quarantined().unwrap_or_else(|error| {
            tracing::error!(%error, "the spool's quarantine cannot be listed; it is not counted until the next start");
            Vec::new()
        });
        let kept: u64 = all.iter().map(Left::bytes).chain(aside.iter().map(|segment| segment.bytes)).sum();
        tally.disk_bytes.store(kept + stuck_bytes, Relaxed);
        tally.quarantined.store(aside.len() as u64, Relaxed);
        tally.waiting_rows.store(recovery.rows, Relaxed);
        tally.damaged.store(recovery.damaged, Relaxed);

        let (group, stopping) = (Group::new(options.durability), Stopping::default());
        let note = folder.read_note(sift::NOTE).unwrap_or_else(|error| {
            tracing::error!(%error, "the spool's list of whom to forget cannot be read");
            None
        });
        let (forgotten, recent, ids) = (Forgotten::read(note.as_deref()), Recent::open(&folder), Mutex::new(ids));
        let shared = Shared {
            options,
            folder,
            group,
            queue,
            tally,
            operations,
            turns: UnderWay::default(),
            stopping,
            found_names_synced,
            ids,
            note: Mutex::new(()),
            recent,
            forgotten,
        };
        let shared = Arc::new(shared);
        let mut unsealed = Vec::new();
        for mut left in all {
            if taken_back.contains(&left.batch_id()) {
                left.is_born(sift::now_ms());
            }
            match left {
                Left::Sealed(entry) => shared.queue.push(entry),
                Left::Unsealed(mut segment) => {
                    if let Err(error) = seal::seal(&shared, &mut segment) {
                        tracing::error!(%error, batch_id = segment.batch_id, "a batch cannot be sealed yet");
                        unsealed.push(segment);
                    }
                }
            }
        }
        shared.judge_age(sift::now_ms());
        Ok((shared, unsealed, recovery))
    }
}
