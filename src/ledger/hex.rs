//! Bytes as small hexadecimal digits, the one way in which the ledger writes hashes, signatures and ids.

/// The bytes in digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The `N` bytes of exactly `2 N` small digits.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

/// A number in 16 digits.
pub fn hex_u64(number: u64) -> String {
    hex(&number.to_be_bytes())
}

/// The number of exactly 16 small digits.
pub fn unhex_u64(text: &str) -> Option<u64> {
    unhex(text).map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(bytes: [u8; 32], number: u64) {
            proptest::prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes));
            proptest::prop_assert_eq!(unhex_u64(&hex_u64(number)), Some(number));
            proptest::prop_assert_eq!(hex_u64(number), format!("{number:016x}"));
        }
    }

    #[test]
    fn another_way_of_writing_is_none() {
        for wrong in ["", "0", "000000000000000A", "00000000000000000", "000000000000000g", "+00000000000000f"] {
            assert_eq!(unhex_u64(wrong), None, "{wrong}");
        }
    }
}
