//! A batch that the database refuses for some of its rows becomes two, each a segment with an id of its own, so that the rows
//! that are good go where they belong and the bad ones are found.
//!
//! A record is in exactly one batch all the while. The halves say in their headers of which batch they are halves, and count only
//! once that one's segment is gone; a start that finds both removes the halves, which nobody has sent. So the one step that
//! matters is the removal of the whole, and it is durable before a half can be taken.

use std::io;

use super::batch::{Entry, Records};
use super::segment::{self, Header, Seal};
use super::{Shared, Spool, SpoolError, off_the_runtime, seal};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Spool {
    /// Makes two batches of one in hand, which are next in the queue; gives their ids. Where it fails the batch is in hand as
    /// before. Nothing of it may be in the table.
    pub async fn split(&self, batch_id: u64) -> Result<[u64; 2], SpoolError> {
        let shared = Arc::clone(&self.0.shared);
        off_the_runtime(move || shared.split(batch_id)).await
    }
}

impl Shared {
    fn split(&self, batch_id: u64) -> Result<[u64; 2], SpoolError> {
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
        let first = self.write_half(&whole, &records, first).map_err(failed)?;
        let second = match self.write_half(&whole, &records, second) {
            Ok(second) => second,
            Err(error) => {
                self.take_away(&[first]);
                return Err(failed(error));
            }
        };
        let halves = [first, second];
        if let Err(error) = self.folder.sync().and_then(|()| self.folder.remove(batch_id)) {
            self.take_away(&halves);
            return Err(failed(error));
        }
        // From here on the halves are what counts. Should it not be known that the whole is gone, they wait for the next start,
        // which sees.
        self.queue.settle(batch_id);
        self.tally.disk_bytes.fetch_sub(whole.bytes, Relaxed);
        self.tally.disk_bytes.fetch_add(first.bytes + second.bytes, Relaxed);
        let missing = u64::from(whole.rows).saturating_sub(u64::from(first.rows) + u64::from(second.rows));
        self.tally.waiting_rows.fetch_sub(missing, Relaxed);
        self.folder.sync().map_err(failed)?;
        self.queue.push_front(halves.into_iter());
        Ok(halves.map(|half| half.batch_id))
    }

    /// A half's segment, whole and sealed; its name is not synced yet.
    fn write_half(&self, whole: &Entry, records: &Records, payloads: &[&[u8]]) -> io::Result<Entry> {
        let batch_id = self.next_id()?;
        let columns = records.columns().to_vec();
        let header = Header { batch_id, partition: whole.partition, columns, half_of: Some(whole.batch_id) };
        let (mut bytes, seed) = header.encode();
        let (head, mut chain) = (bytes.len() as u64, seed);
        for payload in payloads {
            chain = segment::write_record(&mut bytes, seed, chain, payload);
        }
        let made = || -> io::Result<u64> {
            let file = self.folder.create_segment(batch_id, bytes.get(..head as usize).unwrap_or_default())?;
            file.write_all_at(bytes.get(head as usize..).unwrap_or_default(), head)?;
            let seal = Seal { rows: payloads.len() as u32, data_len: bytes.len() as u64, chain, batch_id };
            seal::write_seal(&*file, &seal, seed)
        };
        let half = |bytes| Entry { batch_id, rows: payloads.len() as u32, bytes, in_doubt: false, ..*whole };
        made().map(half).inspect_err(|_| drop(self.folder.remove(batch_id)))
    }

    /// Removes halves that do not count after all; one that stays is removed by the next start, which finds the whole beside it.
    fn take_away(&self, halves: &[Entry]) {
        for half in halves {
            if let Err(error) = self.folder.remove(half.batch_id) {
                tracing::error!(%error, batch_id = half.batch_id, "half a batch cannot be removed");
            }
        }
    }
}
