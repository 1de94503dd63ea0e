//! The signature of a choice (C9).

use crate::keys::{KeyPurpose, KeyRing};

/// What a choice is signed with: the ring's key, for the hosts it counts for.
#[derive(Clone, Copy)]
pub struct Seal<'a> {
    ring: &'a KeyRing,
    scope: &'a str,
}

impl<'a> Seal<'a> {
    /// For `scope`: a host, or the domain whose hosts share the choice, in lower case. A choice that was made for one scope is
    /// none in another.
    pub fn new(ring: &'a KeyRing, scope: &'a str) -> Seal<'a> {
        Seal { ring, scope }
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
        Seal { ring, scope: "" }
    }
}
