//! The language a choice was asked in, small enough to go with every request.

/// A language tag of at most 11 bytes, as in `en-GB`; a longer one is cut.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Language([u8; 11]);

impl Language {
    /// Of letters, digits and `-`; anything else is left out.
    pub fn new(tag: &str) -> Language {
        let mut bytes = [0; 11];
        let plain = tag.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b'-');
        bytes.iter_mut().zip(plain).for_each(|(place, byte)| *place = byte);
        Language(bytes)
    }

    /// As text; empty where it is not known.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl std::fmt::Debug for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}
