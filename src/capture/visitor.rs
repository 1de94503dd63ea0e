//! The visitor's token: 128 random bits in the cookie `consentry_visitor`, written and read only with a permit. The tables
//! know a keyed MAC of it, never the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use zeroize::Zeroize;

use crate::consent::{Analytics, Permit};

/// A visitor's token.
pub struct VisitorToken([u8; 16]);

impl VisitorToken {
    /// The token a cookie holds; nothing where it is not one of ours.
    pub fn decode(_permit: &Permit<Analytics>, value: &[u8]) -> Option<VisitorToken> {
        BASE64URL.decode(value).ok()?.try_into().ok().map(VisitorToken)
    }

    /// A new visitor's token.
    pub fn make(_permit: &Permit<Analytics>) -> VisitorToken {
        let mut token = [0u8; 16];
        getrandom::fill(&mut token).expect("the system has a random number generator");
        VisitorToken(token)
    }

    /// The cookie's value.
    pub fn encode(&self) -> String {
        BASE64URL.encode(self.0)
    }

    pub(super) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Drop for VisitorToken {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
