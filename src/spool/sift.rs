//! What waits and may not be stored any more: records whose own period is over (their `expires_at` has come), and records of
//! visitors who have withdrawn or are to be forgotten. They stay in their segment until that goes, and are left out whenever it
//! is read, so they reach neither the table nor anybody else.
//!
//! Whom to forget is kept in the file `forget` beside the segments, as long as anything waits: `CONSFRGT`, then entries of
//! column u8 (0 `visitor_id`, 1 `consent_ref`), value u128, time i64 in milliseconds since 1970, and at last a CRC-32C.

use std::collections::HashMap;
use std::ops::Add;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use super::pick::{Picker, number};
use super::record::{Column, ColumnKind};
use super::segment::Reader;

/// The file's name.
pub(super) const NOTE: &str = "forget";
const MAGIC: [u8; 8] = *b"CONSFRGT";
/// Entries that are kept; beyond, the oldest half goes.
const MAX_ENTRIES: usize = 1 << 16;
const MS_A_DAY: i64 = 86_400_000;

/// Whose records are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Of the visitor with this pseudonym.
    Visitor(u128),
    /// Of whatever was permitted by the choice with this receipt, at whatever time.
    Receipt(u64),
}

/// Up to which time their records are left out, in milliseconds since 1970.
type Entries = HashMap<Whose, i64>;

/// Who is to be forgotten.
#[derive(Default)]
pub(super) struct Forgotten(Mutex<Arc<Entries>>);

impl Forgotten {
    /// As the file has it; a damaged one is none, and that is said.
    pub(super) fn read(note: Option<&[u8]>) -> Forgotten {
        let entries = match note.map(decode) {
            None => Entries::new(),
            Some(Some(entries)) => entries,
            Some(None) => {
                tracing::error!(
                    "the spool's list of whom to forget is damaged: events of before the start are not sifted"
                );
                Entries::new()
            }
        };
        Forgotten(Mutex::new(Arc::new(entries)))
    }

    /// Adds some, and gives the file's new bytes.
    pub(super) fn add(&self, whose: &[Whose], until_ms: i64) -> Vec<u8> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = Arc::make_mut(&mut shared);
        for whose in whose {
            let until = entries.entry(*whose).or_insert(until_ms);
            *until = (*until).max(until_ms);
        }
        if entries.len() > MAX_ENTRIES {
            tracing::error!("more are to be forgotten than the spool remembers; the older half is let go");
            let mut times: Vec<i64> = entries.values().copied().collect();
            let middle = times.len() / 2;
            let (_, middle, _) = times.select_nth_unstable(middle);
            entries.retain(|_, until| until >= middle);
        }
        encode(entries)
    }

    /// Nothing waits that they could be left out of. Says whether there was anyone.
    pub(super) fn clear(&self) -> bool {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::take(&mut *shared).is_empty()
    }

    fn entries(&self) -> Arc<Entries> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Now, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) outlived: u64,
    pub(super) forgotten: u64,
}

impl LeftOut {
    /// Of the same records this is left out `now`; gives how many more that are. What was once left out is so for ever, but may be
    /// for another reason later: it is not counted again for that.
    pub(super) fn grow(&mut self, now: LeftOut) -> LeftOut {
        let all = |left_out: LeftOut| left_out.outlived + left_out.forgotten;
        let more = all(now).saturating_sub(all(*self));
        let outlived = now.outlived.saturating_sub(self.outlived).min(more);
        let grown = LeftOut { outlived, forgotten: more - outlived };
        *self = *self + grown;
        grown
    }
}

impl Add for LeftOut {
    type Output = LeftOut;

    fn add(self, more: LeftOut) -> LeftOut {
        LeftOut { outlived: self.outlived + more.outlived, forgotten: self.forgotten + more.forgotten }
    }
}

/// Leaves out of a segment's records what may not be stored any more. `keep` is asked to go through all of them and retain those
/// that are to stay; `may_be_outlived` is whether any of the partition can have outlived its period.
pub(super) fn sift(
    columns: &[Column],
    forgotten: &Forgotten,
    (now_ms, may_be_outlived): (i64, bool),
    retain: impl FnOnce(&mut dyn FnMut(&[u8]) -> bool),
) -> LeftOut {
    let mut left_out = LeftOut::default();
    let entries = forgotten.entries();
    if entries.is_empty() && !may_be_outlived {
        return left_out;
    }
    let today = now_ms.div_euclid(MS_A_DAY);
    let wanted = [
        ("expires_at", ColumnKind::Date),
        ("ts", ColumnKind::Milliseconds),
        ("visitor_id", ColumnKind::UInt128),
        ("consent_ref", ColumnKind::UInt64),
    ];
    let picker = Picker::new(columns, wanted);
    retain(&mut |record| {
        // What cannot be read is for the encoder to refuse.
        let Some([expires, ts, visitor, receipt]) = picker.pick(record) else { return true };
        if may_be_outlived && expires.is_some_and(|day| number(day) as i64 <= today) {
            left_out.outlived += 1;
            return false;
        }
        let ts = ts.map_or(0, |ts| number(ts) as i64);
        // A receipt that was replaced permits nothing more, whatever the clock says; a visitor may come back.
        let of = |whose| entries.get(&whose);
        let is_forgotten = visitor.and_then(|id| of(Whose::Visitor(number(id)))).is_some_and(|until| ts <= *until)
            || receipt.is_some_and(|id| of(Whose::Receipt(number(id) as u64)).is_some());
        left_out.forgotten += u64::from(is_forgotten);
        !is_forgotten
    });
    left_out
}

