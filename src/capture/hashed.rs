//! For tables whose keys are hashes already, under a key that nobody outside knows: hashing them again would only cost time.

use std::hash::{BuildHasher, Hasher};

/// Takes a key of 64 bits, or the lower half of one of 128, for its own hash.
#[derive(Clone, Copy, Default)]
pub(super) struct Hashed;

/// See [`Hashed`].
pub(super) struct Same(u64);

impl BuildHasher for Hashed {
    type Hasher = Same;

    fn build_hasher(&self) -> Same {
        Same(0)
    }
}

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }

    /// For keys of another kind, which none is.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
}
