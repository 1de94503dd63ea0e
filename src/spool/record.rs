//! The compact form of one event: the columns' values one after the other, in the order of the column list that stands in
//! the segment's header. Integers are little-endian and of fixed width; text is a length (LEB128) and UTF-8; a map is a
//! count (LEB128) and as many pairs of texts. The same bytes, column by column, are ClickHouse's `Native` form.

/// A column's name and type, as the segment header and the table have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The column's name in the table.
    pub name: String,
    /// What its values look like.
    pub kind: ColumnKind,
}

impl Column {
    /// Whether its values are for the gateway's own use and have no place in the table: its name begins with `_`.
    pub fn stays_here(&self) -> bool {
        self.name.starts_with('_')
    }
}

/// How a column's values are laid out in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// One byte.
    UInt8,
    /// Two bytes.
    UInt16,
    /// Four bytes.
    UInt32,
    /// Eight bytes.
    UInt64,
    /// Sixteen bytes.
    UInt128,
    /// Milliseconds since 1970 as a signed 64-bit number; `DateTime64(3, 'UTC')`.
    Milliseconds,
    /// Days since 1970 in two bytes; `Date`.
    Date,
    /// Sixteen bytes in network order; `IPv6`.
    Ipv6,
    /// Length and UTF-8; `String`.
    Text,
    /// Count and pairs of texts; `Map(String, String)`.
    TextMap,
    /// Thousandths as a signed 64-bit number; `Decimal(18, 3)`.
    Thousandths,
}

const KINDS: [(ColumnKind, &str, usize); 11] = [
    (ColumnKind::UInt8, "UInt8", 1),
    (ColumnKind::UInt16, "UInt16", 2),
    (ColumnKind::UInt32, "UInt32", 4),
    (ColumnKind::UInt64, "UInt64", 8),
    (ColumnKind::UInt128, "UInt128", 16),
    (ColumnKind::Milliseconds, "DateTime64(3, 'UTC')", 8),
    (ColumnKind::Date, "Date", 2),
    (ColumnKind::Ipv6, "IPv6", 16),
    (ColumnKind::Text, "String", 0),
    (ColumnKind::TextMap, "Map(String, String)", 0),
    (ColumnKind::Thousandths, "Decimal(18, 3)", 8),
];

impl ColumnKind {
    /// ClickHouse's name of the type that a `Native` block announces for it.
    pub fn clickhouse_type(self) -> &'static str {
        KINDS[self as usize].1
    }

    /// The kind a type name stands for.
    pub fn from_clickhouse_type(name: &str) -> Option<Self> {
        KINDS.iter().find(|(_, n, _)| *n == name).map(|(kind, _, _)| *kind)
    }

    /// How many bytes the value at the head of `bytes` takes; nothing where the value is cut off or too long.
    pub fn value_len(self, bytes: &[u8]) -> Option<usize> {
        let fixed = KINDS[self as usize].2;
        let len = match self {
            ColumnKind::Text => text_len(bytes)?,
            ColumnKind::TextMap => {
                let (pairs, mut at) = read_leb(bytes)?;
                for _ in 0..pairs.checked_mul(2)? {
                    at = at.checked_add(text_len(bytes.get(at..)?)?)?;
                }
                at
            }
            _ => fixed,
        };
        (len <= bytes.len()).then_some(len)
    }
}

/// Writes one record's values, in the order of the column list.
pub struct RecordWriter<'a>(pub &'a mut Vec<u8>);

impl RecordWriter<'_> {
    /// A `UInt8`.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// A `UInt16` or a `Date`.
    pub fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A `UInt32`.
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A `UInt64`.
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A `UInt128`.
    pub fn u128(&mut self, value: u128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// A [`ColumnKind::Thousandths`] value.
    pub fn thousandths(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// An address; IPv4 as IPv4-mapped.
    pub fn ipv6(&mut self, value: std::net::Ipv6Addr) {
        self.0.extend_from_slice(&value.octets());
    }

    /// A text.
    pub fn text(&mut self, value: &str) {
        write_leb(self.0, value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    /// A map of texts.
    pub fn text_map(&mut self, pairs: &[(String, String)]) {
        write_leb(self.0, pairs.len());
        for (key, value) in pairs {
            self.text(key);
            self.text(value);
        }
    }
}

/// Appends a LEB128 number.
pub fn write_leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a LEB128 number of at most 32 bits: its value and how many bytes it took.
pub fn read_leb(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0usize;
    for (i, &byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// How many bytes the text at the head of `bytes` takes with its length; nothing where it is cut off or no UTF-8.
pub fn text_len(bytes: &[u8]) -> Option<usize> {
    let (len, head) = read_leb(bytes)?;
    std::str::from_utf8(bytes.get(head..head.checked_add(len)?)?).ok().map(|text| head + text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_kind_stands_at_its_own_place_in_the_table() {
        for (i, (kind, name, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, i);
            assert_eq!(ColumnKind::from_clickhouse_type(name), Some(*kind));
        }
    }

    proptest! {
        #[test]
        fn lengths_are_found_again(text in ".{0,200}", pairs in proptest::collection::vec((".{0,9}", ".{0,9}"), 0..5)) {
            let mut bytes = Vec::new();
            let mut writer = RecordWriter(&mut bytes);
            writer.text(&text);
            writer.text_map(&pairs);
            let first = ColumnKind::Text.value_len(&bytes).unwrap();
            prop_assert_eq!(first + ColumnKind::TextMap.value_len(&bytes[first..]).unwrap(), bytes.len());
            for cut in 0..first {
                prop_assert_eq!(ColumnKind::Text.value_len(&bytes[..cut]), None);
            }
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for (kind, ..) in KINDS {
                if let Some(len) = kind.value_len(&bytes) {
                    prop_assert!(len <= bytes.len());
                }
            }
        }
    }
}