fn encode(entries: &Entries) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (whose, until_ms) in entries {
        let (column, value) = match whose {
            Whose::Visitor(id) => (0, *id),
            Whose::Receipt(id) => (1, u128::from(*id)),
        };
        out.push(column);
        out.extend_from_slice(&value.to_le_bytes());
        out.extend_from_slice(&until_ms.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Entries> {
    let (checked, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    if Reader(crc).u32()? != crc32c::crc32c(checked) {
        return None;
    }
    let mut fields = Reader(checked);
    if fields.take(MAGIC.len())? != MAGIC {
        return None;
    }
    let mut entries = Entries::new();
    while let Some(column) = fields.take(1) {
        let value = number(fields.take(16)?);
        let until_ms = fields.u64()? as i64;
        let whose = match column {
            [0] => Whose::Visitor(value),
            [1] => Whose::Receipt(value as u64),
            _ => return None,
        };
        entries.insert(whose, until_ms);
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::record::RecordWriter;

    const NOW: i64 = 20_000 * MS_A_DAY + 5;

    fn columns() -> Vec<Column> {
        let columns = [
            ("ts", ColumnKind::Milliseconds),
            ("visitor_id", ColumnKind::UInt128),
            ("path", ColumnKind::Text),
            ("consent_ref", ColumnKind::UInt64),
            ("expires_at", ColumnKind::Date),
        ];
        columns.map(|(name, kind)| Column { name: name.into(), kind }).into()
    }

    fn record(ts: i64, visitor: u128, receipt: u64, expires: u16) -> Vec<u8> {
        let mut record = Vec::new();
        let mut writer = RecordWriter(&mut record);
        writer.milliseconds(ts);
        writer.u128(visitor);
        writer.text("/path");
        writer.u64(receipt);
        writer.u16(expires);
        record
    }

    fn kept(forgotten: &Forgotten, records: &[Vec<u8>], may_be_outlived: bool) -> (Vec<usize>, LeftOut) {
        let mut kept: Vec<usize> = (0..records.len()).collect();
        let left_out = sift(&columns(), forgotten, (NOW, may_be_outlived), |keep| {
            kept.retain(|index| keep(&records[*index]));
        });
        (kept, left_out)
    }

    #[test]
    fn rule_r3_who_is_forgotten_is_left_out_up_to_then_and_nobody_else() {
        let records = [record(10, 7, 70, 0), record(99, 7, 71, 0), record(11, 8, 70, 0), record(12, 9, 90, 0)];
        let forgotten = Forgotten::default();
        assert_eq!(kept(&forgotten, &records, false).0, [0, 1, 2, 3]);
        let note = forgotten.add(&[Whose::Visitor(7), Whose::Receipt(90)], 50);
        let expected = (vec![1, 2], LeftOut { outlived: 0, forgotten: 2 });
        assert_eq!(kept(&forgotten, &records, false), expected);
        // The next start knows it too.
        assert_eq!(kept(&Forgotten::read(Some(&note)), &records, false), expected);
        assert!(forgotten.clear() && !forgotten.clear());
        assert_eq!(kept(&forgotten, &records, false).0.len(), 4);
    }

    #[test]
    fn what_has_outlived_its_period_is_left_out_on_the_day() {
        let records = [record(1, 1, 1, 19_999), record(1, 1, 1, 20_000), record(1, 1, 1, 20_001), vec![1, 2, 3]];
        let none = Forgotten::default();
        assert_eq!(kept(&none, &records, true), (vec![2, 3], LeftOut { outlived: 2, forgotten: 0 }));
        assert_eq!(kept(&none, &records, false).0.len(), 4);
    }

    #[test]
    fn a_record_that_is_left_out_for_another_reason_later_is_not_counted_again() {
        let mut counted = LeftOut::default();
        assert_eq!(counted.grow(LeftOut { outlived: 1, forgotten: 2 }), LeftOut { outlived: 1, forgotten: 2 });
        assert_eq!(counted.grow(LeftOut { outlived: 3, forgotten: 0 }), LeftOut::default());
        assert_eq!(counted.grow(LeftOut { outlived: 3, forgotten: 1 }), LeftOut { outlived: 1, forgotten: 0 });
        assert_eq!(counted, LeftOut { outlived: 2, forgotten: 2 });
    }

    #[test]
    fn a_damaged_list_is_no_list_and_memory_stays_bounded() {
        let forgotten = Forgotten::default();
        let note = forgotten.add(&[Whose::Visitor(1)], 1);
        for at in 0..note.len() {
            let mut damaged = note.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_none(), "{at}");
            assert!(decode(&note[..at]).is_none(), "{at}");
        }
        assert_eq!(decode(&note).map(|entries| entries.len()), Some(1));
        let many: Vec<Whose> = (0..MAX_ENTRIES as u64).map(Whose::Receipt).collect();
        forgotten.add(&many, 2);
        assert_eq!(forgotten.entries().len(), MAX_ENTRIES, "the older ones went");
    }
}
