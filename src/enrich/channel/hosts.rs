//! Hosts in tables that are asked several times for each event.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// By host or name.
pub type Map<V> = HashMap<&'static str, V, BuildHasherDefault<Quick>>;
/// Hosts alone.
pub type Set<K> = HashSet<K, BuildHasherDefault<Quick>>;

/// A hash for tables whose keys are ours or the operator's: who asks cannot fill one bucket, so it need not be a keyed one.
#[derive(Default)]
pub struct Quick(u64);

/// An odd number with its bits all over (the golden ratio's).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let mut add = |word: u64| self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(SPREAD);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
        add(rest.iter().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte)));
    }

    fn write_u8(&mut self, _: u8) {
        // The mark at the end of a text; the length is hashed already.
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// A host and those above it, from the longest: `a.b.example`, `b.example`. What has no dot is no host.
pub fn suffixes(host: &str) -> impl Iterator<Item = &str> {
    let first = host.contains('.').then_some(host);
    std::iter::successors(first, |host| {
        host.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    #[test]
    fn hosts_above_a_host_are_those_with_a_dot() {
        assert_eq!(
            suffixes("a.b.example.com").collect::<Vec<_>>(),
            ["a.b.example.com", "b.example.com", "example.com"]
        );
        for none in ["", "com", "localhost"] {
            assert_eq!(suffixes(none).count(), 0, "{none:?}");
        }
        assert_eq!(suffixes(".").collect::<Vec<_>>(), ["."]);
    }

    #[test]
    fn hosts_that_look_alike_are_spread() {
        let mut buckets = [0u32; 256];
        for i in 0..10_000u32 {
            let mut hash = Quick::default();
            format!("host-{i}.example.com").hash(&mut hash);
            buckets[(hash.finish() & 255) as usize] += 1;
            assert!(buckets[(hash.finish() & 255) as usize] < 100, "of 39 in the mean");
        }
        let hash = |text: &str| {
            let mut hash = Quick::default();
            text.hash(&mut hash);
            hash.finish()
        };
        assert_ne!(hash("ab"), hash("ba"));
        assert_ne!(hash("12345678"), hash("12345678\0"));
    }
}
