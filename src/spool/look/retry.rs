//! How a batch in quarantine is given another try. The command only renames `quarantine/ID.segment` to `quarantine/ID.retry`,
//! in one step, and neither removes nor writes anything; the gateway that has the spool looks for files with that ending and
//! takes them into its queue, **in doubt**, so that the table is asked before anything is sent. Where no gateway runs the
//! next start does.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::reading::{self, Unread};
use super::{Listed, QUARANTINE, Reason, SEGMENT, batch_id};

/// The ending of a batch in `quarantine/` that is to go back into the queue.
pub const RETRY: &str = super::super::folder::RETRY;

/// The name, within `quarantine/`, of a batch that is to go back into the queue.
pub fn retry_file(batch_id: u64) -> String {
    format!("{batch_id:016x}.{RETRY}")
}

/// The batch of a file within `quarantine/` that is to go back into the queue; nothing for a file of any other name.
pub fn retry_batch_id(file_name: &str) -> Option<u64> {
    batch_id(file_name, RETRY)
}

/// Why a batch stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// No such batch.
    #[error("batch {0:016x} is not in quarantine; `consentry spool inspect` lists what is")]
    NotThere(u64),
    /// It is in the queue.
    #[error("batch {0:016x} is in the queue already; the gateway ships it by itself")]
    InQueue(u64),
    /// It was asked for before.
    #[error("batch {0:016x} waits already to be taken up")]
    Already(u64),
    /// There are two files of it, which no gateway leaves.
    #[error(
        "batch {0:016x} is in quarantine twice, as {0:016x}.segment and {0:016x}.retry; compare them, and move one of them out of the spool's folder"
    )]
    Twice(u64),
    /// Some of its rows may be in the table.
    #[error(
        "batch {batch_id:016x} stays in quarantine: {reason}. Compare `select count() from events where batch_id = {batch_id}` with the batch's rows. Where the table has all of them, or the rows it has were deleted, --miscounted gives it another try"
    )]
    Miscounted {
        /// Which.
        batch_id: u64,
        /// What stands beside it.
        reason: String,
    },
    /// This program could not ship it.
    #[error("batch {batch_id:016x} stays in quarantine, since a gateway would put it back at once: {why}")]
    Unreadable {
        /// Which.
        batch_id: u64,
        /// Why not.
        why: String,
    },
    /// It cannot be renamed.
    #[error("batch {batch_id:016x} cannot be renamed ({source}); run this as the user that the gateway runs as")]
    Io {
        /// Which.
        batch_id: u64,
        /// Why not.
        source: io::Error,
    },
}

/// Asks the gateway to take a batch in quarantine back into its queue. One whose rows may be in the table in part needs
/// `though_miscounted`. A batch that was not there or is refused is as it was.
pub fn ask_again(dir: &Path, batch_id: u64, though_miscounted: bool) -> Result<(), NotAsked> {
    let aside = dir.join(QUARANTINE);
    let name = format!("{batch_id:016x}.{SEGMENT}");
    let (from, to) = (aside.join(&name), aside.join(retry_file(batch_id)));
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => NotAsked::NotThere(batch_id),
        _ => NotAsked::Io { batch_id, source },
    };
    // Never over a file that is there: two of one batch can only be somebody's copy, and whose is right is not ours to say.
    if to.symlink_metadata().is_ok() {
        let twice = from.symlink_metadata().is_ok();
        return Err(if twice { NotAsked::Twice(batch_id) } else { NotAsked::Already(batch_id) });
    }
    if dir.join(&name).symlink_metadata().is_ok() {
        return Err(NotAsked::InQueue(batch_id));
    }
    let listed = Listed::file(&from).map_err(failed)?;
    if let Some(Reason::Miscounted(reason)) = listed.reason().filter(|_| !though_miscounted) {
        return Err(NotAsked::Miscounted { batch_id, reason });
    }
    let unreadable = |why: String| NotAsked::Unreadable { batch_id, why };
    match reading::read(&listed) {
        Ok(segment) if segment.about().batch_id != batch_id => {
            return Err(unreadable(format!("its header is of batch {:016x}", segment.about().batch_id)));
        }
        Ok(segment) if segment.rows() == 0 => return Err(unreadable("none of its records is whole".to_owned())),
        Ok(_) => {}
        Err(Unread::Gone) => return Err(NotAsked::NotThere(batch_id)),
        Err(Unread::Io(source)) => return Err(NotAsked::Io { batch_id, source }),
        Err(why) => return Err(unreadable(why.to_string())),
    }
    fs::rename(&from, &to).map_err(failed)?;
    // Should the power go now and the name be the old one again, it is in quarantine as before.
    let _ = File::open(&aside).and_then(|folder| folder.sync_all());
    Ok(())
}
