//! A batch that the database refuses for some of its rows becomes two, each a segment with an id of its own, so that the rows
//! that are good go where they belong and the bad ones are found.
//!
//! A record is in exactly one batch all the while. The halves say in their headers of which batch they are halves, and count only
//! once that one's segment is gone; a start that finds both removes the halves, which nobody has sent; so does one that finds the whole in quarantine. So the one step that
//! matters is the removal of the whole, and it is durable before a half can be taken.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::batch::{Entry, Records};
use super::segment::{self, Header, Seal};
use super::sift::{self, LeftOut};
use super::{Shared, Spool, SpoolError, off_the_runtime, take_off};

impl Spool {
    /// Makes two batches of one in hand, which are next in the queue; gives their ids. Where it fails the batch is in hand as
    /// before. Nothing of it may be in the table.
    pub async fn split(&self, batch_id: u64) -> Result<[u64; 2], SpoolError> {
        let shared = Arc::clone(&self.0.shared);
        off_the_runtime(move || shared.split(batch_id)).await
    }
}

impl Shared {
    pub(super) fn split(&self, batch_id: u64) -> Result<[u64; 2], SpoolError> {
        let whole = self.queue.in_hand(batch_id).ok_or(SpoolError::NotTaken { batch_id })?;
        let failed = |source| SpoolError::io("halve a batch", &self.folder.path(batch_id), source);
        let unreadable = |fault: String| SpoolError::Unreadable { batch_id, fault };
        let records = Records::parse(self.folder.read_segment(batch_id).map_err(failed)?);
        let records = records.map_err(|fault| unreadable(fault.to_string()))?;
        if records.len() < 2 {
            return Err(unreadable("it has no two records that are whole".to_owned()));
        }
        let payloads: Vec<&[u8]> = records.iter().collect();
        let (first, second) = payloads.split_at(payloads.len() / 2);
        // What is left out of the halves is counted now, with the whole, and not again with each of them.
        let now_ms = sift::now_ms();
        let left_out = [first, second].map(|half| self.left_out_of(half, &records, now_ms));
        self.leave_out(batch_id, left_out[0] + left_out[1]);
        let ids = [self.next_id().map_err(failed)?, self.next_id().map_err(failed)?];
        let written = self.write_half(&whole, &records, (ids[0], first)).and_then(|first| {
            let second = self.write_half(&whole, &records, (ids[1], second))?;
            self.folder.remove(batch_id)?;
            Ok([first, second])
        });
        let halves = match written {
            Ok(halves) => halves,
            Err(error) => {
                // Whatever of them may be there by now.
                ids.into_iter().for_each(|half| self.take_away(half));
                return Err(failed(error));
            }
        };
        // From here on the halves are what counts. Should it not be known that the whole is gone, they wait for the next start,
        // which sees.
        self.queue.settle(batch_id);
        let [first, second] = halves;
        let halves = [Entry { left_out: left_out[0], ..first }, Entry { left_out: left_out[1], ..second }];
        take_off(&self.tally.disk_bytes, whole.bytes);
        self.tally.disk_bytes.fetch_add(first.bytes + second.bytes, Relaxed);
        let missing = u64::from(whole.rows).saturating_sub(u64::from(first.rows) + u64::from(second.rows));
        take_off(&self.tally.waiting_rows, missing);
        match self.folder.sync() {
            Ok(()) => self.queue.push_front(halves.into_iter()),
            Err(error) => tracing::error!(%error, batch_id, "the halves of a batch wait for the next start"),
        }
        Ok(ids)
    }

    /// What of some records may not be stored any more.
    fn left_out_of(&self, payloads: &[&[u8]], records: &Records, now_ms: i64) -> LeftOut {
        let outlived = records.partition().may_be_outlived(now_ms);
        sift::sift(records.columns(), &self.forgotten, (now_ms, outlived), |keep| {
            payloads.iter().for_each(|payload| _ = keep(payload));
        })
    }

    /// A half's segment, whole, sealed and durable.
    fn write_half(&self, whole: &Entry, records: &Records, (batch_id, payloads): (u64, &[&[u8]])) -> io::Result<Entry> {
        let columns = records.columns().to_vec();
        let header = Header { batch_id, partition: whole.partition, columns, half_of: Some(whole.batch_id) };
        let (mut bytes, seed) = header.encode();
        let mut chain = seed;
        for payload in payloads {
            chain = segment::write_record(&mut bytes, seed, chain, payload);
        }
        let rows = payloads.len() as u32;
        let seal = Seal { rows, data_len: bytes.len() as u64, chain, batch_id };
        bytes.extend_from_slice(&seal.encode(seed));
        self.folder.replace_segment(batch_id, &bytes)?;
        let bytes = bytes.len() as u64;
        Ok(Entry { batch_id, rows, bytes, in_doubt: false, synced: true, damage_counted: false, ..*whole })
    }

    /// Removes a half that does not count after all, where it is there. One that stays is removed by the next start, which finds
    /// the whole in the folder or in quarantine.
    fn take_away(&self, half: u64) {
        if let Err(error) = self.folder.remove(half) {
            tracing::error!(%error, batch_id = half, "half a batch cannot be removed");
        }
    }
}
