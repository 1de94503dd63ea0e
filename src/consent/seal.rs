//! The signature of a choice (C9).

use super::Choice;
use crate::keys::{KeyPurpose, KeyRing, Remembered};

/// What a choice is signed with: the ring's key, for the hosts it counts for.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    ring: &'a KeyRing,
    scope: &'a str,
    remembered: Option<&'a Remembered<Choice>>,
}

impl<'a> Seal<'a> {
    /// For `scope`: a host, or the domain whose hosts share the choice, in lower case. A choice that was made for one scope is
    /// none in another.
    pub fn new(ring: &'a KeyRing, scope: &'a str) -> Seal<'a> {
        Seal { ring, scope, remembered: None }
    }

    /// The same, where what was verified before is remembered. One memory is for one policy.
    pub fn remembering(self, remembered: Option<&'a Remembered<Choice>>) -> Seal<'a> {
        Seal { remembered, ..self }
    }

    /// What `read` makes of a value, the signature verified; without reading it again where it is remembered.
    pub(super) fn once(self, value: &[u8], read: impl FnOnce() -> Option<Choice>) -> Option<Choice> {
        match self.remembered {
            Some(remembered) => remembered.or_verify(self.ring, self.scope.as_bytes(), value, read),
            None => read(),
        }
    }

    /// The tag of what stands in a cookie before it.
    pub(super) fn tag(self, body: &str) -> [u8; 32] {
        self.ring.mac(KeyPurpose::Choice, &[self.scope.as_bytes(), body.as_bytes()]).value
    }

    /// Whether the tag is ours.
    pub(super) fn is_on(self, body: &str, tag: &[u8; 16]) -> bool {
        self.ring.verify(KeyPurpose::Choice, &[self.scope.as_bytes(), body.as_bytes()], tag)
    }
}

impl<'a> From<&'a KeyRing> for Seal<'a> {
    /// Where there are no hosts to tell apart.
    fn from(ring: &'a KeyRing) -> Seal<'a> {
        Seal::new(ring, "")
    }
}
