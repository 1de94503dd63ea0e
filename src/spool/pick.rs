//! Single values out of a record, by the names of their columns. The only place where the spool looks into a record, for what
//! must not wait for the table: what is outlived or taken back ([`sift`](super::sift)), and which events came already.

use super::record::{Column, ColumnKind};

/// Where some columns stand among those of a segment.
pub(super) struct Picker<'a, const N: usize> {
    columns: &'a [Column],
    places: [Option<usize>; N],
    /// The last of them, behind which a record need not be walked.
    last: usize,
}

impl<'a, const N: usize> Picker<'a, N> {
    /// For columns of these names and kinds; one that a segment does not have, or has as another kind, gives nothing.
    pub(super) fn new(columns: &'a [Column], wanted: [(&str, ColumnKind); N]) -> Picker<'a, N> {
        let places = wanted.map(|(name, kind)| columns.iter().position(|c| c.name == name && c.kind == kind));
        let last = places.iter().flatten().copied().max().unwrap_or(0);
        Picker { columns, places, last }
    }

    /// The values' bytes; nothing where the record is no whole one.
    pub(super) fn pick<'r>(&self, record: &'r [u8]) -> Option<[Option<&'r [u8]>; N]> {
        let mut found = [None; N];
        let mut rest = record;
        for (index, column) in self.columns.iter().enumerate().take(self.last + 1) {
            let (value, behind) = rest.split_at_checked(column.kind.value_len(rest)?)?;
            rest = behind;
            for (found, place) in found.iter_mut().zip(&self.places) {
                if *place == Some(index) {
                    *found = Some(value);
                }
            }
        }
        Some(found)
    }
}

/// A little-endian number of at most 16 bytes.
pub(super) fn number(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::record::RecordWriter;

    fn columns() -> Vec<Column> {
        [("a", ColumnKind::Text), ("b", ColumnKind::UInt16), ("c", ColumnKind::UInt128), ("d", ColumnKind::Text)]
            .map(|(name, kind)| Column { name: name.into(), kind })
            .into()
    }

    #[test]
    fn values_are_found_by_name_and_kind() {
        let mut record = Vec::new();
        let mut writer = RecordWriter(&mut record);
        writer.text("text");
        writer.u16(513);
        writer.u128(u128::MAX - 1);
        writer.text("");
        let columns = columns();
        let picker =
            Picker::new(&columns, [("c", ColumnKind::UInt128), ("b", ColumnKind::UInt16), ("b", ColumnKind::Date)]);
        let [c, b, other] = picker.pick(&record).unwrap();
        assert_eq!((c.map(number), b.map(number), other), (Some(u128::MAX - 1), Some(513), None));
        assert!(picker.pick(&record[..10]).is_none(), "cut off");
        assert!(Picker::new(&columns, [("z", ColumnKind::UInt8)]).pick(&record).unwrap()[0].is_none());
    }
}
